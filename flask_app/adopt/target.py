"""Writing what was taken over: again without doubling anything, and never over what the shop changed here."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from hashlib import blake2b
from typing import Any, Generic, TypeVar

from sqlalchemy import delete, insert, select

from flask_app.adopt.people_and_jobs import Taken
from flask_app.im_number import im_key
from flask_app.models.adopted_row import MERGED, SET_ASIDE, AdoptedRow
from flask_app.models.database import db
from flask_app.models.job import MANUAL, Job
from flask_app.models.names import name_key
from flask_app.models.shift import Shift
from flask_app.models.user import User, tell_namesakes_apart

E = TypeVar("E", User, Job)
T = TypeVar("T")

USERS, JOBS, SHIFTS, DISMISSALS = "users", "jobs", "shifts", "dismissed_workers"
# What was done with a row. `kept`: the shop has changed it here since, so it stays as it is.
ADDED, UPDATED, UNCHANGED, KEPT, REMOVED = "added", "updated", "unchanged", "kept", "removed"
LEFT_OUT = "left out"  # it has no row of its own here
CHUNK = 500
_SHIFT = ("user_id", "job_id", "created_at", "updated_at", "note", "assumed")


@dataclass(frozen=True, slots=True)
class Written:
    """What was done with an old row, and the number that it has here (None: none)."""

    taken: Taken
    action: str
    new_id: int | None


@dataclass(frozen=True, slots=True)
class Kind(Generic[E]):
    """How rows of one table are written: the compared `fields`, a new row, the row that is here already."""

    table: str
    entity: type[E]
    fields: Sequence[str]
    make: Callable[[Mapping[str, Any], datetime], E]
    same: Callable[[Mapping[str, Any]], E | None]


@dataclass(frozen=True, slots=True)
class Known:
    """What an earlier adoption wrote for an old row."""

    outcome: str
    new_id: int | None
    digest: str
    settled: bool


def digest(values: Mapping[str, Any], names: Sequence[str]) -> str:
    """Return a digest of some values, the same for what was written and for what is read back."""
    return blake2b(repr([_plain(values.get(name)) for name in names]).encode(), digest_size=12).hexdigest()


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


def texts(row: Any) -> dict[str, str | None]:
    """Return an old row as texts, to be kept and shown."""
    return {name: None if value is None else str(value) for name, value in asdict(row).items()}


def known(table: str, old_ids: Sequence[int]) -> dict[int, Known]:
    """Return what earlier adoptions wrote for some rows, by old number."""
    found: dict[int, Known] = {}
    columns = (
        AdoptedRow.old_id,
        AdoptedRow.outcome,
        AdoptedRow.new_id,
        AdoptedRow.digest,
        AdoptedRow.settled_at,
    )
    for some in _chunks(old_ids):
        query = select(*columns).where(AdoptedRow.old_table == table, AdoptedRow.old_id.in_(some))
        rows = db.session.execute(query)
        found.update({row[0]: Known(row[1], row[2], row[3], row[4] is not None) for row in rows})
    return found


def write_entities(
    kind: Kind[E], found: Sequence[Taken], sources: Mapping[int, Any], *, now: datetime
) -> list[Written]:
    """Write people or jobs; the caller commits."""
    before = known(kind.table, [taken.old_id for taken in found])
    stays = [taken for taken in found if taken.into is None]
    written: list[Written] = [_write_entity(kind, taken, before.get(taken.old_id), now) for taken in stays]
    numbers: dict[int, int | None] = {one.taken.old_id: one.new_id for one in written}
    if kind.table == USERS:
        tell_namesakes_apart({name_key(t.values["first_name"], t.values["last_name"]) for t in stays})
    merged: list[Written] = [
        Written(taken, LEFT_OUT, numbers[taken.into]) for taken in found if taken.into is not None
    ]
    db.session.flush()
    _note(kind.table, [*written, *merged], before, kind.fields, sources)
    return [*written, *merged]


def _write_entity(kind: Kind[E], taken: Taken, before: Known | None, now: datetime) -> Written:
    if before is None or before.new_id is None or before.outcome == MERGED:
        return _add_entity(kind, taken, now)
    if before.digest == digest(taken.values, kind.fields):
        return Written(taken, UNCHANGED, before.new_id)
    here = db.session.get(kind.entity, before.new_id)
    if (
        here is None
        or digest({name: getattr(here, name) for name in kind.fields}, kind.fields) != before.digest
    ):
        return Written(taken, KEPT, before.new_id)
    for name in kind.fields:
        setattr(here, name, taken.values[name])
    return Written(taken, UPDATED, before.new_id)


def _add_entity(kind: Kind[E], taken: Taken, now: datetime) -> Written:
    if here := kind.same(taken.values):
        taken.repair("was_here_already")
        return Written(taken, KEPT, here.id)
    entity = kind.make(taken.values, now)
    if db.session.get(kind.entity, taken.old_id) is None:
        entity.id = taken.old_id
    else:
        taken.repair("new_number")
    db.session.add(entity)
    db.session.flush()
    return Written(taken, ADDED, entity.id)


def _person(values: Mapping[str, Any], now: datetime) -> User:
    created = values["created_at"] or now
    return User(**{**values, "created_at": created, "approved_at": created})


def _job(values: Mapping[str, Any], now: datetime) -> Job:
    # Who or what made a job is not known: the old program wrote "dataverse" for all of them. A job without
    # a row in Dataverse is linked to the row with its number by the next sync.
    return Job(**{**values, "created_at": values["created_at"] or now, "source": MANUAL})


PEOPLE: Kind[User] = Kind(
    USERS,
    User,
    ("first_name", "last_name", "email", "password", "department", "deleted_date", "on_active_roster"),
    _person,
    lambda values: User.by_email(values["email"]),
)
ALL_JOBS: Kind[Job] = Kind(
    JOBS,
    Job,
    ("im_number", "general_contractor", "job_scope", "estimated_hours", "context", "status", "user_id"),
    _job,
    lambda values: db.session.scalar(select(Job).where(Job.im_key == im_key(values["im_number"]))),
)


def write_shifts(
    found: Sequence[Taken], sources: Mapping[int, Any], person_id: int, *, now: datetime
) -> list[Written]:
    """Write one person's shifts; the caller has locked the person, and commits."""
    before = known(SHIFTS, [taken.old_id for taken in found])
    written: list[Written] = []
    new: list[Taken] = []
    for taken in found:
        taken.values["user_id"] = person_id
        earlier = before.get(taken.old_id)
        if earlier is not None and (earlier.settled or earlier.new_id is not None):
            written.append(_bring_up_to_date(taken, earlier, now))
        elif _has_row(taken):
            new.append(taken)
        else:
            written.append(Written(taken, LEFT_OUT, None))
    db.session.flush()  # what has ended since must have ended before another shift may be open
    written += _add_shifts(new, now)
    _note(SHIFTS, written, before, _SHIFT, sources)
    return written


