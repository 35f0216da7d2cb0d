"""The syncs that come by themselves: the daily one until it has worked, the polls between, and their rest."""

import os
import signal
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from flask_app.dataverse.client import DataverseClient
from flask_app.models import SyncHold, SyncRun, TaskRun, db
from flask_app.models.sync_run import ABANDONED, FAILED, LEASE, POLL, SUCCEEDED
from flask_app.models.task_run import BREATH, LAPSE, LONGEST_REST
from flask_app.standin import Standin
from flask_app.sync.health import DAILY_SYNC, sync_trouble
from flask_app.sync.running import RUN_SECONDS
from flask_app.utils.scheduler_tasks import POLLS_KEPT, automated_job_sync, automated_poll
from tests.connected import PATIENCE, connect, ledger, numbers, runs, sync, until, words
from tests.sync.sync_processes import POINTS, poll, processes, sync_and_stop

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
SIX = datetime(2026, 11, 23, 11, 0, tzinfo=UTC)  # 6:00 AM in the shop, a Monday in winter
NOON = SIX + 6 * HOUR
NINE = SIX + 3 * HOUR
CHECK = 10 * MINUTE


@pytest.fixture
def app(make_app: Callable[..., Flask], standin: Standin) -> Flask:
    standin.add(imi_imnumber="4512", modifiedon="2026-11-20T12:00:00Z")
    app = connect(make_app, standin)
    set_up(app, login_sync_minutes=0)
    return app


def set_up(app: Flask, **changes: object) -> None:
    app.extensions["settings"] = replace(app.extensions["settings"], **changes)


def check(app: Flask, at: datetime) -> None:
    """Let a scheduler look for the daily sync at this moment."""
    with time_machine.travel(at, tick=True):
        automated_job_sync(app)


def look(app: Flask, at: datetime) -> None:
    """Let a scheduler poll at this moment."""
    with time_machine.travel(at, tick=True):
        automated_poll(app)


def tasks(app: Flask, task: str = DAILY_SYNC) -> list[TaskRun]:
    with app.app_context():
        return list(db.session.scalars(select(TaskRun).where(TaskRun.task == task).order_by(TaskRun.due_at)))


def asked(standin: Standin) -> list[str]:
    return [request.path for request in standin.requests if "imi_jobs" in request.path]


@pytest.fixture
def banner(app: Flask, cast, log_in) -> Callable[[datetime], str]:
    """Return what the admins' banner says at a moment, "" if there is none."""

    def read(at: datetime) -> str:
        with time_machine.travel(at, tick=False):
            page = log_in("grace").get("/my/hours").text
        return words(page.partition('id="troubles"')[2].partition("</div>")[0].partition(">")[2])

    return read


# --- the daily sync, until it has worked


def test_a_daily_sync_that_fails_at_six_works_at_ten_past(app: Flask, standin: Standin) -> None:
    standin.faults.fail(503, times=None)
    check(app, SIX)
    standin.faults.clear()
    check(app, SIX + CHECK)
    check(app, SIX + 2 * CHECK)

    assert ledger(app) == [("schedule", SUCCEEDED), ("schedule", FAILED)]
    [task] = tasks(app)
    assert (task.due_at, task.attempts, task.outcome) == (SIX, 2, "1 new job came in.")
    assert task.finished_at == SIX + CHECK


def test_the_banner_comes_with_the_first_failure_and_goes_with_the_first_success(
    app: Flask, standin: Standin, banner: Callable[[datetime], str]
) -> None:
    assert banner(SIX) == ""
    standin.faults.fail(503, times=None)
    check(app, SIX)

    said = banner(SIX + MINUTE)
    assert said.startswith("The daily sync failed on 11/23/2026 6:00 AM : localhost is out of order")
    assert "It is tried again every 10 minutes until 12:00 PM ." in said
    standin.faults.clear()
    check(app, SIX + CHECK)
    assert banner(SIX + CHECK + MINUTE) == ""


@pytest.mark.parametrize("trigger", ["button", "login", "poll"])
def test_any_sync_that_works_takes_the_banner_away_and_the_daily_one_is_still_tried(
    app: Flask, standin: Standin, banner: Callable[[datetime], str], trigger: str
) -> None:
    standin.faults.fail(503, times=None)
    check(app, SIX)
    standin.faults.clear()
    with time_machine.travel(SIX + MINUTE, tick=False):
        sync(app, trigger=trigger)

    assert banner(SIX + 2 * MINUTE) == ""
    check(app, SIX + CHECK)
    assert ledger(app)[0] == ("schedule", SUCCEEDED)


