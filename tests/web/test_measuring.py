"""What is told of each request: a line of JSON, /metrics, /version; and /healthz when nothing answers."""

import json
import logging
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
import time_machine

from flask_app.models.database import PROJECT
from flask_app.upkeep.logs import JsonFormatter
from flask_app.utils.scheduler_tasks import automated_clock_out, automated_job_sync
from flask_app.web.measuring import LOCK_WAITS
from tests.conftest import PASSWORD
from tests.connected import PATIENCE, connected_quietly, until
from tests.servers import free_port

TOKEN = "t" * 16


@pytest.fixture(params=["island_time.request"])
def lines(request):
    """Collect the request log, or that of the tasks, as it would be written."""
    found: list[dict[str, object]] = []

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            found.append(json.loads(JsonFormatter().format(record)))

    logger, collector = logging.getLogger(request.param), Collector()
    logger.addHandler(collector)
    before, logger.disabled = (logger.disabled, logger.level), False
    logger.setLevel(logging.INFO)
    yield found
    logger.removeHandler(collector)
    logger.disabled = before[0]
    logger.setLevel(before[1])


def test_each_request_is_a_line_of_json_without_names_notes_or_searches(log_in, add_job, cast, lines):
    job_id = add_job("4512")
    ana = log_in("ana")
    ana.get("/dashboard?q=reception")
    form = {"job_id": job_id, "note": "waiting for hinges"}
    ana.post("/create/shift", data=form, headers={"X-Request-Id": "Root=1-abc"})
    login, board, punch = lines[-3:]
    assert (login["route"], login["method"], login["status"]) == ("/login", "POST", 302)
    assert (board["route"], board["user"]) == ("/dashboard", cast.ana)
    assert (punch["request"], punch["route"]) == ("Root=1-abc", "/create/shift")
    assert 0 < punch["sql"] < 20
    assert punch["ms"] > 0
    told = json.dumps(lines)
    assert not any(word in told for word in ("hinges", "reception", "ana@shop", PASSWORD))


@pytest.mark.parametrize("lines", ["island_time.task"], indirect=True)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_each_task_is_a_line_of_json_and_tells_whose_request_started_it(
    make_app, log_in, cast, standin, lines
):
    standin.add(imi_imnumber="4512", imi_scopesummary="Reception desk")
    app = connected_quietly(make_app, standin)
    with time_machine.travel(datetime(2026, 11, 23, 23, 30, tzinfo=UTC), tick=True):
        automated_clock_out(app)
        automated_job_sync(app)
    sent = {"X-Request-Id": "Root=1-abc", "Accept": "application/json"}
    grace = app.test_client()
    grace.post("/login", data={"email": "grace@shop.example", "password": PASSWORD})
    grace.post("/api/process-approved-jobs?wait=60", headers=sent)
    clock_out, daily, pruning, button = lines
    assert [line["task"] for line in lines] == ["auto_clock_out", "daily_sync", "pruning", "button_sync"]
    assert (button["user"], button["request"]) == (cast.grace, "Root=1-abc")
    assert len({clock_out["request"], daily["request"], pruning["request"]}) == 3
    for line in lines:
        assert (line["worked"], line["ms"] > 0, 0 < line["sql"] < 200) == (True, True, True)
    told = json.dumps(lines)
    assert not any(word in told for word in ("Reception", "@shop", PASSWORD, standin.client_secret))


def test_an_answer_names_its_request_and_a_strange_id_is_replaced(app):
    answer = app.test_client().get("/healthz", headers={"X-Request-Id": "a b\u00e9" * 40})
    assert len(answer.headers["X-Request-Id"]) == 32


def test_there_are_no_metrics_without_a_token(app):
    assert app.test_client().get("/metrics").status_code == 404


