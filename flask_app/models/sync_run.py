"""The sync's ledger: one row per run, and the row is also the lock that lets only one run at a time."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Self

from sqlalchemy import (
    JSON,
    Computed,
    ForeignKey,
    String,
    Text,
    Update,
    delete,
    func,
    insert,
    or_,
    select,
    type_coerce,
    update,
)
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, joinedload, mapped_column, relationship

from flask_app.models.database import Base, db
from flask_app.models.errors import ConcurrentUpdate
from flask_app.models.types import UtcDateTime, exact_string, words
from flask_app.models.user import User
from flask_app.words import noted

# Renewed at each page. It must outlive whatever may lie between two pages or between the last page and the
# commit: a whole reading ends after ten minutes (sync/running.py; a test adds it up), the rest is for writing
# and for hosts whose clocks differ.
LEASE = timedelta(minutes=12)
RUNNING, SUCCEEDED, FAILED, ABANDONED = "running", "succeeded", "failed", "abandoned"
POLL, WEBHOOK = "poll", "webhook"
TRIGGERS = ("schedule", POLL, WEBHOOK, "login", "button", "command", "start")


class SyncRun(Base):
    """One run of sync_approved_jobs(): who asked, how it went, what it did.

    `running_slot` is 1 while the run is unfinished and unique: the database admits one running run across
    all processes and hosts. A run whose process died keeps the slot until `lease_until`; the next run then
    marks it abandoned.

    Polls in a row, or webhooks' runs, that found the same, which is mostly nothing, share one line: the
    newest one's row stands for all of them (`polls`, `polls_since`).
    """

    __tablename__ = "sync_runs"

    id: Mapped[int] = mapped_column(primary_key=True)
    trigger: Mapped[str] = mapped_column("trigger_name", words(*TRIGGERS))  # TRIGGER is a reserved word
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    started_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    lease_until: Mapped[datetime] = mapped_column(UtcDateTime)
    rest_until: Mapped[datetime | None] = mapped_column(UtcDateTime)  # Dataverse wants no request before then
    polls: Mapped[int] = mapped_column(default=1)  # how many this line stands for
    polls_since: Mapped[datetime | None] = mapped_column(UtcDateTime)  # when the first of them began
    outcome: Mapped[str] = mapped_column(words(RUNNING, SUCCEEDED, FAILED, ABANDONED), default=RUNNING)
    message: Mapped[str] = mapped_column(Text, default="")  # why it failed, a sentence for the admin
    # What is amiss with Dataverse's table although the run went well: sentences, one in a line.
    warnings: Mapped[str | None] = mapped_column(Text)
    is_full: Mapped[bool] = mapped_column(default=True)  # read everything, not only what had changed
    watermark: Mapped[datetime | None] = mapped_column(
        UtcDateTime
    )  # by Dataverse's clock: all is known up to then
    requests: Mapped[int] = mapped_column(default=0)
    retries: Mapped[int] = mapped_column(default=0)
    waited: Mapped[float] = mapped_column(default=0.0)  # seconds, at Dataverse's wish or between attempts
    pages: Mapped[int] = mapped_column(default=0)
    rows: Mapped[int] = mapped_column("rows_read", default=0)
    added: Mapped[int] = mapped_column(default=0)
    already_there: Mapped[int] = mapped_column(default=0)
    updated: Mapped[int] = mapped_column(default=0)
    linked: Mapped[int] = mapped_column(default=0)
    gone: Mapped[int] = mapped_column(default=0)
    returned: Mapped[int] = mapped_column(default=0)  # approved again
    held: Mapped[int] = mapped_column(default=0)  # changes held back until an admin has looked, see SyncHold
    skipped: Mapped[int] = mapped_column(default=0)
    seconds: Mapped[float] = mapped_column(default=0.0)
    running_slot: Mapped[int | None] = mapped_column(
        Computed("CASE WHEN finished_at IS NULL THEN 1 END", persisted=False), unique=True, deferred=True
    )

    user: Mapped[User | None] = relationship()
    skips: Mapped[list["SyncSkip"]] = relationship(order_by="SyncSkip.id")
    changes: Mapped[list["SyncChange"]] = relationship(order_by="SyncChange.id")

    @property
    def warning_lines(self) -> list[str]:
        return (self.warnings or "").splitlines()

    @property
    def is_running(self) -> bool:
        return self.finished_at is None

    @classmethod
    def take(cls, *, trigger: str, user_id: int | None, now: datetime) -> Self | None:
        """Insert the running run, or return None if another one is running and alive. Commit after it."""
        running = cls.running()
        if running is not None and not (running.looks_dead(now=now) and running._abandon(now)):
            return None
        run = cls(trigger=trigger, user_id=user_id, started_at=now, lease_until=now + LEASE)
        db.session.add(run)
        try:
            db.session.flush()
        except IntegrityError:
            raise ConcurrentUpdate(noted("Another sync has started at this very moment.")) from None
        return run

    def looks_dead(self, *, now: datetime) -> bool:
        """Whether an unfinished run has shown no sign of life for longer than a living one could.

        A lease that ends too far ahead was written by a clock that is wrong: nobody should wait for it.
        """
        return self.is_running and not now <= self.lease_until <= now + 2 * LEASE

    def _abandon(self, now: datetime) -> bool:
        """End a dead run in its place; False if it has stirred in the meantime."""
        message = noted(
            "This run broke off: the program was stopped, or gave no sign of life. It changed nothing."
        )
        mine = update(SyncRun).where(
            SyncRun.id == self.id, SyncRun.finished_at.is_(None), SyncRun.lease_until == self.lease_until
        )
        return _hits(mine.values(finished_at=now, outcome=ABANDONED, message=message))

    def hold(self, *, now: datetime, **progress: object) -> bool:
        """Renew the lease and note the progress; False if the run has been taken away in the meantime."""
        return self._update(lease_until=now + LEASE, **progress)

    def finish(self, *, now: datetime, outcome: str, **values: object) -> bool:
        """End the run in the same transaction as its changes; False if it has been taken away."""
        return self._update(finished_at=now, outcome=outcome, **values)

    def fold(self) -> None:
        """Let a poll that changed nothing stand for the one before it, if that one came to the same."""
        before = db.session.scalar(
            select(SyncRun).where(SyncRun.id < self.id).order_by(SyncRun.id.desc()).limit(1)
        )
        me = db.session.get_one(SyncRun, self.id, populate_existing=True)
        if before is None or not (before._changed_nothing and me._changed_nothing):
            return
        if before._says == me._says:
            me.polls += before.polls
            me.polls_since = before.polls_since or before.started_at
            db.session.delete(before)
            db.session.flush()

    @property
    def _changed_nothing(self) -> bool:
        counts = (self.added, self.updated, self.linked, self.gone, self.returned)
        return (
            self.trigger in (POLL, WEBHOOK)
            and not self.is_running
            and not any(counts)
            and not self.has_details
        )

    @property
    def _says(self) -> tuple[object, ...]:
        return self.trigger, self.outcome, self.message, self.warnings, self.held

    @property
    def has_details(self) -> bool:
        return bool(self.skips or self.changes)

    def _update(self, **values: object) -> bool:
        mine = update(type(self)).where(type(self).id == self.id, type(self).finished_at.is_(None))
        return _hits(mine.values(**values))

    @classmethod
    def running(cls) -> Self | None:
        query = select(cls).where(cls.running_slot == 1).options(joinedload(cls.user))
        return db.session.scalar(query.execution_options(populate_existing=True))

    @classmethod
    def latest(cls, *, limit: int = 20) -> Sequence[Self]:
        query = select(cls).order_by(cls.id.desc()).limit(limit).options(joinedload(cls.user))
        return db.session.scalars(query).all()

    @classmethod
    def last(cls) -> Self | None:
        return db.session.scalar(select(cls).order_by(cls.id.desc()).limit(1))

    @classmethod
    def good_since(cls) -> datetime | None:
        """Return when the last good run began, or the very first run if none was good; None before that."""
        # A webhook's run reads some rows only: it doesn't tell that all is well.
        rule = (cls.outcome == SUCCEEDED, cls.trigger != WEBHOOK)
        good = select(func.max(cls.started_at)).where(*rule).scalar_subquery()
        first = select(func.min(func.coalesce(cls.polls_since, cls.started_at))).scalar_subquery()
        return db.session.scalar(select(type_coerce(func.coalesce(good, first), UtcDateTime)))

    @classmethod
    def has_worked_since(cls, moment: datetime) -> bool:
        """Whether a run that was good ended after `moment`."""
        good = select(cls.id).where(cls.outcome == SUCCEEDED, cls.finished_at > moment)
        return db.session.scalar(good.limit(1)) is not None

    @classmethod
    def last_success(cls) -> Self | None:
        query = select(cls).where(cls.outcome == SUCCEEDED).order_by(cls.id.desc()).limit(1)
        return db.session.scalar(query)


class SyncSkip(Base):
    """One Dataverse row that a run could not take, and why."""

    __tablename__ = "sync_skips"

    id: Mapped[int] = mapped_column(primary_key=True)
    run_id: Mapped[int] = mapped_column(ForeignKey("sync_runs.id"), index=True)
    dataverse_id: Mapped[str] = mapped_column(String(36))
    im_number: Mapped[str] = mapped_column(String(255))  # as delivered, cut to fit
    reason: Mapped[str] = mapped_column(String(255))


class SyncChange(Base):
    """One field of one job that a run changed. `field` is a column of jobs, or "upstream_state" or "link"."""

    __tablename__ = "sync_changes"

    id: Mapped[int] = mapped_column(primary_key=True)
    run_id: Mapped[int] = mapped_column(ForeignKey("sync_runs.id"), index=True)
    job_id: Mapped[int] = mapped_column(ForeignKey("jobs.id"))
    im_number: Mapped[str] = mapped_column(String(50))
    field: Mapped[str] = mapped_column(String(40))
    old: Mapped[str] = mapped_column("old_value", Text)
    new: Mapped[str] = mapped_column("new_value", Text)

    @classmethod
    def losses_by_hooks(cls, *, since: datetime, blanks: Collection[str]) -> Sequence[Self]:
        """Return what webhooks' runs since then have changed of how rows stand, or to one of these texts."""
        runs = select(SyncRun.id).where(SyncRun.trigger == WEBHOOK, SyncRun.started_at >= since)
        is_loss = or_(cls.field == "upstream_state", cls.new.in_(blanks))
        return db.session.scalars(select(cls).where(cls.run_id.in_(runs), is_loss)).all()


