"""What an adoption set aside: looked at, repaired by way of the shift ledger, dismissed, taken back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta, tzinfo

from sqlalchemy import func, select

from flask_app.adopt.report import RULES
from flask_app.adopt.target import SHIFTS
from flask_app.clock import day_bounds, day_of, shown_at
from flask_app.models import AdoptedRow, Audit, DepartmentRule, Job, Shift, User, db
from flask_app.models.audit import CHANGED, SHIFT, checked_reason
from flask_app.models.errors import RuleViolation
from flask_app.timeclock import ledger
from flask_app.timeclock.entries import Actor
from flask_app.timeclock.shift_rules import check_times
from flask_app.words import _, lazy

# Why a row can be set aside.
RULE_WORDS = {
    rule: RULES[rule]
    for rule in (
        "no_times", "no_start", "no_job", "no_person", "ends_before_it_starts", "impossible_date",
        "longer_than_a_day",
    )
}  # fmt: skip
# How several rows are settled at once.
ZERO, USUAL_END, END_AT, AFTER_LAST, BEGIN_AT, DISMISS = (
    "zero", "usual_end", "end_at", "after_last", "begin_at", "dismiss",
)  # fmt: skip
WITH_TIME = (END_AT, BEGIN_AT)
SAFE: Mapping[str, Sequence[str]] = {  # by rule; a row can always be dismissed
    "ends_before_it_starts": (ZERO, END_AT),
    "longer_than_a_day": (USUAL_END, END_AT),
    "no_start": (AFTER_LAST, BEGIN_AT),
}
LONGEST = timedelta(hours=16)  # of a shift that is put together from two punches
REPAIRED, DISMISSED = "repaired", "dismissed"
_GONE = lazy("There is no such row. The last run of the adoption may have taken it over.")
_SETTLED = lazy("Somebody settled this a moment ago.")


@dataclass(frozen=True, slots=True)
class Proposal:
    """What would become of one row: a shift with these instants; or `problem` says why it can't be."""

    row: AdoptedRow
    start: datetime | None = None
    end: datetime | None = None
    problem: str = ""


def rule_of(row: AdoptedRow) -> str:
    """Return by which rule a row was set aside."""
    return next((rule for rule in row.rules.split() if rule in RULE_WORDS), "")


def why(row: AdoptedRow) -> list[str]:
    """Return in words why a row was set aside, and what else was noticed."""
    return [str(RULES.get(rule, rule)) for rule in row.rules.split()]


def row_of(old_id: int, *, lock: bool = False) -> AdoptedRow:
    """Return the old shift that was set aside. Raises RuleViolation."""
    row = AdoptedRow.set_aside(SHIFTS, old_id, lock=lock)
    if row is None:
        raise RuleViolation(str(_GONE))
    return row


def repair(
    old_id: int,
    person: User,
    job: Job,
    start: datetime,
    end: datetime,
    *,
    by: Actor,
    at: datetime,
    reason: str,
    note: str = "",
) -> Shift:
    """Make a shift of a row that waits. Raises RuleViolation and ValidationError, as the ledger does."""
    User.locked(person.id)  # the person before the row, as everywhere
    row = _waiting(old_id)
    shift = ledger.add(person, job, start, end, by=by, at=at, reason=reason, note=note)
    _settle(row, by, at, f"{REPAIRED}: {reason}")
    row.new_id = shift.id
    return shift


def dismiss(old_id: int, *, by: Actor, at: datetime, reason: str) -> None:
    """Leave a row out for good: it was no work. Raises RuleViolation, ValidationError without a reason."""
    reason, row = checked_reason(reason), _waiting(old_id)
    _settle(row, by, at, f"{DISMISSED}: {reason}")
    _write_down(row, ("waiting", DISMISSED), by=by, at=at, reason=reason)