def test_metrics_are_for_whoever_has_the_token(make_app, cast, add_job):
    app = make_app(metrics_token=TOKEN)
    browser = app.test_client()
    assert browser.get("/metrics").status_code == 401
    assert browser.get("/metrics", headers={"Authorization": "Bearer wrong"}).status_code == 401
    browser.post("/login", data={"email": "ana@shop.example", "password": "wrong"})
    answer = browser.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
    assert answer.status_code == 200
    for line in (
        'island_time_requests_total{method="POST",route="/login",status="401"}',
        "island_time_open_shifts 0.0",
        "island_time_refused_logins_total", "island_time_missed_tasks 0.0", "island_time_lock_waits_total",
    ):  # fmt: skip
        assert line in answer.text


@pytest.mark.parametrize("database_url", ["mariadb"], indirect=True)
def test_a_statement_that_waited_for_a_lock_in_vain_is_counted(app, cast):
    before = LOCK_WAITS._value.get()
    engine = app.extensions["engine"]
    with engine.connect() as one, engine.connect() as other:
        one.exec_driver_sql("UPDATE users SET epoch = 1")
        other.exec_driver_sql("SET innodb_lock_wait_timeout = 1")
        with pytest.raises(Exception, match="Lock wait timeout"):
            other.exec_driver_sql("UPDATE users SET epoch = 2")
    assert LOCK_WAITS._value.get() == before + 1


def test_the_version_tells_commit_and_schema(app):
    answer = app.test_client().get("/version").json
    assert answer["version"] == app.extensions["version"]
    newest = sorted(path.name[:4] for path in (PROJECT / "flask_app/migrations/versions").glob("0*.py"))[-1]
    assert answer["schema"] == newest
    git = subprocess.run(["git", "rev-parse", "HEAD"], cwd=PROJECT, capture_output=True, text=True)
    if (PROJECT / ".git").is_dir():
        assert answer["commit"] == git.stdout.strip()


@contextmanager
def gunicorn(tmp_path: Path, **settings: str):
    """Serve with the production settings, one worker and one thread; yield its port and its health port."""
    port, health = free_port(), free_port()
    environment = {
        "PATH": os.environ["PATH"], "BIND": f"127.0.0.1:{port}", "WEB_WORKERS": "1", "WEB_THREADS": "1",
        "SECRET_KEY": "k" * 32, "HEALTH_PORT": str(health), "LOG_FORMAT": "json", **settings,
    }  # fmt: skip
    log = (tmp_path / "log").open("w")
    command = [sys.executable, "-m", "gunicorn", "-c", "deploy/gunicorn.conf.py", "server:app"]
    process = subprocess.Popen(command, cwd=PROJECT, env=environment, stderr=log, stdout=log)
    try:
        until(lambda: answers(health) == 200)
        yield port, health
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(PATIENCE)
        log.close()


def answers(port: int, path: str = "/healthz", timeout: float = 30) -> int:
    """Return the status of an answer, 0 if there is none in time."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=timeout) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return int(error.code)
    except OSError:
        return 0


def test_healthz_answers_while_every_worker_waits_for_a_frozen_database(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as frozen:  # takes connections and never says anything
        url = f"mysql+pymysql://root@127.0.0.1:{frozen.getsockname()[1]}/man_hours"
        with gunicorn(tmp_path, DATABASE_URL=url) as (port, health):
            until(lambda: answers(port) == 200)
            waiting = socket.create_connection(("127.0.0.1", port))
            waiting.sendall(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            with frozen.accept()[0]:  # the worker's one thread asks the database now
                assert answers(port, timeout=0.5) == 0
                assert answers(health) == 200
                assert answers(health, "/dashboard") == 404
            waiting.close()


def test_production_logs_are_lines_of_json_and_say_what_is_served(tmp_path, database_url):
    with gunicorn(tmp_path, DATABASE_URL=database_url) as (port, _):
        until(lambda: answers(port, "/readyz") == 200)
    told = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines() if line.startswith("{")]
    messages = [line["message"] for line in told]
    assert any(m.startswith("Serving the database ") and "America/New_York" in m for m in messages)
    assert any(line.get("route") == "/readyz" and line["status"] == 200 for line in told)
