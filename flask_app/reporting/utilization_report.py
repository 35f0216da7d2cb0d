"""Utilisation: what everybody worked, against what could have been worked. Rule: facts of the old program.

Possible are 6.5 hours for each working day of the range, up to today, without the shop's holidays, and for
each person only from the first to the last day of work. Working days are Monday to Friday; whoever has a week
of their own is measured by that: three days a week are fully used at 19.5 hours.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from itertools import groupby
from typing import Any

from sqlalchemy import func, select

from flask_app.models.database import db
from flask_app.models.dated import Dated
from flask_app.models.shop_rules import Holiday
from flask_app.models.user import DEPARTMENTS, User, full_name
from flask_app.models.working_week import USUAL, WorkingWeek, works_on
from flask_app.reporting.hours import (
    Selection,
    Unsettled,
    person_days,
    read_unsettled,
    unsettled_minutes,
)
from flask_app.reporting.report import (
    HOURS,
    PERCENT,
    UNSETTLED_COLUMNS,
    WHOLE,
    Column,
    Report,
    Row,
    listed,
    unsettled_figures,
)
from flask_app.reporting.timesheet import TimeRules

POSSIBLE_MINUTES = 390  # a working day's 6.5 hours
_SUMMED = ("shifts", "minutes", "possible", "meal", "open", "assumed")
BANDS = (("over", 100.0), ("good", 80.0), ("fair", 50.0))  # over: more than; the others: at least


def band(minutes: int, possible: int) -> str:
    """Return the word for a utilisation, "" where nothing was possible. Compared in minutes: 100.04 % is
    over, though it is shown as 100.0 %."""
    if not possible:
        return ""
    if 100 * minutes > BANDS[0][1] * possible:
        return "over"
    return next((word for word, least in BANDS[1:] if 100 * minutes >= least * possible), "low")


def quarterly_report(
    selection: Selection, rules: TimeRules, *, now: datetime, period: str, sort: str = ""
) -> Report:
    """Return everybody who has hours in the range, and everybody on the roster who could have."""
    worked = _worked(selection, rules, now)
    meals = rules.has_meals
    weeks = WorkingWeek.by_person()
    possible = Possible(selection, today=rules.day_of(now), weeks=weeks)
    unsettled = _unsettled(selection, rules, now)
    lines = [
        _line(person, worked.get(person.id), unsettled[person.id], possible) for person in _people(selection)
    ]
    lines = [line for line in lines if line["shifts"] or (line["expected"] and line["possible"])]
    columns = _columns(meals)
    sums = _together("All", lines)
    totals = _cells(sums, meals)
    share = utilization(sums["minutes"], sums["possible"])
    figures = [("Working days", WHOLE, len(possible.usual)), ("Worked", HOURS, sums["minutes"])]
    figures += [("Possible", HOURS, sums["possible"]), ("Utilization", PERCENT, share)]
    figures += unsettled_figures(sums["open"], sums["assumed"])
    rows = _rows(lines, meals, sort)
    return Report("Utilization", period, [listed("Utilization", columns, rows, totals)], figures)


def _columns(meals: bool) -> list[Column]:
    columns = [
        Column("Employee", sort="person", link="range"), Column("Employee number", in_files=True),
        Column("Department", sort="department"),
        Column("Total Shifts", WHOLE), Column("Total Hours", HOURS, sort="worked"),
        Column("Possible Hours", HOURS), Column("Utilization %", PERCENT, sort="utilization"),
    ]  # fmt: skip
    columns += [Column("Meal", HOURS), Column("Paid", HOURS)] if meals else []
    return [*columns, *UNSETTLED_COLUMNS]


class Possible:
    """The days of a range on which people could have worked: up to today, without the shop's holidays."""

    def __init__(self, selection: Selection, *, today: date, weeks: Mapping[int, Dated[int]]) -> None:
        last = min(selection.last, today)
        off = {holiday.day for holiday in Holiday.between(selection.first, last)}
        count = max(0, (last - selection.first).days + 1)
        days = (selection.first + timedelta(n) for n in range(count))
        self.open = [day for day in days if day not in off]
        self.usual = [day for day in self.open if works_on(USUAL, day)]
        self._weeks = weeks

    def days_of(self, user_id: int, first: date | None, last: date | None) -> list[date]:
        """Return the days on which somebody who was employed from `first` to `last` could have worked."""
        days, week = self.usual, self._weeks.get(user_id)
        if week is not None:
            days = [day for day in self.open if works_on(week.on(day), day)]
        if first is None and last is None:
            return days
        return [day for day in days if (first or date.min) <= day <= (last or date.max)]