def test_the_banner_stays_while_the_next_days_sync_is_under_way(app: Flask, standin: Standin) -> None:
    standin.faults.fail(503, times=None)
    check(app, SIX)
    with app.app_context():
        next_day = SIX + timedelta(days=1)
        assert TaskRun.claim(DAILY_SYNC, due_at=next_day, now=next_day) is not None

        trouble = sync_trouble(now=next_day + MINUTE)

    assert trouble is not None
    assert trouble.failed is not None
    assert trouble.failed.until is None  # of that day's it was the last try


def test_a_failed_daily_sync_is_tried_at_every_check_until_noon_has_passed(
    app: Flask, standin: Standin, banner: Callable[[datetime], str]
) -> None:
    standin.faults.fail(403, times=None)
    at = SIX
    while at < NOON + HOUR:
        check(app, at)
        at += CHECK

    assert tasks(app)[0].attempts == 37  # at 6:00, 6:10, ... 12:00
    assert "It is not tried again before the next one is due." in banner(NOON + HOUR)
    check(app, SIX + 24 * HOUR)
    assert [task.attempts for task in tasks(app)] == [37, 1]


def test_several_processes_that_check_at_once_do_not_multiply_the_tries(
    app: Flask, make_app: Callable[..., Flask], standin: Standin
) -> None:
    standin.faults.fail(403, times=None)
    others = [connect(make_app, standin) for _ in range(3)]
    for minutes in (0, 10, 20):
        for one in (app, *others):
            check(one, SIX + minutes * MINUTE)

    assert len(ledger(app)) == 3
    check(app, SIX + 20 * MINUTE + BREATH - MINUTE)
    assert len(ledger(app)) == 3


def test_a_daily_sync_that_was_only_missed_is_caught_up_on_after_noon(app: Flask) -> None:
    check(app, NOON + 3 * HOUR)

    assert ledger(app) == [("schedule", SUCCEEDED)]


def test_a_sync_time_shortly_before_midnight_is_caught_up_on_and_tried_again_after_it(
    app: Flask, standin: Standin
) -> None:
    set_up(app, sync_time=time(23, 55))
    due = datetime(2026, 11, 24, 4, 55, tzinfo=UTC)  # 11:55 PM on the 23rd
    standin.faults.fail(503, times=None)
    check(app, due + 6 * MINUTE)  # 12:01 AM on the 24th
    standin.faults.clear()
    check(app, due + 16 * MINUTE)
    check(app, due + 26 * MINUTE)

    assert ledger(app) == [("schedule", SUCCEEDED), ("schedule", FAILED)]
    assert [task.due_at for task in tasks(app)] == [due]


def test_a_late_sync_time_is_not_caught_up_on_for_ever(app: Flask) -> None:
    set_up(app, sync_time=time(23, 55))

    check(app, datetime(2026, 11, 24, 10, 56, tzinfo=UTC))  # 5:56 AM

    assert ledger(app) == []


@pytest.mark.parametrize(
    ("day", "noon"),
    [
        (datetime(2026, 3, 8, 5, 30, tzinfo=UTC), datetime(2026, 3, 8, 16, 0, tzinfo=UTC)),
        (datetime(2026, 11, 1, 4, 30, tzinfo=UTC), datetime(2026, 11, 1, 17, 0, tzinfo=UTC)),
    ],
    ids=["clocks go forward", "clocks go back"],
)
def test_noon_is_noon_on_days_that_change_the_clocks(
    app: Flask, standin: Standin, day: datetime, noon: datetime
) -> None:
    set_up(app, sync_time=time(0, 30))
    standin.faults.fail(403, times=None)
    check(app, day)
    check(app, noon)
    check(app, noon + CHECK)

    assert len(ledger(app)) == 2


