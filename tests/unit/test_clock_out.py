"""The auto clock-out: who gets an assumed end and who is left alone, whenever and however often it runs."""

from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import time_machine

from flask_app.models import Audit, DepartmentRule, Job, Shift, TaskRun, User, committing, db
from flask_app.timeclock.clock_out import CLOCK_OUT, last_due, stale_shifts, unconfirmed
from flask_app.utils.scheduler_tasks import automated_clock_out, clock_everybody_out
from tests import shop as builders

ZONE = ZoneInfo("America/New_York")


def local(*parts: Any) -> datetime:
    return datetime(*parts, tzinfo=ZONE).astimezone(UTC)


SIX = local(2026, 11, 23, 18, 0)  # a Monday


@pytest.fixture
def shop(app_context, cast, add_job):
    return cast, db.session.get_one(Job, add_job("4512"))


def punch_in(shop, at, who="ana") -> Shift:
    cast, job = shop
    person = db.session.get_one(User, getattr(cast, who))
    return builders.punch_in(person, job, at)


def test_a_forgotten_shift_ends_when_the_department_usually_leaves(shop):
    shift = punch_in(shop, local(2026, 11, 23, 7, 2))
    outcome = clock_everybody_out(ZONE, now=SIX)
    assert (outcome.assumed, outcome.left) == (1, 0)
    assert (shift.ended_at, shift.assumed_at) == (local(2026, 11, 23, 15, 30), SIX)
    row = Audit.of("shift", shift.id)[0]
    assert (row.by, row.changes["assumed"]) == (None, ["no", "yes"])
    assert [found.id for found in unconfirmed()] == [shift.id]


@pytest.mark.parametrize(
    "start",
    [
        local(2026, 11, 23, 15, 30),  # at the assumed end
        local(2026, 11, 22, 22, 0),  # Sunday night
        local(2026, 11, 21, 7, 0),  # Saturday
        local(2026, 11, 20, 16, 0),  # Friday evening
    ],
)
def test_nights_weekends_and_late_starts_are_left_alone_and_listed(shop, start):
    shift = punch_in(shop, start)
    outcome = clock_everybody_out(ZONE, now=SIX)
    assert (outcome.assumed, outcome.left, shift.is_open) == (0, 1, True)
    later = start + timedelta(hours=17)
    assert [found.id for found in stale_shifts(timedelta(hours=16), now=later)] == [shift.id]
    assert stale_shifts(timedelta(hours=16), now=start + timedelta(hours=15)) == []


def test_a_shift_whose_time_has_not_come_goes_on(shop):
    shift = punch_in(shop, local(2026, 11, 23, 7, 2))
    assert clock_everybody_out(ZONE, now=SIX - timedelta(minutes=1)).assumed == 0
    assert shift.is_open


def test_what_ended_by_a_punch_is_never_touched(shop):
    shift = punch_in(shop, local(2026, 11, 23, 7, 2))
    builders.punch_out(shift, local(2026, 11, 23, 17, 45))
    clock_everybody_out(ZONE, now=SIX)
    assert (shift.ended_at, shift.assumed_at) == (local(2026, 11, 23, 17, 45), None)


def test_days_of_no_program_running_are_made_up_for_each_on_its_own_day(shop):
    shift = punch_in(shop, local(2026, 11, 18, 7, 0))
    other = punch_in(shop, local(2026, 11, 20, 7, 0), "luis")
    clock_everybody_out(ZONE, now=local(2026, 11, 23, 6, 0))
    assert shift.ended_at == local(2026, 11, 18, 15, 30)
    assert other.ended_at == local(2026, 11, 20, 15, 30)


@pytest.mark.parametrize("day", [(2026, 3, 9), (2026, 11, 2)])  # the Mondays after the clocks were changed
def test_the_assumed_end_is_by_the_shops_clock(shop, day):
    shift = punch_in(shop, local(*day, 7, 0))
    clock_everybody_out(ZONE, now=local(*day, 18, 0))
    assert shift.ended_at == local(*day, 15, 30)


def test_a_department_has_times_of_its_own_or_none(shop):
    cast, _ = shop
    grace = db.session.get_one(User, cast.grace)
    how: dict[str, Any] = {"by": grace, "now": SIX}
    late = {"clock_out_at": time(23, 30), "assumed_end": time(23, 0)}
    committing(lambda: DepartmentRule.locked("CUT_SHOP").change(late, **how))
    committing(lambda: DepartmentRule.locked("CNC_SHOP").change({"clocks_out": False}, **how))
    evening = punch_in(shop, local(2026, 11, 23, 15, 45))
    off = punch_in(shop, local(2026, 11, 23, 7, 0), "luis")
    assert clock_everybody_out(ZONE, now=SIX).assumed == 0
    clock_everybody_out(ZONE, now=local(2026, 11, 23, 23, 30))
    assert (evening.ended_at, off.is_open) == (local(2026, 11, 23, 23, 0), True)


@pytest.mark.parametrize(
    ("now", "due"),
    [
        (SIX, SIX),
        (SIX - timedelta(seconds=1), local(2026, 11, 20, 18, 0)),  # Monday afternoon: Friday's
        (local(2026, 11, 22, 12, 0), local(2026, 11, 20, 18, 0)),
        (local(2026, 3, 9, 9, 0), local(2026, 3, 6, 18, 0)),  # over the night of 23 hours
    ],
)
def test_it_is_due_on_working_days(app_context, now, due):
    assert last_due(ZONE, now=now) == due


def test_the_schedule_runs_it_once_however_often_it_looks(app, shop):
    shift = punch_in(shop, local(2026, 11, 23, 7, 2))
    db.session.rollback()
    for minutes in (0, 1, 2):
        with time_machine.travel(SIX + timedelta(minutes=minutes), tick=False):
            automated_clock_out(app)
    db.session.expire_all()
    run = TaskRun.last(CLOCK_OUT)
    assert (run.due_at, run.outcome) == (SIX, "Assumed ends: 1. Left open: 0.")
    assert [row.is_punch for row in Audit.of("shift", shift.id)] == [False, True]


def test_before_its_time_it_only_makes_up_for_the_last_one(app, shop):
    shift = punch_in(shop, local(2026, 11, 23, 7, 2))
    db.session.rollback()
    with time_machine.travel(SIX - timedelta(hours=1), tick=False):
        automated_clock_out(app)
    db.session.expire_all()
    assert TaskRun.last(CLOCK_OUT).due_at == local(2026, 11, 20, 18, 0)
    assert db.session.get_one(Shift, shift.id).is_open
