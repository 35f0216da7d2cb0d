"""Turns shifts into hours: the one time rule behind every screen. Pure: no database, no clock.

The rule. A shift counts on the shop-local day on which it started. It is worth the clock minutes between its
two punches, each cut to the minute as it is shown: 7:02:40 to 11:30:10 reads "7:02 – 11:30", is worth
4:28. So whoever adds up the times on the page gets the total on the page, and switching jobs loses nothing.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, tzinfo
from itertools import groupby
from typing import Any, Generic, Protocol, TypeVar

from flask_app.utils.clock import week_start


class Worked(Protocol):
    """What a timesheet needs to know of a shift: two aware UTC instants, the second None while it runs."""

    started_at: Any  # datetime; a mapped column is one only on instances, which a protocol cannot say
    ended_at: Any  # datetime | None


S = TypeVar("S", bound=Worked)


def worked_minutes(start: datetime, end: datetime) -> int:
    """Return the clock minutes from one aware instant to another."""
    return int(end.timestamp()) // 60 - int(start.timestamp()) // 60


@dataclass(frozen=True, slots=True)
class Line(Generic[S]):
    """One shift and what it is worth, up to now if it is still open."""

    shift: S
    minutes: int


@dataclass(frozen=True, slots=True)
class Day(Generic[S]):
    """The shifts that started on one shop-local day, earliest first."""

    date: date
    lines: Sequence[Line[S]]

    @property
    def minutes(self) -> int:
        return sum(line.minutes for line in self.lines)


@dataclass(frozen=True, slots=True)
class Week(Generic[S]):
    """The worked days of the week that begins on Monday `start`."""

    start: date
    days: Sequence[Day[S]]

    @property
    def minutes(self) -> int:
        return sum(day.minutes for day in self.days)


class Timesheet(Generic[S]):
    """Days, weeks and totals of some shifts, as a shop in `zone` sees them at `now`."""

    def __init__(self, shifts: Iterable[S], *, zone: tzinfo, now: datetime) -> None:
        self._zone = zone
        self._now = now
        self.days = list(self._group(sorted(shifts, key=_punches)))

    @property
    def minutes(self) -> int:
        return sum(day.minutes for day in self.days)

    @property
    def weeks(self) -> list[Week[S]]:
        grouped = groupby(self.days, key=lambda day: week_start(day.date))
        return [Week(start, tuple(days)) for start, days in grouped]

    def on(self, day: date) -> Day[S]:
        """Return that day, without shifts if nobody worked."""
        return next((found for found in self.days if found.date == day), Day(day, ()))

    def _group(self, shifts: Iterable[S]) -> Iterator[Day[S]]:
        for day, group in groupby(shifts, key=lambda shift: shift.started_at.astimezone(self._zone).date()):
            yield Day(day, tuple(Line(shift, self._worth(shift)) for shift in group))

    def _worth(self, shift: S) -> int:
        # An open shift may begin a second "from now": another host's clock was a little ahead.
        return worked_minutes(shift.started_at, shift.ended_at or max(self._now, shift.started_at))


def _punches(shift: Worked) -> tuple[datetime, bool, datetime]:
    """Sort key. Two shifts may begin at one instant: the one that ended first came first."""
    return (shift.started_at, shift.ended_at is None, shift.ended_at or shift.started_at)
