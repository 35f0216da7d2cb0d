"""Putting people onto a job from a given time: what is in the way, what may be done about it, doing it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import or_, select
from sqlalchemy.orm import joinedload

from flask_app.clock import to_minute
from flask_app.models.database import db
from flask_app.models.errors import RuleViolation, ValidationError
from flask_app.models.job import Job
from flask_app.models.shift import Shift
from flask_app.models.user import User
from flask_app.timeclock import ledger
from flask_app.timeclock.entries import Actor
from flask_app.timeclock.shift_rules import CLOCK_SLACK, LONGEST_TYPED
from flask_app.words import _, lazy

LATER = lazy("Punched in after that time. Correct that shift instead.")
TOO_LONG = lazy("On the clock for more than 24 hours. Fix that shift first.")
FARTHEST = timedelta(hours=24)  # how long ago an assigned shift may begin
# What may be done for one person.
START, MOVE, AFTER, LEAVE = "start", "move", "after", "leave"


@dataclass(frozen=True, slots=True)
class Case:
    """One person and what stands in the way (`shift`, None if nothing does). `choices` are what may be done,
    the harmless one first; `begins` says when the new shift would begin with each. `seen` is compared when
    it is done."""

    person: User
    choices: Sequence[str]
    begins: dict[str, datetime]
    seen: str
    shift: Shift | None = None
    problem: str = ""


def checked_start(job: Job, at: datetime, *, now: datetime) -> None:
    """Raise ValidationError unless shifts on `job` may be begun from that time on."""
    problems = {}
    if not job.is_active:
        problems["job"] = _("Job %(job)s is closed. Open it first, or choose another.", job=job.im_number)
    if at > now + CLOCK_SLACK:
        problems["start"] = _("This start is in the future.")
    elif at < now - FARTHEST:
        problems["start"] = _("That's more than a day ago. Add the shift for each person instead.")
    if problems:
        raise ValidationError(problems)


def look(people: Sequence[User], job: Job, at: datetime) -> list[Case]:
    """Return each person's case, in the order given, by one look at their shifts."""
    ids = [person.id for person in people]
    rule = or_(Shift.ended_at >= to_minute(at) + timedelta(minutes=1), Shift.open_for > 0)
    query = select(Shift).where(Shift.user_id.in_(ids), rule).options(joinedload(Shift.job))
    query = query.execution_options(populate_existing=True).order_by(Shift.started_at, Shift.id)
    theirs: dict[int, list[Shift]] = {}
    for shift in db.session.scalars(query):
        theirs.setdefault(shift.user_id, []).append(shift)
    return [_case(person, theirs.get(person.id, []), job, at) for person in people]


def _case(person: User, shifts: Sequence[Shift], job: Job, at: datetime) -> Case:
    seen = ",".join(f"{shift.id}.{shift.version}" for shift in shifts) or "free"
    if not person.is_active:
        return Case(person, (LEAVE,), {}, seen, problem=_("This account isn't active."))
    if not shifts:
        return Case(person, (START, LEAVE), {START: at}, seen)
    last = shifts[-1]
    if last.is_open and last.job_id == job.id:
        return Case(person, (LEAVE,), {}, seen, last, _("Already on this job."))
    if last.is_open and at - last.started_at > LONGEST_TYPED:
        return Case(person, (LEAVE,), {}, seen, last, str(TOO_LONG))
    if last.is_open and to_minute(last.started_at) <= to_minute(at) and len(shifts) == 1:
        return Case(person, (LEAVE, MOVE), {MOVE: at}, seen, last)
    if last.is_open:
        return Case(person, (LEAVE,), {}, seen, last, str(LATER))
    return Case(person, (LEAVE, AFTER), {AFTER: last.ended_at or at}, seen, last)


def assign(
    person: User, job: Job, at: datetime, choice: str, seen: str, *, by: Actor, now: datetime, reason: str
) -> ledger.Assigned | None:
    """Do for one person what was chosen; None for LEAVE. Raises RuleViolation if it has changed since."""
    if choice == LEAVE:
        return None
    person = User.locked(person.id)
    case = look([person], job, at)[0]
    if case.seen != seen or choice not in case.begins:
        raise RuleViolation(
            _("%(name)s has punched since you looked, so nothing was changed.", name=person.name)
        )
    checked_start(job, at, now=now)
    ending = case.shift if choice == MOVE else None
    return ledger.assign(person, job, case.begins[choice], by=by, at=now, reason=reason, ending=ending)
