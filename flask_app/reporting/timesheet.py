"""Turns shifts into hours: the one time rule behind every screen. Pure: no database, no clock.

The rule. A shift counts on the shop-local day on which it started. It is worth the clock minutes between its
two punches, each cut to the minute as it is shown: 7:02:40 to 11:30:10 reads "7:02 – 11:30", is worth 4:28.
So whoever adds up the times on the page gets the total on the page, and switching jobs loses nothing.

The meal rule. Whoever works more than `after` minutes on a day has up to `minutes` taken off, never so much
that working longer would pay less: 4:10 after "30 min after 4 h" loses ten minutes. It belongs to a person
and a day over all jobs and is always a figure of its own: paid = worked - meal. The rule of a day is the one
that was in force on it.

reporting/hours.py says the same in SQL; a property test holds the two together.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, tzinfo
from itertools import groupby
from typing import Any, Generic, Protocol, TypeVar

from flask_app.clock import day_of, week_start
from flask_app.formats import short_day, time_of_day
from flask_app.words import _


@dataclass(frozen=True, slots=True)
class MealRule:
    """Up to `minutes` are taken off a day of more than `after` minutes; 0 is no meal rule."""

    minutes: int = 0
    after: int = 0

    def meal(self, worked: int) -> int:
        """Return the minutes of meal in `worked` minutes of one person's day."""
        return min(self.minutes, max(0, worked - self.after))


@dataclass(frozen=True, slots=True)
class TimeRules:
    """How a shop counts its hours: its zone, its first meal rule, and from which days on others hold."""

    zone: tzinfo
    first_meal: MealRule = MealRule()
    meal_changes: tuple[tuple[date, MealRule], ...] = ()  # in order

    @property
    def has_meals(self) -> bool:
        """Whether a meal was ever taken off."""
        return any(rule.minutes for rule in (self.first_meal, *(rule for _, rule in self.meal_changes)))

    def meal_rule(self, day: date) -> MealRule:
        """Return the meal rule that was in force on a day."""
        return next((rule for since, rule in reversed(self.meal_changes) if since <= day), self.first_meal)

    def day_of(self, instant: datetime) -> date:
        return day_of(instant, self.zone)


class Worked(Protocol):
    """What a timesheet needs to know of a shift: whose, and two aware UTC instants, None while it runs."""

    user_id: Any  # int; a mapped column is one only on instances, which a protocol cannot say
    started_at: Any  # datetime
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
    """What counts on one shop-local day, earliest first. `minutes` is worked, `paid` is without `meal`."""

    date: date
    lines: Sequence[Line[S]]
    rules: TimeRules

    @property
    def minutes(self) -> int:
        return sum(line.minutes for line in self.lines)

    @property
    def meal(self) -> int:
        people: dict[int, int] = defaultdict(int)
        for line in self.lines:
            people[line.shift.user_id] += line.minutes
        rule = self.meal_rule
        return sum(rule.meal(worked) for worked in people.values())

    @property
    def paid(self) -> int:
        return self.minutes - self.meal

    @property
    def meal_rule(self) -> MealRule:
        return self.rules.meal_rule(self.date)

    @property
    def is_live(self) -> bool:
        """Whether it goes on growing: somebody is on the clock whose shift counts on this day."""
        return any(line.shift.ended_at is None for line in self.lines)

    @property
    def open(self) -> int:
        """The minutes of shifts that are not over."""
        return sum(line.minutes for line in self.lines if line.shift.ended_at is None)

    @property
    def assumed(self) -> int:
        """The minutes of shifts whose end nobody punched."""
        return sum(line.minutes for line in self.lines if getattr(line.shift, "assumed_at", None))

    @property
    def why(self) -> str:
        """Return one person's day as a sum: "7:02 AM–11:30 AM + 12:10 PM–3:31 PM − 0:30 meal".

        An end on a later day says which; where the clocks were changed meanwhile both ends say their time.
        """
        sum_of = " + ".join(self._span(line.shift.started_at, line.shift.ended_at) for line in self.lines)
        return _("%(sum)s − %(meal)s meal", sum=sum_of, meal=_hm(self.meal)) if self.meal else sum_of

    def _span(self, started_at: datetime, ended_at: datetime | None) -> str:
        start = started_at.astimezone(self.rules.zone)
        if ended_at is None:
            return _("%(start)s–now", start=time_of_day(start))
        end = ended_at.astimezone(self.rules.zone)
        names = ("", "") if start.utcoffset() == end.utcoffset() else (f" {start:%Z}", f" {end:%Z}")
        later = "" if end.date() == start.date() else f"{short_day(end)} "
        return f"{time_of_day(start)}{names[0]}–{later}{time_of_day(end)}{names[1]}"


@dataclass(frozen=True, slots=True)
class Week(Generic[S]):
    """The worked days of the week that begins on Monday `start`, or of a longer while from `start` on."""

    start: date
    days: Sequence[Day[S]]

    @property
    def open(self) -> int:
        return sum(day.open for day in self.days)

    @property
    def assumed(self) -> int:
        return sum(day.assumed for day in self.days)

    @property
    def live_day(self) -> Day[S] | None:
        """The day that goes on growing, if there is one."""
        return next((day for day in self.days if day.is_live), None)

    @property
    def minutes(self) -> int:
        return sum(day.minutes for day in self.days)

    @property
    def meal(self) -> int:
        return sum(day.meal for day in self.days)

    @property
    def paid(self) -> int:
        return self.minutes - self.meal


class Timesheet(Generic[S]):
    """Days, weeks and totals of some shifts, as a shop with `rules` sees them at `now`.

    `between` leaves out what counts on other days than from its first to its second.
    """

    def __init__(
        self,
        shifts: Iterable[S],
        *,
        rules: TimeRules,
        now: datetime,
        between: tuple[date, date] = (date.min, date.max),
    ) -> None:
        self._rules = rules
        self._now = now
        days = self._group(sorted(shifts, key=_punches))
        self.days = [day for day in days if between[0] <= day.date <= between[1]]

    @property
    def minutes(self) -> int:
        return sum(day.minutes for day in self.days)

    @property
    def meal(self) -> int:
        return sum(day.meal for day in self.days)

    @property
    def paid(self) -> int:
        return self.minutes - self.meal

    @property
    def weeks(self) -> list[Week[S]]:
        grouped = groupby(self.days, key=lambda day: week_start(day.date))
        return [Week(start, tuple(days)) for start, days in grouped]

    def since(self, first: date) -> Week[S]:
        """Return the days from `first` on with their sums."""
        return Week(first, [day for day in self.days if day.date >= first])

    def on(self, day: date) -> Day[S]:
        """Return that day, without shifts if nobody worked."""
        return next((found for found in self.days if found.date == day), Day(day, (), self._rules))

    def _group(self, shifts: Iterable[S]) -> Iterator[Day[S]]:
        days: dict[date, list[Line[S]]] = defaultdict(list)
        for shift in shifts:
            # An open shift may begin a second "from now": another host's clock was a little ahead.
            end = shift.ended_at or max(self._now, shift.started_at)
            line = Line(shift, worked_minutes(shift.started_at, end))
            days[self._rules.day_of(shift.started_at)].append(line)
        yield from (Day(day, tuple(days[day]), self._rules) for day in sorted(days))


def _punches(shift: Worked) -> tuple[datetime, bool, datetime]:
    """Sort key. Two shifts may begin at one instant: the one that ended first came first."""
    return (shift.started_at, shift.ended_at is None, shift.ended_at or shift.started_at)


def _hm(minutes: int) -> str:
    return f"{minutes // 60}:{minutes % 60:02}"
