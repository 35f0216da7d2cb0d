"""Shifts: one stretch of one person's work on one job, between two punches."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import cache
from hashlib import sha256
from typing import Any, Self

from sqlalchemy import (
    CheckConstraint,
    ColumnElement,
    Computed,
    ForeignKey,
    Index,
    Integer,
    Select,
    String,
    Subquery,
    Text,
    bindparam,
    case,
    func,
    or_,
    select,
)
from sqlalchemy.orm import (
    Mapped,
    contains_eager,
    joinedload,
    mapped_column,
    relationship,
)

from flask_app.clock import to_minute
from flask_app.models.brief import Brief
from flask_app.models.database import Base, db
from flask_app.models.job import Job
from flask_app.models.types import UtcDateTime, instant
from flask_app.models.user import User

NOTE_MAX = 500
RECENT = 100  # how far back a list of somebody's latest jobs looks


class Shift(Base):
    """`started_at` is the punch in, `ended_at` the punch out, None while the shift is open.

    Columns and named queries only: a shift is made, changed and deleted by timeclock/ledger.py.

    The database keeps: one open shift per person (`open_for`), no end before the start, one shift per
    `punch_key` (drawn with the form, so that a form sent twice punches once).
    """

    __tablename__ = "shifts"
    __table_args__ = (
        CheckConstraint("updated_at IS NULL OR updated_at >= created_at", name="ends_after_start"),
        Index("ix_shifts_user_id_created_at", "user_id", "created_at"),
        Index("ix_shifts_job_id_worked", "job_id", "created_at", "updated_at", "user_id"),
        # Holds all that a sum of hours needs: a report reads no row of the table.
        Index("ix_shifts_created_at", "created_at", "user_id", "job_id", "updated_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    started_at: Mapped[datetime] = mapped_column("created_at", UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column("updated_at", UtcDateTime)
    job_id: Mapped[int] = mapped_column(ForeignKey("jobs.id"))
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    note: Mapped[str] = mapped_column(Text, default="")
    punch_key: Mapped[str | None] = mapped_column(String(36), unique=True)
    edited_at: Mapped[datetime | None] = mapped_column(UtcDateTime, index=True)  # set: not as it was punched
    # Set: nobody punched this end, the auto clock-out assumed it and nobody has confirmed it yet.
    assumed_at: Mapped[datetime | None] = mapped_column(UtcDateTime, index=True)
    open_for: Mapped[int | None] = mapped_column(
        Computed("CASE WHEN updated_at IS NULL THEN user_id END", persisted=False), unique=True, deferred=True
    )

    job: Mapped[Job] = relationship()
    user: Mapped[User] = relationship()

    @property
    def is_open(self) -> bool:
        return self.ended_at is None

    @property
    def version(self) -> str:
        """What is compared to tell whether somebody changed the shift meanwhile."""
        parts = (self.started_at, self.ended_at, self.job_id, self.assumed_at, self.edited_at, self.note)
        return sha256(repr(parts).encode()).hexdigest()[:16]

    @classmethod
    def reread(cls, shift_id: int) -> Self | None:
        """The shift as it is in the database now, None if it is gone."""
        query = select(cls).where(cls.id == shift_id).options(joinedload(cls.job))
        return db.session.scalar(query.execution_options(populate_existing=True))

    @classmethod
    def open_of(cls, user: User) -> Self | None:
        return db.session.scalar(select(cls).where(cls.open_for == user.id).options(joinedload(cls.job)))

    @classmethod
    def last_start_of(cls, user: User) -> datetime | None:
        """When the latest shift of `user` began."""
        return db.session.scalar(select(func.max(cls.started_at)).where(cls.user_id == user.id))

    @classmethod
    def around_punch(
        cls, worker: User, job_id: int, key: str | None
    ) -> tuple[Job | None, "Shift | None", int]:
        """Return what a punch in depends on: the job, locked against who closes it; the worker's last shift
        (the open one, else the one that began last) with its job; the id of the shift that `key` began, or 0.
        Of the jobs only the number and whether they are active is read.
        """
        asked = {"worker_id": worker.id, "job_id": job_id, "punch_key": key}
        text = db.send(_around_punch(), asked).scalar_one_or_none()
        if text is None:
            return None, None, 0
        row = _surroundings().read(text)
        known, job = row.pop("known") or 0, {"im_number": row.pop("im_number"), "status": row.pop("status")}
        its_number, shift_id = row.pop("its_number"), row.pop("shift_id")
        found = db.as_read(Job, job_id, **job)
        if shift_id is None:
            return found, None, known
        its_job = db.as_read(Job, row["job_id"], im_number=its_number)
        return found, db.as_read(Shift, shift_id, user_id=worker.id, job=its_job, **row), known

    @classmethod
    def beside_open(cls, shift_id: int, user_id: int) -> tuple[Self | None, Self | None]:
        """Return a shift as it is now, and the open one of that person; None for one that there isn't."""
        query = select(cls).where(or_(cls.id == shift_id, cls.open_for == user_id))
        query = query.options(joinedload(cls.job)).execution_options(populate_existing=True)
        found = {shift.id: shift for shift in db.session.scalars(query)}
        return found.get(shift_id), next((shift for shift in found.values() if shift.is_open), None)

    @classmethod
    def overlapping(
        cls, person: User, started_at: datetime, ended_at: datetime | None, *, but: "Shift | None" = None
    ) -> Self | None:
        """The first shift of `person` at that time, by the minutes that are shown; two that only touch don't
        overlap, two open ones do."""
        ends_later = cls.ended_at >= to_minute(started_at) + timedelta(minutes=1)
        query = select(cls).where(cls.user_id == person.id, or_(ends_later, _open()))
        if ended_at is not None:
            query = query.where(cls.started_at < to_minute(ended_at))
        if but is not None:
            query = query.where(cls.id != but.id)
        return db.session.scalar(query.options(joinedload(cls.job)).order_by(cls.started_at).limit(1))

    @classmethod
    def just_before(cls, shift: Self) -> Self | None:
        """The shift from which its person switched to `shift`: it ended in the minute in which that began."""
        minute = to_minute(shift.started_at)
        query = select(cls).where(cls.user_id == shift.user_id, cls.id != shift.id)
        query = query.where(cls.ended_at >= minute, cls.ended_at < minute + timedelta(minutes=1))
        query = query.options(joinedload(cls.job)).order_by(cls.started_at.desc()).limit(1)
        return db.session.scalar(query.execution_options(populate_existing=True))

    @classmethod
    def longest_open(cls, *, limit: int) -> tuple[Sequence[Self], int]:
        """The open shifts with their jobs and people, longest first, and how many there are in all."""
        query = select(cls, func.count().over()).where(_open())
        query = query.options(joinedload(cls.job), joinedload(cls.user)).order_by(cls.started_at, cls.id)
        rows = db.session.execute(query.limit(limit)).all()
        return [shift for shift, _ in rows], rows[0][1] if rows else 0

    @classmethod
    def open_on(cls, job: Job) -> Sequence[Self]:
        """The open shifts on `job` with their people, longest first."""
        query = select(cls).where(cls.job_id == job.id, _open()).options(joinedload(cls.user))
        return db.session.scalars(query.order_by(cls.started_at, cls.id)).all()

    @classmethod
    def of(cls, user: User, *, start: datetime, end: datetime) -> Sequence[Self]:
        """The shifts of `user` that began in [start, end), latest first, with their jobs."""
        query = select(cls).where(cls.user_id == user.id, cls.started_at >= start, cls.started_at < end)
        return db.session.scalars(query.options(joinedload(cls.job)).order_by(cls.started_at.desc())).all()

    @classmethod
    def by_person(
        cls, *, start: datetime, end: datetime, user_id: int | None = None, department: str = ""
    ) -> Sequence[Self]:
        """The shifts that began in [start, end) with people and jobs, person by person in order of names."""
        query = select(cls).where(cls.started_at >= start, cls.started_at < end).join(cls.user)
        if user_id is not None:
            query = query.where(cls.user_id == user_id)
        if department:
            query = query.where(User.department == department)
        with_all = query.options(contains_eager(cls.user), joinedload(cls.job))
        return db.session.scalars(with_all.order_by(*User.by_name(), cls.started_at)).all()

    @classmethod
    def on_job(cls, job: Job, *, limit: int, offset: int = 0) -> Sequence[Self]:
        """The shifts on `job` with their people, latest first."""
        query = select(cls).where(cls.job_id == job.id).join(cls.user).options(contains_eager(cls.user))
        query = query.order_by(cls.started_at.desc(), cls.id.desc()).limit(limit).offset(offset)
        return db.session.scalars(query).all()

    @classmethod
    def places(cls, ids: Sequence[int]) -> dict[int, tuple[datetime, int]]:
        """Return start and job's id of those shifts that are there."""
        if not ids:
            return {}
        found = db.session.execute(select(cls.id, cls.started_at, cls.job_id).where(cls.id.in_(set(ids))))
        return {shift_id: (start, job_id) for shift_id, start, job_id in found}

    @classmethod
    def people_on(cls, jobs: Sequence[Job]) -> dict[int, list[User]]:
        """Map the id of each of `jobs` to who is on it right now, longest first."""
        query = select(cls.job_id, User).join(cls.user).where(_open(), cls.job_id.in_([j.id for j in jobs]))
        rows = db.session.execute(query.order_by(cls.started_at, cls.id)).all()
        people: dict[int, list[User]] = defaultdict(list)
        for job_id, user in rows:
            people[job_id].append(user)
        return people

    @classmethod
    def latest_jobs(cls, user: User) -> Subquery[Any]:
        """The jobs of the last RECENT shifts of `user`, each with when its `last` one began."""
        latest = select(cls.job_id, cls.started_at).where(cls.user_id == user.id)
        latest = latest.order_by(cls.started_at.desc()).limit(RECENT)  # else it grows with the years
        mine = latest.subquery()
        last = func.max(mine.c.started_at).label("last")
        return select(mine.c.job_id, last).group_by(mine.c.job_id).subquery()

    @classmethod
    def recent_jobs(cls, user: User, *, limit: int = 6) -> Sequence[Job]:
        """The active jobs that `user` worked on last, the latest first, of the last RECENT shifts."""
        ranked = cls.latest_jobs(user)
        query = select(Job).join(ranked, ranked.c.job_id == Job.id).where(Job.status == 1)
        return db.session.scalars(query.order_by(ranked.c.last.desc(), Job.id.desc()).limit(limit)).all()


