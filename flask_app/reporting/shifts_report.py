"""The shifts of a range of days, one line each."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import ColumnElement, Integer, func, null, select, type_coerce

from flask_app.clock import at_minute, day_bounds
from flask_app.models.database import db
from flask_app.models.job import Job
from flask_app.models.shift import Shift, end_or_now
from flask_app.models.types import clock_minutes
from flask_app.models.user import DEPARTMENTS, User, full_name
from flask_app.reporting.departments import Departments
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
    MARKED,
    MARKS,
    TIME,
    WHOLE,
    Column,
    Report,
    Row,
    Section,
    unsettled_figures,
)
from flask_app.reporting.timesheet import TimeRules
from flask_app.words import _, lazy

ONLY = ("edited", "assumed", "open")
COLUMNS = (
    Column(lazy("Day"), DAY, sort="start"),
    Column(lazy("Employee"), sort="person", link="person"),
    Column(lazy("Employee number"), in_files=True),
    Column(lazy("Department"), sort="department", minor=True),
    Column(lazy("Job"), sort="job", link="job"),
    Column(lazy("General contractor"), minor=True),
    Column(lazy("Start"), TIME, link="shift"),
    Column(lazy("End"), TIME),
    Column(lazy("Worked"), HOURS, sort="worked"),
    Column(lazy("Flags"), MARKS),
    Column(lazy("Note")),
)
# A meal belongs to a person's day, not to a shift: it stands in the line of one shift of that day.
MEAL_COLUMNS = (Column(lazy("Meal"), HOURS, in_files=True), Column(lazy("Paid"), HOURS, in_files=True))
_WORKED = 8  # the place of the hours in a line
_CHUNK = 1000
_DAYS_KEPT = 4096  # minutes whose shop day is remembered: people start at much the same times
_OF_SHIFT = (
    Shift.user_id, Shift.job_id, clock_minutes(Shift.started_at), clock_minutes(Shift.ended_at),
    *(type_coerce(mark.is_not(None), Integer) for mark in (Shift.edited_at, Shift.assumed_at)), Shift.note,
)  # fmt: skip
_OF_PERSON = (User.first_name, User.last_name, User.told_apart_by, User.employee_number, User.department)
_OF_JOB = (Job.im_number, Job.general_contractor)
_OF_OTHERS = ("person", "department", "job")  # sorts that need the person or the job


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which shifts, in which order: a word of COLUMNS' `sort`, a minus before it for the other way round."""

    selection: Selection
    only: str = ""
    sort: str = "-start"


def shifts_report(
    wanted: Wanted, rules: TimeRules, *, now: datetime, period: str, sums: bool = True
) -> Report:
    """Return every shift that began on the days of the selection, open ones up to `now`; without `sums` only
    the lines, which takes less time."""
    has_meals = rules.has_meals and wanted.selection.whole_days and not wanted.only
    columns = (*COLUMNS, *MEAL_COLUMNS) if has_meals else COLUMNS

    def rows(limit: int | None, offset: int) -> Iterable[Row]:
        return _rows(wanted, rules, now, limit, offset, has_meals)

    if not sums:
        return Report(_("Shifts"), period, [Section(_("Shifts"), columns, 0, rows)])
    # With meals all by one reading of the person's days.
    count, minutes, meal = (_sums_with_meal if has_meals else _sums)(wanted, rules, now)
    figures = [(_("Shifts"), WHOLE, count), (_("Worked"), HOURS, minutes)]
    totals = [_("All"), None, None, None, None, None, None, None, minutes, None, None]
    if has_meals:
        figures += [(_("Meal"), HOURS, meal), (_("Paid"), HOURS, minutes - meal)]
        totals += [meal, minutes - meal]
    may_change = read_unsettled(wanted.selection, rules, *_marked(wanted), now=now)
    unsettled = unsettled_minutes(may_change)
    figures += unsettled_figures(*unsettled)
    table = Section(_("Shifts"), columns, count, rows, totals, {_WORKED: unsettled})
    return Report(_("Shifts"), period, [table], figures)


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
        query = query.where(Departments.read(chosen.first).chosen(chosen.department, zone))
    return query.where(*_marked(wanted))


def _marked(wanted: Wanted) -> list[ColumnElement[bool]]:
    """Return the rule of the mark that is asked for, if one is."""
    marks = {
        "edited": Shift.edited_at.is_not(None),
        "assumed": Shift.assumed_at.is_not(None),
        "open": Shift.open_for > 0,
    }
    return [marks[wanted.only]] if wanted.only else []


