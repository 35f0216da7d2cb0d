"""Asking for one's hours to be corrected, and answering: see models/correction.py for the row itself."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from flask_app.models.audit import BY_CORRECTION
from flask_app.models.correction import (
    APPROVED,
    ASKED_ALREADY,
    DECLINED,
    DELETION,
    MISSING,
    NOTE_MAX,
    SWITCH,
    WAITING,
    WITHDRAWN,
    WRONG_JOB,
    WRONG_TIME,
    Correction,
)
from flask_app.models.database import db
from flask_app.models.errors import RuleViolation, ValidationError
from flask_app.models.job import Job
from flask_app.models.shift import Shift
from flask_app.models.types import plain
from flask_app.models.user import User
from flask_app.timeclock import ledger, switching
from flask_app.timeclock.entries import Actor
from flask_app.timeclock.shift_rows import OwnHours, locked
from flask_app.timeclock.shift_rules import check_times, same_minute
from flask_app.words import _, lazy, noted

DAY = timedelta(days=1)
ASKED_A_DAY = 40  # by one person: more is a script, or something to talk about

_TOO_MANY = lazy("You've sent a lot of requests today. Talk to the office.")
_CHANGED = lazy("The shift has changed since this request. Check it; decline the request if it is settled.")


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
        raise ValidationError({"note": _("This is too long: at most %(most)s characters.", most=NOTE_MAX)})
    if (shift is None) is not (kind == MISSING):
        raise ValidationError({"kind": _("Choose what is wrong.")})
    person = User.locked(user.id)
    _refuse_too_many(user, at)
    if shift:
        person, shift, _present = locked(shift)
    check_times(person, started_at, ended_at, now=at, but=shift)
    if shift and _as_it_is(shift, started_at, ended_at, job):
        raise ValidationError({"kind": _("The shift is already like that. Enter what it should be.")})
    asked = Correction(user_id=user.id, kind=kind, asked_at=at, note=note, state=WAITING, answer="")
    asked.new_started_at, asked.new_ended_at, asked.new_job_id = started_at, ended_at, job.id
    return _ask_about(asked, shift, ValidationError({"kind": ASKED_ALREADY}))


def ask_switch(user: User, shift: Shift, since: datetime, job: Job, *, note: str, at: datetime) -> Correction:
    """Ask that `user`, who is on `shift`, switched to `job` at `since`. Raises as `ask` does."""
    _refuse_too_many(User.locked(user.id), at)
    _person, shift, _present = locked(shift)
    switching.check(shift, since, job, at=at)
    asked = Correction(user_id=user.id, kind=SWITCH, asked_at=at, note=plain(note), state=WAITING, answer="")
    asked.new_started_at, asked.new_ended_at, asked.new_job_id = since, None, job.id
    return _ask_about(asked, shift, ValidationError({"job": ASKED_ALREADY}))


def amend_or_ask(
    shift: Shift,
    started_at: datetime,
    ended_at: datetime | None,
    job: Job,
    *,
    by: Actor,
    at: datetime,
    reason: str,
    note: str | None = None,
    seen: str | None = None,
) -> ledger.Changed | ledger.Unchanged | Correction:
    """Change a shift as an admin; one's own becomes a request, if there is another admin to answer it."""
    how: dict[str, Any] = {"by": by, "at": at, "reason": reason, "seen": seen}
    try:
        return ledger.amend(shift, started_at, ended_at, job, note=note, **how)
    except OwnHours:
        owner, present, _ = locked(shift, seen)
        if note is not None and note != present.note:
            ledger.amend(present, present.started_at, present.ended_at, present.job, note=note, **how)
        kind = WRONG_JOB if _same_times(present, started_at, ended_at) else WRONG_TIME
        return _ask_instead(owner, kind, present, started_at, ended_at, job, reason, at)


