"""The shifts of a range of days, one line each."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, func, select

from flask_app.clock import day_bounds
from flask_app.models.database import db
from flask_app.models.job import Job
from flask_app.models.shift import Shift, end_or_now
from flask_app.models.types import clock_minutes
from flask_app.models.user import DEPARTMENTS, User, full_name
from flask_app.reporting.hours import Selection, person_days
from flask_app.reporting.report import DAY, HOURS, INSTANT, WHOLE, Column, Report, Row, Section
from flask_app.reporting.timesheet import TimeRules

ONLY = ("edited", "assumed", "open")
COLUMNS = (
    Column("Day", DAY, sort="start"),
    Column("Employee", sort="person", link="person"),
    Column("Department", sort="department"),
    Column("Job", sort="job", link="job"),
    Column("General contractor"),
    Column("Start", INSTANT, link="shift"),
    Column("End", INSTANT),
    Column("Worked", HOURS, sort="worked"),
    Column("Marks"),
    Column("Note"),
)
_CHUNK = 1000
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

    def rows(limit: int | None, offset: int) -> Iterable[Row]:
        return _rows(wanted, rules, now, limit, offset)

    totals = ["All", "", "", "", "", None, None, minutes, "", ""]
    return Report("Shifts", period, [Section("Shifts", COLUMNS, count, rows, totals)], figures)


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


def _rows(wanted: Wanted, rules: TimeRules, now: datetime, limit: int | None, offset: int) -> Iterable[Row]:
    """Yield the lines; all of them (limit None) come by a cursor of the server, in chunks."""
    query = select(
        Shift.id, Shift.user_id, Shift.job_id, User.first_name, User.last_name, User.told_apart_by,
        User.department, Job.im_number, Job.general_contractor, Shift.started_at, Shift.ended_at,
        _worked(now), Shift.edited_at, Shift.assumed_at, Shift.note,
    )  # fmt: skip
    order = _order(wanted.sort, now)
    if limit is None:
        query = _chosen(query, wanted, rules).join(Shift.user).join(Shift.job).order_by(*order)
        query = query.execution_options(yield_per=_CHUNK)
    else:
        # First which shifts stand on the page: sorted with their notes they would go through a file on disk.
        page = _chosen(select(Shift.id), wanted, rules)
        if wanted.sort.lstrip("-") in _OF_OTHERS:
            page = page.join(Shift.user).join(Shift.job)
        ids = page.order_by(*order).limit(limit).offset(offset or None).subquery("page")
        query = query.select_from(Shift).join(ids, ids.c.id == Shift.id).join(Shift.user).join(Shift.job)
        query = query.order_by(*order)
    for row in db.session.execute(query):
        yield _row(row, rules)


def _row(row: Any, rules: TimeRules) -> Row:
    shift_id, user_id, job_id, first, last, apart, department, number, contractor, start, end, worked = row[
        :12
    ]
    edited, assumed, note = row[12:]
    marks = [word for word, is_so in (("Edited", edited), ("Assumed end", assumed)) if is_so]
    marks += [] if end else ["On the clock"]
    cells = (
        rules.day_of(start), full_name(first, last, apart), DEPARTMENTS.get(department, department), number,
        contractor, start, end, int(worked), ", ".join(marks), note,
    )  # fmt: skip
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
