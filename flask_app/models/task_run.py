"""Timed tasks: the claim that makes each due task run once, however many processes want to."""

from datetime import datetime
from typing import Self

from sqlalchemy import String, Text, UniqueConstraint, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, mapped_column

from flask_app.models.base import Base, UtcDateTime, committing, db


class TaskRun(Base):
    """One row per task and due time; whoever inserts it runs the task."""

    __tablename__ = "task_runs"
    __table_args__ = (UniqueConstraint("task", "due_at"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    task: Mapped[str] = mapped_column(String(40))
    due_at: Mapped[datetime] = mapped_column(UtcDateTime)
    claimed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    outcome: Mapped[str] = mapped_column(Text, default="")

    @classmethod
    def claim(cls, task: str, *, due_at: datetime, now: datetime) -> "TaskRun | None":
        """Return the claim, committed, or None if somebody else has it."""

        def insert() -> "TaskRun":
            run = cls(task=task, due_at=due_at, claimed_at=now)
            db.session.add(run)
            db.session.flush()
            return run

        if cls.is_claimed(task, due_at=due_at):
            return None
        try:
            return committing(insert)
        except IntegrityError:
            return None

    def finish(self, outcome: str, *, now: datetime) -> None:
        self.finished_at = now
        self.outcome = outcome

    @classmethod
    def is_claimed(cls, task: str, *, due_at: datetime) -> bool:
        return db.session.scalar(select(cls.id).where(cls.task == task, cls.due_at == due_at)) is not None

    @classmethod
    def last(cls, task: str) -> Self | None:
        return db.session.scalar(select(cls).where(cls.task == task).order_by(cls.due_at.desc()).limit(1))