class Leftover(Base):
    """An approved row of Dataverse that could not become a job: every sync looks at it again."""

    __tablename__ = "sync_leftovers"

    dataverse_id: Mapped[str] = mapped_column(exact_string(36), primary_key=True)
    im_number: Mapped[str] = mapped_column(String(255))  # as delivered, cut to fit
    reason: Mapped[str] = mapped_column(String(255))
    row: Mapped[dict[str, Any] | None] = mapped_column(
        "row_read", JSON(none_as_null=True)
    )  # None: not usable

    @classmethod
    def everything(cls) -> Sequence[Self]:
        return db.session.scalars(select(cls).execution_options(populate_existing=True)).all()

    @classmethod
    def remove(cls, dataverse_ids: Sequence[str]) -> None:
        for first in range(0, len(dataverse_ids), 1000):
            chunk = dataverse_ids[first : first + 1000]
            db.session.execute(delete(cls).where(cls.dataverse_id.in_(chunk)))


def write_ledger(table: type[SyncSkip | SyncChange | Leftover], rows: Sequence[Mapping[str, object]]) -> None:
    """Insert many rows of the ledger in one statement."""
    if rows:
        db.session.execute(insert(table), list(rows))


def _hits(change: Update) -> bool:
    """Make a change of one row; False if no row is as it expects (compare and set)."""
    return db.session.execute(change).rowcount == 1  # type: ignore[attr-defined, no-any-return]
