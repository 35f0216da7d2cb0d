"""The auto clock-out: open shifts get an assumed end, which destroys nothing and asks to be confirmed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo

from sqlalchemy import select
from sqlalchemy.orm import joinedload

from flask_app.clock import last_time_of_day
from flask_app.models.database import committing, db
from flask_app.models.errors import RuleViolation, ValidationError
from flask_app.models.shift import Shift
from flask_app.models.shop_rules import DepartmentRule
from flask_app.models.user import User
from flask_app.timeclock.shift_changes import amend, assume_end, check_times, confirm_end

STALE = timedelta(hours=16)  # an open shift that is older was forgotten
REASON = "Auto clock-out: the shift was still open."
CLOCK_OUT = "auto_clock_out"  # the timed task
ASSUMED, AT_TIME, CONFIRM = "assumed", "time", "confirm"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How many open shifts got an assumed end, and how many were left alone."""

    assumed: int
    left: int

    @property
    def sentence(self) -> str:
        return f"{self.assumed} got an assumed end, {self.left} were left open."


def last_due(zone: tzinfo, *, now: datetime) -> datetime | None:
    """Return the latest instant, not after `now`, at which some department was due, if one ever is."""
    times = {rule.clock_out_at for rule in DepartmentRule.all().values() if rule.clocks_out}
    due = [_last_on_a_workday(at, zone, now) for at in times]
    return max(due, default=None)


def _last_on_a_workday(at: time, zone: tzinfo, now: datetime) -> datetime:
    due = last_time_of_day(at, zone, now=now)
    while due.astimezone(zone).weekday() >= 5:
        due = last_time_of_day(at, zone, now=due - timedelta(minutes=1))
    return due


def clock_out(zone: tzinfo, *, now: datetime) -> Outcome:
    """Give every open shift whose department's time has come on its own day an assumed end. Commits each.

    Left alone are shifts of a weekend, those that began at or after the assumed end (nights), and those of
    departments that don't clock out by themselves: they are listed where admins repair them.
    """
    rules, count = DepartmentRule.all(), 0
    shifts = open_shifts()
    for shift in shifts:
        end = assumed_end(shift, rules, zone, now=now)
        if end is not None and _assume(shift, end, now):
            count += 1
    return Outcome(count, len(shifts) - count)


def _assume(shift: Shift, end: datetime, now: datetime) -> bool:
    return committing(lambda: assume_end(shift, end, at=now, reason=REASON))


def assumed_end(
    shift: Shift, rules: Mapping[str, DepartmentRule], zone: tzinfo, *, now: datetime
) -> datetime | None:
    """Return when somebody with this open shift is assumed to have left, None if it is to be left alone."""
    rule = rules.get(shift.user.department)
    day = shift.started_at.astimezone(zone).date()
    if rule is None or not rule.clocks_out or day.weekday() >= 5:
        return None
    due, end = (
        datetime.combine(day, at, tzinfo=zone).astimezone(UTC) for at in (rule.clock_out_at, rule.assumed_end)
    )
    return end if shift.started_at < end and due <= now else None


def open_shifts() -> Sequence[Shift]:
    """Every open shift with its person and job, longest first."""
    query = select(Shift).where(Shift.open_for > 0).options(joinedload(Shift.user), joinedload(Shift.job))
    return db.session.scalars(query.order_by(Shift.started_at, Shift.id)).all()


def stale_shifts(*, now: datetime) -> Sequence[Shift]:
    """The open shifts that are older than STALE."""
    return [shift for shift in open_shifts() if shift.started_at < now - STALE]


def unconfirmed(user: User | None = None) -> Sequence[Shift]:
    """The shifts (of `user`) whose end is assumed and not confirmed, oldest first."""
    query = select(Shift).where(Shift.assumed_at.is_not(None))
    query = query if user is None else query.where(Shift.user_id == user.id)
    query = query.options(joinedload(Shift.user), joinedload(Shift.job))
    return db.session.scalars(query.order_by(Shift.started_at, Shift.id)).all()


def proposed_end(shift: Shift, how: str, at: time | None, zone: tzinfo) -> datetime | None:
    """Return the end that a repair would give a shift: on the day it began, at its department's assumed end
    or at a given time; for CONFIRM the end that it has."""
    if how == CONFIRM:
        return shift.ended_at if shift.assumed_at else None
    rule = DepartmentRule.all().get(shift.user.department) if how == ASSUMED else None
    chosen = rule.assumed_end if rule else at
    if chosen is None:
        return None
    day = shift.started_at.astimezone(zone).date()
    return datetime.combine(day, chosen, tzinfo=zone).astimezone(UTC)


def why_not(shift: Shift, end: datetime | None, *, now: datetime) -> str:
    """Return why a shift can't end then, "" if it can."""
    if end is None:
        return "There is no assumed end to confirm: this shift is still open."
    if end < shift.started_at:
        return "It began after that time. Correct it by itself."
    try:
        check_times(shift.user, shift.started_at, end, now=now, but=shift)
    except ValidationError as invalid:
        return str(invalid)
    return ""


def repair(shift: Shift, how: str, end: datetime, *, by: User, at: datetime, reason: str, seen: str) -> bool:
    """Do to one shift what the preview said. Raises RuleViolation if it has changed since."""
    if how == CONFIRM:
        if shift.version != seen:
            raise RuleViolation("It was changed meanwhile.")
        return confirm_end(shift, by=by, at=at)
    return amend(shift, shift.started_at, end, shift.job, by=by, at=at, reason=reason, seen=seen)
