"""How jobs follow their rows in Dataverse: what a sync reads and writes, in few statements for many jobs."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Row, func, select, update
from sqlalchemy.exc import IntegrityError

from flask_app.models.database import db
from flask_app.models.errors import ConcurrentUpdate
from flask_app.models.job import ACTIVE, APPROVED, DATAVERSE, FOLLOWED, INACTIVE, Job
from flask_app.words import _

T = TypeVar("T")

GUID_LENGTH = 36
CHUNK = 1000  # values in one IN (...)
INSERT_CHUNK = 5000  # rows in one INSERT
_ONE_BY_ONE = 2000  # more jobs than this are not looked up by their keys: the whole table is read instead
_ARRIVING = ("im_number", "im_key", "im_order", *FOLLOWED, "dataverse_id", "dataverse_fingerprint")
_STATE = (
    "id",
    "im_number",
    "im_key",
    *FOLLOWED,
    "dataverse_id",
    "upstream_state",
    "fingerprint",
    "dataverse_says",
)


@dataclass(slots=True)
class JobState:
    """What a sync may change of a job, and what it must know to decide: a copy, apart from the session."""

    id: int
    im_number: str
    im_key: str
    general_contractor: str
    job_scope: str
    job_name_address: str
    dataverse_id: str | None
    upstream_state: str
    fingerprint: str
    dataverse_says: dict[str, str]


def fingerprints() -> dict[str, str]:
    """Map every row of Dataverse that the shop follows as approved to the digest of what it said last."""
    jobs = Job.__table__.c  # below the ORM and in one column: the work on 20,000 rows shows
    both = jobs.dataverse_id + jobs.dataverse_fingerprint
    query = select(both).where(jobs.dataverse_standing == APPROVED, jobs.dataverse_id.is_not(None))
    rows = db.session.connection().execute(query).scalars().all()
    return {row[:GUID_LENGTH]: row[GUID_LENGTH:] for row in rows}


def states(dataverse_ids: Sequence[str], im_keys: Sequence[str]) -> list[JobState]:
    """Return the jobs linked to one of the rows or with one of the numbers, locked until the commit."""
    query = select(*(getattr(Job, name) for name in _STATE)).with_for_update()
    found: dict[int, Row[Any]] = {}
    for rule in _rules(dataverse_ids, im_keys):
        found.update((row[0], row) for row in db.session.execute(query.where(rule)).all())
    return [JobState(**dict(zip(_STATE, row, strict=True))) for row in found.values()]


def _rules(dataverse_ids: Sequence[str], im_keys: Sequence[str]) -> Iterator[ColumnElement[bool]]:
    if len(dataverse_ids) + len(im_keys) > 2 * _ONE_BY_ONE:
        yield Job.id > 0
        return
    for chunk in _chunks(dataverse_ids, CHUNK):
        yield Job.dataverse_id.in_(chunk)
    for chunk in _chunks(im_keys, CHUNK):
        yield Job.im_key.in_(chunk)


def followed() -> int:
    """Return how many jobs follow an approved row."""
    query = select(func.count()).where(Job.upstream_state == APPROVED, Job.dataverse_id.is_not(None))
    return db.session.scalar(query) or 0


def have_text(field: str, without: str, dataverse_ids: Sequence[str]) -> bool:
    """Whether any job that follows one of the rows says something in `field` other than `without`."""
    column = getattr(Job, field)
    rule = (column.not_in(("", without)), Job.upstream_state == APPROVED)
    return any(
        db.session.scalar(select(Job.id).where(Job.dataverse_id.in_(chunk), *rule).limit(1)) is not None
        for chunk in _chunks(dataverse_ids, CHUNK)
    )


def note_returned(job_ids: Sequence[int], *, at: datetime) -> None:
    """Note of the jobs that are approved again since when, if the shop has closed them."""
    for chunk in _chunks(job_ids, CHUNK):
        closed = update(Job).where(Job.id.in_(chunk), Job.status == INACTIVE)
        db.session.execute(closed.values(returned_at=at), execution_options={"synchronize_session": False})


def insert_jobs(rows: Sequence[Mapping[str, object]], *, at: datetime) -> None:
    """Insert active jobs that nobody typed in, each with all columns of _ARRIVING.

    Raises ConcurrentUpdate if one of their numbers has come in meanwhile.
    """
    same = {
        "status": ACTIVE,
        "context": "",
        "source": DATAVERSE,
        "created_at": at.astimezone(UTC).replace(tzinfo=None),
        "dataverse_standing": APPROVED,
    }
    # Below SQLAlchemy's handling of each value, which would cost as much as the insert itself.
    mark = "?" if db.engine.dialect.name == "sqlite" else "%s"
    names = (*_ARRIVING, *same)
    marks = ", ".join([mark] * len(names))
    statement = f"INSERT INTO jobs ({', '.join(names)}) VALUES ({marks})"  # noqa: S608  # all of it stands here
    values = tuple(same.values())
    try:
        for chunk in _chunks(rows, INSERT_CHUNK):
            tuples = [(*map(row.__getitem__, _ARRIVING), *values) for row in chunk]
            db.session.connection().exec_driver_sql(statement, tuples)
    except IntegrityError:
        raise ConcurrentUpdate(_("Another job with this IM number was saved at this very moment.")) from None


def update_jobs(jobs: Iterable[JobState], *, at: datetime) -> None:
    """Write back what a sync has changed; `dataverse_since` is when a row's upstream_state changed."""
    rows = [
        {name: getattr(job, name) for name in _STATE if name not in ("im_number", "im_key")} for job in jobs
    ]
    for row in rows:
        row["dataverse_since"] = None if row["upstream_state"] == APPROVED else at
    if rows:
        db.session.execute(update(Job), rows)


def _chunks(values: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    for first in range(0, len(values), size):
        yield values[first : first + size]
