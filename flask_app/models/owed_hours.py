"""The hours that Dataverse is owed: an outbox with one row per job, and what was sent.

Every change of a job's hours raises the row's `version`, in the same transaction. A sender leases rows, and
clears one only if its version is still the one that it has sent, so that no later change is ever forgotten.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Self

from flask import current_app
from sqlalchemy import (
    ColumnElement,
    Double,
    ForeignKey,
    Index,
    String,
    Text,
    Update,
    and_,
    case,
    func,
    literal_column,
    not_,
    or_,
    select,
    update,
)
from sqlalchemy.dialects import mysql, sqlite
from sqlalchemy.orm import Mapped, joinedload, mapped_column, relationship

from flask_app.models.database import Base, db
from flask_app.models.job import Job
from flask_app.models.shift import Shift
from flask_app.models.types import UtcDateTime, clock_minutes, exact_string

# Longer than the requests of one batch may take altogether (sync/hours_out.py), so that two senders never
# have one row in hand while both are alive.
LEASE = timedelta(minutes=5)
SENT, SAME, PARKED = "sent", "same", "parked"  # what became of a row


@dataclass(frozen=True, slots=True)
class Owed:
    """One job's hours in the hands of a sender: `minutes` are those of version `version`."""

    job_id: int
    row_id: str  # the job's row in Dataverse
    version: int
    minutes: int


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of one row. `before` and `now` are hours in Dataverse; `reason` says why it is parked."""

    owed: Owed
    outcome: str
    before: float | None = None
    now: float | None = None
    reason: str = ""


class OwedHours(Base):
    """What one job owes: nothing while `version` equals `sent_version` and `sent_to` is the job's row.

    `sent_minutes` is the total that was settled last. `parked_version` is the version that Dataverse has
    refused for good, `trouble` why. `look_at` is when to look at Dataverse once more, because a sender died
    with the row in its hands and a request of it may have come through late.
    """

    __tablename__ = "owed_hours"

    job_id: Mapped[int] = mapped_column(ForeignKey("jobs.id"), primary_key=True, autoincrement=False)
    version: Mapped[int] = mapped_column(default=1)
    sent_version: Mapped[int] = mapped_column(default=0)
    sent_minutes: Mapped[int] = mapped_column(default=0)
    sent_to: Mapped[str | None] = mapped_column(exact_string(36))
    sent_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    parked_version: Mapped[int | None]
    trouble: Mapped[str] = mapped_column(Text, default="")
    lease: Mapped[str | None] = mapped_column(exact_string(32), index=True)
    leased_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    look_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    job: Mapped[Job] = relationship()

    @classmethod
    def owe(cls, job_ids: Iterable[int]) -> None:
        """Note that the hours of these jobs have changed, in the transaction that changes them."""
        if not current_app.extensions["settings"].writes_hours:
            return
        rows = [{"job_id": job_id} for job_id in sorted(set(job_ids))]  # in one order: no deadlock
        if rows:
            db.send(_raised(db.engine.dialect.name), rows)

    @classmethod
    def take_in(cls) -> int:
        """Owe the hours of the jobs that follow a row in Dataverse and have no row here; return how many."""
        known = select(cls.job_id).where(cls.job_id == Job.id).exists()
        missing = db.session.scalars(select(Job.id).where(Job.dataverse_id.is_not(None), ~known)).all()
        cls.owe(missing)
        return len(missing)

    @classmethod
    def start_from_now(cls, *, with_assumed: bool) -> None:
        """Count every job's present hours as sent: only what changes from now on is owed."""
        cls.take_in()
        jobs = dict(db.session.execute(select(Job.id, Job.dataverse_id)).all())
        rows = db.session.scalars(select(cls).with_for_update()).all()
        totals = cls.totals(with_assumed=with_assumed)
        for row in rows:
            row.sent_version, row.sent_minutes = row.version, totals.get(row.job_id, 0)
            row.sent_to, row.parked_version, row.trouble = jobs.get(row.job_id), None, ""

    @classmethod
    def start_with_all(cls) -> None:
        """Owe every job's hours."""
        cls.take_in()
        _quietly(update(cls).values(version=cls.version + 1, parked_version=None, trouble=""))

    @classmethod
    def reconcile(cls, *, with_assumed: bool) -> int:
        """Owe what differs from what was settled though nobody owed it: hours changed while this was off, by
        another program, or under another setting. Return how many jobs."""
        totals = cls.totals(with_assumed=with_assumed)
        settled = select(cls.job_id, cls.sent_minutes).where(cls.version == cls.sent_version)
        differ = [job for job, minutes in db.session.execute(settled) if totals.get(job, 0) != minutes]
        cls.owe(differ)
        return len(differ)

    @classmethod
    def totals(cls, job_ids: Sequence[int] | None = None, *, with_assumed: bool) -> dict[int, int]:
        """Map jobs to the minutes of their closed shifts; without assumed ends unless those count."""
        minutes = clock_minutes(Shift.ended_at) - clock_minutes(Shift.started_at)
        query = select(Shift.job_id, func.sum(minutes)).where(Shift.ended_at.is_not(None))
        if not with_assumed:
            query = query.where(Shift.assumed_at.is_(None))
        if job_ids is not None:
            query = query.where(Shift.job_id.in_(job_ids))
        return {job: int(total) for job, total in db.session.execute(query.group_by(Shift.job_id))}

    @classmethod
    def is_owed(cls, *, now: datetime) -> ColumnElement[bool]:
        """Return the rule for rows that are to be sent or looked at, whoever has them in hand."""
        changed = or_(cls.version > cls.sent_version, cls.sent_to.is_distinct_from(Job.dataverse_id))
        refused = (cls.parked_version.is_not(None), cls.parked_version == cls.version)
        is_open = or_(not_(and_(*refused)), cls.sent_to.is_distinct_from(Job.dataverse_id))
        due = or_(and_(changed, is_open), cls.look_at <= now)
        return and_(cls.job_id == Job.id, Job.dataverse_id.is_not(None), due)

    @classmethod
    def take(cls, lease: str, *, limit: int, now: datetime, with_assumed: bool) -> list[Owed]:
        """Lease up to `limit` owed rows that nobody has in hand and return them; commit after it.

        The versions are read before the totals: hours that change in between are owed once more.
        """
        # A lease that ends too far ahead was written by a clock that is wrong: it binds nobody.
        until = cls.leased_until
        is_free = or_(until.is_(None), until <= now, until > now + 2 * LEASE)
        wanted = select(cls.job_id).where(cls.is_owed(now=now), is_free)
        ids = db.session.scalars(wanted.order_by(cls.sent_at, cls.job_id).limit(limit)).all()
        # Where a lease stands its sender is gone, but maybe not all of its requests: look once more, later.
        look_at = case((cls.lease.is_not(None), now + LEASE), (cls.look_at <= now, None), else_=cls.look_at)
        mine = update(cls).where(cls.job_id.in_(ids), is_free)
        # In this order: MySQL counts with the values that it has just set.
        _quietly(mine.ordered_values((cls.look_at, look_at), (cls.lease, lease), (until, now + LEASE)))
        found = db.session.execute(
            select(cls.job_id, Job.dataverse_id, cls.version).join(cls.job).where(cls.lease == lease)
        ).all()
        totals = cls.totals([job_id for job_id, _, _ in found], with_assumed=with_assumed)
        return [
            Owed(job_id, row_id or "", version, totals.get(job_id, 0)) for job_id, row_id, version in found
        ]

    @classmethod
    def settle(cls, lease: str, settled: Iterable[Settled], *, at: datetime) -> None:
        """Write down what became of leased rows; one whose lease somebody else has taken stays as it is."""
        for one in settled:
            owed = one.owed
            values: dict[str, Any] = {"lease": None, "leased_until": None, "sent_to": owed.row_id}
            if one.outcome == PARKED:
                values |= {"parked_version": owed.version, "trouble": one.reason}
            else:
                values |= {"sent_version": owed.version, "sent_minutes": owed.minutes, "sent_at": at}
                values |= {"parked_version": None, "trouble": ""}
            mine = update(cls).where(cls.job_id == owed.job_id, cls.lease == lease)
            if _quietly(mine.values(**values)):
                HoursSent.write(one, at=at)

    @classmethod
    def release(cls, lease: str, *, look_at: datetime | None = None) -> None:
        """Give back what is still in hand. `look_at`: nobody knows what came through, so look again then."""
        later = {} if look_at is None else {"look_at": look_at}
        _quietly(update(cls).where(cls.lease == lease).values(lease=None, leased_until=None, **later))

    @classmethod
    def linked_jobs(cls) -> Sequence[Job]:
        """Return the jobs that follow a row in Dataverse, by their numbers."""
        query = select(Job).where(Job.dataverse_id.is_not(None)).order_by(Job.im_order, Job.id)
        return db.session.scalars(query).all()

    @classmethod
    def try_again(cls) -> int:
        """Owe what was parked once more; return how many rows."""
        parked = update(cls).where(cls.parked_version.is_not(None))
        return _quietly(parked.values(parked_version=None, trouble=""))

    @classmethod
    def parked(cls, *, limit: int = 200) -> Sequence[Self]:
        """Return what Dataverse refuses, with the jobs, by their numbers."""
        query = (
            select(cls).join(cls.job).options(joinedload(cls.job)).where(cls.parked_version == cls.version)
        )
        return db.session.scalars(query.order_by(Job.im_order, Job.id).limit(limit)).all()

    @classmethod
    def count(cls, *, now: datetime) -> int:
        """Return how many jobs' hours are owed by now."""
        return db.session.scalar(select(func.count()).select_from(cls).where(cls.is_owed(now=now))) or 0


