"""Today in the shop: who is in, who has left, who is expected; and sending people home."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from flask_app.clock import day_bounds
from flask_app.config import settings
from flask_app.models import Dismissal, Shift, committing
from flask_app.models.errors import RuleViolation
from flask_app.reporting.today import Today, read_today
from flask_app.timeclock.shift_changes import punch_out_for
from flask_app.web.access import (
    admin_required,
    current_user,
    local_path,
    login_required,
    shift_or_none,
    user_or_404,
)
from flask_app.web.now import now, today
from flask_app.web.presenting import time_rules

bp = Blueprint("today", __name__)


@bp.get("/todays_activity", endpoint="show")
@login_required
def today_page() -> ResponseReturnValue:
    template = "today/_board.html" if "part" in request.args else "today/today.html"
    return render_template(
        template,
        board=_read(),
        day=today(),
        begins=day_bounds(today(), settings().shop_timezone)[0],
        wall="wall" in request.args,
    )


def _read() -> Today:
    return read_today(today(), time_rules(), now=now())


@bp.post("/todays_activity/dismiss/<int:user_id>")
@admin_required
def dismiss(user_id: int) -> ResponseReturnValue:
    person = user_or_404(user_id)
    committing(lambda: Dismissal.dismiss(person, today(), by=current_user(), at=now()))
    flash(f"{person.name} is not expected today.", "success")
    return redirect(url_for("today.show"))


@bp.post("/todays_activity/expect/<int:user_id>")
@admin_required
def expect(user_id: int) -> ResponseReturnValue:
    person = user_or_404(user_id)
    committing(lambda: Dismissal.undo(person, today()))
    flash(f"{person.name} is expected today after all.", "success")
    return redirect(url_for("today.show"))


@bp.get("/end_of_day")
@admin_required
def end_of_day() -> ResponseReturnValue:
    return render_template("today/end_of_day.html", board=_read())


@bp.post("/end_of_day")
@admin_required
def punch_out() -> ResponseReturnValue:
    """Punch out the shifts that the form names, and nobody who came since."""
    named = request.form.getlist("only") or request.form.getlist("shift")
    shifts = [shift for number in dict.fromkeys(named) if (shift := shift_or_none(number))]
    out: list[str] = []
    gone: list[str] = []
    for shift in shifts:
        try:
            (out if _send_home(shift) else gone).append(shift.user.name)
        except RuleViolation as refusal:
            flash(f"{shift.user.name}: {refusal}", "error")
    if not shifts:
        flash("Tick the people who leave first.", "error")
    for names, words in ((out, "punched out"), (gone, "had left already")):
        if names:
            flash(_sentence(names, words), "success" if names is out else "info")
    return redirect(local_path(request.form.get("next", "")) or url_for("today.show"))


def _send_home(shift: Shift) -> bool:
    return committing(lambda: punch_out_for(shift, by=current_user(), at=now()))


def _sentence(names: list[str], words: str) -> str:
    if len(names) > 3:
        return f"{len(names)} people {words}."
    verb = "" if words.startswith("had") else "is " if len(names) == 1 else "are "
    return f"{', '.join(names)} {verb}{words}."
