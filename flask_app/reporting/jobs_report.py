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
from flask_app.words import _, lazy

PACE_DAYS = 10  # working days, the last that are over, on which a job's pace is measured
STATUS_WORDS = {
    "over": lazy("Over"),
    "nearly_over": lazy("Nearly over"),
    "no_estimate": lazy("No estimate"),
    "asleep": lazy("No work lately"),
    "": "",
}
NEARLY = 80.0  # percent of the estimate from which on a job is nearly over
_FAR = timedelta(days=3650)
_SETTLED = (0, 0, 0, 0)
_WORKED, _LATELY = 3, 6  # the places of the sums in a line
COLUMNS = (
    Column(lazy("Job"), sort="job", link="job_report"), Column(lazy("General contractor")),
    Column(lazy("Estimate"), HOURS), Column(lazy("Worked"), HOURS, sort="worked", link="job_range"),
    Column(lazy("Used %"), PERCENT, sort="used"),
    Column(lazy("Left"), HOURS), Column(lazy("Last 10 working days"), HOURS, sort="pace", link="job_pace"),
    Column(lazy("Of them on it"), WHOLE), Column(lazy("Per day"), HOURS),
    Column(lazy("Done by"), DAY), Column(lazy("Status")),
    *UNSETTLED_COLUMNS,
    Column(lazy("Last 10 working days, on the clock"), HOURS, in_files=True),
    Column(lazy("Last 10 working days, assumed"), HOURS, in_files=True),
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
    def status(self) -> str:
        """Return how the job stands by its estimate, a key of STATUS_WORDS."""
        if not self.estimate:
            return "no_estimate"
        if self.worked > self.estimate:  # in minutes: 100:01 of 100:00 is over, though it is 100.0 %
            return "over"
        if 100 * self.worked >= NEARLY * self.estimate:
            return "nearly_over"
        return "asleep" if self.is_asleep else ""

    @property
    def says(self) -> str:
        return str(STATUS_WORDS[self.status])


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
    over = sum(one.status == "over" for one, _cells in rows)
    nearly = sum(one.status == "nearly_over" for one, _cells in rows)
    figures = [
        (_("Jobs"), WHOLE, len(rows)),
        (_("Over the estimate"), WHOLE, over),
        (_("Nearly over"), WHOLE, nearly),
    ]
    worked_in_all = sum(one.worked for one, _cells in rows)
    figures += [(_("Worked"), HOURS, worked_in_all)]
    may_change = [sum(row.cells[n] for _one, row in rows) for n in (-4, -3, -2, -1)]
    figures += unsettled_figures(*may_change[:2])
    totals = [_("All"), None, None, worked_in_all, None, None, sum(one.lately for one, _cells in rows)]
    totals += [None, None, None, None, *may_change]
    table = listed(_("Jobs"), COLUMNS, [row for _one, row in rows], totals, _by_place(*may_change))
    return Report(_("Jobs"), _("Up to now"), [table], figures)


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
    ranks = {"over": 0, "nearly_over": 1}
    return lambda pair: (ranks.get(pair[0].status, 2), -(pair[0].used or 0.0), -pair[0].worked)


_STATUS = {"active": ACTIVE, "inactive": INACTIVE}
