"""One shop day as it goes: who is in, who has been, who is still expected. Read in a few statements."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import case, exists, func, or_, select

from flask_app.clock import day_bounds
from flask_app.models.database import db
from flask_app.models.dismissal import Dismissal
from flask_app.models.employment import Employment
from flask_app.models.job import Job
from flask_app.models.shift import Shift
from flask_app.models.shop_rules import Holiday
from flask_app.models.user import DEPARTMENTS, User, full_name
from flask_app.models.working_week import USUAL, WorkingWeek, works_on
from flask_app.reporting.hours import PersonDay, Selection, read_person_days
from flask_app.reporting.timesheet import TimeRules

_LOOK_BACK = timedelta(hours=36)  # a shift that ends today began no longer before it; longer ones are stale


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody on the day's board. `first_in` and `last_out` are today's, None if there was none."""

    id: int
    name: str
    department: str
    first_in: datetime | None = None
    last_out: datetime | None = None
    minutes: int = 0
    meal: int = 0
    open: int = 0  # of the minutes, those that may still change: of an open shift, of an assumed end
    assumed: int = 0


@dataclass(frozen=True, slots=True)
class Running:
    """An open shift: whose, on what, since when. It has what a timesheet's marks need."""

    id: int
    user_id: int
    name: str
    department: str
    job_id: int
    im_number: str
    started_at: datetime
    edited_at: datetime | None
    assumed_at: None = None


@dataclass(slots=True)
class Department:
    """One department's part of the day."""

    code: str
    running: list[Running] = field(default_factory=list)
    started: int = 0
    ended: int = 0
    minutes: int = 0
    meal: int = 0
    open: int = 0
    assumed: int = 0

    def add(self, hours: "PersonDay | Person | None") -> None:
        """Add what one of its people worked today."""
        if hours is not None:
            self.minutes += hours.minutes
            self.meal += hours.meal
            self.open += hours.open
            self.assumed += hours.assumed

    @property
    def name(self) -> str:
        return DEPARTMENTS.get(self.code, self.code)


@dataclass(frozen=True, slots=True)
class Today:
    """The day: departments with who is in, who has left, who is expected, who is not expected."""

    departments: Sequence[Department]
    left: Sequence[Person]
    expected: Sequence[Person]
    dismissed: Sequence[Person]

    @property
    def running(self) -> list[Running]:
        return [shift for department in self.departments for shift in department.running]

    def total(self, figure: str) -> int:
        """Return the sum of started, ended, minutes, meal, open or assumed over the departments."""
        return sum(getattr(department, figure) for department in self.departments)


def read_today(day: date, rules: TimeRules, *, now: datetime) -> Today:
    """Return the shop's `day` up to `now`."""
    running = _running()
    days = read_person_days(Selection(day, day), rules, now=now, unsettled=True)
    worked = {row.user_id: row for row in days}
    punches = _punches(day, rules)
    on = {shift.user_id for shift in running}
    away = set(db.session.scalars(select(Dismissal.user_id).where(Dismissal.day == day)))
    rest = [(_person(row, worked, punches), row) for row in _people(day, punches.keys() | worked.keys())]
    rest = [(person, row) for person, row in rest if person.id not in on]  # came while this was read
    absent = [person for person, row in rest if person.first_in is None and _is_expected(row, day)]
    return Today(
        departments=_departments(running, [person for person, _ in rest], worked, punches),
        left=[person for person, _ in rest if person.first_in or person.last_out],
        expected=[person for person in absent if person.id not in away],
        dismissed=[person for person in absent if person.id in away],
    )


def _running() -> list[Running]:
    query = select(
        Shift.id, Shift.user_id, User.first_name, User.last_name, User.told_apart_by, User.department,
        Shift.job_id, Job.im_number, Shift.started_at, Shift.edited_at,
    )  # fmt: skip
    query = query.join(Shift.user).join(Shift.job).where(Shift.open_for > 0)
    rows = db.session.execute(query.order_by(Shift.started_at, Shift.id))
    return [Running(shift, user, full_name(*row[:3]), *row[3:]) for shift, user, *row in rows]


def _punches(day: date, rules: TimeRules) -> dict[int, Any]:
    """Return (user id, first in, last out) of everybody who punched on `day`."""
    begin, end = day_bounds(day, rules.zone)
    first = func.min(case((Shift.started_at >= begin, Shift.started_at)))
    last = func.max(case((Shift.ended_at >= begin, Shift.ended_at)))
    query = select(Shift.user_id, first, last).group_by(Shift.user_id)
    query = query.where(Shift.started_at >= begin - _LOOK_BACK, Shift.started_at < end)
    query = query.having(or_(first.is_not(None), last.is_not(None)))
    return {row[0]: row for row in db.session.execute(query)}


def _people(day: date, also: set[int]) -> Sequence[Any]:
    """Whoever is not in: everybody active, and whoever else worked."""
    active = (User.approved_at.is_not(None)) & (User.deleted_date.is_(None))
    columns = (
        User.id, User.first_name, User.last_name, User.told_apart_by, User.department, User.on_active_roster,
        Employment.covers(day).label("employed"), active.label("active"),
        WorkingWeek.on(day).label("weekdays"),
        exists(select(Holiday.day).where(Holiday.day == day)).label("holiday"),
    )  # fmt: skip
    query = select(*columns).order_by(*User.by_name())
    query = query.where(User.id.not_in(select(Shift.user_id).where(Shift.open_for > 0)))
    return [row for row in db.session.execute(query) if row.active or row.id in also]


def _person(row: Any, worked: dict[int, PersonDay], punches: dict[int, Any]) -> Person:
    _, first, last = punches.get(row.id, (0, None, None))
    hours = worked.get(row.id)
    sums = (hours.minutes, hours.meal, hours.open, hours.assumed) if hours else ()
    name = full_name(row.first_name, row.last_name, row.told_apart_by)
    return Person(row.id, name, row.department, first, last, *sums)


def _is_expected(row: Any, day: date) -> bool:
    works = works_on(USUAL if row.weekdays is None else row.weekdays, day) and not row.holiday
    return bool(row.active and row.on_active_roster and row.employed and works)


def _departments(
    running: list[Running], rest: list[Person], worked: dict[int, PersonDay], punches: dict[int, Any]
) -> list[Department]:
    found = {code: Department(code) for code in DEPARTMENTS}
    for shift in running:
        part = found.setdefault(shift.department, Department(shift.department))
        part.running.append(shift)
        part.started += shift.user_id in punches and punches[shift.user_id][1] is not None
        part.add(worked.get(shift.user_id))
    for person in rest:
        part = found.setdefault(person.department, Department(person.department))
        part.started += person.first_in is not None
        part.ended += person.last_out is not None
        part.add(person)
    return [part for part in found.values() if part.running or part.started or part.ended or part.minutes]
