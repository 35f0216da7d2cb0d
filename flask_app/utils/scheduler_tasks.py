"""What happens by itself: the daily sync, the sync after a login, and the auto clock-out."""

import logging
import os
from datetime import datetime, timedelta, tzinfo
from threading import Thread
from threading import enumerate as running_threads

from apscheduler.executors.debug import DebugExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger
from flask import Flask, current_app
from sqlalchemy.orm import configure_mappers

from flask_app.clock import last_time_of_day, utc_now
from flask_app.config import settings
from flask_app.models import TaskRun, committing
from flask_app.sync.approved_jobs import (
    SyncLost,
    SyncNotConfigured,
    SyncRunning,
    SyncTooSoon,
    sync_approved_jobs,
)
from flask_app.sync.health import DAILY_SYNC
from flask_app.timeclock.clock_out import CLOCK_OUT, Outcome, clock_out, due_ends, last_due

CHECK_MINUTES = 10  # how often to look for a daily sync that was missed, or that somebody did not finish
FIRST_LOOK = timedelta(seconds=3)

_log = logging.getLogger(__name__)
_LOGIN_SYNC = "login-sync"  # the thread's name; one per process is enough


def start_scheduler(app: Flask) -> BackgroundScheduler:
    """Start this process's scheduler; any number of processes may, the claim in the database makes one run.

    A thread does not survive a fork (gunicorn --preload), but a lock that it holds does, locked for ever: so
    nothing is looked for in the first seconds, and a process that forks leaves the schedule to its children.
    """
    configure_mappers()  # else the first query does it, under such a lock
    config = app.extensions["settings"]
    at, zone = config.sync_time, config.shop_timezone
    # In the scheduler's own thread, which the program leaves behind when it ends; it would wait for a pool's
    # threads, and those may wait for Dataverse for minutes.
    scheduler = BackgroundScheduler(timezone=zone, executors={"default": DebugExecutor()})
    # Late is better than never (by default a run that is a second late is dropped); one stands for several.
    rules = {"args": [app], "misfire_grace_time": None, "coalesce": True, "max_instances": 1}
    scheduler.add_job(automated_job_sync, CronTrigger(hour=at.hour, minute=at.minute, timezone=zone), **rules)
    every = IntervalTrigger(minutes=CHECK_MINUTES, timezone=zone)
    scheduler.add_job(automated_job_sync, every, next_run_time=utc_now() + FIRST_LOOK, **rules)
    minutely = IntervalTrigger(minutes=1, timezone=zone)
    scheduler.add_job(automated_clock_out, minutely, next_run_time=utc_now() + FIRST_LOOK, **rules)
    scheduler.start()
    owner = os.getpid()
    os.register_at_fork(
        after_in_child=lambda: _restart_in_child(app, scheduler, owner),
        after_in_parent=lambda: scheduler.pause() if os.getpid() == owner and scheduler.running else None,
    )
    return scheduler


def _restart_in_child(app: Flask, scheduler: BackgroundScheduler, owner: int) -> None:
    if os.getppid() == owner and scheduler.running:
        app.extensions["engine"].dispose(close=False)  # its connections are the parent's
        app.extensions.pop("dataverse", None)  # so are these, and a lock may be held by a thread left behind
        start_scheduler(app)


def automated_job_sync(app: Flask) -> None:
    """Run the daily sync if its time of today has come and nobody has claimed it."""
    with app.app_context():
        config, now = settings(), utc_now()
        due_at = last_time_of_day(config.sync_time, config.shop_timezone, now=now)
        is_today = (
            due_at.astimezone(config.shop_timezone).date() == now.astimezone(config.shop_timezone).date()
        )
        if not (config.syncs and is_today):
            return
        claim = TaskRun.claim(DAILY_SYNC, due_at=due_at, now=now)
        if claim is None:
            return
        outcome = _sync("schedule")
        if outcome is not None:  # otherwise the claim lapses: what is in the way may be a run that died
            committing(lambda: claim.finish(outcome, now=utc_now()))


def automated_clock_out(app: Flask) -> None:
    """Give forgotten shifts an assumed end if a department's time has come and nobody has claimed it.

    After a time of no program running it makes up for all the days that it missed: each shift is looked at
    by the day on which it began.
    """
    with app.app_context():
        now, zone = utc_now(), settings().shop_timezone
        due_at = last_due(zone, now=now)
        claim = TaskRun.claim(CLOCK_OUT, due_at=due_at, now=now) if due_at else None
        if claim is None:
            return
        outcome = clock_everybody_out(zone, now=now).sentence
        committing(lambda: claim.finish(outcome, now=utc_now()))
        _log.info("Auto clock-out: %s", outcome)


def clock_everybody_out(zone: tzinfo, *, now: datetime) -> Outcome:
    """Give the open shifts that are due an assumed end, each in a transaction of its own."""
    due, left = due_ends(zone, now=now)
    done = [committing(lambda: clock_out(shift, end, now=now)) for shift, end in due]  # noqa: B023  # run at once
    return Outcome(sum(done), left + done.count(False))


def sync_after_login() -> Thread | None:
    """Start a sync in the background, if none began within LOGIN_SYNC_MINUTES (0: never at login)."""
    minutes = settings().login_sync_minutes
    if not (settings().syncs and minutes) or any(t.name == _LOGIN_SYNC for t in running_threads()):
        return None
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]  # the thread outlives the proxy
    thread = Thread(target=_login_job, args=[app, timedelta(minutes=minutes)], name=_LOGIN_SYNC, daemon=True)
    thread.start()
    return thread


def _login_job(app: Flask, not_within: timedelta) -> None:
    with app.app_context():
        _sync("login", not_within)


def _sync(trigger: str, not_within: timedelta | None = None) -> str | None:
    """Run a sync that nobody waits for; return its outcome in words, None if another run is in the way."""
    try:
        result = sync_approved_jobs(trigger=trigger, not_within=not_within)
    except SyncTooSoon:
        return "Not needed: a sync began a moment ago."
    except SyncRunning as reason:
        _log.info("Sync by %s: %s", trigger, reason)
        return None
    except (SyncNotConfigured, SyncLost) as reason:
        _log.warning("Sync by %s: %s", trigger, reason)
        return str(reason)
    except Exception:  # noqa: BLE001  # nobody is there to be told: the log and the run's row are the witnesses
        _log.exception("Sync by %s broke off", trigger)
        return "It broke off on our side; the log says why."
    _log.log(logging.WARNING if result.failed else logging.INFO, "Sync by %s: %s", trigger, result.message)
    return result.message
