"""One sync at a time, whoever asks; and whatever kills it, the shop has the old jobs or the new ones."""

from collections.abc import Callable
from datetime import timedelta
from queue import Queue
from threading import Thread
from typing import Any

import pytest
import time_machine
from flask import Flask

from flask_app.clock import utc_now
from flask_app.config import Config
from flask_app.models import SyncRun, committing
from flask_app.models.sync_run import ABANDONED, LEASE, RUNNING, SUCCEEDED
from flask_app.standin import Standin
from flask_app.sync.approved_jobs import SyncLost, SyncRunning
from tests.connected import PATIENCE, connect, ledger, numbers, runs, sync, until
from tests.sync.sync_processes import POINTS, press, processes, sync_and_stop, take_and_finish

PROCESSES = 6


@pytest.fixture
def shop(make_app: Callable[..., Flask], standin: Standin) -> Flask:
    standin.add(imi_imnumber="4512")
    return connect(make_app, standin)


@pytest.fixture
def elsewhere(shop: Flask) -> Config:
    """Return the settings with which another process makes the same application."""
    settings: Config = shop.extensions["settings"]
    return settings


def later(moment: timedelta) -> time_machine.travel:
    return time_machine.travel(utc_now() + moment, tick=True)


def all_at_once(target: Callable[..., None], *arguments: Any) -> list[Any]:
    return [processes.Process(target=target, args=arguments, daemon=True) for _ in range(PROCESSES)]


def test_of_processes_that_press_at_once_one_runs_and_the_others_are_told(
    shop: Flask, standin: Standin, elsewhere: Config
) -> None:
    standin.faults.hang(PATIENCE * 2)
    start, answers = processes.Barrier(PROCESSES), processes.Queue()
    pressing = all_at_once(press, elsewhere, start, answers)
    for process in pressing:
        process.start()

    told = [answers.get(timeout=PATIENCE) for _ in range(PROCESSES - 1)]
    standin.faults.clear()
    ran = answers.get(timeout=PATIENCE)
    for process in pressing:
        process.join(PATIENCE)

    [run] = runs(shop)
    assert told == [("told", run.id, 0)] * (PROCESSES - 1)
    assert ran == ("ran", run.id, 1)
    assert run.outcome == SUCCEEDED


def test_a_hundred_races_have_one_winner_each_though_winners_die(shop: Flask, elsewhere: Config) -> None:
    rounds, start, answers = 100, processes.Barrier(PROCESSES), processes.Queue()
    racing = all_at_once(take_and_finish, elsewhere, rounds, start, answers)
    for process in racing:
        process.start()

    won = [taken for _ in racing for taken in answers.get(timeout=2 * PATIENCE)[1]]
    for process in racing:
        process.join(PATIENCE)

    assert sorted(won) == list(range(rounds))


@pytest.mark.parametrize("point", POINTS)
def test_a_sync_killed_at_any_point_has_changed_nothing_and_is_named_by_the_next(
    shop: Flask, elsewhere: Config, point: str
) -> None:
    reached = processes.Event()
    victim = processes.Process(target=sync_and_stop, args=(elsewhere, point, reached), daemon=True)
    victim.start()
    assert reached.wait(PATIENCE)
    victim.kill()
    victim.join(PATIENCE)

    assert numbers(shop) == []
    assert ledger(shop) == [("button", RUNNING)]
    with pytest.raises(SyncRunning):
        sync(shop)
    with later(LEASE + timedelta(seconds=1)):
        result = sync(shop)

    assert (result.added, numbers(shop)) == (1, ["4512"])
    assert ledger(shop) == [("button", SUCCEEDED), ("button", ABANDONED)]
    assert runs(shop)[1].message.startswith("This run broke off: ")


def test_a_sync_killed_while_dataverse_is_silent_ends_with_its_lease(
    shop: Flask, standin: Standin, elsewhere: Config
) -> None:
    standin.faults.hang(PATIENCE * 2)
    start, answers = processes.Barrier(1), processes.Queue()
    victim = processes.Process(target=press, args=(elsewhere, start, answers), daemon=True)
    victim.start()
    until(lambda: any("imi_jobs" in request.path for request in standin.requests))
    victim.kill()
    victim.join(PATIENCE)

    with later(LEASE + timedelta(seconds=1)):
        assert sync(shop).added == 1


def test_a_run_that_is_taken_for_dead_saves_nothing(shop: Flask, standin: Standin) -> None:
    standin.faults.hang(PATIENCE * 2)
    ended: Queue[object] = Queue()
    slow = Thread(target=lambda: ended.put(outcome_of(shop, trigger="schedule")))
    slow.start()
    until(lambda: any("imi_jobs" in request.path for request in standin.requests))
    with later(LEASE + timedelta(seconds=1)):
        sync(shop, trigger="button")
        standin.add(imi_imnumber="4513")
        standin.faults.clear()
        slow.join(PATIENCE)

    assert isinstance(ended.get_nowait(), SyncLost)
    assert numbers(shop) == ["4512"]
    assert ledger(shop) == [("button", SUCCEEDED), ("schedule", ABANDONED)]


def outcome_of(app: Flask, **how: Any) -> object:
    try:
        return sync(app, **how)
    except SyncLost as lost:
        return lost


def test_a_run_that_is_taken_away_at_the_last_moment_saves_nothing(
    shop: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everything is read and decided; then the run's end finds that the run is not its own any more."""
    finish = SyncRun.finish
    monkeypatch.setattr(SyncRun, "finish", lambda run, **values: finish(run, **values) and False)

    with pytest.raises(SyncLost):
        sync(shop)

    assert numbers(shop) == []


def test_a_run_whose_lease_is_renewed_is_not_dead(shop: Flask) -> None:
    with shop.app_context():
        began = utc_now()
        run = committing(lambda: SyncRun.take(trigger="button", user_id=None, now=began))
        assert run is not None
        assert committing(lambda: run.hold(now=began + LEASE, pages=1, rows=1))

        after = began + LEASE + timedelta(seconds=1)
        assert committing(lambda: SyncRun.take(trigger="button", user_id=None, now=after)) is None


@pytest.mark.parametrize("wrong", [timedelta(days=400), -timedelta(days=400)], ids=["ahead", "behind"])
def test_a_run_of_a_host_whose_clock_is_wrong_does_not_block_the_others(
    shop: Flask, wrong: timedelta
) -> None:
    with shop.app_context():
        committing(lambda: SyncRun.take(trigger="button", user_id=None, now=utc_now() + wrong))

    assert sync(shop).added == 1


@pytest.mark.parametrize("skew", [timedelta(minutes=2), -timedelta(minutes=2)], ids=["ahead", "behind"])
def test_a_live_run_of_a_host_whose_clock_is_a_little_off_is_respected(shop: Flask, skew: timedelta) -> None:
    with shop.app_context():
        committing(lambda: SyncRun.take(trigger="button", user_id=None, now=utc_now() + skew))

    with pytest.raises(SyncRunning):
        sync(shop)
