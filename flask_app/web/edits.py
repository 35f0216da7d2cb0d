"""What was changed of somebody's own shifts, told to them: who, when, what and why."""

from collections.abc import Iterable
from dataclasses import dataclass

from flask_app import formats
from flask_app.config import settings
from flask_app.models import Audit, Shift
from flask_app.models.audit import ADDED, BY_CLOCK, BY_CORRECTION, PERSON
from flask_app.timeclock.entries import HOURS
from flask_app.web.audit_values import differences
from flask_app.words import _, retold


@dataclass(frozen=True, slots=True)
class Edit:
    """One change as a sentence, and the reason that was given for it ("": none was asked for)."""

    sentence: str
    reason: str


def edits_of(shifts: Iterable[Shift]) -> dict[int, list[Edit]]:
    """Map the id of each edited shift to what was changed of its hours, earliest first."""
    edited = {shift.id: shift for shift in shifts if shift.edited_at}
    found: dict[int, list[Edit]] = {}
    for row in Audit.of_shifts(list(edited)):
        # An end that the clock assumed is told as one, not as an edit.
        if row.entity_id in edited and row.role != BY_CLOCK and set(row.changes or ()) & set(HOURS):
            edit = Edit(_sentence(row, edited[row.entity_id]), retold(row.reason))
            found.setdefault(row.entity_id, []).append(edit)
    return found


def _sentence(row: Audit, shift: Shift) -> str:
    zone = settings().shop_timezone
    at = row.at.astimezone(zone)
    who = row.by.name if row.by else _("The program")
    words = {"who": who, "day": formats.short_day(at), "time": formats.time_of_day(at)}
    changes = {field: pair for field, pair in (row.changes or {}).items() if field in HOURS}
    what = differences(changes, shift.started_at.astimezone(zone).date())
    if row.action == ADDED:
        return _("%(who)s added this shift on %(day)s at %(time)s: %(what)s.", what=what, **words)
    if row.role == BY_CORRECTION:
        return _("%(who)s approved your request on %(day)s at %(time)s: %(what)s.", what=what, **words)
    if row.role == PERSON:
        return _("You changed this on %(day)s at %(time)s: %(what)s.", what=what, **words)
    return _("%(who)s changed this on %(day)s at %(time)s: %(what)s.", what=what, **words)
