"""Jobs: what was estimated, what was worked, how fast it goes and when it will be done."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import case, func, select

from flask_app.clock import day_bounds
from flask_app.im_number import order_key
from flask_app.models.database import db
from flask_app.models.job import ACTIVE, INACTIVE, Job
from flask_app.models.shift import Shift, end_or_now
from flask_app.models.shop_rules import Holiday
from flask_app.models.types import clock_minutes, plain
from flask_app.reporting.job_hours import read_unsettled_of_jobs
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

PACE_DAYS = 10  # working days, the last that are over, on which a job's pace is measured
NEARLY = 80.0  # percent of the estimate from which on a job is nearly over
_FAR = timedelta(days=3650)
_SETTLED = (0, 0, 0, 0)
_WORKED, _LATELY = 3, 6  # the places of the sums in a line
COLUMNS = (
    Column("Job", sort="job", link="job_report"), Column("General contractor"),
    Column("Estimate", HOURS), Column("Worked", HOURS, sort="worked", link="job_range"),
    Column("Used %", PERCENT, sort="used"),
    Column("Left", HOURS), Column("Last 10 working days", HOURS, sort="pace", link="job_pace"),
    Column("Of them on it", WHOLE), Column("A day", HOURS), Column("Done by", DAY), Column("Says"),
    *UNSETTLED_COLUMNS,
    Column("Last 10 working days, on the clock", HOURS, in_files=True),
    Column("Last 10 working days, assumed", HOURS, in_files=True),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Work:
    """What was worked on a job: minutes in all and on the days of the pace, and when it was worked on."""

    worked: int = 0
    lately: int = 0
    first: date | None = None
    last: date | None = None


@dataclass(frozen=True, slots=True)
class Pace:
    """The days on which pace is measured, the last PACE_DAYS working days before today, and what follows."""

    days: Sequence[date]
    upcoming: Sequence[date]

    def days_of(self, work: Work) -> int:
        """Return how many of the days a job has been worked on for: none before its first shift count."""
        return 0 if work.first is None else len(self.days) - bisect_left(self.days, work.first)


@dataclass(frozen=True, slots=True)
class JobFigures:
    """One job's hours in minutes; `days` is by how many working days its pace is divided."""

    worked: int
    lately: int
    estimate: int | None
    days: int
    done_by: date | None = None
    is_asleep: bool = False  # worked on, but not since the pace's days began

    @property
    def used(self) -> float | None:
        return round(100 * self.worked / self.estimate, 1) if self.estimate else None

    @property
    def left(self) -> int | None:
        return max(0, self.estimate - self.worked) if self.estimate else None

    @property
    def a_day(self) -> int | None:
        return round(self.lately / self.days) if self.lately and self.days else None

    @property
    def says(self) -> str:
        if not self.estimate:
            return "No estimate"
        if self.worked > self.estimate:  # in minutes: 100:01 of 100:00 is over, though it is 100.0 %
            return "Over"
        if 100 * self.worked >= NEARLY * self.estimate:
            return "Nearly over"
        return "No work lately" if self.is_asleep else ""


def jobs_report(
    rules: TimeRules, *, now: datetime, words: str = "", status: str = "active", sort: str = ""
) -> Report:
    """Return the jobs of a board with their figures: those over the estimate first, then nearly over ones."""
    pace = read_pace(rules.day_of(now))
    work, unsettled = read_work(pace, rules, now=now, of=_on_board(status)), _unsettled(pace, rules, now)
    rows = []
    for job_id, number, contractor, estimated in _jobs(status, words):
        mine = work.get(job_id, Work())
        one = figures_of(estimated, mine, pace)
        ids = {"job": job_id, "number": number, "first": mine.first, "last": rules.day_of(now)}
        ids |= {"pace_first": pace.days[0], "pace_last": ids["last"] - timedelta(days=1)}
        rows.append((one, _row(number, contractor, one, unsettled.get(job_id, _SETTLED), ids)))
    rows.sort(key=_order(sort), reverse=sort.startswith("-"))
    over = sum(one.says == "Over" for one, _ in rows)
    nearly = sum(one.says == "Nearly over" for one, _ in rows)
    figures = [("Jobs", WHOLE, len(rows)), ("Over the estimate", WHOLE, over), ("Nearly over", WHOLE, nearly)]
    worked_in_all = sum(one.worked for one, _ in rows)
    figures += [("Worked", HOURS, worked_in_all)]
    may_change = [sum(row.cells[n] for _, row in rows) for n in (-4, -3, -2, -1)]
    figures += unsettled_figures(*may_change[:2])
    totals = ["All", None, None, worked_in_all, None, None, sum(one.lately for one, _ in rows)]
    totals += [None, None, None, None, *may_change]
    table = listed("Jobs", COLUMNS, [row for _, row in rows], totals, _by_place(*may_change))
    return Report("Jobs", "Up to now", [table], figures)