class HoursSent(Base):
    """One total that was written to Dataverse or refused: from what, to what. `before` None: it was empty."""

    __tablename__ = "hours_sent"
    __table_args__ = (Index("ix_hours_sent_job", "job_id", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    job_id: Mapped[int] = mapped_column(ForeignKey("jobs.id"))
    at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    outcome: Mapped[str] = mapped_column(String(20))
    before: Mapped[float | None] = mapped_column("hours_before", Double)
    now: Mapped[float | None] = mapped_column("hours_now", Double)
    reason: Mapped[str] = mapped_column(Text, default="")

    job: Mapped[Job] = relationship()

    @classmethod
    def write(cls, one: Settled, *, at: datetime) -> None:
        """Write one line; what was right already leaves none."""
        if one.outcome == SAME:
            return
        line: Mapping[str, Any] = {"before": one.before, "now": one.now, "reason": one.reason}
        db.session.add(cls(job_id=one.owed.job_id, at=at, outcome=one.outcome, **line))

    @classmethod
    def latest(cls, *, limit: int = 50) -> Sequence[Self]:
        """Return the lines with their jobs, latest first."""
        query = select(cls).options(joinedload(cls.job)).order_by(cls.id.desc()).limit(limit)
        return db.session.scalars(query).all()


def _quietly(statement: Update) -> int:
    """Run an UPDATE past the session's copies of the rows; return how many rows it met."""
    result = db.session.execute(statement, execution_options={"synchronize_session": False})
    return int(result.rowcount)  # type: ignore[attr-defined]


def _raised(dialect: str) -> Any:
    """Return the statement that raises a job's version, from nothing to 1; parameter `job_id`."""
    table: Any = OwedHours.__table__
    one_more: Any = literal_column("owed_hours.version + 1")  # no parameter: PyMySQL takes none in there
    first = {"version": 1, "sent_version": 0, "sent_minutes": 0, "trouble": ""}
    if dialect == "sqlite":
        raised = sqlite.insert(table).values(**first)
        return raised.on_conflict_do_update(index_elements=["job_id"], set_={"version": one_more})
    return mysql.insert(table).values(**first).on_duplicate_key_update(version=one_more)