def test_a_bug_is_a_failure_too_and_is_tried_again(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(run: SyncRun, **_values: object) -> bool:
        raise ZeroDivisionError("a bug")

    with monkeypatch.context() as bug:
        bug.setattr(SyncRun, "hold", broken)
        check(app, SIX)
    check(app, SIX + CHECK)

    assert ledger(app) == [("schedule", SUCCEEDED), ("schedule", FAILED)]


def test_a_ca_bundle_that_cannot_be_read_fails_the_run_with_a_sentence(
    make_app: Callable[..., Flask], standin: Standin, tmp_path
) -> None:
    (tmp_path / "ca.pem").write_text("no certificate")
    app = connect(make_app, standin)
    app.extensions.pop("dataverse")
    set_up(app, dataverse=replace(app.extensions["settings"].dataverse, ca_bundle=str(tmp_path / "ca.pem")))

    check(app, SIX)

    [run] = runs(app)
    assert (run.outcome, "cannot be read as certificates" in run.message) == (FAILED, True)


# --- killed in the middle


def test_a_daily_sync_whose_process_was_killed_is_run_by_the_next_that_looks_when_it_counts_as_dead(
    app: Flask,
) -> None:
    """kill -9 at six: neither the claim nor the run is ever ended by the one who has them."""
    reached = processes.Event()
    victim = processes.Process(
        target=sync_and_stop, args=(app.extensions["settings"], next(iter(POINTS)), reached), daemon=True
    )
    with time_machine.travel(SIX, tick=True), app.app_context():
        assert TaskRun.claim(DAILY_SYNC, due_at=SIX, now=SIX) is not None
    victim.start()
    assert reached.wait(PATIENCE)
    os.kill(victim.pid or 0, signal.SIGKILL)
    victim.join(PATIENCE)
    with app.app_context():
        run = SyncRun.running()
        assert run is not None
        run.started_at, run.lease_until = SIX, SIX + LEASE
        db.session.commit()

    check(app, SIX + CHECK)
    assert len(ledger(app)) == 1
    check(app, SIX + 2 * CHECK)

    assert ledger(app) == [("schedule", SUCCEEDED), ("button", ABANDONED)]


def test_a_claim_and_a_lease_outlive_the_longest_that_the_code_can_wait() -> None:
    """Between two signs of life lies at most what is left of the run, and one silence that began before."""
    defaults = DataverseClient.__init__.__kwdefaults__
    silence, wait = defaults["timeout_seconds"], defaults["max_wait_seconds"]
    longest = timedelta(seconds=RUN_SECONDS + silence)

    assert longest < LEASE
    assert LEASE < LAPSE  # or the daily sync would be tried while its own run still counts as alive
    attempts = defaults["max_attempts"]
    assert attempts * silence + (attempts - 1) * wait < RUN_SECONDS  # a page can use all its attempts
    assert timedelta(minutes=1) < LEASE - longest  # for the writing, and for clocks that differ


def test_a_run_is_bounded_as_a_whole_though_each_of_its_calls_keeps_its_own_time(
    app: Flask, standin: Standin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flask_app.sync.running.RUN_SECONDS", 0.5)
    standin.faults.hang(seconds=PATIENCE * 2, times=None)

    result = sync(app)

    assert (result.failed, "within 0.5 seconds" in result.message) == (True, True)


# --- the rest that Dataverse asks for


def test_the_next_try_waits_for_a_rest_that_is_longer_than_our_patience(
    app: Flask, standin: Standin, banner: Callable[[datetime], str]
) -> None:
    standin.faults.throttle(seconds=45 * 60)
    check(app, SIX)
    for minutes in (10, 20, 30, 40):
        check(app, SIX + minutes * MINUTE)
        look(app, SIX + minutes * MINUTE)

    assert ledger(app) == [("schedule", FAILED)]
    assert "Dataverse asked for a rest, so the next try is at 6:45 AM ." in banner(SIX + 20 * MINUTE)
    check(app, SIX + 50 * MINUTE)
    assert ledger(app)[0] == ("schedule", SUCCEEDED)


def test_a_rest_until_a_date_is_kept_as_well(app: Flask, standin: Standin) -> None:
    standin.faults.throttle(seconds="Mon, 23 Nov 2026 11:45:00 GMT")
    check(app, SIX)

    assert runs(app)[0].rest_until is not None
    assert abs(runs(app)[0].rest_until - (SIX + 45 * MINUTE)) <= MINUTE


@pytest.mark.parametrize("huge", ["1e300", "99999999999", "9" * 400, "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_a_rest_beyond_all_reason_lasts_a_day_at_most_and_the_button_does_not_wait(
    app: Flask, standin: Standin, huge: str
) -> None:
    standin.faults.throttle(seconds=huge)
    check(app, SIX)

    [failed] = runs(app)
    assert len(failed.message) < 400
    if failed.rest_until:
        assert failed.rest_until <= SIX + LONGEST_REST + MINUTE
    check(app, SIX + 24 * HOUR + CHECK)
    assert ledger(app)[0] == ("schedule", SUCCEEDED)


def test_the_daily_sync_waits_for_the_rest_that_a_poll_was_asked_for_and_says_so(
    app: Flask, standin: Standin, banner: Callable[[datetime], str]
) -> None:
    standin.faults.throttle(seconds=30 * 60)
    look(app, SIX - CHECK)
    check(app, SIX)

    assert ledger(app) == [("poll", FAILED)]
    assert "the next try is at 6:20 AM" in banner(SIX + MINUTE)
    check(app, SIX + 2 * CHECK + MINUTE)
    assert ledger(app)[0] == ("schedule", SUCCEEDED)


def test_the_button_may_ask_during_a_rest(app: Flask, standin: Standin) -> None:
    standin.faults.throttle(seconds=3600)
    check(app, SIX)
    with time_machine.travel(SIX + MINUTE, tick=True):
        assert not sync(app, trigger="button").failed


def test_a_rest_written_by_a_clock_that_was_wrong_binds_nobody(app: Flask, standin: Standin) -> None:
    standin.faults.throttle(seconds=3600)
    look(app, NINE + timedelta(days=400))

    check(app, SIX)

    assert ledger(app)[0] == ("schedule", SUCCEEDED), runs(app)[0].message


# --- between the dailies


def test_a_job_approved_at_nine_is_on_the_board_at_ten_past_with_two_requests(
    app: Flask, standin: Standin
) -> None:
    check(app, SIX)
    look(app, NINE)
    standin.add(imi_imnumber="4513", modifiedon="2026-11-23T14:00:01Z")
    standin.requests.clear()

    look(app, NINE + CHECK)

    assert numbers(app) == ["4512", "4513"]
    assert ledger(app)[0] == (POLL, SUCCEEDED)
    assert (len(asked(standin)), runs(app)[0].requests) == (2, 2)
    assert runs(app)[0].is_full is False


@pytest.mark.parametrize("database_url", ["sqlite", "mariadb"], indirect=True)
def test_two_processes_that_poll_at_once_are_one_poll(app: Flask, standin: Standin) -> None:
    check(app, SIX)
    count = 4
    start, answers = processes.Barrier(count), processes.Queue()
    polling = [
        processes.Process(target=poll, args=(app.extensions["settings"], NINE, start, answers), daemon=True)
        for _ in range(count)
    ]
    for process in polling:
        process.start()
    for _ in polling:
        answers.get(timeout=PATIENCE)
    for process in polling:
        process.join(PATIENCE)

    assert ledger(app) == [(POLL, SUCCEEDED), ("schedule", SUCCEEDED)]
    assert [task.due_at for task in tasks(app, POLL)] == [NINE]


def test_processes_that_poll_at_their_own_minutes_poll_once_in_each_ten(
    app: Flask, make_app: Callable[..., Flask], standin: Standin
) -> None:
    other = connect(make_app, standin)
    for minutes in range(0, 40, 10):
        look(app, NINE + (minutes + 1) * MINUTE)
        look(other, NINE + (minutes + 8) * MINUTE)

    assert len(tasks(app, POLL)) == 4


@pytest.mark.parametrize(
    "changes", [{"poll_minutes": 0}, {"use_dataverse": False}, {"dataverse": None}], ids=str
)
def test_polls_can_be_off(app: Flask, changes: dict[str, Any]) -> None:
    set_up(app, **changes)

    look(app, NINE)

    assert (ledger(app), tasks(app, POLL)) == ([], [])


@pytest.mark.parametrize("minutes", [-1, 0, 1])
def test_a_poll_is_not_in_the_daily_syncs_way(app: Flask, minutes: int) -> None:
    look(app, SIX + minutes * MINUTE)

    assert ledger(app) == []


def test_a_poll_that_finds_a_sync_running_leaves_it_alone(app: Flask) -> None:
    with app.app_context():
        SyncRun.take(trigger="login", user_id=None, now=NINE - MINUTE)
        db.session.commit()

    look(app, NINE)

    assert len(ledger(app)) == 1


def test_claims_of_polls_are_not_kept_for_ever(app: Flask) -> None:
    look(app, NINE)
    look(app, NINE + POLLS_KEPT + CHECK)

    assert len(tasks(app, POLL)) == 1


def test_admins_are_told_when_polls_have_failed_for_an_hour(
    app: Flask, standin: Standin, banner: Callable[[datetime], str]
) -> None:
    check(app, SIX)
    standin.faults.fail(401, times=None)
    for minutes in range(10, 80, 10):
        look(app, SIX + minutes * MINUTE)

    assert banner(SIX + HOUR) == ""
    assert banner(SIX + 70 * MINUTE).startswith("No sync has worked since 11/23/2026 6:00 AM")
    standin.faults.clear()
    look(app, SIX + 80 * MINUTE)
    assert banner(SIX + 80 * MINUTE) == ""


# --- one line for polls that changed nothing


def test_polls_that_found_nothing_share_one_line(app: Flask, standin: Standin, cast, log_in) -> None:
    check(app, SIX)
    for minutes in range(10, 70, 10):
        look(app, SIX + minutes * MINUTE)

    assert ledger(app) == [(POLL, SUCCEEDED), ("schedule", SUCCEEDED)]
    [line, _daily] = runs(app)
    assert (line.polls, line.polls_since, line.started_at) == (6, SIX + 10 * MINUTE, SIX + HOUR)
    with time_machine.travel(SIX + 2 * HOUR, tick=False):
        page = words(log_in("grace").get("/sync").text)
    assert "This line stands for 6 polls since 11/23/2026 6:10 AM" in page


def test_a_poll_that_brought_something_keeps_its_line(app: Flask, standin: Standin) -> None:
    check(app, SIX)
    look(app, NINE)
    standin.add(imi_imnumber="4513")
    look(app, NINE + CHECK)
    look(app, NINE + 2 * CHECK)
    look(app, NINE + 3 * CHECK)

    assert [(run.trigger, run.added, run.polls) for run in runs(app)] == [
        (POLL, 0, 2), (POLL, 1, 1), (POLL, 0, 1), ("schedule", 1, 1),
    ]  # fmt: skip


def test_a_poll_that_tells_of_a_new_row_that_cannot_be_taken_keeps_its_line(
    app: Flask, standin: Standin
) -> None:
    check(app, SIX)
    look(app, NINE)
    standin.add(imi_imnumber=" ")
    for count in (1, 2, 3):
        look(app, NINE + count * CHECK)

    assert [(run.polls, len(run.skips)) for run in runs(app)[:3]] == [(2, 0), (1, 1), (1, 0)]


def test_polls_that_fail_all_night_share_one_line(app: Flask, standin: Standin) -> None:
    check(app, SIX)
    standin.faults.fail(403, times=None)
    for count in range(5):
        look(app, NINE + count * CHECK)

    assert ledger(app) == [(POLL, FAILED), ("schedule", SUCCEEDED)]
    assert runs(app)[0].polls == 5


def test_polls_that_hold_back_the_same_share_a_line_and_what_is_held_stays_found(
    app: Flask, standin: Standin
) -> None:
    ids = [standin.add(imi_imnumber=f"N{n}") for n in range(20)]
    check(app, SIX)
    for row_id in ids:
        standin.change(row_id, statecode=1)
    for count in range(5):
        look(app, NINE + count * CHECK)

    newest, first, _ = ledger_lines = runs(app)
    assert [(run.trigger, run.polls, run.held) for run in ledger_lines] == [
        (POLL, 4, 20),
        (POLL, 1, 20),
        ("schedule", 1, 0),
    ]  # the first held it back
    with app.app_context():
        [hold] = SyncHold.current()
        assert (hold.first_run_id, hold.run_id) == (first.id, newest.id)


def test_folded_polls_still_tell_since_when_no_sync_has_worked(app: Flask, standin: Standin) -> None:
    standin.faults.fail(403, times=None)
    for count in range(4):
        look(app, NINE + count * CHECK)
    with app.app_context():
        assert SyncRun.good_since() == NINE


def test_a_poll_after_quiet_ones_asks_from_the_same_change_on(app: Flask, standin: Standin) -> None:
    check(app, SIX)
    mark = runs(app)[0].watermark
    for count in range(3):
        look(app, NINE + count * CHECK)

    assert mark is not None
    assert runs(app)[0].watermark == mark


# --- a login beside a poll


def test_a_login_beside_a_poll_is_one_run_and_neither_is_hurt(
    app: Flask, standin: Standin, cast, log_in: Callable[[str], FlaskClient]
) -> None:
    check(app, SIX)
    set_up(app, login_sync_minutes=5)
    standin.faults.hang(PATIENCE * 2)
    with time_machine.travel(NINE, tick=True):
        log_in("ana")
        until(lambda: ledger(app)[0] == ("login", "running"))
        automated_poll(app)
        standin.faults.clear()
        until(lambda: ledger(app)[0] == ("login", SUCCEEDED))

    assert len(ledger(app)) == 2
