"""Changing hours after the fact: add, amend, delete, assume and confirm. Each leaves its row in the audit."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy import select

from flask_app.models.audit import ADDED, CHANGED, DELETED, SHIFT, Audit, checked_reason
from flask_app.models.database import db
from flask_app.models.errors import RuleViolation, ValidationError
from flask_app.models.job import Job
from flask_app.models.shift import CLOCK_SLACK, Shift, checked_note, flush_guarded
from flask_app.models.user import User

LONGEST = timedelta(hours=24)  # a typed shift that is longer has a wrong date in it
STILL_THERE = timedelta(hours=16)  # how long after its start a real punch may still replace an assumed end
CHANGED_MEANWHILE = "This shift was changed a moment ago. Look at it again before you change it."


def add_shift(
    person: User,
    job: Job,
    started_at: datetime,
    ended_at: datetime | None,
    *,
    by: User | None,
    at: datetime,
    reason: str,
    note: str = "",
) -> Shift:
    """Add a shift that was never punched; or raise ValidationError. `ended_at` None: it still goes on."""
    reason, note = checked_reason(reason), checked_note(note)
    person = User.locked(person.id)
    check_times(person, started_at, ended_at, now=at)
    shift = Shift(user_id=person.id, user=person, job_id=job.id, job=job, note=note)
    shift.started_at, shift.ended_at, shift.edited_at = started_at, ended_at, at
    db.session.add(shift)
    flush_guarded()
    nothing = {field: None for field in _as_seen(shift)}
    _write_down(ADDED, shift, nothing, by=by, at=at, reason=reason)
    return shift


def amend(
    shift: Shift,
    started_at: datetime,
    ended_at: datetime | None,
    job: Job,
    *,
    by: User | None,
    at: datetime,
    reason: str,
    note: str | None = None,
    seen: str | None = None,
) -> bool:
    """Change a shift's punches, job or note (None: as it is). Return False if that changes nothing.

    `seen` is the shift's `version` as whoever decided this saw it. Raises ValidationError, or RuleViolation
    if the shift has changed since or is gone. An end that is given is not assumed any more.
    """
    person = locked(shift, seen)
    before = _as_seen(shift)
    note = shift.note if note is None else checked_note(note)
    after = {"started_at": started_at, "ended_at": ended_at, "job": job.im_number, "note": note}
    if after == {field: before[field] for field in after}:
        return False
    reason = checked_reason(reason)
    check_times(person, started_at, ended_at, now=at, but=shift)
    if ended_at != before["ended_at"]:
        shift.assumed_at = None
    shift.started_at, shift.ended_at, shift.job, shift.note = started_at, ended_at, job, note
    if any(after[field] != before[field] for field in ("started_at", "ended_at", "job")):
        shift.edited_at = at  # another note is written down, but it changes nobody's hours
    flush_guarded()
    _write_down(CHANGED, shift, before, by=by, at=at, reason=reason)
    return True


def delete_shift(shift: Shift, *, by: User, at: datetime, reason: str, seen: str | None = None) -> None:
    """Take a shift away; the audit keeps what it was. Raises ValidationError without a reason."""
    reason = checked_reason(reason)
    locked(shift, seen)
    before = _as_seen(shift)
    changes = {field: (value, None) for field, value in before.items()}
    subject, person_id = subject_of(shift), shift.user_id
    db.session.delete(shift)
    db.session.flush()
    Audit.record(
        DELETED, SHIFT, shift.id, subject=subject, by=by, at=at, changes=changes, person_id=person_id,
        reason=reason,
    )  # fmt: skip


def assume_end(
    shift: Shift, ended_at: datetime, *, at: datetime, reason: str, by: User | None = None
) -> bool:
    """End an open shift at a time that nobody punched, marked as assumed. False: it was closed meanwhile,
    or began after that time."""
    locked(shift, None)
    if not shift.is_open or shift.started_at > ended_at:
        return False
    before = _as_seen(shift)
    shift.ended_at, shift.assumed_at = ended_at, at
    flush_guarded()
    _write_down(CHANGED, shift, before, by=by, at=at, reason=reason)
    return True


def confirm_end(shift: Shift, *, by: User, at: datetime) -> bool:
    """Say that an assumed end is right. Return False if it is not assumed any more."""
    locked(shift, None)
    if shift.assumed_at is None:
        return False
    before = _as_seen(shift)
    shift.assumed_at = None
    db.session.flush()
    _write_down(CHANGED, shift, before, by=by, at=at, reason="The assumed end was confirmed.")
    return True


def locked(shift: Shift, seen: str | None) -> User:
    """Lock the person of a shift and read the shift again; or raise RuleViolation."""
    person = User.locked(shift.user_id)
    query = select(Shift).where(Shift.id == shift.id).execution_options(populate_existing=True)
    if db.session.scalar(query) is None:
        raise RuleViolation("This shift was deleted meanwhile.")
    if seen is not None and seen != shift.version:
        raise RuleViolation(CHANGED_MEANWHILE)
    return person


def check_times(
    person: User, started_at: datetime, ended_at: datetime | None, *, now: datetime, but: Shift | None = None
) -> None:
    """Raise ValidationError unless `person` (locked) may have a shift then; `but`: the one being changed."""
    problems = {}
    if started_at > now + CLOCK_SLACK:
        problems["started_at"] = "This start is in the future."
    if ended_at is not None and ended_at > now + CLOCK_SLACK:
        problems["ended_at"] = "This end is in the future."
    elif ended_at is not None and ended_at < started_at:
        problems["ended_at"] = "The end is before the start."
    elif ended_at is not None and ended_at - started_at > LONGEST:
        problems["ended_at"] = "A shift can't be longer than 24 hours. Look at the dates again."
    if not problems and (other := Shift.overlapping(person, started_at, ended_at, but=but)):
        raise Overlaps(other)
    if problems:
        raise ValidationError(problems)


class Overlaps(ValidationError):
    """The person has another shift at that time: `other`. Controllers say when it was, in shop time."""

    def __init__(self, other: Shift) -> None:
        self.other = other
        super().__init__({"started_at": f"There is another shift at that time, on {other.job.im_number}."})


def subject_of(shift: Shift) -> str:
    return f"{shift.user.name} on {shift.job.im_number}"


def _as_seen(shift: Shift) -> dict[str, object]:
    return {
        "started_at": shift.started_at,
        "ended_at": shift.ended_at,
        "job": shift.job.im_number,
        "note": shift.note,
        "assumed": shift.assumed_at is not None,
    }


def _write_down(
    action: str,
    shift: Shift,
    before: Mapping[str, object],
    *,
    by: User | None,
    at: datetime,
    reason: str,
) -> None:
    changes = {field: (before[field], value) for field, value in _as_seen(shift).items()}
    if action == ADDED:
        changes.pop("assumed")
    Audit.record(
        action, SHIFT, shift.id, subject=subject_of(shift), by=by, at=at, changes=changes,
        person_id=shift.user_id, reason=reason,
    )  # fmt: skip


def punch_out_for(shift: Shift, *, by: User, at: datetime, reason: str = "Punched out by an admin.") -> bool:
    """End somebody else's open shift now. Return False if it has ended."""
    locked(shift, None)
    before = _as_seen(shift)
    if not shift.end(at=at):
        return False
    _write_down(CHANGED, shift, before, by=by, at=at, reason=reason)
    return True


