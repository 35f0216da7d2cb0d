"""The audit as sentences: "Grace W. changed Ana D.'s Tue Nov 24 shift: out 3:30 PM → 4:10 PM"."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import groupby
from typing import Any

from flask import url_for
from markupsafe import Markup, escape

from flask_app import formats
from flask_app.config import settings
from flask_app.models import Audit, Shift
from flask_app.models.audit import ADDED, BY_CLOCK, BY_CORRECTION, CHANGED, DELETED, JOB, SHIFT, USER
from flask_app.web.audit_values import Pair, at, details, differences, instant, value
from flask_app.words import Words, _, lazy, retold


@dataclass(frozen=True, slots=True)
class Told:
    """One change: its sentence, with links to what it is about, and every field with its values."""

    row: Audit
    sentence: Markup
    reason: str
    details: Sequence[tuple[str, str | None, str | None]]


def told(rows: Sequence[Audit]) -> list[Told]:
    """Return each change in words."""
    changed = [row.entity_id for row in rows if row.entity == SHIFT and row.entity_id is not None]
    shifts = Shift.places(changed)
    return [
        Told(
            row,
            _sentence(row, shifts.get(row.entity_id or 0)),
            retold(row.reason),
            [] if row.is_punch else details(row),
        )
        for row in rows
    ]


def by_day(rows: Sequence[Audit]) -> list[tuple[date, list[Told]]]:
    """Return the changes in words, day by day in the order that they have."""
    zone = settings().shop_timezone
    days = groupby(told(rows), key=lambda one: one.row.at.astimezone(zone).date())
    return [(day, list(of_day)) for day, of_day in days]


def _sentence(row: Audit, place: tuple[datetime, int] | None) -> Markup:
    # The sentences are ours, and every value that is put into one is escaped.
    say = _OF.get(row.entity, _of_setting)
    if row.entity == SHIFT and row.entity_id is None:  # one of the old program's that was set aside
        say = _of_setting
    return Markup(say(row, place))  # noqa: S704


Place = tuple[datetime, int] | None


def _of_shift(row: Audit, place: Place) -> str:
    day = _day_of(row, place)
    words = {
        "who": _who(row),
        "whose": _whose(row),
        "day": _linked_day(row, day, place),
        "job": _job(row, place),
    }
    if row.is_punch:
        if row.action == ADDED:
            return _("%(who)s punched in on %(job)s", **words)
        return _("%(who)s punched out of %(job)s", **words)
    if row.action == CHANGED:
        return _changed_shift(row, day, words)
    return _whole_shift(row, row.changes or {}, day, words)


def _day_of(row: Audit, place: Place) -> date | None:
    """The shop day on which a shift began: as the change has it, or as the shift has it now."""
    if known := (row.changes or {}).get("started_at"):
        return instant(str(known[1 if row.action == ADDED else 0])).date()
    return place[0].astimezone(settings().shop_timezone).date() if place else None


def _whole_shift(row: Audit, changes: Mapping[str, Pair], day: date | None, words: dict[str, Markup]) -> str:
    """A shift that was added, or deleted."""
    side = 1 if row.action == ADDED else 0
    times = [pair[side] for field in ("started_at", "ended_at") if (pair := changes.get(field))]
    words["times"] = escape(" – ".join(at(instant(text), day) for text in times if text))
    if row.action == DELETED:
        return _("%(who)s deleted %(whose)s's %(day)s shift on %(job)s, %(times)s", **words)
    if len(times) < 2:
        return _("%(who)s put %(whose)s on %(job)s from %(times)s", **words)
    return _("%(who)s added a %(day)s shift on %(job)s for %(whose)s, %(times)s", **words)


def _changed_shift(row: Audit, day: date | None, words: dict[str, Markup]) -> str:
    changes = row.changes or {}
    if set(changes) == {"assumed"}:
        if _is_own(row):
            return _("%(who)s confirmed the end of their %(day)s shift", **words)
        return _("%(who)s confirmed the end of %(whose)s's %(day)s shift", **words)
    ended = changes.get("ended_at", (None, None))
    if ended[0] is None and set(changes) <= {"ended_at", "assumed"}:
        return _ended_shift(row, escape(value("ended_at", str(ended[1]), day)), words)
    return _amended_shift(row, day, words)


def _amended_shift(row: Audit, day: date | None, words: dict[str, Markup]) -> str:
    what = {field: pair for field, pair in (row.changes or {}).items() if field != "assumed"}
    words["what"] = escape(differences(what, day))
    if row.role == BY_CORRECTION:
        return _("%(who)s approved %(whose)s's correction of the %(day)s shift: %(what)s", **words)
    if _is_own(row):
        return _("%(who)s changed their %(day)s shift: %(what)s", **words)
    return _("%(who)s changed %(whose)s's %(day)s shift: %(what)s", **words)


def _ended_shift(row: Audit, time: Markup, words: dict[str, Markup]) -> str:
    """A shift that was open, and that somebody or the clock has ended."""
    if row.role == BY_CLOCK or "assumed" in (row.changes or {}):
        return _(
            "%(who)s ended %(whose)s's %(day)s shift on %(job)s at %(time)s (assumed)", time=time, **words
        )
    return _("%(who)s punched %(whose)s out of %(job)s at %(time)s", time=time, **words)


def _is_own(row: Audit) -> bool:
    return row.by_id is not None and row.by_id == row.person_id


# What is done to a person by changing one field, by its new value.
_DONE: dict[tuple[str, str | None], Words] = {
    ("active", "yes"): lazy("%(who)s activated %(whose)s"),
    ("active", "no"): lazy("%(who)s deactivated %(whose)s"),
    ("on_active_roster", "yes"): lazy("%(who)s put %(whose)s on the roster"),
    ("on_active_roster", "no"): lazy("%(who)s removed %(whose)s from the roster"),
    ("password", "set anew"): lazy("%(who)s reset %(whose)s's password"),
}


def _of_person(row: Audit, _place: Place) -> str:
    words, changes = {"who": _who(row), "whose": _whose(row)}, row.changes or {}
    if row.action == ADDED:
        if _is_own(row):
            return _("%(who)s created an account", **words)
        return _("%(who)s added %(whose)s", **words)
    if _is_own(row) and "password" in changes:
        return _("%(who)s changed their password", **words)
    if done := _done(changes):
        return str(done) % words
    if "not_expected" in changes:
        return _dismissal(changes["not_expected"], words)
    return _("%(who)s changed %(whose)s: %(what)s", what=escape(differences(changes)), **words)


def _done(changes: Mapping[str, Pair]) -> Words | None:
    """What these changes are called together; deactivating somebody may change more than that one field."""
    fields = ["active"] if "active" in changes else list(changes)
    return _DONE.get((fields[0], changes[fields[0]][1])) if len(fields) == 1 else None


def _dismissal(pair: Pair, words: dict[str, Markup]) -> str:
    day = escape(value("not_expected", str(pair[1] or pair[0])))
    if pair[1] is None:
        return _("%(who)s expects %(whose)s on %(day)s after all", day=day, **words)
    return _("%(who)s dismissed %(whose)s for %(day)s", day=day, **words)


def _of_job(row: Audit, _place: Place) -> str:
    job = _link("jobs.show", row.subject, job_id=row.entity_id) if row.entity_id else escape(row.subject)
    words, changes = {"who": _who(row), "job": job}, row.changes or {}
    if row.action == ADDED:
        return _("%(who)s added %(job)s", **words)
    if row.action == DELETED:
        return _("%(who)s deleted %(job)s", **words)
    if set(changes) == {"status"}:
        if changes["status"][1] == "1":
            return _("%(who)s reopened %(job)s", **words)
        return _("%(who)s closed %(job)s", **words)
    return _("%(who)s changed %(job)s: %(what)s", what=escape(differences(changes)), **words)


def _of_setting(row: Audit, _place: Place) -> str:
    page = next((page for name, page in _PAGES.items() if row.subject.startswith(name)), None)
    subject = _link(page, row.subject) if page else escape(row.subject)
    words = {"who": _who(row), "what": subject, "how": escape(differences(row.changes or {}))}
    if row.action == ADDED:
        return _("%(who)s added %(what)s: %(how)s", **words)
    if row.action == DELETED:
        return _("%(who)s removed %(what)s: %(how)s", **words)
    return _("%(who)s changed %(what)s: %(how)s", **words)


_PAGES = {  # where the settings are changed whose changes are called so
    "Auto clock-out of": "rules.index",
    "Holiday ": "rules.index",
    "Meal rule ": "meals.index",
    "Old shift ": "old_shifts.index",
    "Hours to Dataverse": "hours_out.index",
    "What a sync held back": "sync.index",
}
_OF: dict[str, Callable[[Audit, Place], str]] = {SHIFT: _of_shift, USER: _of_person, JOB: _of_job}


def _who(row: Audit) -> Markup:
    """Who did it; the clock where nobody did."""
    if row.by is not None:
        return escape(row.by.short_name)
    return escape(_("Auto clock-out") if row.role == BY_CLOCK else _("The program"))


def _whose(row: Audit) -> Markup:
    if row.person is None:
        return escape(row.subject)
    return _link("users.edit", row.person.short_name, user_id=row.person.id)


def _job(row: Audit, place: Place) -> Markup:
    """The number that the subject ends with: a job's link as long as the shift is there."""
    number = row.subject.rpartition(" on ")[2]
    return _link("jobs.show", number, job_id=place[1]) if place else escape(number)


def _linked_day(row: Audit, day: date | None, place: Place) -> Markup:
    shown = formats.short_day(day) if day else ""
    return _link("shift_office.edit", shown, shift_id=row.entity_id) if place else escape(shown)


def _link(endpoint: str, words: str, **values: Any) -> Markup:
    return Markup('<a href="{}">{}</a>').format(url_for(endpoint, **values), words)
