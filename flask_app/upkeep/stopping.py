"""How a process ends in good order: its syncs say that they were interrupted, SQLite's file is whole."""

import atexit
import signal
import sys
from collections.abc import Callable
from threading import Thread
from types import FrameType
from typing import Any, NoReturn

from apscheduler.schedulers.background import BackgroundScheduler
from flask import Flask

from flask_app.models.database import empty_write_ahead_log
from flask_app.sync.running import interrupt_runs


def end_well(app: Flask, scheduler: BackgroundScheduler) -> None:
    """Let this process's end begin nothing new, interrupt what syncs, and empty SQLite's write-ahead log."""

    def end() -> None:
        if scheduler.running:
            scheduler.shutdown(wait=False)
        interrupt_runs()
        empty_write_ahead_log(app.extensions["engine"])

    atexit.register(end)


def stop_by(*signals: signal.Signals) -> None:
    """Let each of these end the program as Ctrl-C does."""

    def stop(_number: int, _frame: FrameType | None) -> NoReturn:
        _interrupt_at_once()
        sys.exit(0)

    for number in signals:
        signal.signal(number, stop)


def interrupt_syncs_at(number: signal.Signals) -> None:
    """Interrupt syncs as soon as the signal comes, then do what was to be done at it anyway.

    A server that is told to stop waits for its requests first, and one of them may wait for a sync.
    """
    before = signal.getsignal(number)
    go_on: Callable[[int, FrameType | None], Any] = before if callable(before) else _default

    def stop(received: int, frame: FrameType | None) -> None:
        _interrupt_at_once()
        go_on(received, frame)

    signal.signal(number, stop)
    signal.siginterrupt(number, False)


def _interrupt_at_once() -> None:
    """In a thread: a signal comes in the middle of anything, and the database may take its time."""
    Thread(target=interrupt_runs, name="interrupting syncs", daemon=True).start()


def _default(_number: int, _frame: FrameType | None) -> NoReturn:
    sys.exit(0)