def _page(
    wanted: Wanted, rules: TimeRules, department: Any, now: datetime, limit: int, offset: int
) -> Iterable[Any]:
    """Yield some shifts, each with its person, its job, and its id."""
    # First which shifts stand on the page: sorted with their notes they would go through a file on disk.
    order = _order(wanted.sort, department, now)
    page = _with_others(_chosen(select(Shift.id), wanted, rules), wanted)
    ids = page.order_by(*order).limit(limit).offset(offset or None).subquery("page")
    query = select(*_OF_SHIFT, *_OF_PERSON, *_OF_JOB, Shift.id).select_from(Shift)
    query = query.join(ids, ids.c.id == Shift.id).join(Shift.user).join(Shift.job).order_by(*order)
    n, m = len(_OF_SHIFT), len(_OF_SHIFT) + len(_OF_PERSON)
    return ((row[:n], _person(row[n:m]), row[m:-1], row[-1]) for row in db.session.execute(query))


def _all(wanted: Wanted, rules: TimeRules, department: Any, now: datetime, has_meals: bool) -> Iterable[Any]:
    """Yield every shift by a cursor of the server, in chunks, each with its person, its job, and its meal.

    People and jobs are looked up: joined, the database would sort all of their texts.
    """
    everybody = db.session.execute(select(User.id, *_OF_PERSON))
    people = {user_id: _person(columns) for user_id, *columns in everybody}
    worked_on = _chosen(select(Shift.job_id), wanted, rules)
    rows = db.session.execute(select(Job.id, *_OF_JOB).where(Job.id.in_(worked_on)))
    jobs = {job_id: names for job_id, *names in rows}
    query, meal = _with_others(_chosen(select(*_OF_SHIFT), wanted, rules), wanted), null()
    if has_meals:
        meals = meals_by_shift(wanted.selection, rules, now=now)
        query, meal = query.outerjoin(meals, meals.c.shift_id == Shift.id), meals.c.meal
    query = query.add_columns(meal).order_by(*_order(wanted.sort, department, now))
    for *shift, meal in db.session.execute(query.execution_options(yield_per=_CHUNK)):
        if shift[0] in people and shift[1] in jobs:  # else it came after the file was begun
            yield shift, people[shift[0]], jobs[shift[1]], meal


def _person(columns: Sequence[Any]) -> tuple[Any, ...]:
    """Return name, employee number and present department of a line's person, from _OF_PERSON."""
    first, last, apart, number, department = columns
    return full_name(first, last, apart), number, department


def _with_others(query: Any, wanted: Wanted) -> Any:
    """Join what the order needs."""
    return query.join(Shift.user).join(Shift.job) if wanted.sort.lstrip("-") in _OF_OTHERS else query


def _rows(
    wanted: Wanted, rules: TimeRules, now: datetime, limit: int | None, offset: int, has_meals: bool
) -> Iterable[Row]:
    """Yield some lines with their links, or all of them (limit None) with their meals."""
    is_page, this_minute = limit is not None, int(now.timestamp()) // 60
    departments = Departments.read(wanted.selection.first)
    how = (wanted, rules, departments.of_shift(rules.zone), now)
    found = _all(*how, has_meals) if limit is None else _page(*how, limit, offset)
    day_of = lru_cache(_DAYS_KEPT)(lambda minute: rules.day_of(at_minute(minute)))
    for shift, (name, number, department), job, more in found:
        user_id, job_id, start, end, edited, assumed, note = shift
        worked = (max(this_minute, start) if end is None else end) - start  # as end_or_now() has it
        day = day_of(start)
        code = departments.on(user_id, day, department)
        cells: tuple[Any, ...] = (
            day, name, number, DEPARTMENTS.get(code, code), *job, start, end, worked,
            MARKED[end is None, assumed, edited], note,
        )  # fmt: skip
        if has_meals:
            meal = 0 if is_page else int(more or 0)  # MySQL's sums are decimals
            cells += (None, None) if is_page else (meal, worked - meal)
        yield Row(cells, {"shift": more, "person": user_id, "job": job_id} if is_page else {})


def _order(sort: str, department: Any, now: datetime) -> list[Any]:
    """Return what to sort by; the latest shift comes first where that leaves a choice."""
    # As the index on the start has them: nothing is left to sort.
    by_start = [Shift.started_at, Shift.user_id, Shift.job_id, Shift.ended_at, Shift.id]
    latest = [column.desc() for column in by_start]
    columns: dict[str, list[Any]] = {
        "person": [*User.by_name()],
        "department": [department],
        "job": [Job.im_order, Job.id],
        "worked": [_worked(now)],
    }
    chosen = columns.get(sort.lstrip("-"))
    if chosen is None:
        return latest if sort.startswith("-") else by_start
    return [*(column.desc() if sort.startswith("-") else column for column in chosen), *latest]
