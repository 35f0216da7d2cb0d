"""What has been told long enough is forgotten: hooks' counts, what was sent, rows skipped, tasks done.

Runs and what they changed are kept, and so is every change of hours: these are the shop's records.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, delete, select

from flask_app.config import settings
from flask_app.models import (
    Base,
    HookCount,
    HoursSent,
    PhaseSent,
    SyncRun,
    SyncSkip,
    TaskRun,
    committing,
    db,
)

PRUNING = "pruning"  # the task's name
KEPT = timedelta(days=400)  # a year, and time to look at it
_AT_ONCE = 1000  # rows in one transaction: nobody waits for it


def prune(*, now: datetime) -> int:
    """Forget what is older than KEPT; return how many rows."""
    return sum(_forget(table, old) for table, old in _old(now - KEPT))


def _old(before: datetime) -> Iterator[tuple[type[Base], ColumnElement[bool]]]:
    yield HookCount, HookCount.day < before.astimezone(settings().shop_timezone).date()
    yield HoursSent, HoursSent.at < before
    yield PhaseSent, PhaseSent.at < before
    yield TaskRun, TaskRun.due_at < before
    # The daily run tells of each row that it can't take, every day anew.
    yield SyncSkip, SyncSkip.run_id.in_(select(SyncRun.id).where(SyncRun.started_at < before))


def _forget(table: type[Base], old: ColumnElement[bool]) -> int:
    key = table.__mapper__.primary_key[0]

    def some() -> int:
        keys = db.session.scalars(select(key).where(old).limit(_AT_ONCE)).all()
        if keys:
            quiet = {"synchronize_session": False}
            db.session.execute(delete(table).where(key.in_(keys)), execution_options=quiet)
        return len(keys)

    forgotten = 0
    while count := committing(some):
        forgotten += count
    return forgotten
