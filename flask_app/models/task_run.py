"""Timed tasks: the claim that makes each due task run once, however many processes want to."""

from datetime import datetime, timedelta
from typing import Self

from sqlalchemy import String, Text, UniqueConstraint, delete, func, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, mapped_column

from flask_app.models.database import Base, committing, db
from flask_app.models.types import UtcDateTime

# Longer than any run of a task: a sync reads for ten minutes at most (sync/running.py), then it writes.
LAPSE = timedelta(minutes=15)
BREATH = timedelta(minutes=5)  # from the begin of one try to the next, however many processes look
GRACE = timedelta(minutes=20)  # how late a task may begin before it counts as missed
LONGEST_REST = timedelta(hours=24)  # a next try that lies further ahead was written by a clock that is wrong


class TaskRun(Base):
    """One row per task and due time; whoever inserts it runs the task.

    It is done (`finished_at`) when it has worked. A try that failed leaves its time and why in `failed_at`
    and `outcome`, and gives the claim back. `next_try_at`: from when on another try may begin; while one is
    under way, that is when it counts as dead.
    """

    __tablename__ = "task_runs"
    __table_args__ = (UniqueConstraint("task", "due_at"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    task: Mapped[str] = mapped_column(String(40))
    due_at: Mapped[datetime] = mapped_column(UtcDateTime)
    claimed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    next_try_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # None: claimed by an older program
    attempts: Mapped[int] = mapped_column(default=1)
    failed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    outcome: Mapped[str] = mapped_column(Text, default="")

    @classmethod
    def claim(
        cls, task: str, *, due_at: datetime, now: datetime, until: datetime | None = None
    ) -> "TaskRun | None":
        """Return the claim, committed, or None if somebody else has it, it has worked, or must rest.

        A claim that was never finished is taken over after LAPSE: the process that had it is gone. What has
        failed is tried again, but not after `until`.
        """

        def claim() -> "TaskRun | None":
            run = cls._of(task, due_at)
            if run is None:
                run = cls(task=task, due_at=due_at, claimed_at=now, next_try_at=now + LAPSE, attempts=1)
                db.session.add(run)
                db.session.flush()
                return run
            return run if run._may_be_tried(now, until) and run._take_over(now) else None

        try:
            return committing(claim)
        except IntegrityError:
            return None

    def is_alone(self, *, now: datetime) -> bool:
        """Whether no other run of this task is under way; of two that ask at once, both may yield.

        Ask after the claim is committed.
        """
        cls = type(self)
        is_open = (cls.finished_at.is_(None), or_(cls.failed_at.is_(None), cls.failed_at < cls.claimed_at))
        others = (cls.task == self.task, cls.id != self.id, cls.next_try_at > now)
        # A claim that lasts too long was written by a clock that is wrong: nobody waits for it.
        is_alive = cls.next_try_at <= now + 2 * LAPSE
        return db.session.scalar(select(cls.id).where(*is_open, *others, is_alive).limit(1)) is None

    def finish(self, outcome: str, *, now: datetime) -> bool:
        """Note that it has worked; False if this claim was taken over in the meantime."""
        return self._update(finished_at=now, outcome=outcome)

    def fail(self, outcome: str, *, now: datetime, next_try_at: datetime | None = None) -> bool:
        """Note that this try has failed; the next one begins at the earliest at `next_try_at`."""
        earliest = max(self.claimed_at + BREATH, next_try_at or now)
        return self._update(failed_at=now, outcome=outcome, next_try_at=min(earliest, now + LONGEST_REST))

    def give_back(self, *, now: datetime) -> bool:
        """Let somebody else try, as nothing could be tried: it has neither worked nor failed."""
        return self._update(next_try_at=now)

    def has_missed(self, due: datetime, *, now: datetime) -> bool:
        """Whether, this being the newest run, nothing has begun that was due at `due`, or it never ended.

        Before a task's first run nothing can have been missed; and a host that is just starting catches up.
        """
        if self.due_at < due:
            return now - due > GRACE
        is_lost = self.finished_at is None and self.failed_at is None
        return is_lost and now - self.claimed_at > LAPSE + GRACE

    @property
    def _has_failed(self) -> bool:
        """Whether its last try has failed; one that is under way has not."""
        return self.failed_at is not None and self.failed_at >= self.claimed_at

    def is_resting(self, *, now: datetime) -> bool:
        """Whether it has failed, and Dataverse wants to be left alone for longer than a task waits anyway."""
        rest = now < (self.next_try_at or now) <= now + LONGEST_REST
        return self.finished_at is None and self._has_failed and rest

    def _may_be_tried(self, now: datetime, until: datetime | None) -> bool:
        if self.finished_at is not None or (self.failed_at and until and now > until):
            return False
        next_try_at = self.next_try_at or self.claimed_at + LAPSE
        # What was written by a clock that is wrong binds nobody.
        return not now < next_try_at <= now + (LONGEST_REST if self._has_failed else 2 * LAPSE)

    def _take_over(self, now: datetime) -> bool:
        """Claim it for this process, unless another one has done so first."""
        return self._update(claimed_at=now, next_try_at=now + LAPSE, attempts=self.attempts + 1)

    def _update(self, **values: object) -> bool:
        table = type(self)
        mine = update(table).where(
            table.id == self.id, table.finished_at.is_(None), table.attempts == self.attempts
        )
        result = db.session.execute(mine.values(**values))
        return result.rowcount == 1  # type: ignore[attr-defined, no-any-return]  # an UPDATE has one

    @classmethod
    def _of(cls, task: str, due_at: datetime) -> Self | None:
        query = select(cls).where(cls.task == task, cls.due_at == due_at)
        return db.session.scalar(query.execution_options(populate_existing=True))

    @classmethod
    def last(cls, task: str) -> Self | None:
        return db.session.scalar(select(cls).where(cls.task == task).order_by(cls.due_at.desc()).limit(1))

    @classmethod
    def last_and_failing(cls, task: str) -> tuple[Self | None, Self | None]:
        """Return the newest run, and the newest that has failed if none has worked since."""
        newest = [
            select(func.max(cls.id)).where(cls.task == task, condition).scalar_subquery()
            for condition in (cls.id > 0, cls.failed_at.is_not(None), cls.finished_at.is_not(None))
        ]
        runs = {run.id: run for run in db.session.scalars(select(cls).where(cls.id.in_(newest)))}
        failed = [run for run in runs.values() if run.failed_at]
        worked = max((run.id for run in runs.values() if run.finished_at), default=0)
        last = runs[max(runs)] if runs else None
        return last, next((run for run in failed if run.id > worked), None)

    @classmethod
    def forget(cls, task: str, *, before: datetime) -> None:
        """Remove what is known of runs that were due before then."""
        db.session.execute(delete(cls).where(cls.task == task, cls.due_at < before))
