"""Shifts: one stretch of one person's work on one job, between two punches."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, Self
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    ColumnElement,
    Computed,
    ForeignKey,
    Index,
    String,
    Text,
    case,
    func,
    or_,
    select,
)
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, contains_eager, joinedload, mapped_column, relationship

from flask_app.models.database import Base, db
from flask_app.models.errors import ConcurrentUpdate, RuleViolation
from flask_app.models.job import Job
from flask_app.models.types import UtcDateTime, clock_minutes, instant, plain
from flask_app.models.user import User

NOTE_MAX = 500
RECENT = 100  # how far back a list of somebody's latest jobs looks
CLOCK_SLACK = timedelta(minutes=2)  # by how much the clocks of two web hosts may differ


class PunchRefused(RuleViolation):
    """A punch that can't be taken; the text is for the worker."""


class JobClosed(PunchRefused):
    """The job is not on the active board."""


class AlreadyOn(PunchRefused):
    """The worker is on this very job already."""


class Shift(Base):
    """`started_at` is the punch in, `ended_at` the punch out, None while the shift is open.

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
    def start(cls, worker: User, job: Job, *, at: datetime, note: str = "", punch_key: str = "") -> Self:
        """Punch `worker` in on `job`, punching them out of whatever was open, both at the same instant.

        The same `punch_key` again returns the shift that it started. Raises PunchRefused.
        """
        note, key = checked_note(note), _punch_key(punch_key)
        worker = User.locked(worker.id)
        if key and (known := db.session.scalar(select(cls).where(cls.punch_key == key))):
            return known._repeated_by(worker)
        _check_may_start(worker, job)
        if (last := cls._last_of(worker)) is not None:
            if last.is_open and last.job_id == job.id:
                raise AlreadyOn(f"You're already on {job.im_number}.")
            at = last._close(at) if last.is_open else last._no_earlier(at)
        shift = cls(user_id=worker.id, job_id=job.id, job=job, started_at=at, note=note, punch_key=key)
        db.session.add(shift)
        flush_guarded()
        return shift

    def end(self, *, at: datetime) -> bool:
        """Punch out. Return False, changing nothing, if the shift had already ended."""
        User.locked(self.user_id)
        db.session.refresh(self, ["started_at", "ended_at", "assumed_at"])
        if not self.is_open:
            return False
        self._close(at)
        return True

    def _close(self, at: datetime) -> datetime:
        """End at `at`, never before the start; return the end."""
        self.ended_at = at = self._no_earlier(at)
        flush_guarded()
        return at

    def _no_earlier(self, at: datetime) -> datetime:
        """Return `at`, or this shift's last punch if that came from a host whose clock is a little ahead."""
        last = self.ended_at or self.started_at
        if at < last - CLOCK_SLACK:
            raise PunchRefused(
                "The server's clock is behind your last punch, so this punch can't be right. Tell an admin."
            )
        return max(at, last)

    def _repeated_by(self, worker: User) -> Self:
        if self.user_id != worker.id:
            raise PunchRefused("This form was already used by somebody else. Reload the page and try again.")
        return self

    @classmethod
    def open_of(cls, user: User) -> Self | None:
        return db.session.scalar(select(cls).where(cls.open_for == user.id).options(joinedload(cls.job)))

    @classmethod
    def _last_of(cls, user: User) -> Self | None:
        """The open shift, else the one that began last."""
        closed = select(cls).where(cls.user_id == user.id).order_by(cls.started_at.desc(), cls.id.desc())
        return cls.open_of(user) or db.session.scalar(closed.limit(1))

    @classmethod
    def overlapping(
        cls, person: User, started_at: datetime, ended_at: datetime | None, *, but: "Shift | None" = None
    ) -> Self | None:
        """The first shift of `person` at that time; two that only touch don't overlap, two open ones do."""
        query = select(cls).where(cls.user_id == person.id, or_(cls.ended_at > started_at, _open()))
        if ended_at is not None:
            query = query.where(cls.started_at < ended_at)
        if but is not None:
            query = query.where(cls.id != but.id)
        return db.session.scalar(query.options(joinedload(cls.job)).order_by(cls.started_at).limit(1))

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
    def on_job(cls, job: Job, *, limit: int, offset: int = 0) -> Sequence[Self]:
        """The shifts on `job` with their people, latest first."""
        query = select(cls).where(cls.job_id == job.id).join(cls.user).options(contains_eager(cls.user))
        query = query.order_by(cls.started_at.desc(), cls.id.desc()).limit(limit).offset(offset)
        return db.session.scalars(query).all()

    @classmethod
    def job_totals(cls, job: Job, *, now: datetime) -> list["DepartmentTotal"]:
        """Return what each department has worked on `job` up to `now`, by name."""
        minutes = func.sum(clock_minutes(end_or_now(now)) - clock_minutes(cls.started_at))
        people = func.count(func.distinct(cls.user_id))
        query = select(User.department, func.count(), people, minutes).join(cls.user)
        rows = db.session.execute(query.where(cls.job_id == job.id).group_by(User.department)).all()
        return sorted((DepartmentTotal(d, n, p, int(m)) for d, n, p, m in rows), key=lambda t: t.department)

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
    def recent_jobs(cls, user: User, *, limit: int = 6) -> Sequence[Job]:
        """The active jobs that `user` worked on last, the latest first, of the last RECENT shifts."""
        latest = select(cls.job_id, cls.started_at).where(cls.user_id == user.id)
        latest = latest.order_by(cls.started_at.desc()).limit(RECENT)  # else it grows with the years
        mine = latest.subquery()
        last = func.max(mine.c.started_at).label("last")
        ranked = select(mine.c.job_id, last).group_by(mine.c.job_id).subquery()
        query = select(Job).join(ranked, ranked.c.job_id == Job.id).where(Job.status == 1)
        return db.session.scalars(query.order_by(ranked.c.last.desc(), Job.id.desc()).limit(limit)).all()


@dataclass(frozen=True, slots=True)
class DepartmentTotal:
    """One department's share of a job."""

    department: str
    shifts: int
    people: int
    minutes: int


def end_or_now(now: datetime) -> ColumnElement[Any]:
    """The end of a shift; of an open one now, or its start where another host's clock was ahead."""
    ahead = case((Shift.started_at > now, Shift.started_at), else_=instant(now))
    return func.coalesce(Shift.ended_at, ahead)


def _open() -> ColumnElement[bool]:
    """Only open shifts, by the index on open_for: "IS NULL" on the end reads the whole table instead."""
    return Shift.open_for > 0


def _check_may_start(worker: User, job: Job) -> None:
    if not worker.is_active:
        raise PunchRefused(f"{worker.name}'s account isn't active. Ask an admin.")
    # Locked against an admin who closes the job at this moment.
    status = db.session.scalar(select(Job.status).where(Job.id == job.id).with_for_update(read=True))
    if not status:
        raise JobClosed(f"Job {job.im_number} is closed. Choose another, or ask an admin to open it.")


def checked_note(text: str) -> str:
    text = plain(text)
    if len(text) > NOTE_MAX:
        raise PunchRefused(f"The note is too long ({len(text)} characters): at most {NOTE_MAX}.")
    return text


def _punch_key(text: str) -> str | None:
    if not text:
        return None
    try:
        return str(UUID(text))
    except ValueError:
        raise PunchRefused("The form is damaged. Reload the page and try again.") from None


def flush_guarded() -> None:
    try:
        db.session.flush()
    except IntegrityError:
        raise ConcurrentUpdate("Another punch was saved at this very moment. Try again.") from None