def add_or_ask(
    person: User,
    job: Job,
    started_at: datetime,
    ended_at: datetime | None,
    *,
    by: Actor,
    at: datetime,
    reason: str,
    note: str = "",
) -> Shift | Correction:
    """Add a shift as an admin; one's own becomes a request, if there is another admin to answer it."""
    try:
        return ledger.add(person, job, started_at, ended_at, by=by, at=at, reason=reason, note=note)
    except OwnHours:
        return _ask_instead(person, MISSING, None, started_at, ended_at, job, reason, at)


def delete_or_ask(
    shift: Shift, *, by: Actor, at: datetime, reason: str, seen: str | None = None
) -> Shift | Correction:
    """Take a shift away as an admin; one's own becomes a request, if there is another admin to answer it."""
    try:
        return ledger.delete(shift, by=by, at=at, reason=reason, seen=seen)
    except OwnHours:
        owner, present, _present = locked(shift, seen)
        asked = Correction(user_id=owner.id, kind=DELETION, asked_at=at, state=WAITING, answer="")
        asked.note = plain(reason)[:NOTE_MAX]
        return _ask_about(asked, present, RuleViolation(str(ASKED_ALREADY)))


def _refuse_too_many(user: User, at: datetime) -> None:
    if Correction.asked_by(user, since=at - DAY) >= ASKED_A_DAY:
        raise ValidationError({"kind": _TOO_MANY})


def _ask_about(asked: Correction, shift: Shift | None, refusal: RuleViolation) -> Correction:
    """Store a request, with what its shift is now; one that is there already is returned or, if it says
    something else, refused."""
    if shift:
        asked.shift_id, asked.old_job_id = shift.id, shift.job_id
        asked.old_started_at, asked.old_ended_at = shift.started_at, shift.ended_at
    if sent_before := _asked_before(asked):
        return sent_before
    db.session.add(asked)
    try:
        db.session.flush()
    except IntegrityError:
        raise refusal from None
    return asked


def _ask_instead(
    person: User,
    kind: str,
    shift: Shift | None,
    started_at: datetime,
    ended_at: datetime | None,
    job: Job,
    reason: str,
    at: datetime,
) -> Correction:
    try:
        return ask(person, kind, shift, started_at, ended_at, job, note=reason[:NOTE_MAX], at=at)
    except ValidationError as invalid:
        raise RuleViolation(str(invalid)) from None  # an admin's form has no field for what is wrong


def _asked_before(asked: Correction) -> Correction | None:
    """Return the waiting request that says the very same: a form that was sent twice asks once."""
    columns = ("user_id", "shift_id", "kind", "new_started_at", "new_ended_at", "new_job_id", "state", "note")
    same = (getattr(Correction, name) == getattr(asked, name) for name in columns)
    return db.session.scalars(select(Correction).where(*same).limit(1)).first()


def withdraw(asked: Correction, *, at: datetime) -> None:
    """Take the request back, unless it was decided."""
    _lock_waiting(asked)
    asked.state, asked.decided_at = WITHDRAWN, at


def approve(asked: Correction, *, by: User, at: datetime) -> None:
    """Do what was asked. Raises RuleViolation if what is to be changed isn't as it was when it was asked."""
    _lock_waiting(asked)
    _refuse_own(asked, by)
    reason = noted("Requested by %(name)s.", name=asked.user.name) + (f" {asked.note}" if asked.note else "")
    _carry_out(asked, Actor(by, role=BY_CORRECTION), at, reason)
    _decide(asked, APPROVED, by, at)


def _carry_out(asked: Correction, actor: Actor, at: datetime, reason: str) -> None:
    if asked.kind == DELETION:
        ledger.delete(_as_it_was(asked), by=actor, at=at, reason=reason)
        return
    job, start = asked.new_job, asked.new_started_at
    if job is None or start is None:
        raise RuleViolation(_("This request is damaged. Decline it."))
    if asked.kind == SWITCH:
        switching.carry_out(_as_it_was(asked), start, job, by=actor, at=at, reason=reason)
    elif asked.shift_id is None:
        shift = ledger.add(asked.user, job, start, asked.new_ended_at, by=actor, at=at, reason=reason)
        asked.shift_id = shift.id
    else:
        shift = _unchanged(asked)
        start, end, job = _wanted(asked, shift, start, job)
        ledger.amend(shift, start, end, job, by=actor, at=at, reason=reason)


