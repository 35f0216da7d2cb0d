"""The sync's button, its address for scripts, its progress, and the sync after a login."""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from threading import Thread
from threading import enumerate as running_threads

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient

from flask_app.clock import utc_now
from flask_app.models import SyncRun, committing
from flask_app.models.sync_run import ABANDONED, FAILED, LEASE, RUNNING, SUCCEEDED
from flask_app.standin import Standin
from flask_app.sync.running import RUN_SECONDS
from flask_app.utils.background_sync import BackgroundSync
from tests.connected import PATIENCE, connect, ledger, numbers, runs, until

AT_ONCE = "/api/process-approved-jobs"
BUTTON = f"{AT_ONCE}?wait=60"
JSON = {"Accept": "application/json"}
BROWSER = {  # Chromium's own: its last word is more specific than text/html, and must not win
    "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8,"
    "application/signed-exchange;v=b3;q=0.7"
}


@pytest.fixture
def app(make_app: Callable[..., Flask], standin: Standin) -> Flask:
    """The application of every fixture here: on the stand-in, with no sync after a login."""
    standin.add(imi_imnumber="4512")
    app = connect(make_app, standin)
    set_login_sync(app, 0)
    return app


def set_login_sync(app: Flask, minutes: int) -> None:
    app.extensions["settings"] = replace(app.extensions["settings"], login_sync_minutes=minutes)


@pytest.fixture
def grace(app: Flask, cast, log_in) -> FlaskClient:
    return log_in("grace")


@pytest.fixture
def running(app: Flask) -> int:
    """A run that somebody else has under way; its id."""
    with app.app_context():
        run = committing(lambda: SyncRun.take(trigger="schedule", user_id=None, now=utc_now()))
        assert run is not None
        committing(lambda: run.hold(now=utc_now(), pages=2, rows=7000))
        return run.id


def test_nobody_syncs_without_logging_in(app: Flask) -> None:
    answer = app.test_client().post(BUTTON)

    assert (answer.status_code, answer.is_json, numbers(app)) == (401, True, [])


def test_a_worker_may_not_sync(app: Flask, cast, log_in) -> None:
    answer = log_in("ana").post(BUTTON)

    assert (answer.status_code, answer.is_json, numbers(app)) == (403, True, [])


def test_nothing_syncs_by_get(grace: FlaskClient) -> None:
    assert grace.get(BUTTON).status_code == 405


def test_an_admin_gets_the_counts(grace: FlaskClient, app: Flask, cast) -> None:
    answer = grace.post(BUTTON)

    [run] = runs(app)
    assert answer.status_code == 200
    told = answer.json
    assert told.pop("seconds") < PATIENCE
    assert told == {
        "outcome": "succeeded",
        "message": "1 new job came in.",
        "added": 1,
        "already_there": 0,
        "updated": 0,
        "linked": 0,
        "gone": 0,
        "returned": 0,
        "held": 0,
        "skipped": 0,
        "reasons": [],
        "pages": 1,
        "rows": 1,
        "run": run.id,
        "address": f"/sync/run/{run.id}",
    }
    assert (run.trigger, run.user_id) == ("button", cast.grace)
    assert numbers(app) == ["4512"]


def test_what_was_skipped_is_told_with_its_reason(grace: FlaskClient, standin: Standin) -> None:
    row = standin.add(imi_imnumber="  ")

    answer = grace.post(BUTTON).json

    assert answer["skipped"] == 1
    assert answer["reasons"] == [
        {"im_number": "  ", "dataverse_id": row, "reason": "The IM number is blank."}
    ]


def test_while_a_run_is_under_way_the_next_is_told_which(
    grace: FlaskClient, app: Flask, running: int
) -> None:
    answer = grace.post(BUTTON)

    assert answer.status_code == 409
    assert (answer.json["outcome"], answer.json["run"]) == ("running", running)
    assert numbers(app) == []


def test_a_failure_of_dataverse_is_told_in_a_sentence(
    grace: FlaskClient, app: Flask, standin: Standin
) -> None:
    standin.faults.fail(503, times=None)

    answer = grace.post(BUTTON)

    assert answer.status_code == 502
    assert (answer.json["outcome"], answer.json["added"]) == ("failed", 0)
    assert answer.json["message"] == runs(app)[0].message
    assert "503" in answer.json["message"]


