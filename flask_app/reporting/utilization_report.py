"""Utilisation: what everybody worked, against what could have been worked. Rule: facts of the old program.

Possible are 6.5 hours for each working day of the range, up to today, without the shop's holidays, and for
each person only from the first to the last day of work. Working days are Monday to Friday; whoever has a week
of their own is measured by that: three days a week are fully used at 19.5 hours.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import groupby
from typing import Any

from sqlalchemy import func, select

from flask_app.clock import week_start
from flask_app.models.database import db
from flask_app.models.dated import Dated
from flask_app.models.employment import Days, Employment
from flask_app.models.shop_rules import Holiday
from flask_app.models.user import DEPARTMENTS, User, full_name
from flask_app.models.working_week import USUAL, WorkingWeek, works_on
from flask_app.reporting.departments import Departments
from flask_app.reporting.hours import (
    EPOCH,
    Selection,
    UnsettledShift,
    person_days,
    read_unsettled,
    unsettled_by,
)
from flask_app.reporting.report import (
    DAY,
    HOURS,
    PERCENT,
    UNSETTLED_COLUMNS,
    WHOLE,
    Column,
    Report,
    Row,
    Unsettled,
    listed,
    unsettled_figures,
)
from flask_app.reporting.timesheet import TimeRules
from flask_app.words import _

Whose = tuple[int, str | None]  # a person, and a department of somebody who moved
_HOURS = 4  # the place of the hours in a line
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
    possible = Possible.read(selection, today=rules.day_of(now))
    departments = Departments.read(selection.first)
    worked = _worked(selection, rules, departments, now)
    meals = rules.has_meals
    lines = [line for person in _people() for line in _lines(person, worked, possible, departments, rules)]
    lines = [line for line in lines if selection.department in (None, line["department"])]
    lines = [line for line in lines if line["shifts"] or (line["expected"] and line["possible"])]
    columns = _columns(meals)
    sums = _together(_("All"), lines)
    totals = _cells(sums, meals)
    share = utilization(sums["minutes"], sums["possible"])
    figures = [(_("Working days"), WHOLE, len(possible.usual)), (_("Worked"), HOURS, sums["minutes"])]
    figures += [(_("Possible"), HOURS, sums["possible"]), (_("Utilization"), PERCENT, share)]
    figures += unsettled_figures(sums["open"], sums["assumed"])
    table = listed(_("Utilization"), columns, _rows(lines, meals, sort), totals, _unsettled_cell(sums))
    return Report(_("Utilization"), period, [table], figures)


def _columns(meals: bool) -> list[Column]:
    columns = [
        Column(_("Employee"), sort="person", link="range"), Column(_("Employee number"), in_files=True),
        Column(_("Department"), sort="department", minor=True),
        Column(_("Total Shifts"), WHOLE), Column(_("Total Hours"), HOURS, sort="worked", link="range"),
        Column(_("Possible Hours"), HOURS, link="possible"),
        Column(_("Utilization %"), PERCENT, sort="utilization"),
    ]  # fmt: skip
    columns += [Column(_("Meal"), HOURS), Column(_("Paid"), HOURS)] if meals else []
    return [*columns, *UNSETTLED_COLUMNS]


@dataclass(frozen=True, slots=True)
class Possible:
    """The days on which people could have worked: `open` ones up to today, without the shop's holidays;
    `usual` are those of Monday to Friday."""

    open: Sequence[date]
    usual: Sequence[date]
    weeks: Mapping[int, Dated[int]]
    employments: Mapping[int, Sequence[Days]]

    @classmethod
    def read(cls, selection: Selection, *, today: date) -> "Possible":
        last = min(selection.last, today)
        off = {holiday.day for holiday in Holiday.between(selection.first, last)}
        count = max(0, (last - selection.first).days + 1)
        days = [selection.first + timedelta(n) for n in range(count)]
        opened = [day for day in days if day not in off]
        usual = [day for day in opened if works_on(USUAL, day)]
        return cls(opened, usual, WorkingWeek.by_person(), Employment.by_person())

    def days_of(self, person: Any, rules: TimeRules) -> Sequence[date]:
        """Return the days on which somebody could have worked: while employed, in the own week."""
        week = self.weeks.get(person.id)
        days = [day for day in self.open if works_on(week.on(day), day)] if week else self.usual
        spans = self.employments.get(person.id) or [(person.hire_date, person.leave_date)]
        if person.deleted_date is not None and spans[-1][1] is None:  # left without a last day
            spans = [*spans[:-1], (spans[-1][0], rules.day_of(person.deleted_date))]
        if spans == [(None, None)]:
            return days
        return [day for day in days if any(_within(day, span) for span in spans)]


def _within(day: date, span: Days) -> bool:
    return (span[0] or date.min) <= day <= (span[1] or date.max)


def _worked(
    selection: Selection, rules: TimeRules, departments: Departments, now: datetime
) -> dict[Whose, Any]:
    """Return (shifts, minutes, meal, minutes of open shifts, minutes of assumed ends)."""
    unsettled = _unsettled(selection, rules, departments, now)
    days = person_days(selection, rules, now=now)
    moved = departments.of_day(days.c.user_id, days.c.day, EPOCH).label("moved")
    each = select(days, moved).subquery("each_day")
    sums = (func.sum(each.c[name]) for name in ("shifts", "minutes", "meal"))
    query = select(each.c.user_id, each.c.moved, *sums).group_by(each.c.user_id, each.c.moved)
    found = {(row[0], row[1]): row[2:] for row in db.session.execute(query)}
    return {whose: (*sums, *unsettled[whose]) for whose, sums in found.items()}


def _unsettled(
    selection: Selection, rules: TimeRules, departments: Departments, now: datetime
) -> Mapping[Whose, tuple[int, int]]:
    """Return (minutes of open shifts, minutes of assumed ends)."""

    def whose(shift: UnsettledShift) -> Whose:
        stays = departments.movers.get(shift.user_id)
        return shift.user_id, stays.on(shift.day) if stays else None

    sums = unsettled_by(read_unsettled(selection, rules, now=now), whose)
    return defaultdict(lambda: (0, 0), sums)


def _people() -> Sequence[Any]:
    active = User.approved_at.is_not(None) & User.deleted_date.is_(None)
    query = select(
        User.id, User.first_name, User.last_name, User.told_apart_by, User.name_key, User.department,
        User.employee_number,
        User.hire_date, User.leave_date, User.deleted_date,
        (active & User.on_active_roster).label("expected"),
    )  # fmt: skip
    return db.session.execute(query.order_by(*User.by_name())).all()


def _lines(
    person: Any,
    worked: Mapping[Whose, Any],
    possible: Possible,
    departments: Departments,
    rules: TimeRules,
) -> Iterable[dict[str, Any]]:
    """Yield a person's line; of somebody who moved one for each department."""
    mine = possible.days_of(person, rules)
    if person.id not in departments.movers:
        yield _line(person, person.department, worked.get((person.id, None)), len(mine))
        return
    stays = departments.movers[person.id]
    for code in dict.fromkeys(stays.values):
        here = sum(stays.on(day) == code for day in mine)
        yield _line(person, code, worked.get((person.id, code)), here)


