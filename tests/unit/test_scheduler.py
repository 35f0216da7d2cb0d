"""The daily sync: when it is due, that it runs once whoever looks, and that nothing stops it."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from threading import Barrier, Thread
from threading import enumerate as running_threads
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import time_machine
from apscheduler.triggers.cron import CronTrigger
from flask import Flask
from sqlalchemy import select

from flask_app.clock import utc_now
from flask_app.config.config import SETTINGS
from flask_app.models import SyncRun, TaskRun, committing, db
from flask_app.models.database import PROJECT
from flask_app.models.sync_run import ABANDONED, FAILED, SUCCEEDED
from flask_app.models.task_run import LAPSE
from flask_app.standin import Standin
from flask_app.sync.health import DAILY_SYNC
from flask_app.utils.scheduler_tasks import automated_job_sync, start_scheduler
from tests.connected import PATIENCE, connect, ledger, sync, until
from tests.servers import free_port

MINUTE = timedelta(minutes=1)
DUE = datetime(2026, 11, 23, 11, 0, tzinfo=UTC)  # 6:00 AM in the shop, a Monday in winter


@pytest.fixture
def shop(make_app: Callable[..., Flask], standin: Standin) -> Flask:
    standin.add(imi_imnumber="4512")
    return connect(make_app, standin)


@pytest.fixture
def looks_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let schedulers of this process look as soon as they start."""
    monkeypatch.setattr("flask_app.utils.scheduler_tasks.FIRST_LOOK", timedelta(0))


def check(app: Flask, at: datetime) -> None:
    """Let a scheduler look, at this moment, whether the daily sync is due."""
    with time_machine.travel(at, tick=True):
        automated_job_sync(app)


def at_work() -> list[Thread]:
    """Return the threads of scheduled tasks that are still running."""
    return [thread for thread in running_threads() if thread.name.startswith("task ")]


def tasks(app: Flask) -> list[TaskRun]:
    with app.app_context():
        daily = select(TaskRun).where(TaskRun.task == DAILY_SYNC).order_by(TaskRun.due_at)
        return list(db.session.scalars(daily))


# --- when


@pytest.mark.parametrize(
    ("at", "runs"),
    [
        (datetime(2026, 11, 23, 10, 59, 59, tzinfo=UTC), 0),
        (datetime(2026, 11, 23, 11, 0, 0, tzinfo=UTC), 1),
        (datetime(2026, 11, 24, 4, 59, 58, tzinfo=UTC), 1),  # two seconds before midnight in the shop
        (datetime(2026, 11, 24, 5, 0, 1, tzinfo=UTC), 0),
        (datetime(2026, 3, 8, 9, 59, 59, tzinfo=UTC), 0),  # clocks go forward at 2:00 on this day
        (datetime(2026, 3, 8, 10, 0, 0, tzinfo=UTC), 1),
        (datetime(2026, 11, 1, 10, 59, 59, tzinfo=UTC), 0),  # clocks go back at 2:00 on this day
        (datetime(2026, 11, 1, 11, 0, 0, tzinfo=UTC), 1),
    ],
    ids=lambda value: f"{value:%m-%d_%H:%M:%S}" if isinstance(value, datetime) else None,
)
def test_the_daily_sync_is_due_from_six_until_midnight(shop: Flask, at: datetime, runs: int) -> None:
    check(shop, at)

    assert ledger(shop) == [("schedule", SUCCEEDED)] * runs


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("day", "utc"),
    [("2026-03-07", 11), ("2026-03-08", 10), ("2026-10-31", 10), ("2026-11-01", 11)],
)
def test_the_alarm_is_set_for_six_on_days_that_change_the_clocks(shop: Flask, day: str, utc: int) -> None:
    scheduler = start_scheduler(shop)
    try:
        [alarm] = [job.trigger for job in scheduler.get_jobs() if isinstance(job.trigger, CronTrigger)]
    finally:
        scheduler.shutdown()

    midnight = datetime.fromisoformat(day).replace(tzinfo=ZoneInfo("America/New_York"))

    assert alarm.get_next_fire_time(None, midnight) == midnight.replace(hour=6)
    assert alarm.get_next_fire_time(None, midnight).astimezone(UTC).hour == utc


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_an_hour_that_clocks_show_twice_is_one_due_time(
    make_app: Callable[..., Flask], standin: Standin
) -> None:
    """1:30 AM comes at 5:30 and again at 6:30 UTC on the day that the clocks go back."""
    shop = connect(make_app, standin)
    shop.extensions["settings"] = replace(shop.extensions["settings"], sync_time=time(1, 30))

    check(shop, datetime(2026, 11, 1, 5, 30, tzinfo=UTC))
    check(shop, datetime(2026, 11, 1, 6, 30, tzinfo=UTC))

    assert len(ledger(shop)) == 1


# --- once


