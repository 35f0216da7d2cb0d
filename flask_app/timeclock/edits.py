"""Hours changed after the fact: added, amended, deleted, assumed, confirmed, assigned. Part of the ledger."""

from datetime import datetime
from typing import Any

from flask_app.models.audit import checked_reason
from flask_app.models.database import db
from flask_app.models.errors import RuleViolation
from flask_app.models.job import Job
from flask_app.models.shift import Shift
from flask_app.models.user import User
from flask_app.timeclock.entries import HOURS, Actor, Entry, facts, write
from flask_app.timeclock.shift_rows import (
    Assigned,
    Changed,
    Unchanged,
    checked_open,
    flush,
    insert,
    locked,
    refuse_own_hours,
)
from flask_app.timeclock.shift_rules import check_times, checked_note, end_of, same_minute
from flask_app.words import _, noted


def add(
    person: User,
    job: Job,
    started_at: datetime,
    ended_at: datetime | None,
    *,
    by: Actor,
    at: datetime,
    reason: str,
    note: str = "",
) -> Shift:
    """Add a shift that was never punched; `ended_at` None: it still goes on."""
    reason, note = checked_reason(reason), checked_note(note)
    person = User.locked(person.id)
    ended_at = end_of(started_at, ended_at)
    check_times(person, started_at, ended_at, now=at)
    refuse_own_hours(person, by)
    shift = insert(person, job, started_at, note=note, ended_at=ended_at, edited_at=at)
    write([Entry(shift, person, None, reason)], by=by, at=at)
    return shift


def amend(
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
) -> Changed | Unchanged:
    """Change a shift's punches, job or note (None: as it is); a time of the same minute stays as punched.

    `seen` is the shift's `version` as whoever decided this saw it. An end that is given is not assumed any
    more.
    """
    person, shift, present = locked(shift, seen)
    before = facts(shift)
    after: dict[str, Any] = {
        "started_at": _kept(started_at, shift.started_at),
        "ended_at": end_of(_kept(started_at, shift.started_at), _kept(ended_at, shift.ended_at)),
        "job": job.im_number,
        "note": shift.note if note is None else checked_note(note),
    }
    if after == {field: before[field] for field in after}:
        return Unchanged(shift, present)
    reason = checked_reason(reason)
    if any(after[field] != before[field] for field in HOURS):
        check_times(person, after["started_at"], after["ended_at"], now=at, but=shift)
        refuse_own_hours(person, by)
        shift.edited_at = at  # another note is written down, but it changes nobody's hours
    if after["ended_at"] != before["ended_at"]:
        shift.assumed_at = None
    shift.started_at, shift.ended_at, shift.note = after["started_at"], after["ended_at"], after["note"]
    shift.job, shift.job_id = job, job.id
    flush()
    write([Entry(shift, person, before, reason)], by=by, at=at)
    return Changed(shift)


def change_note(shift: Shift, text: str, *, by: Actor, at: datetime) -> Changed | Unchanged:
    """Write another note on a shift that still goes on. Nobody's hours change by it: it needs no reason."""
    text = checked_note(text)
    person, shift, present = locked(shift)
    if not shift.is_open:
        raise RuleViolation(_("This shift has ended. Ask the office to change its note."))
    if text == shift.note:
        return Unchanged(shift, present)
    before = facts(shift)
    shift.note = text
    flush()
    write([Entry(shift, person, before)], by=by, at=at)
    return Changed(shift)


def delete(shift: Shift, *, by: Actor, at: datetime, reason: str, seen: str | None = None) -> Shift:
    """Take a shift away and return it as it was; the audit keeps that."""
    reason = checked_reason(reason)
    person, shift, _ = locked(shift, seen)
    refuse_own_hours(person, by)
    db.session.delete(shift)
    flush()
    write([Entry(shift, person, None, reason, deleted=True)], by=by, at=at)
    return shift


def assume_end(
    shift: Shift, ended_at: datetime, *, by: Actor, at: datetime, reason: str
) -> Changed | Unchanged:
    """End an open shift at a time that nobody punched, marked as assumed. Nothing is done to one that was
    closed meanwhile, or that began after that time."""
    person, shift, present = locked(shift)
    if not shift.is_open or shift.started_at > ended_at:
        return Unchanged(shift, present)
    before = facts(shift)
    shift.ended_at, shift.assumed_at = ended_at, at
    flush()
    write([Entry(shift, person, before, reason)], by=by, at=at)
    return Changed(shift)


def confirm_end(shift: Shift, *, by: Actor, at: datetime, seen: str | None = None) -> Changed | Unchanged:
    """Say that an assumed end is right."""
    person, shift, present = locked(shift, seen)
    if shift.assumed_at is None:
        return Unchanged(shift, present)
    before = facts(shift)
    shift.assumed_at = None
    flush()
    write([Entry(shift, person, before, noted("The assumed end was confirmed."))], by=by, at=at)
    return Changed(shift)


def assign(
    person: User,
    job: Job,
    begins: datetime,
    *,
    by: Actor,
    at: datetime,
    reason: str,
    ending: Shift | None = None,
) -> Assigned:
    """Begin a shift for somebody at a time of the last day; `ending` is the open one that it takes over from.

    A begin in the minute of `at` is as good as punched, any other is marked as edited.
    """
    person, entries, ended = User.locked(person.id), [], None
    checked_open(Job.kept_open(job.id))
    edited_at = None if same_minute(begins, at) else at
    if edited_at:
        refuse_own_hours(person, by)
    if ending is not None:
        _person, ended, _present = locked(ending)
        entries.append(_hand_over(ended, person, begins, edited_at, reason, at))
    check_times(person, begins, None, now=at)
    shift = insert(person, job, begins, edited_at=edited_at)
    write([*entries, Entry(shift, person, None, reason)], by=by, at=at)
    return Assigned(shift, ended)


def _hand_over(
    shift: Shift, person: User, ends: datetime, edited_at: datetime | None, reason: str, at: datetime
) -> Entry:
    """End an open shift where the next one begins; a mark that it has, it keeps."""
    if not shift.is_open:
        raise RuleViolation(
            _("%(name)s has punched since you looked, so nothing was changed.", name=person.name)
        )
    before = facts(shift)
    ended_at = end_of(shift.started_at, ends)
    check_times(person, shift.started_at, ended_at, now=at, but=shift)
    shift.ended_at, shift.edited_at = ended_at, edited_at or shift.edited_at
    flush()
    return Entry(shift, person, before, reason)


def _kept(typed: datetime | None, stored: datetime | None) -> Any:
    """Return the stored punch, seconds and all, where a form shows the same minute."""
    return stored if same_minute(typed, stored) else typed