def test_a_run_that_was_given_up_is_told_so(
    grace: FlaskClient, app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another one took it for dead and has ended it."""

    def taken_away(run: SyncRun, **_values: object) -> bool:
        run._abandon(utc_now())
        return False

    monkeypatch.setattr(SyncRun, "hold", taken_away)

    answer = grace.post(BUTTON)

    assert (answer.status_code, answer.json["outcome"], numbers(app)) == (502, ABANDONED, [])
    assert answer.json["message"].endswith("It changed nothing.")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"dataverse": None}, "Dataverse is not connected."),
        ({"use_dataverse": False}, "Job sync is switched off"),
    ],
    ids=["not connected", "switched off"],
)
def test_without_a_dataverse_there_is_nothing_to_sync(
    grace: FlaskClient, app: Flask, changes: dict, sentence: str
) -> None:
    app.extensions["settings"] = replace(app.extensions["settings"], **changes)

    answer = grace.post(BUTTON)

    assert (answer.status_code, answer.json["outcome"]) == (503, "not_configured")
    assert answer.json["message"].startswith(sentence)
    assert ledger(app) == []


# --- at once


@pytest.fixture
def silent(standin: Standin) -> Iterator[Standin]:
    """A Dataverse that does not answer until its faults are cleared."""
    standin.faults.hang(PATIENCE * 2, times=None)
    yield standin
    standin.faults.clear()
    until(lambda: not begun_syncs())


def begun_syncs() -> list[Thread]:
    return [thread for thread in running_threads() if isinstance(thread, BackgroundSync)]


def test_the_button_answers_at_once_with_the_runs_address(
    grace: FlaskClient, app: Flask, silent: Standin
) -> None:
    answer = grace.post(AT_ONCE)

    [run] = runs(app)
    assert (answer.status_code, run.outcome) == (202, RUNNING)
    assert answer.location == answer.json["address"] == f"/sync/run/{run.id}"
    assert (answer.json["outcome"], answer.json["run"]) == (RUNNING, run.id)
    until(lambda: asked(silent))
    silent.faults.clear()
    until(lambda: not begun_syncs())
    there = grace.get(answer.location, headers=JSON)
    assert (there.json["outcome"], there.json["added"]) == (SUCCEEDED, 1)
    assert numbers(app) == ["4512"]


def test_a_second_press_is_told_the_run_of_the_first(grace: FlaskClient, app: Flask, silent: Standin) -> None:
    first = grace.post(AT_ONCE)
    second = grace.post(AT_ONCE)

    assert second.status_code == 409
    assert second.json["address"] == first.json["address"]
    assert len(ledger(app)) == 1


def test_who_waits_waits_no_longer_than_asked_for(
    grace: FlaskClient, app: Flask, silent: Standin, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []
    monkeypatch.setattr(BackgroundSync, "wait", lambda thread, seconds: waited.append(seconds))

    codes = [grace.post(f"{AT_ONCE}?wait={seconds}").status_code for seconds in (7, 1)]

    assert codes == [202, 409]
    assert waited == [7]


def test_nobody_waits_longer_than_a_run_can_last(
    grace: FlaskClient, silent: Standin, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []
    monkeypatch.setattr(BackgroundSync, "wait", lambda thread, seconds: waited.append(seconds))

    assert grace.post(f"{AT_ONCE}?wait=99999").status_code == 202
    assert waited == [RUN_SECONDS]


@pytest.mark.parametrize("wait", ["soon", "-1", "1.5", "", "999999", "٣"])
def test_a_wait_that_is_no_number_of_seconds_starts_nothing(
    grace: FlaskClient, app: Flask, wait: str
) -> None:
    answer = grace.post(AT_ONCE, query_string={"wait": wait})

    assert (answer.status_code, ledger(app)) == (400, [])
    assert answer.json["message"] == "wait is a whole number of seconds, such as 60."


def test_a_sync_that_gets_no_thread_does_not_look_like_running(
    grace: FlaskClient, app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_thread(_thread: Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(BackgroundSync, "start", no_thread)
    app.testing = False
    app.config["PROPAGATE_EXCEPTIONS"] = False

    assert grace.post(AT_ONCE).status_code == 500
    assert ledger(app) == [("button", FAILED)]


def test_a_sync_that_breaks_off_in_the_background_says_so_where_it_can_be_looked_at(
    grace: FlaskClient, app: Flask, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(run: SyncRun, **_values: object) -> bool:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(SyncRun, "hold", broken)

    answer = grace.post(BUTTON)

    assert (answer.status_code, answer.json["outcome"]) == (502, FAILED)
    assert "broke off on our side" in answer.json["message"]
    assert "ZeroDivisionError" in caplog.text


# --- without JavaScript


def test_the_button_works_without_javascript(grace: FlaskClient, app: Flask, silent: Standin) -> None:
    answer = grace.post(AT_ONCE, headers=BROWSER)

    assert (answer.status_code, answer.location) == (302, f"/sync/run/{runs(app)[0].id}")
    for page in (answer.location, "/sync"):
        assert "A sync is running" in grace.get(page).text
        assert '<noscript><meta http-equiv="refresh"' in grace.get(page).text  # it looks again by itself
    silent.faults.clear()
    until(lambda: not begun_syncs())
    for page in (answer.location, "/sync"):
        assert ">Done<" in grace.get(page).text
        assert "refresh" not in grace.get(page).text


def test_a_failure_is_told_without_javascript_too(grace: FlaskClient, standin: Standin) -> None:
    standin.faults.fail(403, times=None)

    answer = grace.post(BUTTON, headers=BROWSER, follow_redirects=True)

    assert answer.request.path.startswith("/sync/run/")
    assert "HTTP 403" in answer.text


def test_a_second_press_without_javascript_is_told_in_words(grace: FlaskClient, running: int) -> None:
    answer = grace.post(AT_ONCE, headers=BROWSER, follow_redirects=True)

    assert "A sync is running already." in answer.text


def test_the_page_tells_runs_and_reasons(grace: FlaskClient, standin: Standin) -> None:
    standin.add(imi_imnumber=None)
    grace.post(BUTTON)

    page = grace.get("/sync").text
    details = re.search(r"/sync/run/\d+", page)[0]

    assert "Grace Whitfield pressed the button" in page
    assert "The IM number is missing." in grace.get(details).text


def test_the_progress_of_a_run_can_be_watched(grace: FlaskClient, running: int) -> None:
    with time_machine.travel(utc_now() + timedelta(seconds=9), tick=False):
        answer = grace.get(f"/sync/run/{running}", headers=JSON)

    assert (answer.json["outcome"], answer.json["pages"], answer.json["rows"]) == (RUNNING, 2, 7000)
    assert answer.json["seconds"] in (9, 10)
    assert "Accept" in answer.headers["Vary"]


def test_a_run_that_gives_no_sign_of_life_does_not_look_like_running(
    grace: FlaskClient, running: int
) -> None:
    """It was killed, and nothing has taken its place yet: nobody should wait for it."""
    with time_machine.travel(utc_now() + LEASE + timedelta(minutes=1), tick=False):
        told = grace.get(f"/sync/run/{running}", headers=JSON).json
        pages = [grace.get(page).text for page in ("/sync", f"/sync/run/{running}")]

    assert (told["outcome"], "no sign of life" in told["message"]) == (ABANDONED, True)
    assert "data-run" not in pages[0]
    assert "Interrupted" in pages[0]
    assert "no sign of life" in pages[1]


def test_a_script_whose_session_has_ended_is_told_so_and_not_sent_to_the_login_page(
    app: Flask, running: int
) -> None:
    answer = app.test_client().get(f"/sync/run/{running}", headers=JSON)

    assert (answer.status_code, answer.is_json) == (401, True)


@pytest.mark.parametrize("address", ["/sync", "/sync/run/1"])
def test_only_admins_watch(app: Flask, cast, log_in, address: str) -> None:
    assert log_in("ana").get(address).status_code == 403
    assert app.test_client().get(address).status_code == 302


# --- after a login


def login_syncs() -> list[Thread]:
    return [thread for thread in running_threads() if thread.name == "login-sync"]


@pytest.fixture
def login_sync(app: Flask, standin: Standin) -> Iterator[Callable[[], None]]:
    """Turn the sync after a login on; the fixture's value waits for its end."""
    set_login_sync(app, 5)

    def wait() -> None:
        for thread in login_syncs():
            thread.join(PATIENCE)
        assert not login_syncs()

    yield wait
    standin.faults.clear()
    wait()


def asked(standin: Standin) -> int:
    return sum("imi_jobs" in request.path for request in standin.requests)


def test_a_login_brings_the_jobs_in_behind_ones_back(app: Flask, cast, log_in, login_sync) -> None:
    log_in("ana")
    login_sync()

    assert numbers(app) == ["4512"]
    assert ledger(app) == [("login", SUCCEEDED)]


def test_a_login_does_not_wait_for_dataverse(app: Flask, cast, log_in, login_sync, standin: Standin) -> None:
    standin.faults.hang(PATIENCE * 2)

    board = log_in("ana").get("/dashboard")
    until(lambda: asked(standin))

    assert board.status_code == 200
    assert ledger(app) == [("login", RUNNING)]
    assert standin.requests[-1].status == 0  # Dataverse has still not answered
    standin.faults.clear()
    login_sync()
    assert ledger(app) == [("login", SUCCEEDED)]


def test_a_second_login_does_not_ask_a_silent_dataverse_again(
    app: Flask, cast, log_in, login_sync, standin: Standin
) -> None:
    standin.faults.hang(PATIENCE * 2)
    log_in("ana")
    until(lambda: asked(standin))

    log_in("luis")

    assert len(login_syncs()) == 1
    assert len(runs(app)) == 1


def test_logins_shortly_after_a_sync_start_none(app: Flask, cast, log_in, login_sync) -> None:
    log_in("ana")
    login_sync()

    log_in("luis")
    login_sync()

    assert len(runs(app)) == 1


def test_a_login_after_login_sync_minutes_syncs_again(app: Flask, cast, log_in, login_sync) -> None:
    log_in("ana")
    login_sync()
    with time_machine.travel(utc_now() + timedelta(minutes=5), tick=True):
        log_in("luis")
        login_sync()

    assert ledger(app) == [("login", SUCCEEDED)] * 2


def test_a_failed_sync_is_not_repeated_by_the_whole_crew(
    app: Flask, cast, log_in, login_sync, standin: Standin
) -> None:
    standin.faults.fail(503, times=None)
    for name in ("ana", "luis", "grace"):
        log_in(name)
        login_sync()

    assert ledger(app) == [("login", FAILED)]


def test_a_run_of_a_clock_that_was_wrong_does_not_keep_logins_from_syncing(
    app: Flask, cast, log_in, login_sync
) -> None:
    with app.app_context():
        committing(lambda: SyncRun.take(trigger="button", user_id=None, now=utc_now() + timedelta(days=400)))

    log_in("ana")
    login_sync()

    assert ledger(app)[0] == ("login", SUCCEEDED)


def test_login_sync_minutes_of_zero_means_never(app: Flask, cast, log_in, standin: Standin) -> None:
    log_in("ana")

    assert (login_syncs(), ledger(app)) == ([], [])


def test_a_wrong_password_syncs_nothing(app: Flask, cast, login_sync) -> None:
    app.test_client().post("/login", data={"email": "ana@shop.example", "password": "not hers"})

    assert (login_syncs(), ledger(app)) == ([], [])


def test_a_sync_that_breaks_off_does_not_hurt_the_login(
    app: Flask, cast, log_in, login_sync, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(run: SyncRun, **_values: object) -> bool:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(SyncRun, "hold", broken)

    ana = log_in("ana")
    login_sync()

    assert ana.get("/dashboard").status_code == 200
    assert ledger(app) == [("login", FAILED)]
    assert "Sync by login broke off" in caplog.text