def end_or_now(now: datetime) -> ColumnElement[Any]:
    """The end of a shift; of an open one now, or its start where another host's clock was ahead."""
    ahead = case((Shift.started_at > now, Shift.started_at), else_=instant(now))
    return func.coalesce(Shift.ended_at, ahead)


def _open() -> ColumnElement[bool]:
    """Only open shifts, by the index on open_for: "IS NULL" on the end reads the whole table instead."""
    return Shift.open_for > 0


_jobs, _shifts = Job.__table__, Shift.__table__
_its_job, _other = _jobs.alias(), _shifts.alias()  # `_other`: asked for beside the row of the last


@cache
def _surroundings() -> Brief:
    """What a punch in depends on: the job it is for, the last shift with its job, the shift of its key."""
    known = select(_other.c.id).where(_other.c.punch_key == bindparam("punch_key", type_=String))
    return Brief(
        im_number=_jobs.c.im_number, status=_jobs.c.status, known=known.scalar_subquery(),
        its_number=_its_job.c.im_number, shift_id=_shifts.c.id, job_id=_shifts.c.job_id,
        started_at=_shifts.c.created_at, ended_at=_shifts.c.updated_at, note=_shifts.c.note,
        edited_at=_shifts.c.edited_at, assumed_at=_shifts.c.assumed_at,
    )  # fmt: skip


@cache
def _around_punch() -> Select[Any]:
    """The statement of Shift.around_punch: putting it together takes longer than sending it."""
    worker_id = bindparam("worker_id", type_=Integer)
    is_open = select(_other.c.id).where(_other.c.open_for == worker_id)
    latest = select(_other.c.id).where(_other.c.user_id == worker_id)
    latest = latest.order_by(_other.c.created_at.desc(), _other.c.id.desc()).limit(1)
    is_last = _shifts.c.id == func.coalesce(is_open.scalar_subquery(), latest.scalar_subquery())
    query = select(_surroundings().column).select_from(_jobs).outerjoin(_shifts, is_last)
    query = query.outerjoin(_its_job, _its_job.c.id == _shifts.c.job_id)
    return query.where(_jobs.c.id == bindparam("job_id", type_=Integer)).with_for_update(read=True)
