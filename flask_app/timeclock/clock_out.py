"""The auto clock-out: open shifts get an assumed end, which destroys nothing and asks to be confirmed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta, tzinfo

from sqlalchemy import select
from sqlalchemy.orm import joinedload

from flask_app.clock import last_time_of_day, to_minute
from flask_app.models.audit import BY_CLOCK, SCHEDULE
from flask_app.models.database import db
from flask_app.models.errors import RuleViolation
from flask_app.models.shift import Shift
from flask_app.models.shop_rules import DepartmentRule
from flask_app.models.user import User
from flask_app.timeclock import ledger
from flask_app.timeclock.entries import Actor
from flask_app.timeclock.shift_rows import refuse_own_hours
from flask_app.timeclock.shift_rules import check_times, on_its_day, same_minute
from flask_app.words import _, noted

BY_ITSELF = Actor(None, SCHEDULE, BY_CLOCK)
REASON = noted("Auto clock-out: the shift was still open.")
CLOCK_OUT = "auto_clock_out"  # the timed task
ASSUMED, AT_TIME, CONFIRM = "assumed", "time", "confirm"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How many open shifts got an assumed end, were left alone, and should have got one but could not."""

    assumed: int
    left: int
    failed: int = 0

    @property
    def sentence(self) -> str:
        done = noted("Assumed ends: %(assumed)s. Left open: %(left)s.", assumed=self.assumed, left=self.left)
        failed = noted("Could not be ended: %(failed)s; the log says why.", failed=self.failed)
        return f"{done} {failed}" if self.failed else done


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


def due_ends(zone: tzinfo, *, now: datetime) -> tuple[list[tuple[Shift, datetime]], int]:
    """Return the open shifts whose department's time has come on their own day, each with its assumed end,
    and how many open ones are left alone.

    Those are shifts of a weekend, those that began at or after the assumed end (nights), and those of
    departments that don't clock out by themselves: they are listed where admins repair them.
    """
    rules, shifts = DepartmentRule.all(), open_shifts()
    due = [(shift, end) for shift in shifts if (end := assumed_end(shift, rules, zone, now=now)) is not None]
    return due, len(shifts) - len(due)


def clock_out(shift: Shift, end: datetime, *, now: datetime) -> bool:
    """End one shift at its assumed end. Return False if it ended, went or changed meanwhile."""
    try:
        done = ledger.assume_end(shift, end, by=BY_ITSELF, at=now, reason=REASON)
    except RuleViolation:
        return False
    return isinstance(done, ledger.Changed)


def assumed_end(
    shift: Shift, rules: Mapping[str, DepartmentRule], zone: tzinfo, *, now: datetime
) -> datetime | None:
    """Return when somebody with this open shift is assumed to have left, None if it is to be left alone."""
    rule = rules.get(shift.user.department)
    is_weekend = shift.started_at.astimezone(zone).weekday() >= 5
    if rule is None or not rule.clocks_out or is_weekend:
        return None
    due, end = (on_its_day(shift, at, zone) for at in (rule.clock_out_at, rule.assumed_end))
    return end if shift.started_at < end and due <= now else None


def open_shifts() -> Sequence[Shift]:
    """Every open shift with its person and job, longest first."""
    query = select(Shift).where(Shift.open_for > 0).options(joinedload(Shift.user), joinedload(Shift.job))
    return db.session.scalars(query.order_by(Shift.started_at, Shift.id)).all()


def stale_shifts(longest: timedelta, *, now: datetime) -> Sequence[Shift]:
    """The open shifts that are older than that."""
    return [shift for shift in open_shifts() if shift.started_at < now - longest]


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
    return None if chosen is None else on_its_day(shift, chosen, zone)


def why_not(shift: Shift, end: datetime | None, how: str, *, by: Actor, now: datetime) -> str:
    """Return why `by` can't let a shift end then, "" if that can be done."""
    if end is None:
        return _("This shift is still open: there is no assumed end to confirm.")
    if to_minute(end) < to_minute(shift.started_at):
        return _("It started after that time. Correct it separately.")
    try:
        if not _only_confirms(shift, end, how):
            check_times(shift.user, shift.started_at, end, now=now, but=shift)
            refuse_own_hours(shift.user, by)
    except RuleViolation as refusal:
        return str(refusal)
    return ""


def _only_confirms(shift: Shift, end: datetime, how: str) -> bool:
    return how == CONFIRM or (shift.assumed_at is not None and same_minute(shift.ended_at, end))


def repair(
    shift: Shift, how: str, end: datetime, *, by: Actor, at: datetime, reason: str, seen: str
) -> ledger.Changed | ledger.Unchanged:
    """Do to one shift what the preview said. Raises RuleViolation if it has changed since."""
    if _only_confirms(shift, end, how):
        return ledger.confirm_end(shift, by=by, at=at, seen=seen)
    return ledger.amend(shift, shift.started_at, end, shift.job, by=by, at=at, reason=reason, seen=seen)
