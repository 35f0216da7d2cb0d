"""Jobs: what was estimated, what was worked, how fast it goes and when it will be done."""

from collections import defaultdict
from collections.abc import Sequence, Set
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import case, func, select

from flask_app.clock import day_bounds, week_start
from flask_app.models.database import db
from flask_app.models.job import ACTIVE, INACTIVE, Job
from flask_app.models.shift import Shift, end_or_now
from flask_app.models.shop_rules import Holiday
from flask_app.models.types import clock_minutes, plain
from flask_app.reporting.hours import Selection, as_date, pieces
from flask_app.reporting.report import DAY, HOURS, PERCENT, WHOLE, Column, Report, Row, listed
from flask_app.reporting.timesheet import TimeRules

PACE_DAYS = 10  # working days over which a job's pace is measured
NEARLY = 80.0  # percent of the estimate from which on a job is nearly over
_FAR = timedelta(days=3650)
COLUMNS = (
    Column("Job", sort="job", link="job_report"), Column("General contractor"),
    Column("Estimate", HOURS), Column("Worked", HOURS, sort="worked"), Column("Used %", PERCENT, sort="used"),
    Column("Left", HOURS), Column("Last 10 working days", HOURS, sort="pace"),
    Column("A day", HOURS), Column("Done by", DAY), Column("Says"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class JobFigures:
    """One job's hours in minutes. `pace` is minutes a working day, None if nobody worked on it lately."""

    worked: int
    lately: int
    estimate: int | None
    done_by: date | None

    @property
    def used(self) -> float | None:
        return round(100 * self.worked / self.estimate, 1) if self.estimate else None

    @property
    def left(self) -> int | None:
        return max(0, self.estimate - self.worked) if self.estimate else None

    @property
    def a_day(self) -> int | None:
        return round(self.lately / PACE_DAYS) if self.lately else None

    @property
    def says(self) -> str:
        if self.used is None:
            return "No estimate"
        if self.used > 100:
            return "Over"
        if self.used >= NEARLY:
            return "Nearly over"
        return "" if self.lately or not self.worked else "No work lately"


def jobs_report(
    rules: TimeRules, *, now: datetime, words: str = "", status: str = "active", sort: str = ""
) -> Report:
    """Return the jobs of a board with their figures: those over the estimate first, then nearly over ones."""
    today = rules.day_of(now)
    since, off = pace_begins(today)
    hours, upcoming = _hours(status, since, rules, now), working_days_after(today, off)
    rows = []
    for job_id, number, contractor, estimated in _jobs(status, words):
        worked, lately = hours.get(job_id, (0, 0))
        one = figures_of(estimated, worked, lately, upcoming)
        rows.append((one, _row(job_id, number, contractor, one)))
    rows.sort(key=_order(sort), reverse=sort.startswith("-"))
    over = sum(one.says == "Over" for one, _ in rows)
    nearly = sum(one.says == "Nearly over" for one, _ in rows)
    figures = [("Jobs", WHOLE, len(rows)), ("Over the estimate", WHOLE, over), ("Nearly over", WHOLE, nearly)]
    worked_in_all = sum(one.worked for one, _ in rows)
    figures += [("Worked", HOURS, worked_in_all)]
    totals = ["All", "", None, worked_in_all, None, None, sum(one.lately for one, _ in rows), None, None, ""]
    return Report("Jobs", "Up to now", [listed("Jobs", COLUMNS, [row for _, row in rows], totals)], figures)


def figures_of(
    estimated_hours: float | None, worked: int, lately: int, upcoming: Sequence[date]
) -> JobFigures:
    """Return a job's figures from its estimate in hours and its minutes; `upcoming` are working days."""
    estimate = round(estimated_hours * 60) if estimated_hours else None
    done_by = None
    if estimate and lately and worked < estimate:
        days = -(-(estimate - worked) * PACE_DAYS // lately)
        done_by = upcoming[days - 1] if days <= len(upcoming) else None
    return JobFigures(worked, lately, estimate, done_by)


def pace_begins(today: date) -> tuple[date, Set[date]]:
    """Return the first of the last PACE_DAYS working days before today, and the shop's holidays around."""
    off = {holiday.day for holiday in Holiday.between(today - timedelta(days=60), today + _FAR)}
    day, left = today, PACE_DAYS
    while left:
        day -= timedelta(days=1)
        left -= day.weekday() < 5 and day not in off
    return day, off


def working_days_after(day: date, off: Set[date]) -> list[date]:
    """Return the working days of the ten years after `day`, in order."""
    days = (day + timedelta(days=n) for n in range(1, _FAR.days + 1))
    return [one for one in days if one.weekday() < 5 and one not in off]


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


def _hours(status: str, since: date, rules: TimeRules, now: datetime) -> dict[int, tuple[int, int]]:
    """Return (worked, worked since) in minutes of each job of a board."""
    minutes = clock_minutes(end_or_now(now)) - clock_minutes(Shift.started_at)
    lately = case((Shift.started_at >= day_bounds(since, rules.zone)[0], minutes), else_=0)
    query = select(Shift.job_id, func.sum(minutes), func.sum(lately)).group_by(Shift.job_id)
    if status:
        query = query.where(Shift.job_id.in_(select(Job.id).where(Job.status == _STATUS[status])))
    return {job: (int(worked), int(late)) for job, worked, late in db.session.execute(query)}


def _jobs(status: str, words: str) -> Any:
    query = select(Job.id, Job.im_number, Job.general_contractor, Job.estimated_hours)
    if status:
        query = query.where(Job.status == _STATUS[status])
    query = query.where(*Job.having(plain(words)))
    return db.session.execute(query.order_by(Job.im_number, Job.id))


def _row(job_id: int, number: str, contractor: str, one: JobFigures) -> Row:
    cells = (
        number, contractor, one.estimate, one.worked, one.used, one.left, one.lately, one.a_day, one.done_by,
        one.says,
    )  # fmt: skip
    return Row(cells, {"job": job_id})


def _order(sort: str) -> Any:
    word = sort.lstrip("-")
    if word == "worked":
        return lambda pair: pair[0].worked
    if word == "used":
        return lambda pair: pair[0].used or 0.0
    if word == "pace":
        return lambda pair: pair[0].lately
    if word == "job":
        return lambda pair: pair[1].cells[0]
    ranks = {"Over": 0, "Nearly over": 1}
    return lambda pair: (ranks.get(pair[0].says, 2), -(pair[0].used or 0.0), -pair[0].worked)


_STATUS = {"active": ACTIVE, "inactive": INACTIVE}
