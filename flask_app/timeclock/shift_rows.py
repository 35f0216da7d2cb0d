"""What the ledger's functions share: reading a shift as it is now, writing it, and what they return."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import CursorResult, Insert, Update, bindparam
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm.attributes import set_committed_value
from sqlalchemy.orm.exc import ObjectDeletedError

from flask_app.models.database import db
from flask_app.models.errors import ConcurrentUpdate, RuleViolation
from flask_app.models.job import Job
from flask_app.models.shift import Shift
from flask_app.models.user import User
from flask_app.timeclock.entries import Actor
from flask_app.timeclock.shift_rules import JobClosed, NoSuchJob
from flask_app.words import _, lazy

DELETED_MEANWHILE = lazy("This shift was deleted meanwhile.")
CHANGED_MEANWHILE = lazy("This shift was changed a moment ago. Look at it again before you change it.")


class OwnHours(RuleViolation):
    """An admin's own hours are for another admin to change: see timeclock/corrections.py."""


@dataclass(frozen=True, slots=True)
class Changed:
    """The shift is as asked now."""

    shift: Shift


@dataclass(frozen=True, slots=True)
class Punched:
    """`shift` was begun by a punch; `ended` is the one that ended by it. `was_assumed`: it had an end before,
    but that was only assumed."""

    shift: Shift
    ended: Shift | None = None
    was_assumed: bool = False


@dataclass(frozen=True, slots=True)
class PunchedOut:
    """`shift` has ended by a punch; by an assumed end if the punch came too late to tell (`assumed_at`)."""

    shift: Shift


@dataclass(frozen=True, slots=True)
class Unchanged:
    """Nothing was written: there was nothing left to do. `present` is what the person is on now."""

    shift: Shift
    present: Shift | None


@dataclass(frozen=True, slots=True)
class Assigned:
    """`shift` was begun for somebody; `ended` is what they were on until then."""

    shift: Shift
    ended: Shift | None


def locked(shift: Shift, seen: str | None = None) -> tuple[User, Shift, Shift | None]:
    """Lock the person of a shift; return them, the shift and their open shift as they are now."""
    try:
        shift_id, user_id = shift.id, shift.user_id  # these never change; but after a rollback they are read
    except ObjectDeletedError:
        raise RuleViolation(DELETED_MEANWHILE) from None
    person = User.locked(user_id)
    found, present = Shift.beside_open(shift_id, person.id)
    if found is None:
        raise RuleViolation(DELETED_MEANWHILE)
    if seen is not None and seen != found.version:
        raise RuleViolation(CHANGED_MEANWHILE)
    return person, found, present


def insert(
    person: User,
    job: Job,
    started_at: datetime,
    *,
    ended_at: datetime | None = None,
    note: str = "",
    punch_key: str | None = None,
    edited_at: datetime | None = None,
) -> Shift:
    """Add a row and return it as the session has it from now on."""
    values = {
        "user_id": person.id, "job_id": job.id, "created_at": started_at, "updated_at": ended_at,
        "note": note, "punch_key": punch_key, "edited_at": edited_at, "assumed_at": None,
    }  # fmt: skip
    made: Any = _written(_INSERT, values).inserted_primary_key
    return db.as_read(
        Shift, made[0], user_id=person.id, job_id=job.id, job=job, started_at=started_at, ended_at=ended_at,
        note=note, punch_key=punch_key, edited_at=edited_at, assumed_at=None,
    )  # fmt: skip


def end(shift: Shift, ended_at: datetime | None, assumed_at: datetime | None) -> None:
    """End a shift by a punch; None: it goes on, since the punch is taken back."""
    _written(_END, {"shift_id": shift.id, "ended": ended_at, "assumed": assumed_at})
    set_committed_value(shift, "ended_at", ended_at)
    set_committed_value(shift, "assumed_at", assumed_at)


def flush() -> None:
    """Write what was changed of a shift."""
    try:
        db.session.flush()
    except IntegrityError:
        raise ConcurrentUpdate(_RACED) from None


def _written(statement: Insert | Update, values: dict[str, Any]) -> CursorResult[Any]:
    """Run a punch's statement. Not by way of the ORM, which takes four times as long to come to the same."""
    try:
        return db.send(statement, values)
    except IntegrityError:
        raise ConcurrentUpdate(_RACED) from None


_RACED = lazy("Another punch was saved at this very moment. Try again.")
_shifts: Any = Shift.__table__
_INSERT = _shifts.insert()
_END = (
    _shifts.update()
    .where(_shifts.c.id == bindparam("shift_id"))
    .values(updated_at=bindparam("ended"), assumed_at=bindparam("assumed"))
)


def refuse_own_hours(person: User, by: Actor) -> None:
    """Raise OwnHours where an admin types the own hours and there is another who can look at them."""
    if (
        by.person is not None
        and by.person.id == person.id
        and person.is_admin
        and User.has_other_admin(person)
    ):
        raise OwnHours(_("Another admin has to decide about your own hours."))


def checked_open(job: Job | None) -> Job:
    """Return `job`, locked against whoever closes it; raise JobClosed if no shift can begin on it."""
    if job is None:
        raise NoSuchJob(_("There is no such job. It may have been removed."))
    if not job.is_active:
        raise JobClosed(
            _("Job %(job)s is closed. Choose another, or ask an admin to open it.", job=job.im_number)
        )
    return job