def write_set_aside(found: Sequence[Taken], sources: Mapping[int, Any]) -> list[Written]:
    """Write down shifts that are nobody's; the caller commits."""
    before = known(SHIFTS, [taken.old_id for taken in found])
    written = [
        Written(taken, LEFT_OUT, None)
        for taken in found
        if taken.old_id not in before or not before[taken.old_id].settled
    ]
    _note(SHIFTS, written, before, _SHIFT, sources)
    return [Written(taken, LEFT_OUT, None) for taken in found]


def _has_row(taken: Taken) -> bool:
    return taken.outcome not in (MERGED, SET_ASIDE)


def _bring_up_to_date(taken: Taken, earlier: Known, now: datetime) -> Written:
    """Take over what the old program has changed since, unless the shop has changed the shift here."""
    if earlier.settled:
        return Written(taken, KEPT, earlier.new_id)
    if _has_row(taken) and earlier.digest == digest(taken.values, _SHIFT):
        return Written(taken, UNCHANGED, earlier.new_id)
    here = db.session.get(Shift, earlier.new_id, populate_existing=True)
    if here is None or _digest_here(here) != earlier.digest:
        return Written(taken, KEPT, earlier.new_id)
    if not _has_row(taken):
        db.session.delete(here)
        return Written(taken, REMOVED, None)
    for name, value in _columns(taken.values, now).items():
        setattr(here, name, value)
    return Written(taken, UPDATED, here.id)


