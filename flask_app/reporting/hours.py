"""The time rule in SQL: hours by person and day, without loading a shift. Twin of reporting/timesheet.py."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import ColumnElement, Integer, Subquery, case, cast, func, literal, select, union_all

from flask_app.clock import day_bounds, week_start
from flask_app.models.database import db
from flask_app.models.shift import Shift, end_or_now
from flask_app.models.types import clock_minutes, whole_days
from flask_app.models.user import User
from flask_app.reporting.departments import Departments
from flask_app.reporting.timesheet import MealRule, TimeRules, Timesheet

EPOCH = date(1970, 1, 1).toordinal()
_DAY = 1440  # minutes
K = TypeVar("K")


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


class PersonDay(NamedTuple):
    """What one person worked on one day, in minutes."""

    user_id: int
    day: date
    shifts: int
    minutes: int
    meal: int
    open: int = 0  # of the minutes, those that may still change: of an open shift, of an assumed end
    assumed: int = 0

    @property
    def paid(self) -> int:
        return self.minutes - self.meal


@dataclass(frozen=True, slots=True)
class UnsettledShift:
    """A shift whose minutes may still change: it is open, or its end was assumed."""

    user_id: int
    day: date
    minutes: int
    is_open: bool


def pieces(
    selection: Selection, rules: TimeRules, *rule_of_shifts: ColumnElement[bool], now: datetime
) -> Subquery[Any]:
    """Return the selection's shifts for which the rules hold: id, user_id, job_id, day (days since 1970) and
    minutes."""
    start = day_bounds(selection.first, rules.zone)[0]
    end = day_bounds(selection.last, rules.zone)[1]
    began = clock_minutes(Shift.started_at)
    query = select(
        Shift.id,
        Shift.user_id,
        Shift.job_id,
        whole_days(began + _offset(selection, rules)).label("day"),
        (clock_minutes(end_or_now(now)) - began).label("minutes"),
    )
    query = query.where(Shift.started_at >= start, Shift.started_at < end)
    for rule in rule_of_shifts:
        query = query.where(rule)
    found: Subquery[Any] = _chosen(query, selection, rules).subquery("pieces")
    return found


def read_unsettled(
    selection: Selection, rules: TimeRules, *rule_of_shifts: ColumnElement[bool], now: datetime
) -> list[UnsettledShift]:
    """Return what nobody has punched out of by now, and what has an end that was assumed: a few shifts, each
    kind by its own index."""
    kinds = ((True, Shift.open_for > 0), (False, Shift.assumed_at.is_not(None)))
    each = [(is_open, pieces(selection, rules, rule, *rule_of_shifts, now=now)) for is_open, rule in kinds]
    query = union_all(
        *(select(piece.c.user_id, piece.c.day, piece.c.minutes, literal(is_open)) for is_open, piece in each)
    )
    rows = db.session.execute(query)
    return [
        UnsettledShift(user, as_date(day), int(minutes), bool(is_open))
        for user, day, minutes, is_open in rows
    ]


def unsettled_minutes(shifts: Iterable[UnsettledShift]) -> tuple[int, int]:
    """Return how many minutes are of open shifts, and how many of shifts with an assumed end."""
    is_open = [0, 0]
    for shift in shifts:
        is_open[shift.is_open] += shift.minutes
    return is_open[True], is_open[False]


def unsettled_by(
    shifts: Iterable[UnsettledShift], key: Callable[[UnsettledShift], K]
) -> dict[K, tuple[int, int]]:
    """Return unsettled_minutes() of the shifts that have the same key, by that key."""
    found: dict[K, list[UnsettledShift]] = defaultdict(list)
    for shift in shifts:
        found[key(shift)].append(shift)
    return {each: unsettled_minutes(its) for each, its in found.items()}


def person_days(
    selection: Selection, rules: TimeRules, *, now: datetime, last_shift: bool = False
) -> Subquery[Any]:
    """Return user_id, day, shifts, minutes and meal of each person and day that has hours; if it is asked for
    also last_shift, the id of the one that was entered last.

    The meal is that of the selected hours: only tell it where `selection.whole_days`.
    """
    piece = pieces(selection, rules, now=now)
    sums = select(
        piece.c.user_id,
        piece.c.day,
        func.count().label("shifts"),
        func.sum(piece.c.minutes).label("minutes"),
    )
    if last_shift:
        # The cast gives it the type of an id on SQLite, which else reads all days for each shift it joins.
        sums = sums.add_columns(cast(func.max(piece.c.id), Integer).label("last_shift"))
    days = sums.group_by(piece.c.user_id, piece.c.day).subquery("sums")
    return select(*days.c, _meal(days, rules).label("meal")).subquery("person_days")


def meals_by_shift(selection: Selection, rules: TimeRules, *, now: datetime) -> Subquery[Any]:
    """Return shift_id and meal: the meal of each person's day with the shift that was entered last on it, so
    that the shifts' meals add up to those of the days. Only for a selection of whole days."""
    days = person_days(selection, rules, now=now, last_shift=True)
    return select(days.c.last_shift.label("shift_id"), days.c.meal).where(days.c.meal > 0).subquery("meals")


def _meal(days: Subquery[Any], rules: TimeRules) -> ColumnElement[int]:
    """The meal of a person's day, by the rule that was in force on it."""
    first = _meal_by(rules.first_meal, days.c.minutes)
    later = [
        (days.c.day >= since.toordinal() - EPOCH, _meal_by(rule, days.c.minutes))
        for since, rule in reversed(rules.meal_changes)
    ]
    return case(*later, else_=first) if later else first


