"""Undo: what a punch did is taken back exactly, unless something else has happened since. Part of the ledger.

The audit knows both: what a shift was before, and whether the punch was the last thing that happened to it.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

from flask_app.models.audit import ADDED, CHANGED, SHIFT, Audit
from flask_app.models.correction import Correction
from flask_app.models.database import db
from flask_app.models.errors import RuleViolation
from flask_app.models.shift import Shift
from flask_app.models.user import User
from flask_app.timeclock.entries import Actor, Entry, facts, write
from flask_app.timeclock.shift_rows import end, flush
from flask_app.words import _, noted

UNDONE = noted("Undone.")


class NothingToUndo(RuleViolation):
    """Something else has happened since."""

    def __init__(self) -> None:
        super().__init__(_("Something else happened since, so nothing was undone."))


@dataclass(frozen=True, slots=True)
class Undone:
    """What a punch did is as if it had never been; `present` is what the person is on now."""

    person: User
    present: Shift | None


def undo(
    person_id: int, *, began: int | None, ended: int | None, of: datetime, by: Actor, at: datetime
) -> Undone:
    """Take back what `by` did to one person at the instant `of`: the shift that it began is gone again, the
    one that it ended is as it was. Raises NothingToUndo if anything has happened to either since.
    """
    person, entries = User.locked(person_id), []
    made = _as_left(began, person, ADDED, of, by)
    left = _as_left(ended, person, CHANGED, of, by)
    if Correction.asked_since(of, [shift.id for shift, _trail in (*made, *left)]):
        raise NothingToUndo
    for shift, _trail in made:
        entries.append(Entry(shift, person, None, UNDONE, deleted=True))
        db.session.delete(shift)
        flush()
    for shift, trail in left:
        entries.append(Entry(shift, person, facts(shift), UNDONE))
        _restore(shift, person, trail)
    write(entries, by=by, at=at)
    return Undone(person, Shift.open_of(person))


def _as_left(
    shift_id: int | None, person: User, action: str, of: datetime, by: Actor
) -> list[tuple[Shift, list[Audit]]]:
    """Return the shift, with all that is written about it, if nothing has happened to it since."""
    if shift_id is None:
        return []
    trail, shift = list(Audit.of(SHIFT, shift_id)), Shift.reread(shift_id)
    last = trail[0] if trail else None
    if shift is None or last is None or shift.user_id != person.id or by.person is None:
        raise NothingToUndo
    if (last.action, last.at, last.by_id) != (action, of, by.person.id) or last.reason == UNDONE:
        raise NothingToUndo
    return [(shift, trail)]


def _restore(shift: Shift, person: User, trail: list[Audit]) -> None:
    """Give a shift the end that it had before the latest change."""
    changes = trail[0].changes
    ended_at, assumed_at = shift.ended_at, shift.assumed_at
    if "ended_at" in changes:
        ended_at = _instant(changes["ended_at"][0])
    if "assumed" in changes:
        was = (row.at for row in trail[1:] if row.changes.get("assumed", [None, None])[1] == "yes")
        assumed_at = next(was, ended_at) if changes["assumed"][0] == "yes" else None
    if ended_at is None and (
        not person.is_active or Shift.overlapping(person, shift.started_at, None, but=shift)
    ):
        raise NothingToUndo
    end(shift, ended_at, assumed_at)


def _instant(text: str | None) -> datetime | None:
    """Return an instant that the audit wrote down."""
    return None if text is None else datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
