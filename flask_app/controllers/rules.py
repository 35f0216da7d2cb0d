"""What the shop decides for itself: the auto clock-out of each department, and the holidays."""

from datetime import date

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from flask_app.models import DepartmentRule, Holiday, committing
from flask_app.models.us_holidays import us_federal_holidays
from flask_app.web.access import admin_required, current_user
from flask_app.web.drafts import draws_again
from flask_app.web.now import now, today
from flask_app.web.parse import shop_day, whole_number
from flask_app.web.rule_forms import ClockOutForm, HolidayForm, RulesRefused
from flask_app.words import _, ngettext

bp = Blueprint("rules", __name__)


@bp.get("/admin/rules")
@admin_required
def index() -> ResponseReturnValue:
    return _page()


def _page(*, asked: ClockOutForm | None = None, holiday: HolidayForm | None = None) -> str:
    """Return the page, with a form that couldn't be taken in place of a fresh one."""
    year = whole_number(request.args.get("year", ""), low=2000, high=2999, usual=today().year)
    return render_template(
        "rules/index.html",
        rules=asked or ClockOutForm(None, DepartmentRule.all()),
        holidays=Holiday.between(date(year, 1, 1), date(year, 12, 31)),
        year=year,
        today=today(),
        holiday=holiday or HolidayForm(),
    )


@bp.post("/admin/rules")
@admin_required
@draws_again
def save() -> ResponseReturnValue:
    form, by = ClockOutForm(request.form, DepartmentRule.all()), current_user()
    if not form.sent:
        flash(_("There is no such department."), "error")
        return redirect(url_for("rules.index"))
    if not form.validate():
        return _page(asked=form), form.code
    try:
        committing(lambda: form.save(by=by, now=now()))
    except RulesRefused as refused:
        form.refuse(refused)
        return _page(asked=form), form.code
    flash(_("Saved. It applies from the next clock-out."), "success")
    return redirect(url_for("rules.index"))


@bp.post("/admin/rules/holiday")
@admin_required
@draws_again
def add_holiday() -> ResponseReturnValue:
    form, by = HolidayForm(request.form), current_user()
    if not form.validate():
        return _page(holiday=form), form.code
    day, name = form.day.data, form.name.data
    if committing(lambda: Holiday.add(day, name, by=by, now=now())):
        flash(_("The holiday is added."), "success")
    else:
        flash(_("That day is a holiday already."), "info")
    return redirect(url_for("rules.index", year=day.year))


@bp.post("/admin/rules/holiday/remove")
@admin_required
def remove_holiday() -> ResponseReturnValue:
    by = current_user()
    try:
        day = shop_day(request.form.get("day", ""))
    except ValueError as problem:
        flash(str(problem), "error")
        return redirect(url_for("rules.index"))
    if committing(lambda: Holiday.remove(day, by=by, now=now())):
        flash(_("It's a working day again."), "success")
    return redirect(url_for("rules.index", year=day.year))


@bp.post("/admin/rules/federal")
@admin_required
def add_federal() -> ResponseReturnValue:
    year = whole_number(request.form.get("year", ""), low=0, high=9999, usual=0)
    by = current_user()
    if not 2000 <= year <= 2999:
        flash(_("Choose a year."), "error")
        return redirect(url_for("rules.index"))
    days = us_federal_holidays(year)
    added = committing(lambda: sum(Holiday.add(day, days[day], by=by, now=now()) for day in days))
    flash(
        ngettext(
            "Added %(n)s federal holiday of %(year)s.",
            "Added %(n)s federal holidays of %(year)s.",
            added,
            year=year,
        )
        if added
        else _("They are all there."),
        "success",
    )
    return redirect(url_for("rules.index", year=year))
