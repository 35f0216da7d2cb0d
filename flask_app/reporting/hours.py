"""The time rule in SQL: hours by person and day, without loading a shift. Twin of reporting/timesheet.py."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Subquery, case, func, literal, select

from flask_app.clock import day_bounds, week_start
from flask_app.models.database import db
from flask_app.models.shift import Shift, end_or_now
from flask_app.models.types import clock_minutes, whole_days
from flask_app.models.user import User
from flask_app.reporting.timesheet import MealRule, TimeRules, Timesheet

_EPOCH = date(1970, 1, 1).toordinal()
_DAY = 1440  # minutes


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
    """What one person worked on one day, in minutes."""

    user_id: int
    day: date
    shifts: int
    minutes: int
    meal: int

    @property
    def paid(self) -> int:
        return self.minutes - self.meal


def pieces(selection: Selection, rules: TimeRules, *, now: datetime) -> Subquery[Any]:
    """Return the shifts of the selection: user_id, job_id, day (days since 1970), minutes."""
    start = day_bounds(selection.first, rules.zone)[0]
    end = day_bounds(selection.last, rules.zone)[1]
    began = clock_minutes(Shift.started_at)
    query = select(
        Shift.user_id,
        Shift.job_id,
        whole_days(began + _offset(selection, rules)).label("day"),
        (clock_minutes(end_or_now(now)) - began).label("minutes"),
    )
    query = query.where(Shift.started_at >= start, Shift.started_at < end)
    found: Subquery[Any] = _chosen(query, selection).subquery("pieces")
    return found


def person_days(selection: Selection, rules: TimeRules, *, now: datetime) -> Subquery[Any]:
    """Return user_id, day, shifts, minutes and meal of each person and day that has hours.

    The meal is that of the selected hours: only tell it where `selection.whole_days`.
    """
    piece = pieces(selection, rules, now=now)
    sums = select(
        piece.c.user_id,
        piece.c.day,
        func.count().label("shifts"),
        func.sum(piece.c.minutes).label("minutes"),
    )
    days = sums.group_by(piece.c.user_id, piece.c.day).subquery("sums")
    return select(*days.c, _meal(days, rules).label("meal")).subquery("person_days")


def _meal(days: Subquery[Any], rules: TimeRules) -> ColumnElement[int]:
    """The meal of a person's day, by the rule that was in force on it."""
    first = _meal_by(rules.first_meal, days.c.minutes)
    later = [
        (days.c.day >= since.toordinal() - _EPOCH, _meal_by(rule, days.c.minutes))
        for since, rule in reversed(rules.meal_changes)
    ]
    return case(*later, else_=first) if later else first


def _meal_by(rule: MealRule, minutes: ColumnElement[int]) -> ColumnElement[int]:
    if not rule.minutes:
        return literal(0)
    over = minutes - rule.after
    return case((over <= 0, 0), (over < rule.minutes, over), else_=rule.minutes)


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
        mine = (ordinal - _EPOCH) * _DAY - int(begins.timestamp()) // 60
        if offset is not None and mine != offset:
            yield until, offset
        offset, until = mine, min(ends, begins + timedelta(minutes=_DAY))
    if offset is not None:
        yield until, offset


def _chosen(query: Any, selection: Selection) -> Any:
    if selection.user_id is not None:
        query = query.where(Shift.user_id == selection.user_id)
    if selection.job_id is not None:
        query = query.where(Shift.job_id == selection.job_id)
    if selection.department is not None:
        query = query.join(User, User.id == Shift.user_id).where(User.department == selection.department)
    return query
