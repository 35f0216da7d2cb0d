"""The processes of test_hours_out_processes.py: each is a host of its own that sends hours to Dataverse."""

from datetime import datetime
from multiprocessing.synchronize import Barrier
from multiprocessing.synchronize import Event as ProcessEvent
from typing import Any

import time_machine

from flask_app import create_app
from flask_app.config import Config
from flask_app.dataverse.hours import HoursTable
from flask_app.models import OwedHours
from flask_app.sync import hours_out
from flask_app.sync.hours_out import send_owed_hours
from tests.sync.sync_processes import standing_still

POINTS: dict[str, tuple[Any, str, str]] = {
    "when it has taken its rows": (HoursTable, "present", "before"),
    "when it has read them": (HoursTable, "write", "before"),
    "when it has written": (HoursTable, "write", "after"),
    "before it is settled": (OwedHours, "settle", "before"),
    "before the commit of that": (OwedHours, "settle", "after"),
    "when it is settled": (OwedHours, "release", "before"),
}


def send_and_stop(config: Config, point: str, at: datetime, reached: ProcessEvent) -> None:
    """Send, and stand still for ever at one point of it."""
    owner, method, when = POINTS[point]
    setattr(owner, method, staticmethod(standing_still(getattr(owner, method), when, reached))
            if owner is OwedHours else standing_still(getattr(owner, method), when, reached))  # fmt: skip
    with time_machine.travel(at, tick=False), create_app(config).app_context():
        send_owed_hours(now=at)


def send_at_once(config: Config, at: datetime, start: Barrier, answers: Any) -> None:
    """Send a few rows at a time, at the same moment as everybody else; tell how many."""
    vars(hours_out)["IDS_AT_ONCE"] = 3
    with time_machine.travel(at, tick=False), create_app(config).app_context():
        start.wait()
        done = send_owed_hours(now=at)
    answers.put((done.sent, done.trouble) if done else (0, ""))
