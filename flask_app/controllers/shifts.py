"""Punching in and out, and everybody's own hours."""

from datetime import date, timedelta

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from flask_app.clock import week_start
from flask_app.config import settings
from flask_app.controllers.jobs import job_page
from flask_app.models import Correction, Shift, User, committing
from flask_app.models.errors import RuleViolation
from flask_app.reporting.hours import timesheet_of
from flask_app.reporting.timesheet import Timesheet, Week
from flask_app.timeclock import ledger
from flask_app.timeclock.clock_out import unconfirmed
from flask_app.web import undo
from flask_app.web.access import (
    acting,
    current_user,
    job_or_404,
    local_path,
    locks_me,
    login_required,
    own_shift_or_403,
    user_or_404,
)
from flask_app.web.drafts import draws_again
from flask_app.web.edits import edits_of
from flask_app.web.now import now, today
from flask_app.web.parse import row_id, shop_day
from flask_app.web.presenting import clock_rules, punch_rules, time_rules
from flask_app.web.punch_words import punched_in, punched_out
from flask_app.web.shift_forms import PunchForm
from flask_app.words import _

bp = Blueprint("shifts", __name__)

WEEK = timedelta(weeks=1)
EARLIEST = date(2000, 1, 1)  # what a date in an address may be: web/parse.py


@bp.get("/add/shift/<int:job_id>")
@login_required
def punch_in(job_id: int) -> ResponseReturnValue:
    """The old address of the punch-in form, which is on the job's page now."""
    return redirect(url_for("jobs.show", job_id=job_or_404(job_id).id))


@bp.post("/create/shift")
@locks_me
@login_required
@draws_again
def create() -> ResponseReturnValue:
    job_id, worker, form = _number("job_id"), _worker(), PunchForm(request.form)
    if not form.validate():
        return job_page(job_or_404(job_id), form), form.code
    words = {"note": form.note.data, "key": request.form.get("punch_key", "")}
    by, at, rules = acting(), now(), punch_rules()
    try:
        done = committing(lambda: ledger.punch_in(worker, job_id, by=by, at=at, rules=rules, **words))
    except ledger.NoSuchJob as gone:
        abort(404, str(gone))
    except RuleViolation as refusal:
        form.says = str(refusal)
        return job_page(job_or_404(job_id), form), form.code
    undo.says(punched_in(done, worker), undo=undo.of_punch(done))
    return redirect(_back())


def _worker() -> User:
    """Whose shift it is: one's own, or for an admin anybody's."""
    user = current_user()
    if not request.form.get("user_id") or _number("user_id") == user.id:
        return user
    if not user.is_admin:
        abort(403, _("Only admins can punch in someone else."))
    return user_or_404(_number("user_id"))


@bp.post("/punch_out/<int:shift_id>")
@locks_me
@login_required
def punch_out(shift_id: int) -> ResponseReturnValue:
    shift = own_shift_or_403(shift_id)
    worker, by, at, rules = shift.user, acting(), now(), punch_rules()
    sure = "sure" in request.form or worker.id != current_user().id
    try:
        done = committing(lambda: ledger.punch_out(shift, by=by, at=at, rules=rules, sure=sure))
    except ledger.TooSoon as question:
        undo.asks(str(question), shift_id)
        return redirect(_back())
    except RuleViolation as refusal:
        flash(str(refusal), "error")
        return redirect(_back())
    offer = undo.of_punch(done)
    undo.says(punched_out(done, worker), undo=offer, category="success" if offer else "info")
    return redirect(_back())


@bp.post("/my/shift/<int:shift_id>/note")
@login_required
@draws_again
def write_note(shift_id: int) -> ResponseReturnValue:
    """Add or change the note of one's running shift."""
    shift, form, by, at = own_shift_or_403(shift_id), PunchForm(request.form), acting(), now()
    if not form.validate():
        return job_page(shift.job, PunchForm(), form), form.code
    try:
        committing(lambda: ledger.change_note(shift, form.note.data, by=by, at=at))
    except RuleViolation as refusal:
        form.says = str(refusal)
        return job_page(shift.job, PunchForm(), form), form.code
    flash(_("Note saved."), "success")
    return redirect(_back())


@bp.get("/my/hours")
@login_required
def hours() -> ResponseReturnValue:
    """One week, the present one unless `to` names a day of another, under the sums of this week and month."""
    this_day, asked = today(), Correction.of(current_user())
    this_week, month = week_start(this_day), this_day.replace(day=1)
    first = min(week_start(_date("to") or this_day), this_week)
    last = first + WEEK - timedelta(days=1)
    recent = _timesheet(min(month, this_week), this_day)
    is_recent = first >= min(month, this_week)
    sheet = recent if is_recent else _timesheet(first, last)
    asked_days = {clock_rules().day_of(one.began_at) for one in asked if one.is_waiting}
    week = _week(sheet, first, last, asked_days)
    return render_template(
        "shifts/hours.html",
        week=week,
        last=last,
        month=recent.since(month),
        this_week=recent.since(this_week),
        this_day=recent.on(this_day),
        **_neighbours(first, this_week),
        asked=asked,
        asked_days=asked_days,
        by_shift=Correction.by_shift(asked),
        edits=edits_of(line.shift for day in week.days for line in day.lines),
        unconfirmed=unconfirmed(current_user()),
        now_minus=now() - settings().longest_shift,
    )


def _week(sheet: Timesheet[Shift], first: date, last: date, asked_days: set[date]) -> Week[Shift]:
    """Return the days of a week on which there was work, or on which a correction waits."""
    days = {day.date for day in sheet.days} | asked_days
    return Week(first, [sheet.on(day) for day in sorted(days) if first <= day <= last])


def _neighbours(first: date, this_week: date) -> dict[str, str | None]:
    """Return the addresses of the week before and the week after, None where there is none to see."""
    return {
        "earlier": url_for("shifts.hours", to=(first - WEEK).isoformat()) if first > EARLIEST else None,
        "later": url_for("shifts.hours", to=(first + WEEK).isoformat()) if first < this_week else None,
    }


def _timesheet(first: date, last: date) -> Timesheet[Shift]:
    """My hours that count from the shop's day `first` to `last`, both included."""
    return timesheet_of(current_user(), first, last, time_rules(), now=now())


def _number(field: str) -> int:
    number = row_id(request.form.get(field, ""))
    if number is None:
        abort(400, _("Something in the form is missing. Go back, reload the page and try again."))
    return number


def _date(name: str) -> date | None:
    try:
        return shop_day(request.args[name]) if request.args.get(name) else None
    except ValueError as problem:
        abort(400, str(problem))


def _back() -> str:
    """Return the page that the button was on, if the form names one of ours."""
    return local_path(request.form.get("next", "")) or url_for("jobs.dashboard")
