"""The auto clock-out as a task: done means that it worked; a miss is shown; one bad shift stops no other."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
import time_machine
from flask import Flask
from sqlalchemy import select

from flask_app.models import DepartmentRule, Job, Shift, TaskRun, User, committing, db
from flask_app.models.task_run import BREATH, GRACE, LAPSE
from flask_app.timeclock import ledger
from flask_app.timeclock.clock_out import CLOCK_OUT
from flask_app.timeclock.clock_out_watch import clock_out_trouble
from flask_app.utils.scheduler_tasks import automated_clock_out
from tests import shop as builders
from tests.connected import words

ZONE = ZoneInfo("America/New_York")
SIX = datetime(2026, 11, 23, 23, 0, tzinfo=UTC)  # 6 PM in the shop, a Monday in winter
SEVEN_AM = datetime(2026, 11, 23, 12, 2, tzinfo=UTC)
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


@pytest.fixture
def on_the_clock(app: Flask, cast, add_job) -> tuple[int, int]:
    """Ana and Luis are on the clock and forget to punch out; the ids of their shifts."""
    job_id = add_job("4512")
    with app.app_context():
        job = db.session.get_one(Job, job_id)
        people = [db.session.get_one(User, person) for person in (cast.ana, cast.luis)]
        ana, luis = (builders.punch_in(person, job, SEVEN_AM) for person in people)
        return ana.id, luis.id


def at(app: Flask, moment: datetime) -> None:
    with time_machine.travel(moment, tick=False):
        automated_clock_out(app)


def still_open(app: Flask) -> list[int]:
    with app.app_context():
        return sorted(shift.id for shift in db.session.scalars(select(Shift)) if shift.is_open)


def task(app: Flask) -> TaskRun:
    with app.app_context():
        run = TaskRun.last(CLOCK_OUT)
        assert run is not None
        return run


@pytest.fixture
def banner(app: Flask, cast, log_in) -> Callable[..., str]:
    """Return what the banner says to somebody at a moment, "" if there is none."""

    def read(moment: datetime, name: str = "grace") -> str:
        with time_machine.travel(moment, tick=False):
            page = log_in(name).get("/my/hours").text
        return words(page.partition('id="troubles"')[2].partition("</div>")[0].partition(">")[2])

    return read


def break_for(monkeypatch: pytest.MonkeyPatch, shift_id: int) -> None:
    """Let the end of one shift break off, whatever the reason."""
    assume = ledger.assume_end

    def broken(shift: Shift, *arguments: object, **named: object) -> object:
        if shift.id == shift_id:
            raise ZeroDivisionError("a bug")
        return assume(shift, *arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(ledger, "assume_end", broken)


def test_one_shift_that_cannot_be_ended_does_not_keep_the_others_open(
    app: Flask, on_the_clock: tuple[int, int], monkeypatch: pytest.MonkeyPatch, caplog
) -> None:
    ana, luis = on_the_clock
    break_for(monkeypatch, ana)

    at(app, SIX)

    assert still_open(app) == [ana]
    run = task(app)
    assert (run.finished_at, run.failed_at) == (None, SIX)
    assert run.outcome == "Assumed ends: 1. Left open: 0. Could not be ended: 1; the log says why."
    assert f"Shift {ana} could not be clocked out" in caplog.text


def test_a_clock_out_that_failed_is_shown_and_tried_again_until_it_works(
    app: Flask, on_the_clock: tuple[int, int], monkeypatch: pytest.MonkeyPatch, banner: Callable[..., str]
) -> None:
    with monkeypatch.context() as bug:
        break_for(bug, on_the_clock[0])
        at(app, SIX)
        at(app, SIX + MINUTE)  # it is looked at every minute, but not hammered
    assert task(app).attempts == 1
    said = banner(SIX + MINUTE)
    assert said.startswith("The auto clock-out of 11/23/2026 6:00 PM did not work: Assumed ends: 1.")
    assert banner(SIX + MINUTE, "ana") == ""

    at(app, SIX + BREATH)

    assert (still_open(app), task(app).attempts, task(app).finished_at) == ([], 2, SIX + BREATH)
    assert banner(SIX + BREATH + MINUTE) == ""


def test_a_clock_out_that_breaks_off_as_a_whole_is_tried_again(
    app: Flask, on_the_clock: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_arguments: object, **_named: object) -> None:
        raise ZeroDivisionError("a bug")

    with monkeypatch.context() as bug:
        bug.setattr("flask_app.utils.scheduler_tasks.due_ends", broken)
        at(app, SIX)
    assert len(still_open(app)) == 2

    at(app, SIX + BREATH)

    assert still_open(app) == []


def test_a_clock_out_whose_process_was_killed_is_done_by_another(
    app: Flask, on_the_clock: tuple[int, int]
) -> None:
    with app.app_context():
        assert TaskRun.claim(CLOCK_OUT, due_at=SIX, now=SIX) is not None

    at(app, SIX + LAPSE - MINUTE)
    assert len(still_open(app)) == 2
    at(app, SIX + LAPSE)
    assert still_open(app) == []


def test_a_clock_out_that_did_not_run_is_shown_until_it_has(
    app: Flask, on_the_clock: tuple[int, int], banner: Callable[..., str]
) -> None:
    at(app, SIX - DAY * 3)  # it has run before, on Friday
    assert banner(SIX + GRACE) == ""

    said = banner(SIX + GRACE + MINUTE)

    assert said == "The auto clock-out was due 11/23/2026 6:00 PM and has not run: shifts may still be open."
    at(app, SIX + GRACE + 2 * MINUTE)
    assert banner(SIX + GRACE + 3 * MINUTE) == ""


def test_before_its_first_time_nothing_was_missed_and_one_that_never_ends_is(app: Flask) -> None:
    with app.app_context():
        assert clock_out_trouble(ZONE, now=SIX + DAY) is None
        assert TaskRun.claim(CLOCK_OUT, due_at=SIX, now=SIX) is not None
        assert clock_out_trouble(ZONE, now=SIX + LAPSE) is None
        trouble = clock_out_trouble(ZONE, now=SIX + LAPSE + GRACE + MINUTE)
    assert trouble is not None
    assert (trouble.due_at, trouble.reason) == (SIX, "")


def test_a_shop_that_clocks_nobody_out_any_more_is_not_told(app: Flask) -> None:
    with app.app_context():
        claim = TaskRun.claim(CLOCK_OUT, due_at=SIX, now=SIX)
        assert claim is not None
        committing(lambda: claim.fail("It broke off.", now=SIX))
        for rule in DepartmentRule.all().values():
            rule.clocks_out = False
            db.session.add(rule)
        db.session.commit()

        assert clock_out_trouble(ZONE, now=SIX + MINUTE) is None
