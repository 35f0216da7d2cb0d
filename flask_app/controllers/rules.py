"""What the shop decides for itself: the auto clock-out of each department, and the holidays."""

from datetime import time

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from flask_app.models import DepartmentRule, Holiday, committing
from flask_app.models.errors import ValidationError
from flask_app.models.us_holidays import us_federal_holidays
from flask_app.web.access import admin_required, current_user
from flask_app.web.now import now, today
from flask_app.web.times import local_day

bp = Blueprint("rules", __name__)


@bp.get("/admin/rules")
@admin_required
def index() -> ResponseReturnValue:
    year = min(max(2000, request.args.get("year", today().year, type=int)), 2999)
    holidays = Holiday.between(today().replace(year, 1, 1), today().replace(year, 12, 31))
    return render_template("rules/index.html", rules=DepartmentRule.all(), holidays=holidays, year=year)


@bp.post("/admin/rules/department")
@admin_required
def department() -> ResponseReturnValue:
    form, by = request.form, current_user()
    try:
        at, end = (
            time.fromisoformat(form.get(name, "")).replace(tzinfo=None)
            for name in ("clock_out_at", "assumed_end")
        )
        committing(
            lambda: DepartmentRule.set(
                form.get("department", ""), "clocks_out" in form, at, end, by=by, now=now()
            )
        )
    except ValidationError as invalid:
        flash(str(invalid), "error")
    except ValueError:
        flash("Fill in both times. They look like 15:30.", "error")
    else:
        flash("The rule is saved. It holds from the next clock-out on.", "success")
    return redirect(url_for("rules.index"))


@bp.post("/admin/rules/holiday")
@admin_required
def add_holiday() -> ResponseReturnValue:
    form, by = request.form, current_user()
    try:
        day = local_day(form.get("day", ""))
        added = committing(lambda: Holiday.add(day, form.get("name", ""), by=by, now=now()))
    except (ValidationError, ValueError) as problem:
        flash(str(problem), "error")
        return redirect(url_for("rules.index"))
    flash(
        "The holiday is added." if added else "That day is a holiday already.", "success" if added else "info"
    )
    return redirect(url_for("rules.index", year=day.year))


@bp.post("/admin/rules/holiday/remove")
@admin_required
def remove_holiday() -> ResponseReturnValue:
    by = current_user()
    try:
        day = local_day(request.form.get("day", ""))
    except ValueError as problem:
        flash(str(problem), "error")
        return redirect(url_for("rules.index"))
    if committing(lambda: Holiday.remove(day, by=by, now=now())):
        flash("It is a working day again.", "success")
    return redirect(url_for("rules.index", year=day.year))


@bp.post("/admin/rules/federal")
@admin_required
def add_federal() -> ResponseReturnValue:
    year, by = request.form.get("year", 0, type=int), current_user()
    if not 2000 <= year <= 2999:
        flash("Choose a year.", "error")
        return redirect(url_for("rules.index"))
    days = us_federal_holidays(year)
    added = committing(lambda: sum(Holiday.add(day, days[day], by=by, now=now()) for day in days))
    flash(f"{added} federal holidays of {year} are added." if added else "They are all there.", "success")
    return redirect(url_for("rules.index", year=year))