def _worked(selection: Selection, rules: TimeRules, now: datetime) -> dict[int, Any]:
    days = person_days(selection, rules, now=now)
    query = select(
        days.c.user_id, func.sum(days.c.shifts), func.sum(days.c.minutes), func.sum(days.c.meal)
    ).group_by(days.c.user_id)
    return {row[0]: row for row in db.session.execute(query)}


def _unsettled(selection: Selection, rules: TimeRules, now: datetime) -> Mapping[int, tuple[int, int]]:
    """Return (minutes of open shifts, minutes of assumed ends) of each person."""
    by_person: dict[int, list[Unsettled]] = defaultdict(list)
    for shift in read_unsettled(selection, rules, now=now):
        by_person[shift.user_id].append(shift)
    sums = {user_id: unsettled_minutes(shifts) for user_id, shifts in by_person.items()}
    return defaultdict(lambda: (0, 0), sums)


def _people(selection: Selection) -> Sequence[Any]:
    active = User.approved_at.is_not(None) & User.deleted_date.is_(None)
    query = select(
        User.id, User.first_name, User.last_name, User.told_apart_by, User.name_key, User.department,
        User.employee_number,
        User.hire_date, User.leave_date,
        (active & User.on_active_roster).label("expected"),
    )  # fmt: skip
    if selection.department is not None:
        query = query.where(User.department == selection.department)
    return db.session.execute(query.order_by(*User.by_name())).all()


def _line(person: Any, worked: Any, unsettled: tuple[int, int], possible: Possible) -> dict[str, Any]:
    mine = possible.days_of(person.id, person.hire_date, person.leave_date)
    _, shifts, minutes, meal = worked or (0, 0, 0, 0)
    return {
        "id": person.id, "key": person.name_key,
        "name": full_name(person.first_name, person.last_name, person.told_apart_by),
        "department": person.department, "expected": person.expected, "shifts": int(shifts),
        "minutes": int(minutes), "meal": int(meal), "number": person.employee_number,
        "possible": POSSIBLE_MINUTES * len(mine), "open": unsettled[0], "assumed": unsettled[1],
    }  # fmt: skip


def utilization(minutes: int, possible: int) -> float | None:
    """Return percent with one decimal, None where nothing was possible."""
    return round(100 * minutes / possible, 1) if possible else None


def _cells(line: Mapping[str, Any], meals: bool) -> list[Any]:
    minutes, possible, meal = line["minutes"], line["possible"], line["meal"]
    department = line["department"] and DEPARTMENTS.get(line["department"], line["department"])
    share = utilization(minutes, possible)
    cells = [line["name"], line["number"], department, line["shifts"], minutes, possible, share]
    return [*cells, *([meal, minutes - meal] if meals else []), line["open"], line["assumed"]]


def _together(name: str, lines: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the sums of some lines as a line of their own."""
    lines = list(lines)
    sums = {key: sum(line[key] for line in lines) for key in _SUMMED}
    return {"name": name, "number": None, "department": None, **sums}


def _rows(lines: list[dict[str, Any]], meals: bool, sort: str) -> list[Row]:
    """Sorted as asked; by department (the usual order) with what each department has together."""
    if sort:
        order = {
            "person": lambda line: line["key"],
            "department": lambda line: line["department"],
            "worked": lambda line: line["minutes"],
            "utilization": lambda line: utilization(line["minutes"], line["possible"]) or 0.0,
        }.get(sort.lstrip("-"), lambda line: line["key"])
        ordered = sorted(lines, key=order, reverse=sort.startswith("-"))
        return [_row(line, meals) for line in ordered]
    rows: list[Row] = []
    by_department = sorted(lines, key=lambda line: line["department"])
    for code, members in groupby(by_department, key=lambda line: line["department"]):
        mine = list(members)
        rows += [_row(line, meals) for line in mine]
        name = DEPARTMENTS.get(code, code)
        together = _cells(_together(f"{name}, together", mine), meals)
        rows.append(Row(together, {"band": _band(mine)}, is_group=True))
    return rows


def _row(line: Mapping[str, Any], meals: bool) -> Row:
    return Row(_cells(line, meals), {"person": line["id"], "band": _band([line])})


def _band(lines: Sequence[Mapping[str, Any]]) -> str:
    return band(sum(line["minutes"] for line in lines), sum(line["possible"] for line in lines))
