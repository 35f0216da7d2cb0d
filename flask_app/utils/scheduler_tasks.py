"""What happens by itself: the daily sync, and the sync after a login."""

import logging
import os
from datetime import datetime, timedelta
from threading import Lock, Thread

from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.cron import CronTrigger
from flask import Flask, current_app

from flask_app.config import settings
from flask_app.dataverse.sync import SyncNotConfigured, SyncRunning, SyncTooSoon, sync_approved_jobs
from flask_app.models import TaskRun, committing, db
from flask_app.utils.clock import last_time_of_day, next_time_of_day, utc_now

DAILY_SYNC = "daily_sync"

_log = logging.getLogger(__name__)
_login_sync = Lock()  # one thread per process is enough: a run that it would meet makes it end anyway


def start_scheduler(app: Flask) -> BackgroundScheduler:
    """Start this process's scheduler; any number of processes may, the claim in the database makes one run.

    A thread does not survive a fork (gunicorn --preload), so a child process starts its own.
    """
    config = app.extensions["settings"]
    at = config.sync_time
    trigger = CronTrigger(hour=at.hour, minute=at.minute, timezone=config.shop_timezone)
    scheduler = BackgroundScheduler(timezone=config.shop_timezone)
    # Late is better than never (by default a run that is a second late is dropped); one stands for several.
    rules = {"misfire_grace_time": None, "coalesce": True, "max_instances": 1}
    scheduler.add_job(automated_job_sync, trigger, args=[app], **rules)
    scheduler.add_job(automated_job_sync, args=[app], **rules)  # now: catch up if today's was missed
    scheduler.start()
    owner = os.getpid()
    os.register_at_fork(after_in_child=lambda: _restart_in_child(app, owner))
    return scheduler


def _restart_in_child(app: Flask, owner: int) -> None:
    if os.getppid() == owner:
        app.extensions["engine"].dispose(close=False)  # its connections are the parent's
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
        db.session.commit()
        if claim is not None:
            outcome = _sync("schedule")
            committing(lambda: claim.finish(outcome, now=utc_now()))


def sync_after_login() -> Thread | None:
    """Start a sync in the background, if none began within LOGIN_SYNC_MINUTES (0: never at login)."""
    minutes = settings().login_sync_minutes
    if not (settings().syncs and minutes) or not _login_sync.acquire(blocking=False):
        return None
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]  # the thread outlives the proxy
    thread = Thread(target=_login_job, args=[app, timedelta(minutes=minutes)], name="login-sync", daemon=True)
    thread.start()
    return thread


def _login_job(app: Flask, not_within: timedelta) -> None:
    try:
        with app.app_context():
            _sync("login", not_within)
    finally:
        _login_sync.release()


def _sync(trigger: str, not_within: timedelta | None = None) -> str:
    """Run a sync that nobody waits for; return its outcome in words, which stand in the log too."""
    try:
        result = sync_approved_jobs(trigger=trigger, not_within=not_within)
    except SyncTooSoon:
        return "Not needed: a sync began a moment ago."
    except (SyncRunning, SyncNotConfigured) as reason:
        _log.info("Sync by %s: %s", trigger, reason)
        return str(reason)
    except Exception:  # noqa: BLE001  # nobody is there to be told: the log and the run's row are the witnesses
        _log.exception("Sync by %s broke off", trigger)
        return "It broke off on our side; the log says why."
    _log.log(logging.WARNING if result.failed else logging.INFO, "Sync by %s: %s", trigger, result.message)
    return result.message


def next_sync() -> datetime | None:
    """Return when the next daily sync is due, None if jobs don't come from Dataverse."""
    config = settings()
    return next_time_of_day(config.sync_time, config.shop_timezone, now=utc_now()) if config.syncs else None