def _line(person: Any, department: str, worked: Any, days: int) -> dict[str, Any]:
    shifts, minutes, meal, is_open, assumed = worked or (0, 0, 0, 0, 0)
    return {
        "id": person.id, "key": person.name_key,
        "name": full_name(person.first_name, person.last_name, person.told_apart_by),
        "department": department, "expected": person.expected, "shifts": int(shifts),
        "minutes": int(minutes), "meal": int(meal), "number": person.employee_number,
        "possible": POSSIBLE_MINUTES * days, "open": is_open, "assumed": assumed,
    }  # fmt: skip


def possible_report(
    selection: Selection, person: User, rules: TimeRules, *, now: datetime, period: str
) -> Report:
    """Return what makes up a person's possible hours: the days on which work was possible, week by week."""
    departments = Departments.read(selection.first)
    days = [
        day
        for day in Possible.read(selection, today=rules.day_of(now)).days_of(person, rules)
        if selection.department in (None, departments.on(person.id, day, person.department))
    ]
    columns = [
        Column(_("Week of"), DAY), Column(_("Days")), Column(_("Working days"), WHOLE),
        Column(_("Possible"), HOURS),
    ]  # fmt: skip
    rows = []
    for monday, group in groupby(days, key=week_start):
        mine = list(group)
        names = ", ".join(f"{day:%a %m/%d}" for day in mine)
        rows.append(Row((monday, names, len(mine), POSSIBLE_MINUTES * len(mine))))
    totals = [_("All"), None, len(days), POSSIBLE_MINUTES * len(days)]
    title = _("Possible hours of %(name)s", name=person.name)
    return Report(title, period, [listed(_("Possible hours"), columns, rows, totals)])


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
        sums = _together(_("%(department)s total", department=name), mine)
        together = _cells(sums, meals)
        ids = {"department": code, "band": _band(mine)}
        rows.append(Row(together, ids, is_group=True, unsettled=_unsettled_cell(sums)))
    return rows


def _row(line: Mapping[str, Any], meals: bool) -> Row:
    ids = {"person": line["id"], "department": line["department"], "band": _band([line])}
    return Row(_cells(line, meals), ids, unsettled=_unsettled_cell(line))


def _unsettled_cell(line: Mapping[str, Any]) -> dict[int, Unsettled]:
    """Return how much of a line's hours may still change, by their place."""
    return {_HOURS: (line["open"], line["assumed"])}


def _band(lines: Sequence[Mapping[str, Any]]) -> str:
    return band(sum(line["minutes"] for line in lines), sum(line["possible"] for line in lines))
