"""Asking for one's hours to be corrected, and answering: see models/correction.py for the row itself."""

from datetime import datetime

from sqlalchemy.exc import IntegrityError

from flask_app.models.correction import (
    APPROVED,
    ASKED_ALREADY,
    DECLINED,
    NOTE_MAX,
    WAITING,
    WITHDRAWN,
    Correction,
)
from flask_app.models.database import db
from flask_app.models.errors import RuleViolation, ValidationError
from flask_app.models.job import Job
from flask_app.models.shift import Shift
from flask_app.models.types import plain
from flask_app.models.user import User
from flask_app.timeclock.shift_changes import add_shift, amend, check_times, locked


def ask(
    user: User,
    kind: str,
    shift: Shift | None,
    started_at: datetime,
    ended_at: datetime | None,
    job: Job,
    *,
    note: str,
    at: datetime,
) -> Correction:
    """Ask for a shift (None: a missing one) to be as given. Raises ValidationError, or RuleViolation."""
    note = plain(note)
    if len(note) > NOTE_MAX:
        raise ValidationError({"note": f"The note is too long: at most {NOTE_MAX} characters."})
    person = locked(shift, None) if shift else User.locked(user.id)
    check_times(person, started_at, ended_at, now=at, but=shift)
    if shift and (started_at, ended_at, job.id) == (shift.started_at, shift.ended_at, shift.job_id):
        raise ValidationError({"kind": "That's how the shift is already. Say what it should be."})
    asked = Correction(user_id=user.id, kind=kind, asked_at=at, note=note, state=WAITING, answer="")
    asked.new_started_at, asked.new_ended_at, asked.new_job_id = started_at, ended_at, job.id
    if shift:
        asked.shift_id, asked.old_job_id = shift.id, shift.job_id
        asked.old_started_at, asked.old_ended_at = shift.started_at, shift.ended_at
    db.session.add(asked)
    try:
        db.session.flush()
    except IntegrityError:
        raise ValidationError({"kind": ASKED_ALREADY}) from None
    return asked


def withdraw(asked: Correction, *, at: datetime) -> None:
    """Take the request back, unless it was decided."""
    _lock_waiting(asked)
    asked.state, asked.decided_at = WITHDRAWN, at


def approve(asked: Correction, *, by: User, at: datetime) -> None:
    """Do what was asked. Raises RuleViolation if the shift isn't what it was when it was asked."""
    _lock_waiting(asked)
    _refuse_own(asked, by)
    job, start = asked.new_job, asked.new_started_at
    if job is None or start is None:
        raise RuleViolation("This request is damaged. Decline it.")
    reason = f"Asked by {asked.user.name}: {asked.note}" if asked.note else f"Asked by {asked.user.name}."
    if asked.shift_id is None:
        shift = add_shift(asked.user, job, start, asked.new_ended_at, by=by, at=at, reason=reason)
        asked.shift_id = shift.id
    else:
        amend(_unchanged(asked), start, asked.new_ended_at, job, by=by, at=at, reason=reason)
    _decide(asked, APPROVED, by, at)


def decline(asked: Correction, *, by: User, at: datetime, answer: str = "") -> None:
    """Leave the hours as they are, and say why."""
    answer = plain(answer)
    if len(answer) > NOTE_MAX:
        raise RuleViolation(f"The answer is too long: at most {NOTE_MAX} characters.")
    _lock_waiting(asked)
    _refuse_own(asked, by)
    asked.answer = answer
    _decide(asked, DECLINED, by, at)


def _decide(asked: Correction, state: str, by: User, at: datetime) -> None:
    asked.state, asked.decided_by_id, asked.decided_at = state, by.id, at


def _lock_waiting(asked: Correction) -> None:
    db.session.refresh(asked, with_for_update=True)
    if asked.state != WAITING:
        raise RuleViolation("This request was decided already.")


def _refuse_own(asked: Correction, by: User) -> None:
    if by.id == asked.user_id and User.has_other_admin(by):
        raise RuleViolation("Another admin has to decide about your own hours.")


def _unchanged(asked: Correction) -> Shift:
    shift = db.session.get(Shift, asked.shift_id, populate_existing=True)
    if shift is None:
        raise RuleViolation("The shift was deleted meanwhile. Decline this, and say so.")
    locked(shift, None)
    if (shift.started_at, shift.ended_at, shift.job_id) != (
        asked.old_started_at, asked.old_ended_at, asked.old_job_id,
    ):  # fmt: skip
        raise RuleViolation(
            "The shift has changed since this was asked. Look at it; decline this if it is settled."
        )
    return shift
