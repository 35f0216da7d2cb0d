"""The time rule in SQL: hours by person and day, without loading a shift. Twin of reporting/timesheet.py."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    Subquery,
    and_,
    case,
    func,
    literal,
    not_,
    or_,
    select,
    union_all,
)

from flask_app.clock import day_bounds, week_start
from flask_app.models.database import db
from flask_app.models.shift import Shift, end_or_now
from flask_app.models.types import UtcDateTime, clock_minutes, whole_days
from flask_app.models.user import User
from flask_app.reporting.timesheet import TimeRules, Timesheet

_EPOCH = date(1970, 1, 1).toordinal()


@dataclass(frozen=True, slots=True)
class Selection:
    """The hours that count on the shop days `first` to `last`, both included; of whom and on what."""

    first: date
    last: date
    user_id: int | None = None
    department: str | None = None
    job_id: int | None = None

    @property
    def whole_days(self) -> bool:
        """Whether each person's days are whole in it, so that the meal rule can be told."""
        return self.job_id is None


@dataclass(frozen=True, slots=True)
class PersonDay:
    """What one person worked on one day, in minutes. `shifts` counts those that started on it."""

    user_id: int
    day: date
    shifts: int
    minutes: int
    meal: int

    @property
    def paid(self) -> int:
        return self.minutes - self.meal


def pieces(selection: Selection, rules: TimeRules, *, now: datetime) -> Subquery[Any]:
    """Return the stretches of work: user_id, job_id, day (days since 1970), starts (1 or NULL), minutes."""
    if rules.split_at_midnight:
        found: Subquery[Any] = _split(selection, rules, now).subquery("pieces")
    else:
        found = _chosen(_whole(selection, rules, now), selection).subquery("pieces")
    return found


def person_days(selection: Selection, rules: TimeRules, *, now: datetime) -> Subquery[Any]:
    """Return user_id, day, shifts, minutes and meal of each person and day that has hours.

    The meal is that of the selected hours: only tell it where `selection.whole_days`.
    """
    piece = pieces(selection, rules, now=now)
    sums = select(
        piece.c.user_id,
        piece.c.day,
        func.count(piece.c.starts).label("shifts"),
        func.sum(piece.c.minutes).label("minutes"),
    )
    days = sums.group_by(piece.c.user_id, piece.c.day).subquery("sums")
    over = days.c.minutes - rules.meal_after
    meal = case((over <= 0, 0), (over < rules.meal_minutes, over), else_=rules.meal_minutes)
    return select(*days.c, meal.label("meal")).subquery("person_days")


def read_person_days(selection: Selection, rules: TimeRules, *, now: datetime) -> list[PersonDay]:
    """Return each person's days by person and day."""
    days = person_days(selection, rules, now=now)
    rows = db.session.execute(select(days).order_by(days.c.user_id, days.c.day))
    return [PersonDay(user, as_date(day), int(n), int(m), int(meal)) for user, day, n, m, meal in rows]


def hours_by_week(
    today: date, weeks: int, rules: TimeRules, *, now: datetime
) -> list[tuple[date, dict[str, int]]]:
    """Return worked minutes by department of the last `weeks` weeks, each with its Monday, this one last."""
    first = week_start(today) - timedelta(weeks=weeks - 1)
    piece = pieces(Selection(first, today), rules, now=now)
    query = select(piece.c.day, User.department, func.sum(piece.c.minutes))
    query = query.join(User, User.id == piece.c.user_id).group_by(piece.c.day, User.department)
    found: dict[date, dict[str, int]] = {first + timedelta(weeks=n): {} for n in range(weeks)}
    for day, department, minutes in db.session.execute(query):
        by = found[week_start(as_date(day))]
        by[department] = by.get(department, 0) + int(minutes)
    return list(found.items())


def as_date(number: int) -> date:
    """Return the date of a day in SQL: days since 1970."""
    return date.fromordinal(_EPOCH + int(number))


def timesheet_of(user: User, first: date, last: date, rules: TimeRules, *, now: datetime) -> Timesheet[Shift]:
    """Return one person's hours that count on the shop days `first` to `last`, both included."""
    start, end = day_bounds(first, rules.zone)[0], day_bounds(last, rules.zone)[1]
    shifts = Shift.of(user, start=start, end=end, reaching=rules.split_at_midnight)
    return Timesheet(shifts, rules=rules, now=now, between=(first, last))


def _whole(selection: Selection, rules: TimeRules, now: datetime) -> Any:
    start = day_bounds(selection.first, rules.zone)[0]
    end = day_bounds(selection.last, rules.zone)[1]
    began = clock_minutes(Shift.started_at)
    return select(
        Shift.user_id,
        Shift.job_id,
        whole_days(began + _offset(selection, rules)).label("day"),
        literal(1).label("starts"),
        (clock_minutes(end_or_now(now)) - began).label("minutes"),
    ).where(Shift.started_at >= start, Shift.started_at < end)