def test_the_day_has_one_run_however_many_look(
    shop: Flask, make_app: Callable[..., Flask], standin: Standin
) -> None:
    for app in (shop, connect(make_app, standin), shop):
        check(app, DUE)

    assert ledger(shop) == [("schedule", SUCCEEDED)]
    [task] = tasks(shop)
    assert (task.task, task.due_at, task.outcome) == (DAILY_SYNC, DUE, "1 new job came in.")
    assert task.finished_at is not None


def test_the_next_day_has_its_own_run(shop: Flask) -> None:
    check(shop, DUE)
    check(shop, DUE + timedelta(days=1))

    assert len(ledger(shop)) == 2


def test_hosts_whose_clocks_differ_share_one_run(shop: Flask) -> None:
    check(shop, DUE)
    check(shop, DUE + 7 * MINUTE)
    check(shop, DUE - 7 * MINUTE)

    assert len(ledger(shop)) == 1


def test_of_many_that_claim_at_once_one_gets_it(shop: Flask) -> None:
    assert _claims_at_once(shop, at=DUE) == 1


def test_of_many_that_take_a_dead_claim_over_one_gets_it(shop: Flask) -> None:
    _claims_at_once(shop, at=DUE)

    assert _claims_at_once(shop, at=DUE + LAPSE + MINUTE) == 1


