"""Punching in and out, and everybody's own hours."""

from datetime import date, timedelta

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from flask_app.clock import week_start
from flask_app.models import Correction, Job, Shift, User, committing
from flask_app.models.errors import RuleViolation
from flask_app.reporting.hours import timesheet_of
from flask_app.reporting.timesheet import Timesheet
from flask_app.timeclock.clock_out import unconfirmed
from flask_app.timeclock.shift_changes import STILL_THERE, punch_in_for, punch_out_for, replace_assumed
from flask_app.web.access import (
    current_user,
    job_or_404,
    local_path,
    login_required,
    own_shift_or_403,
    user_or_404,
)
from flask_app.web.now import now, today
from flask_app.web.presenting import clock, time_rules

bp = Blueprint("shifts", __name__)

PERIOD = timedelta(weeks=4)


@bp.get("/add/shift/<int:job_id>")
@login_required
def punch_in(job_id: int) -> ResponseReturnValue:
    """The old address of the punch-in form, which is on the job's page now."""
    return redirect(url_for("jobs.show", job_id=job_or_404(job_id).id))


@bp.post("/create/shift")
@login_required
def create() -> ResponseReturnValue:
    job = job_or_404(_number("job_id"))
    worker = _worker()
    note, key = request.form.get("note", ""), request.form.get("punch_key", "")
    try:
        shift = committing(lambda: _punch(worker, job, note, key))
    except RuleViolation as refusal:
        flash(str(refusal), "error")
        return redirect(url_for("jobs.show", job_id=job.id))
    flash(_started(shift, worker), "success")
    return redirect(_back())


def _punch(worker: User, job: Job, note: str, key: str) -> Shift:
    by = current_user()
    if worker.id == by.id:
        return Shift.start(worker, job, at=now(), note=note, punch_key=key)
    return punch_in_for(worker, job, by=by, at=now(), note=note, punch_key=key)


def _worker() -> User:
    """Whose shift it is: one's own, or for an admin anybody's."""
    user = current_user()
    if not request.form.get("user_id") or _number("user_id") == user.id:
        return user
    if not user.is_admin:
        abort(403, "Only admins can punch in somebody else.")
    return user_or_404(_number("user_id"))


def _started(shift: Shift, worker: User) -> str:
    number, since = shift.job.im_number, clock(shift.started_at)
    if worker.id == current_user().id:
        return f"You're on {number} since {since}."
    return f"{worker.name} is on {number} since {since}."


@bp.post("/punch_out/<int:shift_id>")
@login_required
def punch_out(shift_id: int) -> ResponseReturnValue:
    shift = own_shift_or_403(shift_id)
    try:
        committing(lambda: _end(shift))
    except RuleViolation as refusal:
        flash(str(refusal), "error")
        return redirect(_back())
    number, at = shift.job.im_number, clock(shift.ended_at or now())
    if shift.user_id == current_user().id:
        flash(f"You're off {number} since {at}.", "success")
    else:
        flash(f"{shift.user.name} is off {number} since {at}.", "success")
    return redirect(_back())


def _end(shift: Shift) -> None:
    by = current_user()
    if shift.user_id == by.id:
        _ = shift.end(at=now()) or replace_assumed(shift, at=now())
    else:
        punch_out_for(shift, by=by, at=now())


@bp.get("/my/hours")
@login_required
def hours() -> ResponseReturnValue:
    this_day = today()
    this_week = week_start(this_day)
    last = min(_date("to") or this_week + timedelta(days=6), this_week + timedelta(days=6))
    first = week_start(last) + timedelta(weeks=1) - PERIOD
    sheet = _timesheet(first, week_start(last) + timedelta(days=6))
    current = sheet if last >= this_day else _timesheet(this_week, this_day)
    asked = Correction.of(current_user())
    return render_template(
        "shifts/hours.html",
        timesheet=sheet,
        first=first,
        last=min(last, this_day),
        earlier=url_for("shifts.hours", to=(first - timedelta(days=1)).isoformat()),
        later=url_for("shifts.hours", to=(last + PERIOD).isoformat()) if last < this_day else None,
        this_week=next((week for week in current.weeks if week.start == this_week), None),
        this_day=current.on(this_day),
        asked=asked,
        by_shift=Correction.by_shift(asked),
        unconfirmed=unconfirmed(current_user()),
        now_minus=now() - STILL_THERE,
    )


def _timesheet(first: date, last: date) -> Timesheet[Shift]:
    """My hours that count from the shop's day `first` to `last`, both included."""
    return timesheet_of(current_user(), first, last, time_rules(), now=now())


def _number(field: str) -> int:
    text = request.form.get(field, "")
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        abort(400, "Something in the form is missing. Go back, reload the page and try again.")
    return int(text)


def _date(name: str) -> date | None:
    text = request.args.get(name)
    try:
        value = date.fromisoformat(text) if text else None
    except ValueError:
        abort(400, "The dates in this address can't be read. They look like 2026-11-23.")
    if value and not 2000 <= value.year <= 2999:
        abort(400, "There are no hours that far away.")
    return value


def _back() -> str:
    """Return the page that the button was on, if the form names one of ours."""
    return local_path(request.form.get("next", "")) or url_for("jobs.dashboard")
