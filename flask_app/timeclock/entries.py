"""The audit rows of shifts: who did it, in which role, by what way, and what was before and after."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from flask_app.models.audit import (
    ADDED,
    ADMIN,
    BY_CLOCK,
    CHANGED,
    DELETED,
    PERSON,
    SHIFT,
    WEB,
    Audit,
    as_texts,
)
from flask_app.models.job import Job
from flask_app.models.owed_hours import OwedHours
from flask_app.models.shift import Shift
from flask_app.models.user import User

HOURS = ("started_at", "ended_at", "job")  # what a shift is worth; the note is not


@dataclass(frozen=True, slots=True)
class Actor:
    """Who changes hours, and by what way (`source`). `person` None: the clock itself."""

    person: User | None
    source: str = WEB
    role: str = ""  # such as BY_CORRECTION, where the two can't tell

    def role_towards(self, worker_id: int) -> str:
        """Return in which role the actor changes the hours of that person."""
        if self.role:
            return self.role
        if self.person is None:
            return BY_CLOCK
        return PERSON if self.person.id == worker_id else ADMIN


@dataclass(frozen=True, slots=True)
class Entry:
    """One audit row about a shift, before it is written. `before` None: it was made by this."""

    shift: Shift
    worker: User
    before: Mapping[str, object] | None
    reason: str = ""
    is_punch: bool = False
    deleted: bool = False


def facts(shift: Shift) -> dict[str, object]:
    """Return what the audit keeps of a shift."""
    return {
        "started_at": shift.started_at,
        "ended_at": shift.ended_at,
        "job": shift.job.im_number,
        "note": shift.note,
        "assumed": shift.assumed_at is not None,
    }


def write(entries: list[Entry], *, by: Actor, at: datetime) -> None:
    """Write the rows in one statement; a change of nothing leaves none.

    What changes a job's hours is owed to Dataverse from the same transaction on.
    """
    rows = [_row(entry, by, at) for entry in entries]
    Audit.write([row for row in rows if row["changes"] or row["action"] != CHANGED])
    OwedHours.owe({job_id for entry in entries for job_id in _jobs_changed(entry)})


def _jobs_changed(entry: Entry) -> Iterator[int]:
    """Yield the jobs whose worked hours have changed by this: those of closed shifts."""
    shift, before = entry.shift, entry.before
    if before is None:
        if shift.ended_at is not None:
            yield shift.job_id
        return
    if all(before[field] == value for field, value in facts(shift).items() if field != "note"):
        return
    if shift.ended_at is not None or before["ended_at"] is not None:
        yield shift.job_id
        if before["job"] != shift.job.im_number and (job := Job.exactly(str(before["job"]))):
            yield job.id


def _row(entry: Entry, by: Actor, at: datetime) -> dict[str, object]:
    shift, worker = entry.shift, entry.worker
    return {
        "at": at,
        "by_id": by.person.id if by.person else None,
        "entity": SHIFT,
        "entity_id": shift.id,
        "person_id": worker.id,
        "subject": f"{worker.name} on {shift.job.im_number}"[:255],
        "action": DELETED if entry.deleted else CHANGED if entry.before is not None else ADDED,
        "changes": as_texts(_changes(entry)),
        "reason": entry.reason,
        "role": by.role_towards(worker.id),
        "source": by.source,
        "is_punch": entry.is_punch,
    }


def _changes(entry: Entry) -> dict[str, tuple[object, object]]:
    now = facts(entry.shift)
    if entry.deleted:
        return {field: (value, None) for field, value in now.items()}
    if entry.before is None:
        return {field: (None, value) for field, value in now.items() if field != "assumed"}
    return {field: (entry.before[field], value) for field, value in now.items()}
