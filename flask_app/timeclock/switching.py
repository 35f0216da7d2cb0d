"""A switch that was forgotten, or punched too late: the running shift should begin at another time.

On another job, what it was until then is a shift of its own; on the same job, the shift that was punched
before it ends then. Asked for and approved by way of timeclock/corrections.py.
"""

from datetime import datetime

from flask_app.clock import to_minute
from flask_app.models.errors import RuleViolation, ValidationError
from flask_app.models.job import Job
from flask_app.models.shift import Shift
from flask_app.timeclock import ledger
from flask_app.timeclock.entries import Actor
from flask_app.timeclock.shift_rules import CLOCK_SLACK
from flask_app.words import Words, _, lazy

NOT_ON = lazy("You're not on that shift any more. Request a correction of it under My hours.")
FROM_WHAT = lazy("No shift ended when you punched in on this job. Choose the job you switched to.")
GONE = lazy(
    "The shift before it has changed since this request. Check it; decline the request if it is settled."
)


def check(shift: Shift, since: datetime, job: Job, *, at: datetime) -> None:
    """Raise unless whoever is on `shift` (locked) can have switched to `job` at `since`.

    A ValidationError names `since` or `job`; a RuleViolation says that they aren't on it any more.
    """
    if not shift.is_open:
        raise RuleViolation(NOT_ON)
    if not job.is_active:
        raise ValidationError({"job": _("Job %(job)s is closed. Choose another.", job=job.im_number)})
    problem = _too_late(shift, since, at) if job.id != shift.job_id else _too_early(shift, since)
    if problem:
        raise ValidationError(problem)


def _too_late(shift: Shift, since: datetime, at: datetime) -> dict[str, Words] | None:
    """Return what is wrong with a switch from the job of `shift` to another one."""
    if since > at + CLOCK_SLACK:
        return {"since": _("This time is in the future.")}
    if to_minute(since) <= to_minute(shift.started_at):
        return {
            "since": _("You punched in on %(job)s after that. Enter a later time.", job=shift.job.im_number)
        }
    return None


def _too_early(shift: Shift, since: datetime) -> dict[str, Words] | None:
    """Return what is wrong with a switch to the job of `shift` before it was punched."""
    before = Shift.just_before(shift)
    if before is None:
        return {"job": FROM_WHAT}
    if to_minute(since) >= to_minute(shift.started_at):
        return {"since": _("You're on %(job)s since then. Enter an earlier time.", job=shift.job.im_number)}
    if to_minute(since) <= to_minute(before.started_at):
        return {
            "since": _("You punched in on %(job)s after that. Enter a later time.", job=before.job.im_number)
        }
    return None


def carry_out(shift: Shift, since: datetime, job: Job, *, by: Actor, at: datetime, reason: str) -> None:
    """Let `shift` (locked, and as it was when this was asked) begin on `job` at `since`. Raises RuleViolation
    or ValidationError if that can't be any more."""
    began, was = shift.started_at, shift.job
    if job.id == was.id:
        before = Shift.just_before(shift)
        if before is None or before.started_at >= since:
            raise RuleViolation(GONE)
        ledger.amend(before, before.started_at, since, before.job, by=by, at=at, reason=reason)
    ledger.amend(shift, since, shift.ended_at, job, by=by, at=at, reason=reason)
    if job.id != was.id:
        ledger.add(shift.user, was, began, since, by=by, at=at, reason=reason)
