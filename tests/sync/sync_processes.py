"""The processes of test_sync_exclusive.py: each is a host of its own with an application of its own."""

import os
from collections.abc import Callable
from datetime import datetime
from functools import partial, wraps
from multiprocessing import get_context
from multiprocessing.synchronize import Barrier
from multiprocessing.synchronize import Event as ProcessEvent
from threading import Event
from typing import Any

import time_machine
from flask import Flask

from flask_app import create_app
from flask_app.clock import utc_now
from flask_app.config import Config
from flask_app.models import SyncHold, SyncRun, User, committing, db
from flask_app.models.errors import ConcurrentUpdate
from flask_app.models.sync_run import LEASE
from flask_app.sync import plan
from flask_app.sync.approved_jobs import SyncRunning, sync_approved_jobs
from flask_app.utils.scheduler_tasks import automated_poll

processes = get_context("forkserver")  # a plain fork would copy the test's own threads' locks
processes.set_forkserver_preload([__name__])


def press(config: Config, start: Barrier, answers: Any) -> None:
    """Sync at the same moment as everybody else; tell what was answered."""
    with create_app(config).app_context():
        start.wait()
        try:
            result = sync_approved_jobs(trigger="button")
            answers.put(("ran", result.run_id, result.added))
        except SyncRunning as running:
            answers.put(("told", running.run_id, 0))


def decide_at_once(
    config: Config, user_id: int, state: str, rounds: int, barrier: Barrier, answers: Any
) -> None:
    """Say `state` of what is held back, `rounds` times at the same moment as somebody else says another."""
    with create_app(config).app_context():
        for _ in range(rounds):
            barrier.wait()
            committing(partial(_say, user_id, state))
    answers.put(state)


def _say(user_id: int, state: str) -> None:
    [hold] = SyncHold.current()
    hold.decide(state, by=db.session.get_one(User, user_id), at=utc_now())


def poll(config: Config, at: datetime, start: Barrier, answers: Any) -> None:
    """Look for a poll that is due, at the same moment as everybody else."""
    app = create_app(config)
    with time_machine.travel(at, tick=True):
        start.wait()
        automated_poll(app)
    answers.put(os.getpid())


def take_and_finish(config: Config, rounds: int, barrier: Barrier, answers: Any) -> None:
    """Try to become the one running run, `rounds` times at the same moment as everybody else.

    The winner ends its run properly or, every other time, leaves it for dead.
    """
    taken = []
    with create_app(config).app_context():
        for number in range(rounds):
            barrier.wait()
            run = _taken()
            barrier.wait()
            if run is not None:
                taken.append(number)
                committing(partial(_finish if number % 2 else _die, run))
    answers.put((os.getpid(), taken))


def _finish(run: SyncRun) -> None:
    assert run.finish(now=utc_now(), outcome="succeeded")


def _die(run: SyncRun) -> None:
    assert run.hold(now=utc_now() - 2 * LEASE, pages=1, rows=1)


def _taken() -> SyncRun | None:
    try:
        return committing(lambda: SyncRun.take(trigger="button", user_id=None, now=utc_now()))
    except ConcurrentUpdate:
        return None


def sync_and_stop(config: Config, point: str, reached: ProcessEvent) -> None:
    """Sync, and stand still for ever at one point of it."""
    owner, method, when = POINTS[point]
    setattr(owner, method, standing_still(getattr(owner, method), when, reached))
    app: Flask = create_app(config)
    with app.app_context():
        sync_approved_jobs(trigger="button")


def standing_still(work: Callable[..., Any], when: str, reached: ProcessEvent) -> Callable[..., Any]:
    @wraps(work)
    def stopped(*arguments: Any, **named: Any) -> Any:
        if when == "after":
            work(*arguments, **named)
        reached.set()
        Event().wait()

    return stopped


POINTS = {
    "after the first page": (SyncRun, "hold", "after"),
    "before the jobs go in": (plan, "insert_jobs", "before"),
    "when the jobs are in": (plan, "insert_jobs", "after"),
    "before the commit": (SyncRun, "finish", "after"),
}
