"""The only place that asks what time it is, and the only one that turns shop days into instants."""

from datetime import UTC, date, datetime, time, timedelta, tzinfo
from time import monotonic

__all__ = [
    "day_bounds", "last_time_of_day", "day_of", "monotonic", "next_time_of_day", "utc_now", "week_start",
]  # fmt: skip


def utc_now() -> datetime:
    """Return the present instant, aware, in whole seconds.

    Whole seconds, because MySQL's DATETIME *rounds* a fraction: a punch at 7:00:00.6 would come back
    as 7:00:01, after the instant that the page has already shown.
    """
    return datetime.now(UTC).replace(microsecond=0)


def day_bounds(day: date, zone: tzinfo) -> tuple[datetime, datetime]:
    """Return the UTC instants at which the local `day` begins and ends: 23, 24 or 25 hours apart."""
    return (_instant(day, time.min, zone), _instant(day + timedelta(days=1), time.min, zone))


def day_of(instant: datetime, zone: tzinfo) -> date:
    """Return the local day of an instant: the one between whose bounds it lies.

    That is the date on the clock, except where clocks go back over midnight and show the old date again for
    a while (St. John's until 2011): a day that has begun goes on, so days never overlap.
    """
    local = instant.astimezone(zone)
    day = local.date()
    if local.fold and instant >= _instant(day + timedelta(days=1), time.min, zone):
        return day + timedelta(days=1)
    return day


def week_start(day: date) -> date:
    """Return the Monday on or before `day`."""
    return day - timedelta(days=day.weekday())


def last_time_of_day(at: time, zone: tzinfo, *, now: datetime) -> datetime:
    """Return the latest instant, not after `now`, at which clocks in `zone` showed `at`."""
    today = now.astimezone(zone).date()
    due = _instant(today, at, zone)
    return due if due <= now else _instant(today - timedelta(days=1), at, zone)


def next_time_of_day(at: time, zone: tzinfo, *, now: datetime) -> datetime:
    """Return the first instant after `now` at which clocks in `zone` show `at`."""
    today = now.astimezone(zone).date()
    due = _instant(today, at, zone)
    return due if due > now else _instant(today + timedelta(days=1), at, zone)


def _instant(day: date, at: time, zone: tzinfo) -> datetime:
    return datetime.combine(day, at, tzinfo=zone).astimezone(UTC)
