from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_app.adopt.wall_clocks import (
    AUTOMATIC,
    SKIPPED,
    STANDARD,
    TWICE,
    UNSURE,
    ClocksError,
    WallClocks,
)

NEW_YORK = ZoneInfo("America/New_York")
CLOCKS = WallClocks.read(STANDARD, server=UTC, shop=NEW_YORK)


def wall(*parts: Any) -> datetime:
    return datetime(*parts)  # noqa: DTZ001  # what a column of the old database holds


def utc(*parts: Any) -> datetime:
    return datetime(*parts, tzinfo=UTC)


@pytest.mark.parametrize(
    ("stored", "began"),
    [
        (wall(2024, 7, 1, 11, 2, 40), utc(2024, 7, 1, 11, 2, 40)),  # the server's clock, UTC here
        (wall(2025, 3, 28, 7, 2), utc(2025, 3, 28, 11, 2)),  # typed by an admin in shop time
        (wall(2025, 4, 8, 11, 2, 40), utc(2025, 4, 8, 11, 2, 40)),  # sent as UTC by the browser
        (wall(2026, 1, 5, 7, 2), utc(2026, 1, 5, 12, 2)),  # the browser's own time, cut to the minute
        (wall(2026, 1, 5, 12, 2, 40), utc(2026, 1, 5, 12, 2, 40)),  # without JavaScript the server's UTC
    ],
)
def test_a_start_is_read_off_the_clock_that_wrote_it_then(stored, began):
    start = CLOCKS.start(stored, stored_end=None)
    assert (start.at, start.marks) == (began, ())


def test_a_start_that_two_clocks_can_have_written_takes_the_one_that_fits_the_end_and_says_so():
    start = CLOCKS.start(wall(2025, 4, 14, 16, 0), stored_end=wall(2025, 4, 14, 20, 30))
    assert (start.at, start.marks) == (utc(2025, 4, 14, 20, 0), (UNSURE,))


def test_a_start_between_two_rules_says_so():
    assert CLOCKS.start(wall(2025, 4, 3, 18, 0, 30), stored_end=None).marks == (UNSURE,)


def test_the_hour_that_came_twice_says_so():
    start = CLOCKS.start(wall(2025, 11, 2, 1, 20), stored_end=None)
    assert (start.at, start.marks) == (utc(2025, 11, 2, 5, 20), (TWICE,))


def test_an_end_in_the_hour_that_came_twice_is_not_before_its_start():
    clocks = WallClocks.read(STANDARD, server=NEW_YORK, shop=NEW_YORK)
    end = clocks.end(wall(2025, 11, 2, 1, 20), start=utc(2025, 11, 2, 6, 10))
    assert (end.at, end.marks) == (utc(2025, 11, 2, 6, 20), (TWICE,))


def test_a_time_that_no_clock_showed_says_so():
    assert CLOCKS.start(wall(2026, 3, 8, 2, 30), stored_end=None).marks == (SKIPPED,)


def test_an_end_that_the_old_clock_out_wrote_is_in_shop_time_whatever_the_server_has():
    end = CLOCKS.end(wall(2026, 1, 5, 15, 30), start=utc(2026, 1, 5, 12, 2))
    assert (end.at, end.marks) == (utc(2026, 1, 5, 20, 30), (AUTOMATIC,))
    saturday = CLOCKS.end(wall(2026, 1, 3, 15, 30), start=utc(2026, 1, 3, 12, 2))
    assert (saturday.at, saturday.marks) == (utc(2026, 1, 3, 15, 30), ())


@given(st.datetimes(wall(2023, 1, 1), wall(2026, 11, 1)), st.sampled_from(["UTC", "America/New_York"]))
def test_every_start_is_read_back_exactly_or_marked(moment, server):
    zone = ZoneInfo(server)
    clocks = WallClocks.read(STANDARD, server=zone, shop=NEW_YORK)
    at = moment.replace(microsecond=0, tzinfo=UTC)
    rule = next(rule for rule in clocks.starts if rule.since <= at < rule.until)
    at = at.replace(second=0) if rule.whole_minutes else at
    if not rule.since <= at:
        return  # cut to the minute, it lies before the rule
    stored = at.astimezone(clocks.zones[rule.clock]).replace(tzinfo=None)
    start = clocks.start(stored, stored_end=None)
    assert start.at == at or start.marks


def test_a_day_of_work_is_exact_although_the_clocks_differ():
    end = CLOCKS.end(
        wall(2026, 1, 5, 20, 31, 7), start=CLOCKS.start(wall(2026, 1, 5, 7, 2), stored_end=None).at
    )
    assert end.at - utc(2026, 1, 5, 12, 2) == timedelta(hours=8, minutes=29, seconds=7)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[[start", "can't be read"),
        ('[[start]]\nclock = "server"\n', "'end'"),
        ('[[start]]\nclock = "phone"\n[end]\nclock = "server"\n', "names a clock 'phone'"),
        ('[[start]]\nclock = "UTC"\n[[start]]\nclock = "UTC"\n[end]\nclock = "server"\n', "an `until`"),
    ],
)
def test_a_file_of_clocks_that_cannot_be_used_says_why(tmp_path, text, says):
    path = tmp_path / "clocks.toml"
    path.write_text(text)
    with pytest.raises(ClocksError, match=says):
        WallClocks.read(path, server=UTC, shop=NEW_YORK)
