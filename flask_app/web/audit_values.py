"""The audit's fields and values in words: "out 3:30 PM → 4:10 PM"."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, time

from flask_app import formats
from flask_app.config import settings
from flask_app.models.audit import Audit
from flask_app.models.user import DEPARTMENTS
from flask_app.words import Words, _, lazy

_FIELDS: dict[str, Words] = {
    "started_at": lazy("In"),
    "ended_at": lazy("Out"),
    "job": lazy("Job"),
    "note": lazy("Note"),
    "assumed": lazy("Assumed end"),
    "first_name": lazy("First name"),
    "last_name": lazy("Last name"),
    "email": lazy("Email"),
    "employee_number": lazy("Employee number"),
    "department": lazy("Department"),
    "on_active_roster": lazy("On the roster"),
    "hire_date": lazy("First day"),
    "leave_date": lazy("Last day"),
    "password": lazy("Password"),
    "active": lazy("Active"),
    "im_number": lazy("IM number"),
    "general_contractor": lazy("General contractor"),
    "job_scope": lazy("Scope"),
    "job_name_address": lazy("Job name and address"),
    "estimated_hours": lazy("Estimated hours"),
    "context": lazy("Notes for the shop"),
    "status": lazy("On the active board"),
    "follows": lazy("Follows Dataverse"),
    "clocks_out": lazy("Auto clock-out"),
    "clock_out_at": lazy("Runs at"),
    "assumed_end": lazy("Record end as"),
    "not_expected": lazy("Not expected"),
    "name": lazy("Name"),
    "day": lazy("Day"),
    "weekdays": lazy("Working days"),
    "from_day": lazy("From"),
    "moved": lazy("Move"),
    "set_aside": lazy("Old shift"),
    "meal_minutes": lazy("Meal minutes"),
    "meal_after": lazy("Minutes before a meal"),
    "state": lazy("Status"),
}
_INSTANTS, _TIMES = ("started_at", "ended_at"), ("clock_out_at", "assumed_end")
_DAYS = ("hire_date", "leave_date", "not_expected", "day", "from_day")
_SHORT = 40  # characters of a text in a sentence
_IN_A_SENTENCE = 3  # fields; the details have all

Pair = Sequence[str | None]


def label(field: str) -> str:
    return str(_FIELDS.get(field, field))


def details(row: Audit) -> list[tuple[str, str | None, str | None]]:
    """Return each change as (field, before, now) in words; None is nothing."""
    return [
        (label(field), _or_nothing(field, old), _or_nothing(field, new))
        for field, (old, new) in (row.changes or {}).items()
    ]


def _or_nothing(field: str, text: str | None) -> str | None:
    return None if text is None else value(field, text)


def differences(changes: Mapping[str, Pair], day: date | None = None) -> str:
    """Return what changed as one text: times of `day` without their day, long texts shortened."""
    parts = [_difference(field, pair, day) for field, pair in changes.items()]
    if len(parts) > _IN_A_SENTENCE:
        parts = [*parts[:_IN_A_SENTENCE], _("%(n)s more", n=len(parts) - _IN_A_SENTENCE)]
    return ", ".join(parts)


def _difference(field: str, pair: Pair, day: date | None) -> str:
    old, new = (None if text is None else shortened(value(field, text, day)) for text in pair)
    words = {"field": label(field).lower() if field in ("started_at", "ended_at", "job") else label(field)}
    if old is None:
        return _("%(field)s %(new)s", new=new, **words)
    if new is None:
        return _("%(field)s %(old)s removed", old=old, **words)
    return _("%(field)s %(old)s → %(new)s", old=old, new=new, **words)


def shortened(text: str) -> str:
    return text if len(text) <= _SHORT else f"{text[: _SHORT - 1].rstrip()}…"


def value(field: str, text: str, day: date | None = None) -> str:
    """Return a value as the audit writes it down in the shop's words."""
    if field in _INSTANTS:
        return at(instant(text), day)
    if field in _TIMES:
        return formats.time_of_day(datetime.combine(date.min, time.fromisoformat(text)))
    if field in _DAYS:
        return formats.day(date.fromisoformat(text))
    if field == "department":
        return str(DEPARTMENTS.get(text, text))
    if field == "status":
        text = "yes" if text == "1" else "no"
    return {"yes": _("yes"), "no": _("no")}.get(text, text)


def instant(text: str) -> datetime:
    """Return an instant that the audit wrote down, as the shop's clock had it."""
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S%z").astimezone(settings().shop_timezone)


def at(local: datetime, day: date | None = None) -> str:
    """Return a time of the shop: of `day` only the time of day."""
    if local.date() == day:
        return formats.time_of_day(local)
    return f"{formats.short_day(local)} {formats.time_of_day(local)}"
