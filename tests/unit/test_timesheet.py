"""The one time rule: what a shift is worth, on which day it counts, and that every sum agrees."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sqlalchemy import Connection, select, type_coerce

from flask_app.models.database import make_engine
from flask_app.models.types import UtcDateTime, clock_minutes
from flask_app.reporting.timesheet import MealRule, TimeRules, Timesheet, worked_minutes
from tests.examples import examples

NEW_YORK = ZoneInfo("America/New_York")
NOW = datetime(2026, 11, 23, 20, 0, tzinfo=UTC)


@dataclass
class Punches:
    started_at: datetime
    ended_at: datetime | None
    user_id: int = 1


def utc(*parts: Any) -> datetime:
    return datetime(*parts, tzinfo=UTC)


def sheet(*shifts: Punches, now: datetime = NOW) -> Timesheet[Punches]:
    return Timesheet(shifts, rules=TimeRules(NEW_YORK), now=now)


seconds = st.integers(1_767_225_600, 1_798_761_600)  # the year 2026
instants = seconds.map(lambda stamp: datetime.fromtimestamp(stamp, UTC))


@st.composite
def switches(draw: st.DrawFn) -> Sequence[Punches]:
    """A row of shifts of one person, each of which ends at the instant at which the next one begins."""
    at = draw(instants)
    ends = [at]
    for length in draw(st.lists(st.integers(0, 20 * 3600), min_size=1, max_size=12)):
        ends.append(ends[-1] + timedelta(seconds=length))
    return [Punches(start, end) for start, end in zip(ends, ends[1:], strict=False)]


def test_a_shift_is_worth_what_its_shown_times_are_apart():
    assert worked_minutes(utc(2026, 11, 23, 12, 2, 40), utc(2026, 11, 23, 16, 30, 10)) == 4 * 60 + 28


@given(switches())
def test_every_total_is_the_sum_of_what_is_shown_under_it(shifts):
    timesheet = sheet(*shifts)
    shown = [line.minutes for day in timesheet.days for line in day.lines]
    assert timesheet.minutes == sum(shown) == sum(week.minutes for week in timesheet.weeks)
    assert all(day.minutes == sum(line.minutes for line in day.lines) for day in timesheet.days)
    assert len(shown) == len(shifts)


@given(switches())
def test_switching_jobs_loses_nothing(shifts):
    whole = worked_minutes(shifts[0].started_at, shifts[-1].ended_at)
    assert sheet(*shifts).minutes == whole


@given(switches())
def test_the_order_in_which_shifts_come_does_not_matter(shifts):
    there, back = sheet(*shifts), sheet(*reversed(shifts))
    assert [(day.date, day.minutes) for day in there.days] == [(day.date, day.minutes) for day in back.days]


@given(switches())
def test_days_and_weeks_stand_in_order_and_once_each(shifts):
    timesheet = sheet(*shifts)
    days, weeks = [day.date for day in timesheet.days], [week.start for week in timesheet.weeks]
    assert days == sorted(set(days))
    assert weeks == sorted(set(weeks))
    for week in timesheet.weeks:
        assert all(week.start <= day.date < week.start + timedelta(days=7) for day in week.days)


def test_a_shift_over_midnight_counts_on_the_day_it_started():
    night = Punches(utc(2026, 11, 24, 3, 0), utc(2026, 11, 24, 11, 0))  # 10 PM Monday to 6 AM Tuesday
    timesheet = sheet(night)
    assert [(day.date, day.minutes) for day in timesheet.days] == [(date(2026, 11, 23), 480)]
    assert timesheet.on(date(2026, 11, 24)).minutes == 0


@pytest.mark.parametrize(
    ("start", "end", "hours"),
    [
        (utc(2026, 3, 8, 5, 0), utc(2026, 3, 8, 10, 0), 5),  # midnight to 6 AM, an hour is skipped
        (utc(2026, 11, 1, 4, 0), utc(2026, 11, 1, 11, 0), 7),  # midnight to 6 AM, an hour comes twice
    ],
)
def test_a_night_on_which_the_clocks_change_is_worth_the_hours_lived_through(start, end, hours):
    assert sheet(Punches(start, end)).minutes == hours * 60


def test_an_open_shift_is_worth_what_it_has_lasted():
    assert sheet(Punches(NOW - timedelta(minutes=75), None)).minutes == 75


def test_an_open_shift_that_began_on_a_clock_ahead_of_ours_is_worth_nothing_yet():
    assert sheet(Punches(NOW + timedelta(seconds=90), None)).minutes == 0


def test_of_two_shifts_that_began_at_one_instant_the_finished_one_stands_first():
    running, passed_by = Punches(NOW, None), Punches(NOW, NOW)
    lines = sheet(running, passed_by).days[0].lines
    assert [line.shift for line in lines] == [passed_by, running]


def test_nobody_worked_is_no_day_and_no_minute():
    timesheet = sheet()
    assert (timesheet.days, timesheet.weeks, timesheet.minutes) == ([], [], 0)


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection]:
    engine = make_engine(database_url)
    with engine.connect() as opened:
        yield opened
    engine.dispose()


@examples(40)
@given(start=instants, length=st.integers(0, 40 * 24 * 3600))
@example(start=utc(2026, 3, 8, 6, 59, 59), length=1)
@example(start=utc(1999, 12, 31, 23, 59, 59), length=61)
def test_the_database_counts_as_python_does(connection, start, length):
    end = start + timedelta(seconds=length)
    first, last = (clock_minutes(type_coerce(instant, UtcDateTime)) for instant in (start, end))
    minutes = last - first
    assert connection.scalar(select(minutes)) == worked_minutes(start, end)


def test_the_meal_is_taken_once_from_a_persons_day_and_never_makes_more_work_worth_less():
    meal = MealRule(30, 240)
    rules = TimeRules(NEW_YORK, meal)
    assert [meal.meal(worked) for worked in (0, 240, 241, 250, 270, 480)] == [0, 0, 1, 10, 30, 30]
    morning = Punches(utc(2026, 11, 23, 12, 2), utc(2026, 11, 23, 16, 30))
    afternoon = Punches(utc(2026, 11, 23, 17, 10), utc(2026, 11, 23, 20, 31))
    other = Punches(utc(2026, 11, 23, 12, 0), utc(2026, 11, 23, 17, 0), user_id=2)
    day = Timesheet([morning, afternoon], rules=rules, now=NOW).days[0]
    assert (day.minutes, day.meal, day.paid) == (469, 30, 439)
    assert day.why == "7:02 AM–11:30 AM + 12:10 PM–3:31 PM − 0:30 meal"
    assert Timesheet([morning, afternoon, other], rules=rules, now=NOW).meal == 60


@pytest.mark.parametrize(
    ("start", "end", "why"),
    [
        (utc(2026, 11, 23, 12, 2), utc(2026, 11, 24, 20, 31), "7:02 AM–Tue Nov 24 3:31 PM"),
        (utc(2026, 11, 24, 3, 0), utc(2026, 11, 24, 5, 0), "10:00 PM–Tue Nov 24 12:00 AM"),
        (utc(2026, 11, 1, 5, 20), utc(2026, 11, 1, 6, 10), "1:20 AM EDT–1:10 AM EST"),
        (utc(2026, 3, 8, 6, 50), utc(2026, 3, 8, 7, 10), "1:50 AM EST–3:10 AM EDT"),
        (utc(2026, 11, 23, 12, 2), None, "7:02 AM–now"),
    ],
)
def test_a_day_says_when_its_shifts_ended_if_that_is_not_plain(start, end, why):
    assert sheet(Punches(start, end)).days[0].why == why


def test_a_day_has_the_meal_rule_that_was_in_force_on_it():
    changes = ((date(2026, 11, 3), MealRule(30, 240)), (date(2026, 11, 5), MealRule(60, 360)))
    rules = TimeRules(NEW_YORK, MealRule(), changes)
    days = [Punches(utc(2026, 11, day, 13, 0), utc(2026, 11, day, 21, 0)) for day in (2, 3, 4, 5, 6)]
    found = Timesheet(days, rules=rules, now=NOW).days
    assert [day.meal for day in found] == [0, 30, 30, 60, 60]
    assert (rules.has_meals, TimeRules(NEW_YORK).has_meals) == (True, False)


def test_the_day_that_grows_is_the_one_on_which_the_open_shift_counts():
    yesterday = Punches(utc(2026, 11, 23, 3, 0), None)  # Sunday, 10 PM
    timesheet = sheet(yesterday)
    assert not timesheet.on(date(2026, 11, 23)).is_live
    (week,) = timesheet.weeks
    assert (week.start, week.live_day.date) == (date(2026, 11, 16), date(2026, 11, 22))