def _offset(selection: Selection, rules: TimeRules) -> Any:
    """The zone's minutes ahead of UTC at a shift's start: a number, or a CASE over the clock's changes."""
    parts = list(_offsets(selection, rules))
    if len(parts) == 1:
        return literal(parts[0][1])
    return case(*((Shift.started_at < until, minutes) for until, minutes in parts[:-1]), else_=parts[-1][1])


def _offsets(selection: Selection, rules: TimeRules) -> Iterator[tuple[datetime, int]]:
    """Yield (until when, minutes ahead of UTC), over the days of the selection."""
    day = selection.first
    while day <= selection.last:
        at, end = day_bounds(day, rules.zone)
        while _ahead(at, rules) != _ahead(end, rules):
            change = _change(at, end, rules)
            yield change, _ahead(at, rules)
            at = change
        day += timedelta(days=1)
    yield day_bounds(selection.last, rules.zone)[1], _ahead(day_bounds(selection.last, rules.zone)[1], rules)


def _change(at: datetime, end: datetime, rules: TimeRules) -> datetime:
    """Return the first minute after `at` at which the zone's clock is set otherwise."""
    before = _ahead(at, rules)
    while end - at > timedelta(minutes=1):
        middle = at + (end - at) // 2
        middle = middle.replace(second=0, microsecond=0)
        at, end = (middle, end) if _ahead(middle, rules) == before else (at, middle)
    return end


def _ahead(instant: datetime, rules: TimeRules) -> int:
    offset = instant.astimezone(rules.zone).utcoffset() or timedelta()
    return int(offset.total_seconds()) // 60


def _split(selection: Selection, rules: TimeRules, now: datetime) -> Any:
    """Each shift once for every day that it reaches into, between that day's midnights."""
    columns = _over_midnight(selection, rules, now), _within_a_day(selection, rules, now)
    return union_all(*(_chosen(query, selection) for query in columns))


def _within_a_day(selection: Selection, rules: TimeRules, now: datetime) -> Any:
    return _whole(selection, rules, now).where(not_(_may_cross(selection, rules, now)))


def _over_midnight(selection: Selection, rules: TimeRules, now: datetime) -> Any:
    days, end = _days(selection, rules), end_or_now(now)
    starts_here = and_(Shift.started_at >= days.c.begins, Shift.started_at < days.c.ends)
    reaches_in = and_(Shift.started_at < days.c.begins, end > days.c.begins)
    from_ = case((Shift.started_at > days.c.begins, Shift.started_at), else_=days.c.begins)
    until = case((end < days.c.ends, end), else_=days.c.ends)
    return (
        select(
            Shift.user_id,
            Shift.job_id,
            days.c.day.label("day"),
            case((starts_here, 1)).label("starts"),
            (clock_minutes(until) - clock_minutes(from_)).label("minutes"),
        )
        .select_from(days.join(Shift, or_(starts_here, reaches_in)))
        .where(
            Shift.started_at < day_bounds(selection.last, rules.zone)[1],
            _may_cross(selection, rules, now),
        )
    )


def _may_cross(selection: Selection, rules: TimeRules, now: datetime) -> ColumnElement[bool]:
    """Whether a shift goes over midnight at one of the zone's offsets: few do, and only those are joined
    with the days, which is slow."""
    ahead = {minutes for _, minutes in _offsets(selection, rules)}
    start, end = clock_minutes(Shift.started_at), clock_minutes(end_or_now(now))
    return or_(*(whole_days(start + offset) != whole_days(end + offset) for offset in sorted(ahead)))


def _days(selection: Selection, rules: TimeRules) -> CTE:
    """The days of the selection: their number, and the instants at which they begin and end."""
    rows = []
    for ordinal in range(selection.first.toordinal(), selection.last.toordinal() + 1):
        begins, ends = day_bounds(date.fromordinal(ordinal), rules.zone)
        instants = (literal(begins, UtcDateTime).label("begins"), literal(ends, UtcDateTime).label("ends"))
        rows.append(select(literal(ordinal - _EPOCH).label("day"), *instants))
    return union_all(*rows).cte("days")


def _chosen(query: Any, selection: Selection) -> Any:
    if selection.user_id is not None:
        query = query.where(Shift.user_id == selection.user_id)
    if selection.job_id is not None:
        query = query.where(Shift.job_id == selection.job_id)
    if selection.department is not None:
        query = query.join(User, User.id == Shift.user_id).where(User.department == selection.department)
    return query