def _meal_by(rule: MealRule, minutes: ColumnElement[int]) -> ColumnElement[int]:
    if not rule.minutes:
        return literal(0)
    over = minutes - rule.after
    return case((over <= 0, 0), (over < rule.minutes, over), else_=rule.minutes)


def read_person_days(
    selection: Selection, rules: TimeRules, *, now: datetime, unsettled: bool = False
) -> list[PersonDay]:
    """Return each person's days, by person and day; with `unsettled` they say what may still change."""
    unsettled_shifts = read_unsettled(selection, rules, now=now) if unsettled else ()
    may_change = unsettled_by(unsettled_shifts, lambda shift: (shift.user_id, shift.day))
    days = person_days(selection, rules, now=now)
    figures = select(days.c.user_id, days.c.day, days.c.shifts, days.c.minutes, days.c.meal)
    rows = db.session.execute(figures.order_by(days.c.user_id, days.c.day))
    read, day_of = [], cache(as_date)
    for user, number, shifts, minutes, meal in rows:
        day = day_of(number)
        unsettled_too = may_change.get((user, day), (0, 0)) if may_change else (0, 0)
        read.append(PersonDay(user, day, shifts, int(minutes), int(meal), *unsettled_too))
    return read


def hours_by_week(
    today: date, weeks: int, rules: TimeRules, *, now: datetime
) -> list[tuple[date, dict[str, int]]]:
    """Return worked minutes by department of the last `weeks` weeks, each with its Monday, this one last."""
    first = _first_of(today, weeks)
    piece = pieces(Selection(first, today), rules, now=now)
    moved = Departments.read(first).of_day(piece.c.user_id, piece.c.day, EPOCH)
    where = select(piece.c.day, piece.c.minutes, func.coalesce(moved, User.department).label("department"))
    each = where.join(User, User.id == piece.c.user_id).subquery("each_piece")
    query = select(each.c.day, each.c.department, func.sum(each.c.minutes))
    query = query.group_by(each.c.day, each.c.department)
    found: dict[date, dict[str, int]] = {first + timedelta(weeks=n): {} for n in range(weeks)}
    for day, department, minutes in db.session.execute(query):
        by = found[week_start(as_date(day))]
        by[department] = by.get(department, 0) + int(minutes)
    return list(found.items())


def unsettled_by_week(
    today: date, weeks: int, rules: TimeRules, *, now: datetime
) -> dict[tuple[date, str], tuple[int, int]]:
    """Return how many minutes of hours_by_week() are of open shifts, and how many of assumed ends, by Monday
    and department."""
    first = _first_of(today, weeks)
    shifts = read_unsettled(Selection(first, today), rules, now=now)
    query = select(User.id, User.department).where(User.id.in_({shift.user_id for shift in shifts}))
    present = {user_id: department for user_id, department in db.session.execute(query)}
    departments = Departments.read(first)

    def where(shift: UnsettledShift) -> tuple[date, str]:
        department = departments.on(shift.user_id, shift.day, present[shift.user_id])
        return week_start(shift.day), department

    return unsettled_by(shifts, where)


def _first_of(today: date, weeks: int) -> date:
    return week_start(today) - timedelta(weeks=weeks - 1)


def as_date(number: int) -> date:
    """Return the date of a day in SQL: days since 1970."""
    return date.fromordinal(EPOCH + int(number))


def timesheet_of(user: User, first: date, last: date, rules: TimeRules, *, now: datetime) -> Timesheet[Shift]:
    """Return one person's hours that count on the shop days `first` to `last`, both included."""
    start, end = day_bounds(first, rules.zone)[0], day_bounds(last, rules.zone)[1]
    shifts = Shift.of(user, start=start, end=end)
    return Timesheet(shifts, rules=rules, now=now, between=(first, last))


def _offset(selection: Selection, rules: TimeRules) -> Any:
    """What to add to the minute of a shift's start, that whole days are shop days: a number, or a CASE."""
    parts = list(_offsets(selection, rules))
    if len(parts) == 1:
        return literal(parts[0][1])
    return case(*((Shift.started_at < until, minutes) for until, minutes in parts[:-1]), else_=parts[-1][1])


def _offsets(selection: Selection, rules: TimeRules) -> Iterator[tuple[datetime, int]]:
    """Yield (until when, minutes to add) over the days of the selection, from each day's own bounds.

    A day of more than 24 hours ends as the day after it begins: its last hours take that one's number.
    """
    offset, until = None, day_bounds(selection.first, rules.zone)[0]
    for ordinal in range(selection.first.toordinal(), selection.last.toordinal() + 2):
        begins, ends = day_bounds(date.fromordinal(ordinal), rules.zone)
        mine = (ordinal - EPOCH) * _DAY - int(begins.timestamp()) // 60
        if offset is not None and mine != offset:
            yield until, offset
        offset, until = mine, min(ends, begins + timedelta(minutes=_DAY))
    if offset is not None:
        yield until, offset


def _chosen(query: Any, selection: Selection, rules: TimeRules) -> Any:
    if selection.user_id is not None:
        query = query.where(Shift.user_id == selection.user_id)
    if selection.job_id is not None:
        query = query.where(Shift.job_id == selection.job_id)
    if selection.department is not None:
        departments = Departments.read(selection.first)
        query = query.where(departments.chosen(selection.department, rules.zone))
    return query
