"""One job's hours: by department, by day, week by week; and what of jobs' hours may still change."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import func, literal, select, union_all

from flask_app.clock import week_start
from flask_app.models.database import db
from flask_app.models.job import Job
from flask_app.models.shift import Shift, end_or_now
from flask_app.models.types import clock_minutes
from flask_app.reporting.departments import Departments
from flask_app.reporting.hours import Selection, as_date, pieces
from flask_app.reporting.timesheet import TimeRules


@dataclass(frozen=True, slots=True)
class DepartmentTotal:
    """One department's share of a job: what people worked on it while they were in the department."""

    department: str
    shifts: int
    people: int
    minutes: int
    first: date | None = None  # the day of its first shift
    open: int = 0
    assumed: int = 0


def job_totals(
    job: Job, departments: Departments, rules: TimeRules, *, now: datetime
) -> list[DepartmentTotal]:
    """Return what each of all `departments` has worked on `job` up to `now`, by its code."""
    minutes = clock_minutes(end_or_now(now)) - clock_minutes(Shift.started_at)
    department = departments.of_shift(rules.zone).label("department")
    began = Shift.started_at.label("began")
    each = select(department, Shift.user_id, minutes.label("minutes"), began).join(Shift.user)
    shifts = each.where(Shift.job_id == job.id).subquery("shifts_of_job")
    people = func.count(func.distinct(shifts.c.user_id))
    sums = (func.count(), people, func.sum(shifts.c.minutes), func.min(shifts.c.began))
    query = select(shifts.c.department, *sums).group_by(shifts.c.department)
    may_change: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for code, _, worked, kind in read_unsettled_of_jobs(department, now=now, job_id=job.id):
        may_change[code][kind] += worked
    rows = db.session.execute(query).all()
    return sorted(
        (DepartmentTotal(d, n, p, int(m), rules.day_of(at), *may_change[d]) for d, n, p, m, at in rows),
        key=lambda total: total.department,
    )


def worked_on(jobs: Iterable[Job], *, now: datetime) -> dict[int, int]:
    """Return the minutes worked on those of the jobs that have an estimate, by their ids."""
    estimated = {job.id for job in jobs if job.estimated_hours}
    if not estimated:
        return {}
    minutes = func.sum(clock_minutes(end_or_now(now)) - clock_minutes(Shift.started_at))
    query = select(Shift.job_id, minutes).where(Shift.job_id.in_(estimated)).group_by(Shift.job_id)
    return {job_id: int(worked) for job_id, worked in db.session.execute(query)}


def job_days(job: Job, first: date, last: date, rules: TimeRules, *, now: datetime) -> list[tuple[date, int]]:
    """Return the job's worked minutes of each day from `first` to `last` on which somebody worked on it."""
    piece = pieces(Selection(first, last, job_id=job.id), rules, now=now)
    query = select(piece.c.day, func.sum(piece.c.minutes)).group_by(piece.c.day).order_by(piece.c.day)
    return [(as_date(day), int(minutes)) for day, minutes in db.session.execute(query)]


def burn_up(job: Job, rules: TimeRules, *, now: datetime) -> list[tuple[date, int]]:
    """Return the job's worked minutes week by week, added up; weeks without work between stand too."""
    first = db.session.scalar(select(func.min(Shift.started_at)).where(Shift.job_id == job.id))
    if first is None:
        return []
    today = rules.day_of(now)
    selection = Selection(min(rules.day_of(first), today), today, job_id=job.id)
    piece = pieces(selection, rules, now=now)
    by_week: dict[date, int] = defaultdict(int)
    query = select(piece.c.day, func.sum(piece.c.minutes)).group_by(piece.c.day)
    for day, minutes in db.session.execute(query):
        by_week[week_start(as_date(day))] += int(minutes)
    sums, total, week = [], 0, week_start(selection.first)
    while week <= today:
        total += by_week.get(week, 0)
        sums.append((week, total))
        week += timedelta(days=7)
    return sums


def read_unsettled_of_jobs(*columns: Any, now: datetime, job_id: int | None = None) -> Any:
    """Yield of each shift that may still change: the columns, its start, its minutes, and 0 where it is open,
    1 where its end was assumed. The query has joined the shift's user."""
    minutes = clock_minutes(end_or_now(now)) - clock_minutes(Shift.started_at)
    kinds = (Shift.open_for > 0, Shift.assumed_at.is_not(None))
    each = [
        select(*columns, Shift.started_at, minutes, literal(kind)).join(Shift.user).where(rule)
        for kind, rule in enumerate(kinds)
    ]
    if job_id is not None:
        each = [query.where(Shift.job_id == job_id) for query in each]
    return db.session.execute(union_all(*each))