def decline(asked: Correction, *, by: User, at: datetime, answer: str = "") -> None:
    """Leave the hours as they are, and say why."""
    answer = plain(answer)
    if len(answer) > NOTE_MAX:
        raise RuleViolation(_("This is too long: at most %(most)s characters.", most=NOTE_MAX))
    _lock_waiting(asked)
    _refuse_own(asked, by)
    asked.answer = answer
    _decide(asked, DECLINED, by, at)


def _decide(asked: Correction, state: str, by: User, at: datetime) -> None:
    asked.state, asked.decided_by_id, asked.decided_at = state, by.id, at


def _lock_waiting(asked: Correction) -> None:
    db.session.refresh(asked, with_for_update=True)
    if asked.state != WAITING:
        raise RuleViolation(_("This request was already decided."))


def _refuse_own(asked: Correction, by: User) -> None:
    if by.id == asked.user_id and User.has_other_admin(by):
        raise RuleViolation(_("Another admin has to decide about your own hours."))


def _as_it_is(shift: Shift, started_at: datetime, ended_at: datetime | None, job: Job) -> bool:
    return _same_times(shift, started_at, ended_at) and job.id == shift.job_id


def _same_times(shift: Shift, started_at: datetime, ended_at: datetime | None) -> bool:
    return same_minute(started_at, shift.started_at) and same_minute(ended_at, shift.ended_at)


def _still_there(asked: Correction) -> Shift:
    """Return the shift, locked; or raise RuleViolation if it is gone."""
    shift = None if asked.shift_id is None else db.session.get(Shift, asked.shift_id)
    if shift is None:
        raise RuleViolation(_("The shift was deleted meanwhile. Decline this request."))
    return locked(shift)[1]


def _as_it_was(asked: Correction) -> Shift:
    """Return the shift, locked; or raise RuleViolation if anything of it has changed since it was asked."""
    shift = _still_there(asked)
    if (
        not same_minute(shift.started_at, asked.old_started_at)
        or not _end_stands(asked, shift)
        or shift.job_id != asked.old_job_id
    ):
        raise RuleViolation(str(_CHANGED))
    return shift


def _unchanged(asked: Correction) -> Shift:
    """Return the shift, locked; or raise RuleViolation if what was asked to change has changed since."""
    shift = _still_there(asked)
    starts_anew = not same_minute(asked.new_started_at, asked.old_started_at)
    moves = asked.new_job_id != asked.old_job_id
    if (
        (starts_anew and not same_minute(shift.started_at, asked.old_started_at))
        or (_ends_anew(asked) and not _end_stands(asked, shift))
        or (moves and shift.job_id != asked.old_job_id)
    ):
        raise RuleViolation(str(_CHANGED))
    return shift


def _ends_anew(asked: Correction) -> bool:
    return not same_minute(asked.new_ended_at, asked.old_ended_at)


def _end_stands(asked: Correction, shift: Shift) -> bool:
    """Whether the end is what it was. That an open shift has ended since, as shifts do, is no change: only an
    end that somebody typed is."""
    if asked.old_ended_at is None and shift.ended_at is not None:
        return shift.edited_at is None or shift.edited_at < asked.asked_at
    return same_minute(shift.ended_at, asked.old_ended_at)


def _wanted(
    asked: Correction, shift: Shift, start: datetime, job: Job
) -> tuple[datetime, datetime | None, Job]:
    """Return the shift as it should be: what was not asked to change stays as it is now."""
    if same_minute(asked.new_started_at, asked.old_started_at):
        start = shift.started_at
    end = asked.new_ended_at if _ends_anew(asked) else shift.ended_at
    return start, end, shift.job if asked.new_job_id == asked.old_job_id else job
