"""Today in the shop: who is in, who has left, who is expected; and sending people home."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from flask_app.clock import day_bounds
from flask_app.config import settings
from flask_app.models import Dismissal, Shift, User, committing
from flask_app.models.errors import RuleViolation
from flask_app.reporting.today import Today, read_today
from flask_app.timeclock import ledger
from flask_app.web import undo
from flask_app.web.access import (
    acting,
    admin_required,
    current_user,
    local_path,
    login_required,
    shift_or_none,
    user_or_404,
)
from flask_app.web.now import now, today
from flask_app.web.presenting import punch_rules, time_rules
from flask_app.web.punch_words import punched_out
from flask_app.words import _, ngettext

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
    words = _("%(name)s is not expected today.", name=person.name)
    undo.says(words, undo=undo.of_account(person.id))
    return redirect(url_for("today.show"))


@bp.post("/todays_activity/expect/<int:user_id>")
@admin_required
def expect(user_id: int) -> ResponseReturnValue:
    person = user_or_404(user_id)
    committing(lambda: Dismissal.undo(person, today(), by=current_user(), at=now()))
    flash(_("%(name)s is expected today after all.", name=person.name), "success")
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
    people = [(shift, shift.user) for shift in shifts]
    out: dict[int, str] = {}
    for shift, person in people:
        _send_home(shift, person, out)
    if not shifts:
        flash(_("Select who is leaving first."), "error")
    if out:
        undo.says(_sentence(list(out.values())), undo=undo.of_ends(list(out)))
    return redirect(local_path(request.form.get("next", "")) or url_for("today.show"))


def _send_home(shift: Shift, person: User, out: dict[int, str]) -> None:
    """Punch somebody out: the ordinary case is told together with the others, every other by itself."""
    by, at, rules, name = acting(), now(), punch_rules(), person.name
    try:
        done = committing(lambda: ledger.punch_out(shift, by=by, at=at, rules=rules))
    except RuleViolation as refusal:
        flash(f"{name}: {refusal}", "error")
        return
    if isinstance(done, ledger.PunchedOut) and not done.shift.assumed_at:
        out[done.shift.id] = name
    else:
        flash(punched_out(done, person), "info")


def _sentence(names: list[str]) -> str:
    if len(names) > 3:
        return _("%(n)s people are punched out.", n=len(names))
    told = ", ".join(names)
    return ngettext("%(names)s is punched out.", "%(names)s are punched out.", len(names), names=told)
