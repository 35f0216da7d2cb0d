"""The shifts of a range of days, one line each."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import ColumnElement, func, select

from flask_app.clock import at_minute, day_bounds
from flask_app.models.database import db
from flask_app.models.job import Job
from flask_app.models.shift import Shift, end_or_now
from flask_app.models.types import clock_minutes
from flask_app.models.user import DEPARTMENTS, User, full_name
from flask_app.reporting.hours import (
    Selection,
    meals_by_shift,
    person_days,
    read_unsettled,
    unsettled_minutes,
)
from flask_app.reporting.report import (
    DAY,
    HOURS,
    MARKS,
    TIME,
    WHOLE,
    Column,
    Report,
    Row,
    Section,
    marked,
    unsettled_figures,
)
from flask_app.reporting.timesheet import TimeRules

ONLY = ("edited", "assumed", "open")
COLUMNS = (
    Column("Day", DAY, sort="start"),
    Column("Employee", sort="person", link="person"),
    Column("Employee number", in_files=True),
    Column("Department", sort="department"),
    Column("Job", sort="job", link="job"),
    Column("General contractor"),
    Column("Start", TIME, link="shift"),
    Column("End", TIME),
    Column("Worked", HOURS, sort="worked"),
    Column("Marks", MARKS),
    Column("Note"),
)
# A meal belongs to a person's day, not to a shift: it stands in the line of one shift of that day.
MEAL_COLUMNS = (Column("Meal", HOURS, in_files=True), Column("Paid", HOURS, in_files=True))
_CHUNK = 1000
_DAYS_KEPT = 4096  # minutes whose shop day is remembered: people start at much the same times
_OF_OTHERS = ("person", "department", "job")  # sorts that need the person or the job


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which shifts, in which order: a word of COLUMNS' `sort`, a minus before it for the other way round."""

    selection: Selection
    only: str = ""
    sort: str = "-start"


def shifts_report(wanted: Wanted, rules: TimeRules, *, now: datetime, period: str) -> Report:
    """Return every shift that began on the days of the selection, open ones up to `now`."""
    has_meals = rules.has_meals and wanted.selection.whole_days and not wanted.only
    # With meals all by one reading of the person's days.
    sums = _sums_with_meal if has_meals else _sums
    count, minutes, meal = sums(wanted, rules, now)
    figures = [("Shifts", WHOLE, count), ("Worked", HOURS, minutes)]
    if has_meals:
        figures += [("Meal", HOURS, meal), ("Paid", HOURS, minutes - meal)]
    if not wanted.only:
        may_change = read_unsettled(wanted.selection, rules, now=now)
        figures += unsettled_figures(*unsettled_minutes(may_change))

    def rows(limit: int | None, offset: int) -> Iterable[Row]:
        return _rows(wanted, rules, now, limit, offset, has_meals)

    columns: tuple[Column, ...] = COLUMNS
    totals = ["All", None, None, None, None, None, None, None, minutes, None, None]
    if has_meals:
        columns, totals = (*COLUMNS, *MEAL_COLUMNS), [*totals, meal, minutes - meal]
    return Report("Shifts", period, [Section("Shifts", columns, count, rows, totals)], figures)


def _worked(now: datetime) -> ColumnElement[int]:
    return clock_minutes(end_or_now(now)) - clock_minutes(Shift.started_at)


def _sums(wanted: Wanted, rules: TimeRules, now: datetime) -> tuple[int, int, int]:
    count, minutes = db.session.execute(
        _chosen(select(func.count(), func.sum(_worked(now))), wanted, rules)
    ).one()
    return int(count), int(minutes or 0), 0


def _sums_with_meal(wanted: Wanted, rules: TimeRules, now: datetime) -> tuple[int, int, int]:
    days = person_days(wanted.selection, rules, now=now)
    sums = select(func.sum(days.c.shifts), func.sum(days.c.minutes), func.sum(days.c.meal))
    count, minutes, meal = db.session.execute(sums).one()
    return int(count or 0), int(minutes or 0), int(meal or 0)


