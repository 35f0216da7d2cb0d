"""Timed tasks: the claim that makes each due task run once, however many processes want to."""

from datetime import datetime, timedelta
from typing import Self

from sqlalchemy import String, Text, UniqueConstraint, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, mapped_column

from flask_app.models.database import Base, committing, db
from flask_app.models.types import UtcDateTime

# Longer than the longest sync takes (the Dataverse client gives up after ten minutes) and than clocks differ.
LAPSE = timedelta(minutes=15)


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
        """Return the claim, committed, or None if somebody else has it or has done it.

        A claim that was never finished is taken over after LAPSE: the process that had it is gone.
        """

        def claim() -> "TaskRun | None":
            run = cls._of(task, due_at)
            if run is None:
                run = cls(task=task, due_at=due_at, claimed_at=now)
                db.session.add(run)
                db.session.flush()
                return run
            return run if run._has_lapsed(now) and run._take_over(now) else None

        try:
            return committing(claim)
        except IntegrityError:
            return None

    def _has_lapsed(self, now: datetime) -> bool:
        """A claim from the future was made by a clock that is wrong."""
        return self.finished_at is None and abs(now - self.claimed_at) > LAPSE

    def _take_over(self, now: datetime) -> bool:
        """Claim it for this process, unless another one has done so first."""
        table = type(self)
        as_seen = update(table).where(
            table.id == self.id, table.finished_at.is_(None), table.claimed_at == self.claimed_at
        )
        result = db.session.execute(as_seen.values(claimed_at=now))
        return result.rowcount == 1  # type: ignore[attr-defined, no-any-return]  # an UPDATE has one

    def finish(self, outcome: str, *, now: datetime) -> None:
        self.finished_at = now
        self.outcome = outcome

    @classmethod
    def _of(cls, task: str, due_at: datetime) -> Self | None:
        query = select(cls).where(cls.task == task, cls.due_at == due_at)
        return db.session.scalar(query.execution_options(populate_existing=True))

    @classmethod
    def last(cls, task: str) -> Self | None:
        return db.session.scalar(select(cls).where(cls.task == task).order_by(cls.due_at.desc()).limit(1))
