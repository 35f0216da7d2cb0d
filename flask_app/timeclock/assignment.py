"""Putting people onto a job from a given time: what is in the way, what may be done about it, doing it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import or_, select
from sqlalchemy.orm import joinedload

from flask_app.models.audit import ADDED, CHANGED, SHIFT, Audit
from flask_app.models.database import db
from flask_app.models.errors import RuleViolation, ValidationError
from flask_app.models.job import Job
from flask_app.models.shift import CLOCK_SLACK, Shift, flush_guarded
from flask_app.models.user import User
from flask_app.timeclock.shift_changes import subject_of

LATER = "Punched in after that time. Correct that shift instead."
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
        problems["job"] = f"Job {job.im_number} is closed. Open it first, or choose another."
    if at > now + CLOCK_SLACK:
        problems["start"] = "This start is in the future."
    elif at < now - FARTHEST:
        problems["start"] = "That's more than a day ago. Add the shift for each person instead."
    if problems:
        raise ValidationError(problems)


def look(people: Sequence[User], job: Job, at: datetime) -> list[Case]:
    """Return each person's case, in the order given, by one look at their shifts."""
    ids = [person.id for person in people]
    rule = or_(Shift.ended_at > at, Shift.open_for > 0)
    query = select(Shift).where(Shift.user_id.in_(ids), rule).options(joinedload(Shift.job))
    query = query.execution_options(populate_existing=True).order_by(Shift.started_at, Shift.id)
    theirs: dict[int, list[Shift]] = {}
    for shift in db.session.scalars(query):
        theirs.setdefault(shift.user_id, []).append(shift)
    return [_case(person, theirs.get(person.id, []), job, at) for person in people]


def _case(person: User, shifts: Sequence[Shift], job: Job, at: datetime) -> Case:
    seen = ",".join(f"{shift.id}.{shift.version}" for shift in shifts) or "free"
    if not person.is_active:
        return Case(person, (LEAVE,), {}, seen, problem="This account isn't active.")
    if not shifts:
        return Case(person, (START, LEAVE), {START: at}, seen)
    last = shifts[-1]
    if last.is_open and last.job_id == job.id:
        return Case(person, (LEAVE,), {}, seen, last, "Already on this job.")
    if last.is_open and last.started_at <= at and len(shifts) == 1:
        return Case(person, (LEAVE, MOVE), {MOVE: at}, seen, last)
    if last.is_open:
        return Case(
            person, (LEAVE,), {}, seen, last, "Punched in after that time. Correct that shift instead."
        )
    return Case(person, (LEAVE, AFTER), {AFTER: last.ended_at or at}, seen, last)


def assign(
    person: User, job: Job, at: datetime, choice: str, seen: str, *, by: User, now: datetime, reason: str
) -> Shift | None:
    """Do for one person what was chosen; None for LEAVE. Raises RuleViolation if it has changed since."""
    if choice == LEAVE:
        return None
    person = User.locked(person.id)
    case = look([person], job, at)[0]
    if case.seen != seen or choice not in case.begins:
        raise RuleViolation(f"{person.name} has punched since you looked, so nothing was changed.")
    checked_start(job, at, now=now)
    begins = case.begins[choice]
    if choice == MOVE and case.shift is not None:
        _end(case.shift, begins, by=by, now=now, reason=reason)
    shift = Shift(user_id=person.id, user=person, job_id=job.id, job=job, note="", started_at=begins)
    shift.edited_at = None if begins == now else now  # a start that nobody punched
    db.session.add(shift)
    flush_guarded()
    changes = {"started_at": (None, begins), "job": (None, job.im_number)}
    _write_down(ADDED, shift, changes, by, now, reason)
    return shift


def _end(shift: Shift, at: datetime, *, by: User, now: datetime, reason: str) -> None:
    shift.ended_at = at
    shift.edited_at = None if at == now else now
    flush_guarded()
    _write_down(CHANGED, shift, {"ended_at": (None, at)}, by, now, reason)


def _write_down(
    action: str,
    shift: Shift,
    changes: Mapping[str, tuple[object, object]],
    by: User,
    now: datetime,
    reason: str,
) -> None:
    Audit.record(
        action, SHIFT, shift.id, subject=subject_of(shift), by=by, at=now, changes=changes,
        person_id=shift.user_id, reason=reason,
    )  # fmt: skip