def _claims_at_once(app: Flask, at: datetime, claimants: int = 6) -> int:
    start, got = Barrier(claimants), []

    def claim() -> None:
        with app.app_context():
            start.wait(PATIENCE)
            if TaskRun.claim(DAILY_SYNC, due_at=DUE, now=at) is not None:
                got.append(True)

    threads = [Thread(target=claim) for _ in range(claimants)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    return len(got)


# --- in spite of everything


def test_a_start_after_a_missed_six_catches_up(shop: Flask, looks_at_once: None) -> None:
    with time_machine.travel(DUE + timedelta(hours=3), tick=True):
        scheduler = start_scheduler(shop)
        try:
            until(
                lambda: [task.outcome for task in tasks(shop) if task.task == DAILY_SYNC and task.finished_at]
            )
            until(lambda: not at_work())
        finally:
            scheduler.shutdown()
        automated_job_sync(shop)

    assert ledger(shop) == [("schedule", SUCCEEDED)]


def test_a_failed_daily_sync_is_recorded_and_not_done(shop: Flask, standin: Standin) -> None:
    standin.faults.fail(503, times=None)

    check(shop, DUE)

    [task] = tasks(shop)
    assert ledger(shop) == [("schedule", FAILED)]
    assert "503" in task.outcome
    assert (task.finished_at, task.attempts) == (None, 1)
    assert task.failed_at is not None


def test_a_bug_in_the_daily_sync_is_recorded_and_does_not_stop_the_scheduler(
    shop: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(run: SyncRun, **_values: object) -> bool:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(SyncRun, "hold", broken)

    check(shop, DUE)

    assert [task.outcome for task in tasks(shop)] == ["It broke off on our side; the log says why."]


def test_a_claim_whose_process_died_is_taken_over_after_a_while(shop: Flask) -> None:
    with shop.app_context():
        assert TaskRun.claim(DAILY_SYNC, due_at=DUE, now=DUE) is not None

    check(shop, DUE + LAPSE - MINUTE)
    assert ledger(shop) == []
    check(shop, DUE + LAPSE + MINUTE)

    assert ledger(shop) == [("schedule", SUCCEEDED)]
    assert len(tasks(shop)) == 1


def test_a_finished_task_is_never_taken_over(shop: Flask) -> None:
    check(shop, DUE)
    check(shop, DUE + 3 * LAPSE)

    assert len(ledger(shop)) == 1


def test_a_daily_sync_that_finds_another_one_running_comes_later(shop: Flask) -> None:
    """What runs may be a run that has died; then nobody would sync on this day."""
    with shop.app_context():
        committing(lambda: SyncRun.take(trigger="login", user_id=None, now=DUE - MINUTE))

    check(shop, DUE)
    check(shop, DUE + LAPSE + MINUTE)

    assert ledger(shop)[0] == ("schedule", SUCCEEDED)


@pytest.mark.parametrize("changes", [{"dataverse": None}, {"use_dataverse": False}], ids=["absent", "off"])
def test_without_a_dataverse_nothing_is_claimed(make_app: Callable[..., Flask], changes: dict) -> None:
    app = make_app(**changes)

    check(app, DUE)

    assert (tasks(app), ledger(app)) == ([], [])


def test_a_due_time_is_looked_for_again_every_few_minutes(shop: Flask, looks_at_once: None) -> None:
    """A claim that lapsed, a database that was away at six: the next look is not tomorrow's."""
    scheduler = start_scheduler(shop)
    try:
        until(lambda: all(job.next_run_time > datetime.now(UTC) for job in scheduler.get_jobs()))
        soon = min(job.next_run_time for job in scheduler.get_jobs())
    finally:
        scheduler.shutdown()
        until(lambda: not at_work())

    assert soon - utc_now() <= LAPSE


# --- processes


def environment(app: Flask, standin: Standin) -> dict[str, str]:
    """Return what points another process at the same database and stand-in; the day's sync is due.

    No polls: one that falls due in the same second would be in the daily sync's way.
    """
    settings = app.extensions["settings"]
    ours = {"DATABASE_URL": settings.database_url, "SECRET_KEY": settings.secret_key}
    ours |= {"SYNC_TIME": "00:00", "POLL_MINUTES": "0"}
    return {**os.environ, **dict.fromkeys(SETTINGS, ""), **standin.environment(), **ours}


@contextmanager
def running(command: list[str], log: Path, **how: Any) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=PROJECT, stdout=output, stderr=output, **how)
        try:
            yield process
        finally:
            process.terminate()
            process.wait(PATIENCE)


def checked_by(log: Path) -> set[str]:
    return set(re.findall(r"checked by (\d+)", log.read_text()))


@pytest.mark.parametrize("database_url", ["mariadb"], indirect=True)
def test_a_forked_child_gets_a_scheduler_and_connections_of_its_own(
    shop: Flask, standin: Standin, tmp_path: Path
) -> None:
    command, log = [sys.executable, "-m", "tests.unit.scheduler_processes", "fork"], tmp_path / "log"

    with running(command, log, env=environment(shop, standin)) as process:
        assert process.wait(PATIENCE) == 0, log.read_text()

    assert len(checked_by(log) - {str(process.pid)}) == 1
    assert ledger(shop) == [("schedule", SUCCEEDED)]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_program_ends_though_dataverse_keeps_the_daily_sync_waiting(
    shop: Flask, standin: Standin, tmp_path: Path
) -> None:
    standin.faults.hang(PATIENCE * 4)
    command = [sys.executable, "-m", "tests.unit.scheduler_processes", "end"]

    with running(command, tmp_path / "log", env=environment(shop, standin), stdin=subprocess.PIPE) as process:
        until(lambda: any("imi_jobs" in request.path for request in standin.requests))
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(PATIENCE) == 0

    assert ledger(shop) == [("schedule", ABANDONED)]  # nobody has to wait for its lease
    standin.faults.clear()
    assert sync(shop).added == 1


@pytest.mark.parametrize(
    ("database_url", "preload"),
    [("sqlite", []), ("mariadb", []), ("mariadb", ["--preload"])],
    ids=["sqlite", "mariadb", "mariadb-preload"],
    indirect=["database_url"],
)
def test_four_gunicorn_workers_run_the_missed_sync_once(
    shop: Flask, standin: Standin, tmp_path: Path, preload: list[str]
) -> None:
    command = [str(Path(sys.executable).with_name("gunicorn")), "-w", "4", "--no-control-socket", *preload]
    command += ["-c", "tests/unit/scheduler_processes.py", "-b", f"127.0.0.1:{free_port()}", "server:app"]
    log = tmp_path / "log"

    with running(command, log, env=environment(shop, standin)) as server:
        # with --preload the master may have had its own look before it forked
        until(lambda: len(checked_by(log) - {str(server.pid)}) == 4 or server.poll() is not None)
        server.send_signal(signal.SIGTERM)
        server.wait(PATIENCE)

    assert len(checked_by(log) - {str(server.pid)}) == 4, log.read_text()
    assert ledger(shop) == [("schedule", SUCCEEDED)]
    outcomes = [(task.task, task.outcome) for task in tasks(shop)]
    assert ("daily_sync", "1 new job came in.") in outcomes
    assert len(outcomes) == len({name for name, _ in outcomes})  # so did the auto clock-out, if it did


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("how", [[], ["--reload"], ["--debug"]], ids=["plain", "reload", "debug"])
def test_flask_run_has_a_schedule_and_says_so(
    shop: Flask, standin: Standin, tmp_path: Path, how: list[str]
) -> None:
    command, log = [sys.executable, "-m", "flask", "--app", "server", "run"], tmp_path / "log"
    group = {"start_new_session": True}  # the reloader's second process ends with the first

    with running(
        [*command, f"--port={free_port()}", *how], log, env=environment(shop, standin), **group
    ) as process:
        until(lambda: ("schedule", SUCCEEDED) in ledger(shop) or process.poll() is not None)
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(PATIENCE)

    assert ledger(shop) == [("schedule", SUCCEEDED)], log.read_text()
    assert log.read_text().count("The schedule has started: the daily sync at 00:00") == 1


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_command_starts_no_schedule(shop: Flask, standin: Standin, tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "flask", "--app", "server", "routes"],
        cwd=PROJECT, env=environment(shop, standin), capture_output=True, text=True, timeout=PATIENCE,
    )  # fmt: skip

    assert (ended.returncode, "The schedule has started" in ended.stderr) == (0, False)
