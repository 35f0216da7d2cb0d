"""A stop in the middle of a sync, which says that it was interrupted; SQLite's file afterwards; a reload."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import requests
from flask import Flask

from flask_app.clock import utc_now
from flask_app.config.config import SETTINGS
from flask_app.models.database import PROJECT
from flask_app.models.sync_run import ABANDONED
from flask_app.standin import Standin
from flask_app.utils.scheduler_tasks import automated_job_sync
from tests.conftest import Cast
from tests.connected import PATIENCE, connect, runs, until
from tests.proof.phones import logged_in
from tests.servers import free_port
from tests.unit.test_demo import copy_program

GUNICORN = [sys.executable, "-m", "gunicorn", "-c", "deploy/gunicorn.conf.py", "server:app"]


@pytest.fixture
def shop(make_app: Callable[..., Flask], standin: Standin) -> Flask:
    standin.add(imi_imnumber="4512")
    return connect(make_app, standin)


def environment(app: Flask, **more: str) -> dict[str, str]:
    settings = app.extensions["settings"]
    ours = {"DATABASE_URL": settings.database_url, "SECRET_KEY": settings.secret_key}
    return {**os.environ, **dict.fromkeys(SETTINGS, ""), **ours, "POLL_MINUTES": "0", **more}


@contextmanager
def running(command: list[str], log: Path, env: dict[str, str], cwd: Path = PROJECT) -> Iterator[Any]:
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=cwd, env=env, stdout=output, stderr=output)
        try:
            yield process
        finally:
            process.kill()
            process.wait(PATIENCE)


def is_read(standin: Standin) -> bool:
    """Whether a sync is under way: it has asked for the jobs, and has no answer."""
    return any("imi_jobs" in request.path for request in standin.requests)


def interrupted(app: Flask) -> bool:
    return [run.outcome for run in runs(app) if "interrupted" in run.message] == [ABANDONED]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "Ctrl-C"])
def test_a_stop_interrupts_the_sync_and_leaves_sqlites_data_in_one_file(
    shop: Flask, standin: Standin, tmp_path: Path, number: signal.Signals
) -> None:
    standin.faults.hang(PATIENCE * 4)
    env = environment(shop, SYNC_TIME="00:00", PORT=str(free_port()), **standin.environment())
    shop.extensions["engine"].dispose()

    with running([sys.executable, "server.py"], tmp_path / "log", env) as process:
        until(lambda: is_read(standin) or process.poll() is not None)
        process.send_signal(number)
        assert process.wait(PATIENCE) == 0, (tmp_path / "log").read_text()

    log = Path(shop.extensions["engine"].url.database + "-wal")
    assert not log.exists() or log.stat().st_size == 0
    assert "Traceback" not in (tmp_path / "log").read_text()
    assert interrupted(shop)


@pytest.mark.parametrize("database_url", ["mariadb"], indirect=True)
def test_gunicorns_stop_interrupts_the_sync_that_a_request_waits_for_and_answers_it(
    shop: Flask, cast: Cast, standin: Standin, tmp_path: Path
) -> None:
    sync_time = todays_sync_is_done(shop)
    standin.requests.clear()
    standin.faults.hang(PATIENCE * 4)
    port, log, answers = free_port(), tmp_path / "log", list[requests.Response]()
    env = environment(shop, SYNC_TIME=sync_time, BIND=f"127.0.0.1:{port}", **standin.environment())
    env |= {"WEB_WORKERS": "1"}

    with running(GUNICORN, log, env) as server:
        until(lambda: says(port, "/healthz") or server.poll() is not None)
        pressing = Thread(target=lambda: answers.append(press(shop, cast.grace, port)))
        pressing.start()
        until(lambda: is_read(standin) or answers or server.poll() is not None)
        assert not answers, answers[0].text
        server.send_signal(signal.SIGTERM)
        assert server.wait(PATIENCE) == 0, log.read_text()
        pressing.join(PATIENCE)

    assert interrupted(shop), log.read_text()
    assert [answer.status_code for answer in answers] == [502]
    assert answers[0].json()["outcome"] == ABANDONED


def todays_sync_is_done(app: Flask) -> str:
    """Run the daily sync of an hour ago, so that none is due for a day; return its time of day."""
    settings = app.extensions["settings"]
    at = (utc_now() - timedelta(hours=1)).astimezone(settings.shop_timezone).time().replace(second=0)
    app.extensions["settings"] = replace(settings, sync_time=at.replace(microsecond=0))
    automated_job_sync(app)
    return f"{at:%H:%M}"


def press(app: Flask, admin: int, port: int) -> requests.Response:
    """Press the button as a script does that waits for the end."""
    cookie, token = logged_in(app, admin)
    return requests.post(
        f"http://127.0.0.1:{port}/api/process-approved-jobs?wait={PATIENCE * 4}",
        data={"csrf_token": token},
        headers={"Cookie": f"island_time={cookie}", "Accept": "application/json"},
        timeout=PATIENCE,
    )


def says(port: int, path: str) -> str:
    try:
        return requests.get(f"http://127.0.0.1:{port}{path}", timeout=PATIENCE).text
    except requests.ConnectionError:
        return ""


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_reload_brings_the_workers_new_code(app: Flask, tmp_path: Path) -> None:
    program = copy_program(PROJECT, tmp_path)
    shutil.copytree(PROJECT / "deploy", program / "deploy")
    port, log = free_port(), tmp_path / "log"
    env = environment(app, BIND=f"127.0.0.1:{port}", WEB_WORKERS="1", HEALTH_PORT=str(free_port()))

    with running(GUNICORN, log, env, cwd=program) as server:
        until(lambda: says(port, "/version") or server.poll() is not None)
        code = program / "flask_app" / "__init__.py"
        code.write_text(code.read_text().replace('__version__ = "', '__version__ = "new-'))
        server.send_signal(signal.SIGHUP)
        until(
            lambda: '"version":"new-' in says(port, "/version").replace(" ", "") or server.poll() is not None
        )
        assert server.poll() is None, log.read_text()