def _chosen(query: Any, wanted: Wanted, rules: TimeRules) -> Any:
    chosen, zone = wanted.selection, rules.zone
    query = query.select_from(Shift).where(
        Shift.started_at >= day_bounds(chosen.first, zone)[0],
        Shift.started_at < day_bounds(chosen.last, zone)[1],
    )
    if chosen.user_id is not None:
        query = query.where(Shift.user_id == chosen.user_id)
    if chosen.job_id is not None:
        query = query.where(Shift.job_id == chosen.job_id)
    if chosen.department is not None:
        people = select(User.id).where(User.department == chosen.department)
        query = query.where(Shift.user_id.in_(people))
    marks = {
        "edited": Shift.edited_at.is_not(None),
        "assumed": Shift.assumed_at.is_not(None),
        "open": Shift.open_for > 0,
    }
    return query.where(marks[wanted.only]) if wanted.only else query


def _rows(
    wanted: Wanted, rules: TimeRules, now: datetime, limit: int | None, offset: int, has_meals: bool
) -> Iterable[Row]:
    """Yield the lines; all of them (limit None) come by a cursor of the server, in chunks."""
    columns = [
        Shift.id, Shift.user_id, Shift.job_id, User.first_name, User.last_name, User.told_apart_by,
        User.employee_number, User.department, Job.im_number, Job.general_contractor,
        clock_minutes(Shift.started_at), clock_minutes(Shift.ended_at), _worked(now),
        Shift.edited_at.is_not(None), Shift.assumed_at.is_not(None), Shift.note,
    ]  # fmt: skip
    order = _order(wanted.sort, now)
    if limit is None:
        meals = meals_by_shift(wanted.selection, rules, now=now) if has_meals else None
        query = select(*columns) if meals is None else select(*columns, func.coalesce(meals.c.meal, 0))
        query = _chosen(query, wanted, rules).join(Shift.user).join(Shift.job).order_by(*order)
        query = query if meals is None else query.outerjoin(meals, meals.c.shift_id == Shift.id)
        query = query.execution_options(yield_per=_CHUNK)
    else:
        # First which shifts stand on the page: sorted with their notes they would go through a file on disk.
        page = _chosen(select(Shift.id), wanted, rules)
        if wanted.sort.lstrip("-") in _OF_OTHERS:
            page = page.join(Shift.user).join(Shift.job)
        ids = page.order_by(*order).limit(limit).offset(offset or None).subquery("page")
        query = select(*columns).select_from(Shift).join(ids, ids.c.id == Shift.id)
        query = query.join(Shift.user).join(Shift.job).order_by(*order)
    day_of = lru_cache(_DAYS_KEPT)(lambda minute: rules.day_of(at_minute(minute)))
    for row in db.session.execute(query):
        yield _row(row, day_of, has_meals)


def _row(row: Any, day_of: Callable[[int], date], has_meals: bool) -> Row:
    (
        shift_id, user_id, job_id, first, last, apart, employee, department, number, contractor, start, end,
        worked, edited, assumed, note, *meal
    ) = row  # fmt: skip
    cells: tuple[Any, ...] = (
        day_of(start), full_name(first, last, apart), employee, DEPARTMENTS.get(department, department),
        number, contractor, start, end, worked,
        marked(is_open=end is None, assumed=assumed, edited=edited), note,
    )  # fmt: skip
    if has_meals:
        cells += (meal[0], worked - meal[0]) if meal else (None, None)  # a page doesn't show them
    return Row(cells, {"shift": shift_id, "person": user_id, "job": job_id})


def _order(sort: str, now: datetime) -> list[Any]:
    """Return what to sort by; the latest shift comes first where that leaves a choice."""
    latest = [Shift.started_at.desc(), Shift.id.desc()]
    columns: dict[str, list[Any]] = {
        "person": [*User.by_name()],
        "department": [User.department],
        "job": [Job.im_order, Job.id],
        "worked": [_worked(now)],
    }
    chosen = columns.get(sort.lstrip("-"))
    if chosen is None:
        return latest if sort.startswith("-") else [Shift.started_at, Shift.id]
    return [*(column.desc() if sort.startswith("-") else column for column in chosen), *latest]
