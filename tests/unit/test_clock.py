"""Shop days and times of day as instants, over the days on which the clocks are changed."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
import time_machine
from hypothesis import given
from hypothesis import strategies as st

from flask_app.clock import day_bounds, day_of, last_time_of_day, next_time_of_day, utc_now, week_start

NEW_YORK = ZoneInfo("America/New_York")
SPRING, AUTUMN = date(2026, 3, 8), date(2026, 11, 1)

zones = st.sampled_from(
    ["America/New_York", "America/Los_Angeles", "UTC", "Asia/Kolkata", "Australia/Lord_Howe"]
).map(ZoneInfo)
instants = st.integers(1_577_836_800, 2_051_222_400).map(lambda stamp: datetime.fromtimestamp(stamp, UTC))
days = st.dates(date(2020, 1, 1), date(2034, 12, 31))
times = st.times().map(lambda t: t.replace(microsecond=0))


def local(day: date, hour: int, minute: int = 0, *, fold: int = 0) -> datetime:
    return datetime.combine(day, time(hour, minute, fold=fold), NEW_YORK).astimezone(UTC)


@pytest.mark.parametrize(
    ("day", "hours"), [(SPRING, 23), (date(2026, 3, 9), 24), (AUTUMN, 25), (date(2026, 12, 31), 24)]
)
def test_a_day_has_as_many_hours_as_the_shop_lives_through(day, hours):
    start, end = day_bounds(day, NEW_YORK)
    assert end - start == timedelta(hours=hours)
    assert start.astimezone(NEW_YORK) == datetime.combine(day, time.min, NEW_YORK)


def test_a_day_whose_midnight_does_not_exist_begins_when_the_clocks_jump():
    zone = ZoneInfo("America/Santiago")  # 2026-09-06: 00:00 becomes 01:00
    start, end = day_bounds(date(2026, 9, 6), zone)
    assert start.astimezone(zone).time() == time(1, 0)
    assert end - start == timedelta(hours=23)


@given(days, zones)
def test_days_follow_each_other_without_gap_or_overlap(day, zone):
    assert day_bounds(day, zone)[1] == day_bounds(day + timedelta(days=1), zone)[0]


@given(instants, zones)
def test_every_instant_lies_in_the_day_that_clocks_show(instant, zone):
    start, end = day_bounds(instant.astimezone(zone).date(), zone)
    assert start <= instant < end


@given(instants, zones)
def test_the_day_of_an_instant_is_the_date_that_clocks_show(instant, zone):
    assert day_of(instant, zone) == instant.astimezone(zone).date()


def test_a_day_that_has_begun_goes_on_where_clocks_go_back_over_midnight():
    zone = ZoneInfo("America/St_Johns")  # 2010-11-07: 00:01 became 23:01 of the day before
    begins, ends = day_bounds(date(2010, 11, 7), zone)
    assert ends - begins == timedelta(hours=25)
    shown_again = begins + timedelta(minutes=30)
    assert shown_again.astimezone(zone).date() == date(2010, 11, 6)
    assert day_of(shown_again, zone) == date(2010, 11, 7)


@given(times, instants, zones)
def test_now_lies_between_the_last_and_the_next_time_of_day(at, now, zone):
    last, following = last_time_of_day(at, zone, now=now), next_time_of_day(at, zone, now=now)
    assert last <= now < following
    assert timedelta(hours=23) <= following - last <= timedelta(hours=25)


@given(times, instants, zones)
def test_the_next_time_of_day_is_the_last_one_once_it_has_come(at, now, zone):
    following = next_time_of_day(at, zone, now=now)
    assert last_time_of_day(at, zone, now=following) == following
    assert following.astimezone(zone).date() > last_time_of_day(at, zone, now=now).astimezone(zone).date()


@pytest.mark.parametrize("day", [SPRING, AUTUMN])
def test_six_in_the_morning_is_six_on_the_wall_on_the_day_of_the_change(day):
    evening = local(day - timedelta(days=1), 22)
    assert next_time_of_day(time(6), NEW_YORK, now=evening) == local(day, 6)
    assert last_time_of_day(time(6), NEW_YORK, now=local(day, 6)) == local(day, 6)
    before = local(day, 6) - timedelta(seconds=1)
    assert last_time_of_day(time(6), NEW_YORK, now=before) == local(day - timedelta(days=1), 6)


def test_a_time_that_comes_twice_counts_once_the_first_time():
    first, second = local(AUTUMN, 1, 30), local(AUTUMN, 1, 30, fold=1)
    assert second - first == timedelta(hours=1)
    assert last_time_of_day(time(1, 30), NEW_YORK, now=second) == first
    assert next_time_of_day(time(1, 30), NEW_YORK, now=first) > second


def test_a_time_that_is_skipped_comes_an_hour_later_on_the_wall():
    due = next_time_of_day(time(2, 30), NEW_YORK, now=local(SPRING, 1))
    assert due == local(SPRING, 3, 30)


@given(days)
def test_a_week_begins_on_its_monday(day):
    start = week_start(day)
    assert start.weekday() == 0
    assert start <= day < start + timedelta(days=7)


def test_now_has_whole_seconds_because_mysql_would_round_them():
    with time_machine.travel(datetime(2026, 11, 23, 12, 0, 0, 999_999, tzinfo=UTC), tick=False):
        assert utc_now() == datetime(2026, 11, 23, 12, tzinfo=UTC)
