"""What happens by itself: the daily sync, the polls between, the sync after a login, the auto clock-out."""

import logging
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from functools import partial
from threading import Thread
from typing import Any

from apscheduler.executors.debug import DebugExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.date import DateTrigger
from apscheduler.triggers.interval import IntervalTrigger
from flask import Flask
from sqlalchemy.orm import configure_mappers

from flask_app.clock import utc_now
from flask_app.config import settings
from flask_app.models import PhaseState, TaskRun, committing
from flask_app.models.sync_run import POLL
from flask_app.sync.folders import FOLDERS, refresh_folders
from flask_app.sync.health import CHECK_MINUTES, DAILY_SYNC, daily_is_near, daily_try
from flask_app.sync.hours_out import send_owed_hours
from flask_app.sync.phases_out import send_phases
from flask_app.sync.pruning import PRUNING, prune
from flask_app.timeclock.clock_out import CLOCK_OUT, Outcome, clock_out, due_ends, last_due
from flask_app.upkeep.task_lines import TaskLine
from flask_app.utils.hooked_sync import automated_hooks
from flask_app.utils.timed_sync import BROKE_OFF, Ended, sync_unattended
from flask_app.words import noted

FIRST_LOOK = timedelta(seconds=3)
POLLS_KEPT = timedelta(days=2)  # claims of polls; the polls' runs are in the sync's ledger
PHASE_MINUTES = 3  # between two looks at which phases the rules lead to
PHASES = "phases"  # the task's name
_ALIGNED = datetime(2020, 1, 1, tzinfo=UTC)  # from here every process counts its minutes, so that they agree

_log = logging.getLogger(__name__)


class _ThreadPerTask(DebugExecutor):  # type: ignore[misc]  # APScheduler has no types
    """Runs each task in a thread of its own, which the program leaves behind when it ends.

    A pool would wait for its threads, and those may wait for Dataverse for minutes; in the scheduler's one
    thread a Dataverse that hangs would keep the auto clock-out waiting.
    """

    def _do_submit_job(self, job: Any, run_times: Any) -> None:
        submit = super()._do_submit_job
        Thread(target=submit, args=(job, run_times), name=f"task {job.name}", daemon=True).start()


def start_scheduler(app: Flask) -> BackgroundScheduler:
    """Start this process's scheduler; any number of processes may, the claim in the database makes one run.

    A thread does not survive a fork (gunicorn --preload), but a lock that it holds does, locked for ever: so
    nothing is looked for in the first seconds, and a process that forks leaves the schedule to its children.
    """
    configure_mappers()  # else the first query does it, under such a lock
    zone = app.extensions["settings"].shop_timezone
    scheduler = BackgroundScheduler(timezone=zone, executors={"default": _ThreadPerTask()})
    # Late is better than never (by default a run that is a second late is dropped); one stands for several.
    rules = {"args": [app], "misfire_grace_time": None, "coalesce": True, "max_instances": 1}
    for task, trigger in _schedule(app):
        scheduler.add_job(task, trigger, **rules)
    scheduler.start()
    _log.info("The schedule has started: %s", _in_words(app))
    owner = os.getpid()
    os.register_at_fork(
        after_in_child=lambda: _restart_in_child(app, scheduler, owner),
        after_in_parent=lambda: scheduler.pause() if os.getpid() == owner and scheduler.running else None,
    )
    return scheduler


def _schedule(app: Flask) -> list[tuple[Callable[[Flask], None], Any]]:
    """Return what is looked for, and when."""
    config = app.extensions["settings"]
    zone, at = config.shop_timezone, config.sync_time

    def every(minutes: int) -> IntervalTrigger:
        return IntervalTrigger(minutes=minutes, start_date=_ALIGNED, timezone=zone)

    tasks: list[tuple[Callable[[Flask], None], Any]] = [
        (automated_job_sync, DateTrigger(utc_now() + FIRST_LOOK, timezone=zone)),
        (automated_job_sync, CronTrigger(hour=at.hour, minute=at.minute, timezone=zone)),
        (automated_job_sync, every(CHECK_MINUTES)),
        (automated_clock_out, DateTrigger(utc_now() + FIRST_LOOK, timezone=zone)),
        (automated_clock_out, every(1)),
    ]
    if config.syncs and config.poll_minutes:
        tasks.append((automated_poll, every(config.poll_minutes)))
    if config.writes_hours:
        tasks.append((automated_hours_out, every(1)))
    if config.writes_phases:
        tasks.append((automated_phases, every(PHASE_MINUTES)))
    if config.syncs and config.webhook_keys:
        tasks.append((automated_hooks, every(1)))
    return tasks


def _in_words(app: Flask) -> str:
    config = app.extensions["settings"]
    if not config.syncs:
        return "no sync, since Dataverse is not connected or switched off; the auto clock-out."
    polls = f"minutes from poll to poll: {config.poll_minutes}" if config.poll_minutes else "no polls"
    return f"the daily sync at {config.sync_time:%H:%M} {config.shop_timezone}; {polls}; the auto clock-out."


def _restart_in_child(app: Flask, scheduler: BackgroundScheduler, owner: int) -> None:
    if os.getppid() == owner and scheduler.running:
        app.extensions["engine"].dispose(close=False)  # its connections are the parent's
        app.extensions.pop("dataverse", None)  # so are these, and a lock may be held by a thread left behind
        start_scheduler(app)


def automated_job_sync(app: Flask) -> None:
    """Run the daily sync if it is due and nobody has claimed it, or try again what has failed."""
    with app.app_context():
        config, now = settings(), utc_now()
        due_at, retry_until = daily_try(now=now)
        if config.syncs and due_at:
            claim = TaskRun.claim(DAILY_SYNC, due_at=due_at, now=now, until=retry_until)
            _carry_out(claim, lambda: sync_unattended("schedule"))
            _read_folders(due_at, retry_until)
            _carry_out(TaskRun.claim(PRUNING, due_at=due_at, now=utc_now()), _prune)


