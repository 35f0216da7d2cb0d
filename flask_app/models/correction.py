"""Corrections: what workers ask to have changed in their hours, and what the office answered."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Self

from sqlalchemy import Computed, ForeignKey, Index, Text, func, select
from sqlalchemy.orm import Mapped, joinedload, mapped_column, relationship

from flask_app.models.database import Base, db
from flask_app.models.job import Job
from flask_app.models.types import UtcDateTime, words
from flask_app.models.user import User
from flask_app.words import lazy

FORGOT, WRONG_JOB, WRONG_TIME, MISSING = "forgot", "job", "time", "missing"
DELETION = "delete"  # an admin's, of a shift of their own
SWITCH = "switch"  # the running shift began at another time, and what was before it ended then
NOTE_MAX = 300
ASKED_ALREADY = lazy("You already have a request for this shift. Cancel it first, or wait for the answer.")
WAITING, APPROVED, DECLINED, WITHDRAWN = "waiting", "approved", "declined", "withdrawn"


class Correction(Base):
    """A worker's request about one shift (`shift_id` None: a shift that was never punched, or is gone).

    `old_*` is what the shift was when it was asked; if it has changed since, the request can't be approved
    blindly. `new_*` is the whole shift as it should be, all None where it should be deleted.
    """

    __tablename__ = "corrections"
    __table_args__ = (
        Index("ix_corrections_user_id", "user_id", "asked_at"),
        Index("ix_corrections_state", "state", "asked_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    shift_id: Mapped[int | None]  # no foreign key: a shift may be deleted, the request stays
    kind: Mapped[str] = mapped_column(words(FORGOT, WRONG_JOB, WRONG_TIME, MISSING, DELETION, SWITCH))
    asked_at: Mapped[datetime] = mapped_column(UtcDateTime)
    old_started_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    old_ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    old_job_id: Mapped[int | None] = mapped_column(ForeignKey("jobs.id"))
    new_started_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    new_ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    new_job_id: Mapped[int | None] = mapped_column(ForeignKey("jobs.id"))
    note: Mapped[str] = mapped_column(Text, default="")
    state: Mapped[str] = mapped_column(words(WAITING, APPROVED, DECLINED, WITHDRAWN), default=WAITING)
    decided_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    decided_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    answer: Mapped[str] = mapped_column(Text, default="")
    # The database keeps: one waiting request per shift.
    waiting_for: Mapped[int | None] = mapped_column(
        Computed("CASE WHEN state = 'waiting' THEN shift_id END", persisted=False), unique=True, deferred=True
    )

    user: Mapped[User] = relationship(foreign_keys=[user_id])
    decided_by: Mapped[User | None] = relationship(foreign_keys=[decided_by_id])
    old_job: Mapped[Job | None] = relationship(foreign_keys=[old_job_id])
    new_job: Mapped[Job | None] = relationship(foreign_keys=[new_job_id])

    @property
    def is_waiting(self) -> bool:
        return self.state == WAITING

    @property
    def began_at(self) -> datetime:
        """When the shift began that this is about, or the missing one should have."""
        return self.old_started_at or self.new_started_at or self.asked_at

    @classmethod
    def waiting(cls) -> Sequence[Self]:
        """What waits for an answer, oldest first."""
        query = cls._whole().where(cls.state == WAITING).order_by(cls.asked_at, cls.id).limit(200)
        return list(db.session.scalars(query))

    @classmethod
    def waiting_count(cls) -> int:
        return db.session.scalar(select(func.count()).where(cls.state == WAITING)) or 0

    @classmethod
    def asked_since(cls, instant: datetime, shifts: Sequence[int]) -> bool:
        """Whether something about one of these shifts was asked at that instant or later."""
        rule = (cls.shift_id.in_(shifts), cls.asked_at >= instant)
        return bool(db.session.scalar(select(func.count()).where(*rule)))

    @classmethod
    def asked_by(cls, user: User, *, since: datetime) -> int:
        """How many requests `user` has made since then, whatever became of them."""
        rule = (cls.user_id == user.id, cls.asked_at > since)
        return db.session.scalar(select(func.count()).where(*rule)) or 0

    @classmethod
    def decided(cls, *, limit: int = 50) -> Sequence[Self]:
        """What was answered, latest first."""
        done = cls._whole().where(cls.state.in_((APPROVED, DECLINED)))
        return list(db.session.scalars(done.order_by(cls.decided_at.desc(), cls.id.desc()).limit(limit)))

    @classmethod
    def of(cls, user: User, *, limit: int = 100) -> Sequence[Self]:
        """What `user` asked, latest first."""
        mine = cls._whole().where(cls.user_id == user.id).order_by(cls.asked_at.desc(), cls.id.desc())
        return list(db.session.scalars(mine.limit(limit)))

    @classmethod
    def by_shift(cls, corrections: Iterable[Self]) -> dict[int, Self]:
        """Map a shift's id to the latest request about it; `corrections` come latest first."""
        found: dict[int, Self] = {}
        for one in corrections:
            if one.shift_id is not None and one.state != WITHDRAWN:
                found.setdefault(one.shift_id, one)
        return found

    @classmethod
    def _whole(cls) -> Any:
        people = (joinedload(cls.user), joinedload(cls.decided_by))
        return select(cls).options(*people, joinedload(cls.old_job), joinedload(cls.new_job))