def figures_of(estimated_hours: float | None, work: Work, pace: Pace) -> JobFigures:
    """Return a job's figures from its estimate in hours and its work."""
    estimate = round(estimated_hours * 60) if estimated_hours else None
    days, done_by = pace.days_of(work), None
    if estimate and work.lately and days and work.worked < estimate:
        needed = -(-(estimate - work.worked) * days // work.lately)
        done_by = pace.upcoming[needed - 1] if needed <= len(pace.upcoming) else None
    is_asleep = work.last is not None and work.last < pace.days[0]
    return JobFigures(work.worked, work.lately, estimate, days, done_by, is_asleep)


def read_pace(today: date) -> Pace:
    """Return the last PACE_DAYS working days before today, and those of the ten years after it, in order."""
    off = {holiday.day for holiday in Holiday.between(today - timedelta(days=60), today + _FAR)}
    days: list[date] = []
    day = today
    while len(days) < PACE_DAYS:
        day -= timedelta(days=1)
        days += [day] if _is_working(day, off) else []
    upcoming = (today + timedelta(days=n) for n in range(1, _FAR.days + 1))
    return Pace(days[::-1], [day for day in upcoming if _is_working(day, off)])


def _is_working(day: date, off: Set[date]) -> bool:
    return day.weekday() < 5 and day not in off


def read_work(pace: Pace, rules: TimeRules, *, now: datetime, of: Any = None) -> dict[int, Work]:
    """Return what was worked on each job (`of`: SQL for which); today is no day of the pace."""
    minutes = clock_minutes(end_or_now(now)) - clock_minutes(Shift.started_at)
    since = day_bounds(pace.days[0], rules.zone)[0]
    until = day_bounds(rules.day_of(now), rules.zone)[0]
    lately = case(((Shift.started_at >= since) & (Shift.started_at < until), minutes), else_=0)
    query = select(
        Shift.job_id, func.sum(minutes), func.sum(lately), func.min(Shift.started_at),
        func.max(Shift.started_at),
    )  # fmt: skip
    query = query.group_by(Shift.job_id)
    query = query if of is None else query.where(of)
    return {
        job: Work(int(worked), int(late), rules.day_of(first), rules.day_of(last))
        for job, worked, late, first, last in db.session.execute(query)
    }


def _on_board(status: str) -> Any:
    return Shift.job_id.in_(select(Job.id).where(Job.status == _STATUS[status])) if status else None


def _jobs(status: str, words: str) -> Any:
    query = select(Job.id, Job.im_number, Job.general_contractor, Job.estimated_hours)
    if status:
        query = query.where(Job.status == _STATUS[status])
    query = query.where(*Job.having(plain(words)))
    return db.session.execute(query.order_by(Job.im_order, Job.id))


def _unsettled(pace: Pace, rules: TimeRules, now: datetime) -> Mapping[int, Sequence[int]]:
    """Return (minutes of open shifts, minutes of assumed ends, the same of the pace's days) of the jobs that
    have any; few shifts."""
    by_job: dict[int, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    today = rules.day_of(now)
    for job_id, started_at, minutes, kind in read_unsettled_of_jobs(Shift.job_id, now=now):
        by_job[job_id][kind] += minutes
        if pace.days[0] <= rules.day_of(started_at) < today:
            by_job[job_id][2 + kind] += minutes
    return by_job


def _row(number: str, contractor: str, one: JobFigures, unsettled: Sequence[int], ids: dict[str, Any]) -> Row:
    cells = (
        number, contractor, one.estimate, one.worked, one.used, one.left, one.lately,
        one.days if one.lately else None, one.a_day, one.done_by, one.says, *unsettled,
    )  # fmt: skip
    return Row(cells, ids, unsettled=_by_place(*unsettled))


def _by_place(is_open: int, assumed: int, open_lately: int, assumed_lately: int) -> dict[int, Unsettled]:
    return {_WORKED: (is_open, assumed), _LATELY: (open_lately, assumed_lately)}


def _order(sort: str) -> Any:
    word = sort.lstrip("-")
    if word == "worked":
        return lambda pair: pair[0].worked
    if word == "used":
        return lambda pair: pair[0].used or 0.0
    if word == "pace":
        return lambda pair: pair[0].lately
    if word == "job":
        return lambda pair: order_key(pair[1].cells[0])
    ranks = {"Over": 0, "Nearly over": 1}
    return lambda pair: (ranks.get(pair[0].says, 2), -(pair[0].used or 0.0), -pair[0].worked)


_STATUS = {"active": ACTIVE, "inactive": INACTIVE}
