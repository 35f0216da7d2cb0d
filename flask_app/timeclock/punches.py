"""Punching in and out, by oneself or by an admin for others. Part of the ledger."""

from datetime import datetime

from flask_app.models.database import db
from flask_app.models.job import Job
from flask_app.models.shift import Shift
from flask_app.models.shop_rules import DepartmentRule
from flask_app.models.user import User
from flask_app.timeclock.entries import Actor, Entry, facts, write
from flask_app.timeclock.shift_rows import Punched, PunchedOut, Unchanged, checked_open, end, insert, locked
from flask_app.timeclock.shift_rules import (
    DOUBLE_TAP,
    AlreadyOn,
    PunchRefused,
    PunchRules,
    TooSoon,
    checked_key,
    checked_note,
    no_earlier,
)
from flask_app.words import _, noted

SETTLED = noted("A punch came after the end was assumed.")
TOO_LONG = noted("The punch came more than %(hours)s hours after the start, so the end is assumed.")

ELSEWHERE = noted("Punched in elsewhere by an admin.")
BY_ADMIN = noted("Punched out by an admin.")


def punch_in(
    worker: User,
    job_id: int,
    *,
    by: Actor,
    at: datetime,
    rules: PunchRules,
    note: str = "",
    key: str = "",
) -> Punched | Unchanged:
    """Punch `worker` in on a job, ending at the same instant what was open.

    The same `key` (a form's own) again changes nothing. A shift that was open for longer than the rules
    believe gets an assumed end; an assumed end of a shift that isn't older than that gives way to the punch.
    Raises PunchRefused.
    """
    note, punch_key = checked_note(note), checked_key(key)
    worker = User.locked(worker.id)
    found, last, known = Shift.around_punch(worker, job_id, punch_key)
    if known:
        return _repeated(known, worker, last)
    if not worker.is_active:
        raise PunchRefused(_("%(name)s's account isn't active. Ask the office.", name=worker.name))
    job = checked_open(found)
    begins, ended, was_assumed = at, None, last is not None and last.assumed_at is not None
    entries: list[Entry] = []
    if last is not None:
        _refuse_same_job(last, job, worker, by, at, rules)
        begins, entries = _leave(last, worker, by, at, rules)
        ended = last if entries else None
    shift = insert(worker, job, begins, note=note, punch_key=punch_key)
    entries.append(_entry(shift, worker, None, by, noted("Punched in by an admin.")))
    write(entries, by=by, at=at)
    return Punched(shift, ended, was_assumed and ended is not None)


def punch_out(
    shift: Shift,
    *,
    by: Actor,
    at: datetime,
    rules: PunchRules,
    reason: str = BY_ADMIN,
    sure: bool = True,
) -> PunchedOut | Unchanged:
    """Punch the person of `shift` out of it. `reason` is written down unless they do so themselves. Raises
    TooSoon if they punched in a moment ago and aren't `sure`.

    An end that was only assumed gives way to the punch, as in `punch_in`. A shift that has ended otherwise
    stays as it is, whatever the person is on now.
    """
    person, shift, present = locked(shift)
    settles = shift.assumed_at is not None and present is None and not rules.doubts(shift.started_at, at)
    if not shift.is_open and not (settles and not Shift.overlapping(person, shift.started_at, at, but=shift)):
        return Unchanged(shift, present)
    if not sure and at - shift.started_at < DOUBLE_TAP:
        raise TooSoon(_("You punched in a moment ago. Punch out?"))
    _left, entries = _leave(shift, person, by, at, rules, reason)
    write(entries, by=by, at=at)
    return PunchedOut(shift)


def _refuse_same_job(last: Shift, job: Job, worker: User, by: Actor, at: datetime, rules: PunchRules) -> None:
    if last.is_open and last.job_id == job.id and not rules.doubts(last.started_at, at):
        if by.person is not None and by.person.id == worker.id:
            raise AlreadyOn(_("You're already on %(job)s.", job=job.im_number))
        raise AlreadyOn(_("%(name)s is already on %(job)s.", name=worker.name, job=job.im_number))


def _leave(
    last: Shift, worker: User, by: Actor, at: datetime, rules: PunchRules, reason: str = ""
) -> tuple[datetime, list[Entry]]:
    """End `last` if a punch at `at` does that. Return when the next shift can begin, and what is to be
    written down."""
    before, assumed = facts(last), last.assumed_at is not None
    doubted = rules.doubts(last.started_at, at)
    if not last.is_open and not (assumed and not doubted):
        return no_earlier(last.ended_at or at, at), []
    if doubted:
        rule = DepartmentRule.all().get(worker.department) or DepartmentRule.usual(worker.department)
        end(last, rules.assumed_end(last, rule, now=at), at)
    else:
        end(last, no_earlier(last.started_at, at), None)
    odd = noted(TOO_LONG, hours=int(rules.longest.total_seconds() // 3600)) if doubted else ""
    odd = odd or (SETTLED if assumed else "")
    begins = at if doubted else last.ended_at or at
    return begins, [_entry(last, worker, before, by, reason or ELSEWHERE, odd)]


def _entry(
    shift: Shift, worker: User, before: dict[str, object] | None, by: Actor, reason: str, odd: str = ""
) -> Entry:
    """Return the audit row of a punch: an ordinary one of one's own needs no words."""
    is_own = by.person is not None and by.person.id == worker.id
    words = " ".join(part for part in ("" if is_own else reason, odd) if part)
    return Entry(shift, worker, before, words, is_punch=is_own and not odd)


def _repeated(known: int, worker: User, last: Shift | None) -> Unchanged:
    """Answer a form that was sent twice: what it did stands, whatever came after."""
    shift = db.session.get_one(Shift, known, populate_existing=True)
    if shift.user_id != worker.id:
        raise PunchRefused(_("Someone else already used this form. Reload the page and try again."))
    return Unchanged(shift, last if last is not None and last.is_open else None)
