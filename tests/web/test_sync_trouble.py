"""The admins' banner about a sync that is late, the timed tasks' state, and /readyz."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient

from flask_app import create_app
from flask_app.clock import utc_now
from flask_app.config import Config
from flask_app.models import SyncRun, TaskRun, committing
from flask_app.models.sync_run import FAILED, SUCCEEDED
from flask_app.standin import Standin
from flask_app.sync.health import DAILY_SYNC, timed_tasks
from tests.connected import connected_quietly, sync, words
from tests.servers import free_port

STALE = "No sync has worked since "
MISSED = "The daily sync was due "
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
SIX = datetime(2026, 11, 23, 11, 0, tzinfo=UTC)  # 6:00 AM in the shop, a Monday in winter


@pytest.fixture
def app(make_app: Callable[..., Flask], standin: Standin) -> Flask:
    return connected_quietly(make_app, standin)


def had_run(app: Flask, at: datetime, outcome: str = SUCCEEDED, trigger: str = "schedule") -> None:
    """Write a sync that began at `at` and lasted a minute."""
    with app.app_context():
        run = committing(lambda: SyncRun.take(trigger=trigger, user_id=None, now=at))
        assert run is not None
        committing(lambda: run.finish(now=at + MINUTE, outcome=outcome))


def had_fired(app: Flask, due_at: datetime) -> None:
    """Write that the daily sync of `due_at` was claimed and done."""
    with app.app_context():
        claim = TaskRun.claim(DAILY_SYNC, due_at=due_at, now=due_at)
        assert claim is not None
        committing(lambda: claim.finish("Done.", now=due_at + MINUTE))


def banner(app: Flask, log_in, at: datetime, name: str = "grace", page: str = "/my/hours") -> str:
    """Return what the banner says to somebody at this moment, "" if there is none."""
    with time_machine.travel(at, tick=False):
        text = words(log_in(name).get(page).text)
    said = re.search(f"({STALE}|{MISSED})[^.]*\\.", text)
    return said[0] if said else ""


# --- the banner


@pytest.mark.parametrize("page", ["/my/hours", "/sync"])
def test_admins_are_told_that_the_last_good_sync_is_older_than_26_hours(
    app: Flask, cast, log_in, page: str
) -> None:
    had_run(app, SIX)
    had_run(app, SIX + 20 * HOUR, outcome=FAILED)
    had_fired(app, SIX + 24 * HOUR)

    assert banner(app, log_in, SIX + 26 * HOUR, page=page) == ""
    late = banner(app, log_in, SIX + 26 * HOUR + MINUTE, page=page)
    assert late.startswith("No sync has worked since 11/23/2026 6:00 AM")


def test_admins_are_told_that_no_sync_has_ever_worked(app: Flask, cast, log_in) -> None:
    assert banner(app, log_in, SIX + 48 * HOUR) == ""  # nobody has tried yet

    had_run(app, SIX, outcome=FAILED)
    had_run(app, SIX + 24 * HOUR, outcome=FAILED)
    had_fired(app, SIX + 24 * HOUR)

    assert banner(app, log_in, SIX + 27 * HOUR).startswith("No sync has worked since 11/23/2026 6:00 AM")


def test_a_good_sync_of_any_kind_ends_the_trouble(app: Flask, cast, log_in) -> None:
    had_run(app, SIX)
    had_fired(app, SIX + 48 * HOUR)
    assert banner(app, log_in, SIX + 50 * HOUR).startswith(STALE)

    had_run(app, SIX + 50 * HOUR, trigger="login")

    assert banner(app, log_in, SIX + 50 * HOUR + MINUTE) == ""


def test_admins_are_told_that_six_o_clock_did_not_fire(app: Flask, cast, log_in) -> None:
    had_run(app, SIX)
    had_fired(app, SIX)

    assert banner(app, log_in, SIX + 24 * HOUR + 20 * MINUTE) == ""
    missed = banner(app, log_in, SIX + 24 * HOUR + 21 * MINUTE)
    assert missed.startswith("The daily sync was due 11/24/2026 6:00 AM and has not run")


def test_a_daily_sync_that_was_caught_up_is_not_missed(app: Flask, cast, log_in) -> None:
    had_run(app, SIX)
    had_fired(app, SIX)
    had_fired(app, SIX + 24 * HOUR)

    assert banner(app, log_in, SIX + 24 * HOUR + 21 * MINUTE) == ""


def test_a_daily_sync_that_was_missed_is_told_until_the_next_is_due(app: Flask, cast, log_in) -> None:
    had_run(app, SIX + 20 * HOUR)
    had_fired(app, SIX)

    assert banner(app, log_in, SIX + 45 * HOUR).startswith(MISSED)


def test_on_the_first_day_nothing_has_been_missed(app: Flask, cast, log_in) -> None:
    assert banner(app, log_in, SIX + 5 * HOUR) == ""


def test_workers_are_not_told(app: Flask, cast, log_in) -> None:
    had_run(app, SIX)
    had_fired(app, SIX)

    assert banner(app, log_in, SIX + 90 * HOUR).startswith(MISSED)
    assert banner(app, log_in, SIX + 90 * HOUR, name="ana") == ""
    with time_machine.travel(SIX + 90 * HOUR, tick=False):
        assert MISSED not in words(app.test_client().get("/login").text)


@pytest.mark.parametrize(
    "changes", [{"dataverse": None}, {"use_dataverse": False}], ids=["not connected", "off"]
)
def test_without_a_dataverse_nothing_is_late(app: Flask, cast, log_in, changes: dict) -> None:
    had_run(app, SIX)
    had_fired(app, SIX)
    app.extensions["settings"] = replace(app.extensions["settings"], **changes)

    assert banner(app, log_in, SIX + 90 * HOUR) == ""


DAYS = {  # UTC of 6:00 AM on a day and on the next one
    "the clocks go forward": ("2026-03-07T11:00:00Z", "2026-03-08T10:00:00Z"),
    "the clocks go back": ("2026-10-31T10:00:00Z", "2026-11-01T11:00:00Z"),
}


@pytest.mark.parametrize(("day", "next_day"), DAYS.values(), ids=DAYS)
def test_six_o_clock_is_six_when_the_clocks_change(app: Flask, cast, log_in, day: str, next_day: str) -> None:
    first, second = datetime.fromisoformat(day), datetime.fromisoformat(next_day)
    had_run(app, first)
    had_fired(app, first)

    assert banner(app, log_in, second + 20 * MINUTE) == ""
    assert " 6:00 AM and has not run" in banner(app, log_in, second + 21 * MINUTE)
    with app.app_context(), time_machine.travel(second - MINUTE, tick=False):
        [task] = timed_tasks(now=utc_now())
        assert (task.next_due, task.missed) == (second, None)


# --- what /sync tells of the timed tasks


def test_the_page_tells_when_the_daily_sync_was_and_will_be(app: Flask, cast, log_in) -> None:
    had_run(app, SIX)
    had_fired(app, SIX)

    with time_machine.travel(SIX + 3 * HOUR, tick=False):
        page = words(log_in("grace").get("/sync").text)

    assert page.count("11/23/2026 6:00 AM") >= 2  # the last good sync, the last daily one, the ledger
    assert "11/24/2026 6:00 AM" in page


def test_the_page_tells_the_next_time_before_there_was_a_first(app: Flask, cast, log_in) -> None:
    with time_machine.travel(SIX - MINUTE, tick=False):
        page = words(log_in("grace").get("/sync").text)

    assert "11/23/2026 6:00 AM" in page


def test_the_tasks_state_is_known_to_the_minute(app: Flask) -> None:
    had_fired(app, SIX)

    def at(moment: datetime) -> tuple[datetime | None, datetime, datetime | None]:
        with app.app_context(), time_machine.travel(moment, tick=False):
            [task] = timed_tasks(now=utc_now())
            return task.last.due_at if task.last else None, task.next_due, task.missed

    day = 24 * HOUR
    assert at(SIX) == (SIX, SIX + day, None)
    assert at(SIX + day - timedelta(seconds=1)) == (SIX, SIX + day, None)
    assert at(SIX + day) == (SIX, SIX + 2 * day, None)
    assert at(SIX + day + 21 * MINUTE) == (SIX, SIX + 2 * day, SIX + day)


# --- /readyz


def test_a_program_that_can_work_is_ready(app: Flask, cast) -> None:
    answer = app.test_client().get("/readyz")

    assert (answer.status_code, answer.json) == (
        200,
        {"database": "ok", "seconds_since_good_sync": None, "warnings": []},
    )


def test_readiness_tells_the_age_of_the_last_good_sync_and_does_not_depend_on_it(app: Flask) -> None:
    had_run(app, SIX)
    had_run(app, SIX + HOUR, outcome=FAILED)

    with time_machine.travel(SIX + 90 * HOUR, tick=False):
        answer = app.test_client().get("/readyz")

    assert (answer.status_code, answer.json["seconds_since_good_sync"]) == (200, 90 * 3600)


def nothing_there(folder: Path) -> dict[str, str]:
    """Return addresses of databases that cannot be used, each in its own way."""
    (folder / "garbage.db").write_bytes(b"This is no database. " * 100)
    (folder / "folder.db").mkdir()
    (folder / "empty.db").touch()
    return {
        "no server": f"mysql+pymysql://shop:secret-650@127.0.0.1:{free_port()}/shop",
        "no database": f"sqlite:///{folder / 'garbage.db'}",
        "no file": f"sqlite:///{folder / 'folder.db'}",
        "no tables": f"sqlite:///{folder / 'empty.db'}",
    }


@pytest.mark.parametrize("what", ["no server", "no database", "no file", "no tables"])
def test_without_its_database_the_program_is_alive_but_not_ready(tmp_path: Path, what: str) -> None:
    app = create_app(Config(database_url=nothing_there(tmp_path)[what], secret_key="k" * 32))
    browser = app.test_client()

    answer = browser.get("/readyz")

    assert (answer.status_code, answer.is_json, answer.json["database"]) == (503, True, "unusable")
    assert "secret-650" not in answer.text
    assert browser.get("/healthz").status_code == 200
    app.extensions["engine"].dispose()


def test_readiness_does_not_wait_for_somebody_who_writes(app: Flask, cast) -> None:
    with app.app_context():
        run = SyncRun.take(trigger="button", user_id=None, now=SIX)  # holds the write lock: no commit yet
        assert run is not None

        with app.app_context():
            browser: FlaskClient = app.test_client()
            assert browser.get("/readyz").status_code == 200


def test_a_warning_stands_on_the_runs_page_and_on_the_syncs(make_app, log_in, app, cast) -> None:
    with Standin(without=["imi_gc"]) as lacking:
        lacking.add()
        app.extensions["dataverse"] = connected_quietly(make_app, lacking).extensions["dataverse"]
        run = sync(app).run_id
        browser = log_in("grace")
    for address in ("/sync", f"/sync/run/{run}"):
        assert "has no column imi_gc. Jobs keep the text that they have." in words(browser.get(address).text)