def take_back(old_id: int, *, by: Actor, at: datetime) -> None:
    """Let a row wait again that was dismissed, or whose shift was deleted since. Raises RuleViolation."""
    row = row_of(old_id, lock=True)
    if row.settled_at is None:
        return
    if row.new_id is not None and db.session.get(Shift, row.new_id) is not None:
        raise RuleViolation(_("It is a shift now. Delete that shift first."))
    was = row.settled_how.partition(":")[0]
    row.settled_at = row.settled_by_id = row.new_id = None
    row.settled_how = ""
    _write_down(row, (was, "waiting"), by=by, at=at, reason="")


def proposals(
    rows: Sequence[AdoptedRow], how: str, at: time | None, zone: tzinfo, *, now: datetime
) -> list[Proposal]:
    """Return what each row would become by `how`, one of SAFE's; nothing is changed."""
    ends = AdoptedRow.ends_by_person() if how == AFTER_LAST else {}
    usual = {code: rule.assumed_end for code, rule in DepartmentRule.all().items()}
    found = []
    for row in rows:
        end_at = usual.get(row.person.department) if how == USUAL_END and row.person else at
        start, end = _times(row, how, end_at, zone, ends)
        found.append(Proposal(row, start, end, _problem(row, how, start, end, now)))
    return found


def _times(
    row: AdoptedRow, how: str, at: time | None, zone: tzinfo, ends: Mapping[int, Sequence[datetime]]
) -> tuple[datetime | None, datetime | None]:
    start, end = row.started_at, row.ended_at
    if how == ZERO:
        return start, start
    if how in (USUAL_END, END_AT):
        return start, _on_the_day_of(start, at, zone)
    if how == BEGIN_AT:
        return _on_the_day_of(end, at, zone), end
    return _last_end_before(row, zone, ends), end


def _on_the_day_of(instant: datetime | None, at: time | None, zone: tzinfo) -> datetime | None:
    if instant is None or at is None:
        return None
    return shown_at(day_of(instant, zone), at, zone)


def _last_end_before(
    row: AdoptedRow, zone: tzinfo, ends: Mapping[int, Sequence[datetime]]
) -> datetime | None:
    """Return when the person's work before this row's end ended, if that was on the same day of the shop."""
    if row.ended_at is None or row.person_id is None:
        return None
    first, _ = day_bounds(day_of(row.ended_at, zone), zone)
    kept = db.session.scalar(
        select(func.max(Shift.ended_at)).where(
            Shift.user_id == row.person_id, Shift.ended_at >= first, Shift.ended_at < row.ended_at
        )
    )
    own = [end for end in ends.get(row.person_id, ()) if first <= end < row.ended_at]
    return max([*own, kept] if kept else own, default=None)


def _problem(row: AdoptedRow, how: str, start: datetime | None, end: datetime | None, now: datetime) -> str:
    if how not in SAFE.get(rule_of(row), ()) or row.person is None or row.job is None:
        return _("This one has to be fixed by itself.")
    if start is None or end is None:
        return _("Nothing tells the missing time. Fix it by itself.")
    if end - start > LONGEST:
        return _("It would be longer than 16 hours. Fix it by itself.")
    try:
        check_times(row.person, start, end, now=now)
    except RuleViolation as refusal:
        return str(refusal)
    return ""


def _waiting(old_id: int) -> AdoptedRow:
    row = row_of(old_id, lock=True)
    if row.settled_at is not None:
        raise RuleViolation(str(_SETTLED))
    return row


def _settle(row: AdoptedRow, by: Actor, at: datetime, how: str) -> None:
    row.settled_at, row.settled_how = at, how
    row.settled_by_id = by.person.id if by.person else None


def _write_down(row: AdoptedRow, states: tuple[str, str], *, by: Actor, at: datetime, reason: str) -> None:
    whose = f" of {row.person.name}" if row.person else ""
    Audit.record(
        CHANGED, SHIFT, None, subject=f"Old shift {row.old_id}{whose}", by=by.person, at=at,
        changes={"set_aside": states}, person_id=row.person_id, reason=reason,
    )  # fmt: skip
