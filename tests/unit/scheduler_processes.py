"""The processes of test_scheduler.py; also the gunicorn configuration with which they tell what they do.

`python -m tests.unit.scheduler_processes fork|end`, or `gunicorn -c tests/unit/scheduler_processes.py`.
"""

import os
import sys
from datetime import timedelta
from threading import Event
from typing import NoReturn

from flask import Flask

from flask_app import create_app
from flask_app.config import Config
from flask_app.utils import scheduler_tasks

_check = scheduler_tasks.automated_job_sync
_checked = Event()


def check_and_tell(app: Flask) -> None:
    """Do what a scheduler does at its time, then say which process has done it."""
    _check(app)
    os.write(2, f"checked by {os.getpid()}\n".encode())
    _checked.set()


scheduler_tasks.automated_job_sync = check_and_tell
scheduler_tasks.FIRST_LOOK = timedelta(seconds=1)


def fork() -> None:
    """Start a scheduler and fork; succeed if the child has its own scheduler and connections, and only it."""
    app = create_app(Config.from_env(os.environ))
    app.extensions["dataverse"] = object()
    inherited = (app.extensions["engine"].pool, app.extensions["dataverse"])
    scheduler_tasks.start_scheduler(app)
    child = os.fork()
    if child == 0:
        _be_the_child(app, inherited)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    sys.exit(status or _checked.wait(1))


def _be_the_child(app: Flask, inherited: tuple[object, object]) -> NoReturn:
    has_checked = _checked.wait(120)
    shares = app.extensions["engine"].pool is inherited[0] or app.extensions["dataverse"] is inherited[1]
    os._exit(0 if has_checked and not shares else 1)


def end() -> None:
    """Start a scheduler, and come to the program's end when standard input does."""
    scheduler_tasks.start_scheduler(create_app(Config.from_env(os.environ)))
    sys.stdin.read()


if __name__ == "__main__":
    {"fork": fork, "end": end}[sys.argv[1]]()
