"""Utilisation: what everybody worked, against what could have been worked. Rule: facts of the old program.

Possible are 6.5 hours for each Monday to Friday of the range, up to today, without the shop's holidays, and
for each person only from the first to the last day of work.
"""

from collections.abc import Iterable, Sequence, Set
from datetime import date, datetime, timedelta
from itertools import groupby
from typing import Any

from sqlalchemy import func, select

from flask_app.models.database import db
from flask_app.models.shop_rules import Holiday
from flask_app.models.user import DEPARTMENTS, User, full_name
from flask_app.reporting.hours import Selection, person_days
from flask_app.reporting.report import HOURS, PERCENT, WHOLE, Column, Report, Row, listed
from flask_app.reporting.timesheet import TimeRules

POSSIBLE_MINUTES = 390  # a working day's 6.5 hours
BANDS = (("over", 100.0), ("good", 80.0), ("fair", 50.0))  # over: more than; the others: at least


def band(percent: float | None) -> str:
    """Return the word for a utilisation as it is shown, with one decimal; "" where there is none."""
    if percent is None:
        return ""
    if percent > BANDS[0][1]:
        return "over"
    return next((word for word, least in BANDS[1:] if percent >= least), "low")


def quarterly_report(
    selection: Selection, rules: TimeRules, *, now: datetime, period: str, sort: str = ""
) -> Report:
    """Return everybody who has hours in the range, and everybody on the roster who could have."""
    days = working_days(selection, today=rules.day_of(now))
    worked = _worked(selection, rules, now)
    meals = bool(rules.meal_minutes)
    lines = [_line(person, worked.get(person.id), days) for person in _people(selection)]
    lines = [line for line in lines if line["shifts"] or (line["expected"] and line["possible"])]
    columns = [
        Column("Employee", sort="person", link="range"), Column("Department", sort="department"),
        Column("Total Shifts", WHOLE), Column("Total Hours", HOURS, sort="worked"),
        Column("Possible Hours", HOURS), Column("Utilization %", PERCENT, sort="utilization"),
    ]  # fmt: skip
    columns += [Column("Meal", HOURS), Column("Paid", HOURS)] if meals else []
    totals = _together("All", lines, meals)
    figures = [("Working days", WHOLE, len(days)), ("Worked", HOURS, totals[3])]
    figures += [("Possible", HOURS, totals[4]), ("Utilization", PERCENT, totals[5])]
    rows = _rows(lines, meals, sort)
    return Report("Utilization", period, [listed("Utilization", columns, rows, totals)], figures)


def working_days(selection: Selection, *, today: date) -> list[date]:
    """Return Monday to Friday of the range up to today, without holidays."""
    last = min(selection.last, today)
    off: Set[date] = {holiday.day for holiday in Holiday.between(selection.first, last)}
    count = max(0, (last - selection.first).days + 1)
    days = (selection.first + timedelta(n) for n in range(count))
    return [day for day in days if day.weekday() < 5 and day not in off]


def _worked(selection: Selection, rules: TimeRules, now: datetime) -> dict[int, Any]:
    days = person_days(selection, rules, now=now)
    query = select(
        days.c.user_id, func.sum(days.c.shifts), func.sum(days.c.minutes), func.sum(days.c.meal)
    ).group_by(days.c.user_id)
    return {row[0]: row for row in db.session.execute(query)}


def _people(selection: Selection) -> Sequence[Any]:
    active = User.approved_at.is_not(None) & User.deleted_date.is_(None)
    query = select(
        User.id, User.first_name, User.last_name, User.told_apart_by, User.name_key, User.department,
        User.hire_date, User.leave_date,
        (active & User.on_active_roster).label("expected"),
    )  # fmt: skip
    if selection.department is not None:
        query = query.where(User.department == selection.department)
    return db.session.execute(query.order_by(*User.by_name())).all()


def _line(person: Any, worked: Any, days: Sequence[date]) -> dict[str, Any]:
    first, last = person.hire_date or date.min, person.leave_date or date.max
    mine = days if (first, last) == (date.min, date.max) else [d for d in days if first <= d <= last]
    _, shifts, minutes, meal = worked or (0, 0, 0, 0)
    return {
        "id": person.id, "key": person.name_key,
        "name": full_name(person.first_name, person.last_name, person.told_apart_by),
        "department": person.department, "expected": person.expected, "shifts": int(shifts),
        "minutes": int(minutes), "meal": int(meal),
        "possible": POSSIBLE_MINUTES * len(mine),
    }  # fmt: skip


def utilization(minutes: int, possible: int) -> float | None:
    """Return percent with one decimal, None where nothing was possible."""
    return round(100 * minutes / possible, 1) if possible else None


def _cells(name: str, department: str, line: dict[str, Any], meals: bool) -> list[Any]:
    minutes, possible, meal = line["minutes"], line["possible"], line["meal"]
    cells = [name, department, line["shifts"], minutes, possible, utilization(minutes, possible)]
    return cells + ([meal, minutes - meal] if meals else [])


def _together(name: str, lines: Iterable[dict[str, Any]], meals: bool) -> list[Any]:
    lines = list(lines)
    sums = {key: sum(line[key] for line in lines) for key in ("shifts", "minutes", "possible", "meal")}
    return _cells(name, "", sums, meals)


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
        rows.append(Row(_together(f"{name}, together", mine, meals), is_group=True))
    return rows


def _row(line: dict[str, Any], meals: bool) -> Row:
    department = DEPARTMENTS.get(line["department"], line["department"])
    return Row(_cells(line["name"], department, line, meals), {"person": line["id"]})
