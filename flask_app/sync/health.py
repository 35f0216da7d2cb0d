"""How the sync is: when the daily one ran and is due, and what an admin should be told about it."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from flask_app.clock import last_time_of_day, next_time_of_day
from flask_app.config import settings
from flask_app.models import SyncRun, TaskRun

DAILY_SYNC = "daily_sync"
GRACE = timedelta(minutes=20)  # how late a daily sync may fire before it counts as missed
STALE = timedelta(hours=26)  # after this long without a good sync, the admins are told


@dataclass(frozen=True, slots=True)
class TimedTask:
    """One timed task: its last claim, when it is due next, and when it was due but did not fire, if so."""

    name: str
    last: TaskRun | None
    next_due: datetime
    missed: datetime | None


def timed_tasks(*, now: datetime) -> list[TimedTask]:
    """Return every timed task of this configuration."""
    config = settings()
    if not config.syncs:
        return []
    last, due = TaskRun.last(DAILY_SYNC), last_time_of_day(config.sync_time, config.shop_timezone, now=now)
    # Before its first time nothing can have been missed; and a host that is just starting catches up.
    missed = due if last and last.due_at < due and now - due > GRACE else None
    next_due = next_time_of_day(config.sync_time, config.shop_timezone, now=now)
    return [TimedTask(DAILY_SYNC, last, next_due, missed)]


@dataclass(frozen=True, slots=True)
class SyncTrouble:
    """Why an admin should look at the sync: it was due at `missed`; none has worked since `stale_since`."""

    missed: datetime | None
    stale_since: datetime | None


def sync_trouble(*, now: datetime) -> SyncTrouble | None:
    """Return what is wrong with the sync as a whole, None if nothing is (or there is none)."""
    tasks = timed_tasks(now=now)
    missed = next((task.missed for task in tasks if task.missed), None)
    since = SyncRun.good_since() if tasks else None
    stale_since = since if since and now - since > STALE else None
    return SyncTrouble(missed, stale_since) if missed or stale_since else None
