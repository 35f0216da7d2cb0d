"""Corrections: what workers ask to have changed in their hours, and what the office answered."""

from datetime import datetime

from sqlalchemy import Computed, ForeignKey, Index, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from flask_app.models.base import Base, UtcDateTime, words
from flask_app.models.job import Job
from flask_app.models.user import User

FORGOT, WRONG_JOB, WRONG_TIME, MISSING = "forgot", "job", "time", "missing"
WAITING, APPROVED, DECLINED, WITHDRAWN = "waiting", "approved", "declined", "withdrawn"


class Correction(Base):
    """A worker's request about one shift (`shift_id` None: a shift that was never punched, or is gone).

    `old_*` is what the shift was when it was asked; if it has changed since, the request can't be approved
    blindly. `new_*` is the whole shift as it should be.
    """

    __tablename__ = "corrections"
    __table_args__ = (
        Index("ix_corrections_user_id", "user_id", "asked_at"),
        Index("ix_corrections_state", "state", "asked_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    shift_id: Mapped[int | None]  # no foreign key: a shift may be deleted, the request stays
    kind: Mapped[str] = mapped_column(words(FORGOT, WRONG_JOB, WRONG_TIME, MISSING))
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
