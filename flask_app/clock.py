"""The only place that asks what time it is, and the only one that turns shop days into instants."""

from datetime import UTC, date, datetime, time, timedelta, tzinfo
from time import monotonic

__all__ = [
    "at_minute", "comes_twice", "day_bounds", "day_of", "from_stamp", "instant_of", "last_time_of_day",
    "monotonic", "next_time_of_day", "to_minute", "utc_now", "week_start",
]  # fmt: skip


def utc_now() -> datetime:
    """Return the present instant, aware, in whole seconds.

    Whole seconds, because MySQL's DATETIME *rounds* a fraction: a punch at 7:00:00.6 would come back
    as 7:00:01, after the instant that the page has already shown.
    """
    return datetime.now(UTC).replace(microsecond=0)


def from_stamp(seconds: int) -> datetime:
    """Return the instant that is so many seconds after the beginning of 1970."""
    return datetime.fromtimestamp(seconds, UTC)


def to_minute(instant: datetime) -> datetime:
    """Return `instant` as clocks show it, cut to its minute. Every rule about hours is on this."""
    return instant.replace(second=0, microsecond=0)


def day_bounds(day: date, zone: tzinfo) -> tuple[datetime, datetime]:
    """Return the UTC instants at which the local `day` begins and ends: 23, 24 or 25 hours apart."""
    return (shown_at(day, time.min, zone), shown_at(day + timedelta(days=1), time.min, zone))


def day_of(instant: datetime, zone: tzinfo) -> date:
    """Return the local day of an instant: the one between whose bounds it lies.

    That is the date on the clock, except where clocks go back over midnight and show the old date again for
    a while (St. John's until 2011): a day that has begun goes on, so days never overlap.
    """
    local = instant.astimezone(zone)
    day = local.date()
    if local.fold and instant >= shown_at(day + timedelta(days=1), time.min, zone):
        return day + timedelta(days=1)
    return day


class NoSuchTime(ValueError):
    """Clocks never showed this time on that day: they were put forward over it."""


def instant_of(day: date, at: time, zone: tzinfo, *, second: bool = False) -> datetime:
    """Return the UTC instant at which clocks in `zone` show `at` on `day`. Raises NoSuchTime.

    `second` asks for the later one where clocks go back and show it twice.
    """
    instant = datetime.combine(day, at, tzinfo=zone).replace(fold=int(second)).astimezone(UTC)
    if instant.astimezone(zone).replace(tzinfo=None) != datetime.combine(day, at):
        raise NoSuchTime(f"There was no {at:%H:%M} on {day}.")
    return instant


def comes_twice(day: date, at: time, zone: tzinfo) -> bool:
    """Whether clocks in `zone` show `at` twice on `day`."""
    first, second = (datetime.combine(day, at, tzinfo=zone).replace(fold=fold) for fold in (0, 1))
    return first.utcoffset() > second.utcoffset()  # type: ignore[operator]  # a zone always has an offset


def at_minute(minute: int) -> datetime:
    """Return the instant of a minute since 1970 in UTC, as models.types.clock_minutes counts them."""
    return datetime.fromtimestamp(60 * minute, UTC)


def week_start(day: date) -> date:
    """Return the Monday on or before `day`."""
    return day - timedelta(days=day.weekday())


def last_time_of_day(at: time, zone: tzinfo, *, now: datetime) -> datetime:
    """Return the latest instant, not after `now`, at which clocks in `zone` showed `at`."""
    today = now.astimezone(zone).date()
    due = shown_at(today, at, zone)
    return due if due <= now else shown_at(today - timedelta(days=1), at, zone)


def next_time_of_day(at: time, zone: tzinfo, *, now: datetime) -> datetime:
    """Return the first instant after `now` at which clocks in `zone` show `at`."""
    today = now.astimezone(zone).date()
    due = shown_at(today, at, zone)
    return due if due > now else shown_at(today + timedelta(days=1), at, zone)


def shown_at(day: date, at: time, zone: tzinfo) -> datetime:
    """Return the instant at which clocks in `zone` show `at` on `day`: the first of two; where they are put
    forward over it, the one that it would have been."""
    return datetime.combine(day, at, tzinfo=zone).astimezone(UTC)
