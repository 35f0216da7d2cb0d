"""How the sync is: when the daily one ran and is due, and what an admin should be told about it."""

from dataclasses import dataclass
from datetime import datetime, time, timedelta

from flask_app.clock import day_bounds, day_of, last_time_of_day, next_time_of_day, shown_at
from flask_app.config import settings
from flask_app.models import SyncHold, SyncRun, TaskRun
from flask_app.models.sync_run import ABANDONED, FAILED

DAILY_SYNC = "daily_sync"
CHECK_MINUTES = 10  # how often to look for a daily sync that was missed, has failed, or was not finished
STALE = timedelta(hours=26)  # after this long without a good sync, the admins are told
STALE_POLLS = timedelta(hours=1)  # so they are after this long in which polls have failed
_NOON = time(12)
_AT_LEAST = timedelta(hours=6)  # for a SYNC_TIME that has little left of its morning, or of its day
_ASIDE = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class FailedTask:
    """A task that has failed and not worked since. It is tried again `until` then, None: not any more.

    `rest_until`: not before then, since Dataverse asked for a longer rest than it is to the next check.
    """

    run: TaskRun
    until: datetime | None
    rest_until: datetime | None


@dataclass(frozen=True, slots=True)
class TimedTask:
    """One timed task: its last claim, when it is due next, when it was due but did not run, its failure."""

    name: str
    last: TaskRun | None
    next_due: datetime
    missed: datetime | None
    failed: FailedTask | None = None


def timed_tasks(*, now: datetime) -> list[TimedTask]:
    """Return every timed task of this configuration."""
    config = settings()
    if not config.syncs:
        return []
    last, failing = TaskRun.last_and_failing(DAILY_SYNC)
    due = last_time_of_day(config.sync_time, config.shop_timezone, now=now)
    next_due = next_time_of_day(config.sync_time, config.shop_timezone, now=now)
    missed = due if last and last.has_missed(due, now=now) else None
    failed = _failed(failing, due, now) if failing else None
    return [TimedTask(DAILY_SYNC, last, next_due, missed, failed)]


def _failed(run: TaskRun, due: datetime, now: datetime) -> FailedTask | None:
    """Return the failure, unless some other sync has made up for it."""
    if run.failed_at and SyncRun.has_worked_since(run.failed_at):
        return None
    until = _retried_until(run.due_at)
    next_try_at = max(run.next_try_at or now, now)
    is_over = next_try_at > until or run.due_at < due
    is_resting = next_try_at > now + timedelta(minutes=CHECK_MINUTES)
    return FailedTask(run, None if is_over else until, next_try_at if is_resting else None)


def daily_try(*, now: datetime) -> tuple[datetime | None, datetime]:
    """Return when the daily sync was due that may be run now, if one may; and until when to try it again.

    One that was missed is caught up on until its day ends, one that failed is tried again until noon; for six
    hours in any case, or a SYNC_TIME shortly before midnight would have no time for either.
    """
    config = settings()
    due_at = last_time_of_day(config.sync_time, config.shop_timezone, now=now)
    _, midnight = day_bounds(due_at.astimezone(config.shop_timezone).date(), config.shop_timezone)
    return due_at if now < max(midnight, due_at + _AT_LEAST) else None, _retried_until(due_at)


def _retried_until(due_at: datetime) -> datetime:
    zone = settings().shop_timezone
    noon = shown_at(day_of(due_at, zone), _NOON, zone)
    return max(noon, due_at + _AT_LEAST)


def daily_is_near(*, now: datetime) -> bool:
    """Whether the daily sync is about to begin or has just begun: a poll would only be in its way."""
    at, zone = settings().sync_time, settings().shop_timezone
    around = (last_time_of_day(at, zone, now=now), next_time_of_day(at, zone, now=now))
    return any(abs(daily - now) < _ASIDE for daily in around)


@dataclass(frozen=True, slots=True)
class SyncTrouble:
    """Why an admin should look at the sync.

    The daily one has `failed`, or was due at `missed` and did not run; none has worked since `stale_since`.
    """

    missed: datetime | None
    stale_since: datetime | None
    failed: FailedTask | None = None


def sync_trouble(*, now: datetime) -> SyncTrouble | None:
    """Return what is wrong with the sync as a whole, None if nothing is (or there is none)."""
    tasks = timed_tasks(now=now)
    missed = next((task.missed for task in tasks if task.missed), None)
    failed = next((task.failed for task in tasks if task.failed), None)
    stale_since = _stale_since(now) if tasks else None
    if missed or stale_since or failed:
        return SyncTrouble(missed, stale_since, failed)
    return None


def held_run() -> int | None:
    """Return the run that has held back something that waits for an admin, if one has."""
    return SyncHold.waiting_run() if settings().syncs else None


def _stale_since(now: datetime) -> datetime | None:
    since = SyncRun.good_since()
    if since is None or now - since <= STALE_POLLS:
        return None
    return since if now - since > STALE or (settings().poll_minutes and _is_failing()) else None


def _is_failing() -> bool:
    last = SyncRun.last()
    return last is not None and last.outcome in (FAILED, ABANDONED)
