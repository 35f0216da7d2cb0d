"""Hours by employee and day, week or month, with subtotals by department."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime, timedelta
from itertools import groupby
from typing import Any

from sqlalchemy import select

from flask_app.clock import week_start
from flask_app.models.database import db
from flask_app.models.user import DEPARTMENTS, User, full_name
from flask_app.reporting.hours import PersonDay, Selection, read_person_days
from flask_app.reporting.report import HOURS, WHOLE, Column, Report, Row, listed
from flask_app.reporting.timesheet import TimeRules

DAYS_AT_MOST = 31  # a longer range is shown by weeks, and one of more weeks than this by months
WEEKS_AT_MOST = 27

Figures = tuple[int, int, dict[date, int]]  # worked, meal, worked by column


def hours_report(selection: Selection, rules: TimeRules, *, now: datetime, period: str) -> Report:
    """Return what everybody worked on the days of the selection."""
    slot = _slots(selection)
    days = read_person_days(selection, rules, now=now)
    slots = sorted({slot(selection.first + timedelta(n)) for n in range(_length(selection))})
    people = _people({day.user_id for day in days})
    meals = rules.has_meals
    columns = [Column("Employee", link="person"), Column("Department")]
    columns += [Column(_label(start, selection), HOURS, link="day") for start in slots]
    columns += [Column("Worked", HOURS)]
    columns += [Column("Meal", HOURS), Column("Paid", HOURS)] if meals else []
    by_person = {user_id: list(group) for user_id, group in groupby(days, key=lambda day: day.user_id)}
    sums = {user_id: _figures(mine, slot) for user_id, mine in by_person.items()}
    rows: list[Row] = []
    for department, members in groupby(people, key=lambda person: person.department):
        rows += _department(department, list(members), sums, slots, selection.last, meals)
    everything = _figures(days, slot)
    totals = ["All", "", *_cells(everything, slots, meals)]
    figures = [("People", WHOLE, len(people)), ("Worked", HOURS, everything[0])]
    if meals:
        figures += [("Meal", HOURS, everything[1]), ("Paid", HOURS, everything[0] - everything[1])]
    return Report("Hours", period, [listed("Hours", columns, rows, totals)], figures)


def _department(
    code: str,
    members: Sequence[Any],
    sums: dict[int, Figures],
    slots: Sequence[date],
    last: date,
    meals: bool,
) -> Iterable[Row]:
    name = DEPARTMENTS.get(code, code)
    ends = [start - timedelta(days=1) for start in slots[1:]]
    spans = list(zip(slots, [*ends, last], strict=True))
    for person in members:
        cells = _cells(sums[person.id], slots, meals)
        ids = {"person": person.id, "days": spans}
        shown = full_name(person.first_name, person.last_name, person.told_apart_by)
        yield Row((shown, name, *cells), ids)
    whole = _added([sums[person.id] for person in members])
    yield Row((f"{name}, together", "", *_cells(whole, slots, meals)), is_group=True)


def _figures(days: Iterable[PersonDay], slot: Callable[[date], date]) -> Figures:
    worked, meal, by_slot = 0, 0, defaultdict[date, int](int)
    for day in days:
        worked += day.minutes
        meal += day.meal
        by_slot[slot(day.day)] += day.minutes
    return worked, meal, by_slot


def _added(many: Sequence[Figures]) -> Figures:
    by_slot = defaultdict[date, int](int)
    for _, _, mine in many:
        for start, minutes in mine.items():
            by_slot[start] += minutes
    return sum(one[0] for one in many), sum(one[1] for one in many), by_slot


def _cells(figures: Figures, slots: Sequence[date], meals: bool) -> list[int | None]:
    worked, meal, by_slot = figures
    return [*(by_slot.get(start) for start in slots), worked, *([meal, worked - meal] if meals else [])]


def _people(ids: set[int]) -> Sequence[Any]:
    query = select(User.id, User.first_name, User.last_name, User.told_apart_by, User.department)
    rows = db.session.execute(query.order_by(User.department, *User.by_name()))
    return [row for row in rows if row.id in ids]


def _length(selection: Selection) -> int:
    return (selection.last - selection.first).days + 1


def _slots(selection: Selection) -> Callable[[date], date]:
    """Return what puts a day into its column: the day itself, its Monday, or the first of its month."""
    if _length(selection) <= DAYS_AT_MOST:
        return lambda day: day
    if _length(selection) <= 7 * WEEKS_AT_MOST:
        return lambda day: max(week_start(day), selection.first)
    return lambda day: max(day.replace(day=1), selection.first)


def _label(start: date, selection: Selection) -> str:
    if _length(selection) <= DAYS_AT_MOST:
        return start.strftime("%a %m/%d")
    if _length(selection) <= 7 * WEEKS_AT_MOST:
        return start.strftime("From %m/%d")
    return start.strftime("%b %Y")