def _prune() -> Ended:
    return Ended(noted("Old lines forgotten: %(count)s.", count=f"{prune(now=utc_now()):,}"))


def _read_folders(due_at: datetime, retry_until: datetime) -> None:
    """Read where the jobs' folders are, once the daily sync has worked: it has just linked the new jobs."""
    daily = TaskRun.last(DAILY_SYNC)
    is_done = daily is not None and daily.due_at == due_at and daily.finished_at is not None
    if settings().sharepoint_links and is_done:
        _carry_out(TaskRun.claim(FOLDERS, due_at=due_at, now=utc_now(), until=retry_until), _folders)


def _folders() -> Ended | None:
    done = refresh_folders(now=utc_now())
    return Ended(done.sentence, worked=done.worked, next_try_at=done.rest_until) if done else None


def automated_poll(app: Flask) -> None:
    """Read what has changed since the last good run, once per POLL_MINUTES, whoever does it.

    A poll that fails is not tried again: the next one is due soon, and reads what this one should have read.
    """
    with app.app_context():
        config, now = settings(), utc_now()
        if not (config.syncs and config.poll_minutes) or daily_is_near(now=now):
            return
        period = timedelta(minutes=config.poll_minutes)
        due_at = _ALIGNED + (now - _ALIGNED) // period * period
        claim = TaskRun.claim(POLL, due_at=due_at, now=now)
        if claim:
            committing(lambda: TaskRun.forget(POLL, before=now - POLLS_KEPT))
        _carry_out(claim, lambda: sync_unattended(POLL))


def automated_clock_out(app: Flask) -> None:
    """Give forgotten shifts an assumed end if a department's time has come and nobody has claimed it.

    After a time of no program running it makes up for all the days that it missed: each shift is looked at
    by the day on which it began.
    """
    with app.app_context():
        now, zone = utc_now(), settings().shop_timezone
        due_at = last_due(zone, now=now)
        claim = TaskRun.claim(CLOCK_OUT, due_at=due_at, now=now) if due_at else None
        _carry_out(claim, lambda: _clock_out(now))


def automated_hours_out(app: Flask) -> None:
    """Send the hours that Dataverse is owed. Any number of processes may at once: each row has one sender."""
    with app.app_context():
        line = TaskLine("hours_out")
        try:
            done = send_owed_hours(now=utc_now())
        except Exception:  # noqa: BLE001  # nobody is there to be told; what is owed stays owed
            _log.exception("Sending hours to Dataverse broke off")
        else:
            if done:
                line.tell(done.sentence, worked=not done.trouble)


def automated_phases(app: Flask) -> None:
    """Write the phases that the shop's rules lead to; one process at a time does."""
    with app.app_context():
        now, period = utc_now(), timedelta(minutes=PHASE_MINUTES)
        state = committing(PhaseState.seen)
        if state is None or not state.is_on:
            return
        last = committing(lambda: TaskRun.last(PHASES))
        if last and last.is_resting(now=now):
            return
        claim = TaskRun.claim(PHASES, due_at=_ALIGNED + (now - _ALIGNED) // period * period, now=now)
        if claim:
            committing(lambda: TaskRun.forget(PHASES, before=now - POLLS_KEPT))
        _carry_out(claim, lambda: _phases(claim, now) if claim else None)


def _phases(claim: TaskRun, now: datetime) -> Ended | None:
    """Two passes at once would take each other's phases for set by hand: one that goes on is left alone."""
    if not committing(lambda: claim.is_alone(now=now)):
        return None
    done = send_phases(now=now)
    if done is None:
        return Ended("Writing phases is off.")
    return Ended(done.sentence, worked=not done.trouble, next_try_at=done.rest_until)


def _carry_out(claim: TaskRun | None, work: Callable[[], Ended | None]) -> None:
    """Do what was claimed. Done means that it has worked; what is in the way (None) gives the claim back."""
    if claim is None:
        return
    line = TaskLine(claim.task)
    try:
        ended = work()
    except Exception:  # noqa: BLE001  # nobody is there to be told: the log and the claim's row are the witnesses
        _log.exception("%s of %s broke off", claim.task, claim.due_at)
        ended = Ended(BROKE_OFF, worked=False)
    now = utc_now()
    if ended is None:
        committing(lambda: claim.give_back(now=now))
    elif ended.worked:
        committing(lambda: claim.finish(ended.sentence, now=now))
    else:
        committing(lambda: claim.fail(ended.sentence, now=now, next_try_at=ended.next_try_at))
    if ended:
        line.tell(ended.sentence, worked=ended.worked)


def _clock_out(now: datetime) -> Ended:
    outcome = clock_everybody_out(settings().shop_timezone, now=now)
    return Ended(outcome.sentence, worked=not outcome.failed)


def clock_everybody_out(zone: tzinfo, *, now: datetime) -> Outcome:
    """Give the open shifts that are due an assumed end, each in a transaction of its own.

    One that cannot be ended does not keep the others open: it is counted, and the log says why.
    """
    due, left = due_ends(zone, now=now)
    ended = [_end(shift.id, partial(clock_out, shift, end, now=now)) for shift, end in due]
    return Outcome(ended.count(True), left + ended.count(False), failed=ended.count(None))


def _end(shift_id: int, work: Callable[[], bool]) -> bool | None:
    """Return whether the shift was ended; None if that broke off."""
    try:
        return committing(work)
    except Exception:  # noqa: BLE001  # whatever it is, it is this one shift's
        _log.exception("Shift %s could not be clocked out", shift_id)
        return None