def punch_in_for(
    worker: User, job: Job, *, by: User, at: datetime, note: str = "", punch_key: str = ""
) -> Shift:
    """Punch somebody else in now. Raises PunchRefused."""
    last = Shift.open_of(worker)
    before = _as_seen(last) if last else {}
    shift = Shift.start(worker, job, at=at, note=note, punch_key=punch_key)
    reason = "Punched in by an admin."
    if last and last.id != shift.id and not last.is_open:
        _write_down(CHANGED, last, before, by=by, at=at, reason=reason)
    if shift.started_at == at:
        _write_down(ADDED, shift, {field: None for field in _as_seen(shift)}, by=by, at=at, reason=reason)
    return shift


def replace_assumed(shift: Shift, *, at: datetime) -> bool:
    """Punch out now of a shift whose end was only assumed: the punch counts. Raises ValidationError
    if that is too late. Return False if the end is not assumed any more."""
    person = locked(shift, None)
    if shift.assumed_at is None:
        return False
    if at - shift.started_at > STILL_THERE:
        raise ValidationError(
            {"ended_at": "It's too late to punch out of that shift. Say when you left instead."}
        )
    check_times(person, shift.started_at, at, now=at, but=shift)
    before = _as_seen(shift)
    shift.ended_at, shift.assumed_at = at, None
    flush_guarded()
    _write_down(CHANGED, shift, before, by=person, at=at, reason="Punched out after the end was assumed.")
    return True