def _add_shifts(new: Sequence[Taken], now: datetime) -> list[Written]:
    """Insert shifts under their old numbers, where those are free."""
    taken_ids: set[int] = set()
    for some in _chunks([taken.old_id for taken in new]):
        taken_ids.update(db.session.scalars(select(Shift.id).where(Shift.id.in_(some))))
    rows = [{"id": t.old_id, **_columns(t.values, now)} for t in new if t.old_id not in taken_ids]
    for chunk in _chunks(rows):
        db.session.execute(insert(Shift), chunk)
    written = [Written(taken, ADDED, taken.old_id) for taken in new if taken.old_id not in taken_ids]
    for taken in new:
        if taken.old_id in taken_ids:
            taken.repair("new_number")
            shift = Shift(**_columns(taken.values, now))
            db.session.add(shift)
            db.session.flush()
            written.append(Written(taken, ADDED, shift.id))
    return written


def _columns(values: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    return {
        "user_id": values["user_id"],
        "job_id": values["job_id"],
        "started_at": values["created_at"],
        "ended_at": values["updated_at"],
        "note": values["note"],
        "assumed_at": now if values["assumed"] else None,
    }


def _digest_here(shift: Shift) -> str:
    values = {
        "user_id": shift.user_id,
        "job_id": shift.job_id,
        "created_at": shift.started_at,
        "updated_at": shift.ended_at,
        "note": shift.note,
        "assumed": shift.assumed_at is not None,
    }
    return digest(values, _SHIFT)


def gone_shifts(first: int, last: int, there: set[int]) -> tuple[int, int]:
    """Of the shifts taken over with old numbers in [first, last], remove those that the old program has
    deleted since, unless the shop has changed them here. Return how many were removed and how many kept."""
    query = select(AdoptedRow).where(AdoptedRow.old_table == SHIFTS, AdoptedRow.old_id.between(first, last))
    removed = kept = 0
    for row in db.session.scalars(query):
        if row.old_id in there:
            continue
        here = db.session.get(Shift, row.new_id) if row.new_id is not None else None
        if here is not None and _digest_here(here) != row.digest:
            kept += 1
            continue
        removed += 1
        if here is not None:
            db.session.delete(here)
        db.session.delete(row)
    return removed, kept


def _note(
    table: str,
    written: Sequence[Written],
    before: Mapping[int, Known],
    fields: Sequence[str],
    sources: Mapping[int, Any],
) -> None:
    """Write down what became of each row, where that is new."""
    rows = [
        _as_row(table, one, fields, sources) for one in written if one.action not in (UNCHANGED, KEPT)
        or one.taken.old_id not in before
    ]  # fmt: skip
    for some in _chunks(rows):
        ids = [row["old_id"] for row in some if row["old_id"] in before]
        if ids:
            db.session.execute(
                delete(AdoptedRow).where(AdoptedRow.old_table == table, AdoptedRow.old_id.in_(ids))
            )
        db.session.execute(insert(AdoptedRow), some)


def _as_row(table: str, one: Written, fields: Sequence[str], sources: Mapping[int, Any]) -> dict[str, Any]:
    taken = one.taken
    # What was here already was never ours to change: its digest fits nothing.
    written = one.action in (ADDED, UPDATED)
    return {
        "old_table": table,
        "old_id": taken.old_id,
        "outcome": taken.outcome,
        "rules": " ".join(taken.rules)[:255],
        "new_id": one.new_id,
        "digest": digest(taken.values, fields) if written else "",
        "source": texts(sources[taken.old_id]) if taken.outcome in (MERGED, SET_ASIDE) else None,
        **_made_of_it(taken),
    }


def _made_of_it(taken: Taken) -> dict[str, Any]:
    """Return what an admin who repairs a row begins with."""
    values: Mapping[str, Any] = taken.values if taken.outcome == SET_ASIDE else {}
    names = {"person_id": "user_id", "job_id": "job_id", "started_at": "created_at", "ended_at": "updated_at"}
    return {name: values.get(field) for name, field in names.items()}


def _chunks(values: Sequence[T]) -> Iterator[Sequence[T]]:
    for first in range(0, len(values), CHUNK):
        yield values[first : first + CHUNK]
