"""The old program's people and jobs in our words: what is taken over, merged or repaired, and why."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from flask_app.adopt.source import OldJob, OldPerson
from flask_app.im_number import im_key, tidy
from flask_app.models.adopted_row import MERGED, REPAIRED, TAKEN
from flask_app.models.job import ACTIVE, IM_NUMBER_MAX, INACTIVE, MAX_ESTIMATE
from flask_app.models.types import plain
from flask_app.models.user import ADMINISTRATIVE, DEPARTMENTS, normal_email

NO_DEPARTMENT = "UNASSIGNED"
NO_PASSWORD = ""  # matches nothing: the office gives a new one
NAME_MAX = 100
_BCRYPT = re.compile(r"\$2[aby]\$\d\d\$[./A-Za-z0-9]{53}", re.ASCII)


@dataclass(slots=True)
class Taken:
    """What becomes of one old row: `values` of the row here (empty if it has none), and by which rules.

    `into` is the old number of the row that it is merged into.
    """

    old_id: int
    outcome: str = TAKEN
    rules: list[str] = field(default_factory=list)
    values: dict[str, Any] = field(default_factory=dict)
    into: int | None = None

    def repair(self, rule: str) -> None:
        self.rules.append(rule)
        if self.outcome == TAKEN:
            self.outcome = REPAIRED

    def merge(self, into: int, rule: str) -> None:
        self.outcome, self.into, self.values = MERGED, into, {}
        self.rules.append(rule)


def people(rows: Iterable[OldPerson], instant: Callable[[datetime | None], datetime | None]) -> list[Taken]:
    """Return what becomes of each person. `instant` reads a time of the old database's host."""
    found = [_person(row, instant) for row in rows]
    _merge(
        found,
        lambda taken: taken.values["email"],
        "same_email",
        prefer=lambda t: not t.values["deleted_date"],
    )
    return found


def jobs(rows: Iterable[OldJob], instant: Callable[[datetime | None], datetime | None]) -> list[Taken]:
    """Return what becomes of each job."""
    found = [_job(row, instant) for row in rows]
    _merge(
        found, lambda taken: im_key(taken.values["im_number"]), "same_im_number",
        prefer=lambda taken: taken.values["status"] == ACTIVE,
    )  # fmt: skip
    return found


def _merge(
    found: list[Taken], key: Callable[[Taken], str], rule: str, *, prefer: Callable[[Taken], bool]
) -> None:
    """Of those with the same key one stays: a preferred one, the lowest number among those."""
    groups: dict[str, list[Taken]] = {}
    for taken in found:
        groups.setdefault(key(taken), []).append(taken)
    for group in groups.values():
        stays = min(group, key=lambda taken: (not prefer(taken), taken.old_id))
        for taken in group:
            if taken is not stays:
                taken.merge(stays.old_id, rule)


def _person(row: OldPerson, instant: Callable[[datetime | None], datetime | None]) -> Taken:
    taken = Taken(row.id)
    created = instant(row.created_at)
    email = normal_email(plain(row.email or ""))
    if not email:
        email = f"no-email-{row.id}@moved-in.invalid"  # .invalid is nobody's, by RFC 2606
        taken.repair("no_email")
    password = row.password or ""
    if not _BCRYPT.fullmatch(password):
        password = NO_PASSWORD
        taken.repair("password_unusable")
    department = _department(row.department, taken)
    roster = department != ADMINISTRATIVE if row.on_active_roster is None else bool(row.on_active_roster)
    taken.values = {
        "first_name": _name(row.first_name, taken),
        "last_name": _name(row.last_name, taken),
        "email": email[:255],
        "password": password,
        "department": department,
        "created_at": created,
        "deleted_date": instant(row.deleted_date),
        "on_active_roster": roster,
    }
    if not (taken.values["first_name"] or taken.values["last_name"]):
        taken.values["first_name"] = f"Nobody {row.id}"
        taken.repair("no_name")
    return taken


def _name(text: str | None, taken: Taken) -> str:
    name = plain(text or "")
    if len(name) > NAME_MAX:
        taken.repair("name_cut")
    return name[:NAME_MAX]


def _department(text: str | None, taken: Taken) -> str:
    """Return the code of a department, however somebody spelled it."""
    spelled = plain(text or "")
    if spelled in DEPARTMENTS:
        return spelled
    wanted = re.sub(r"\W+", "_", spelled.upper()).strip("_")
    by_spelling = {re.sub(r"\W+", "_", name.upper()): code for code, name in DEPARTMENTS.items()}
    code = wanted if wanted in DEPARTMENTS else by_spelling.get(wanted)
    taken.repair("department_spelled" if code else "no_department")
    return code or NO_DEPARTMENT


def _job(row: OldJob, instant: Callable[[datetime | None], datetime | None]) -> Taken:
    taken = Taken(row.id)
    hidden = row.visible_to_production == 0
    if hidden:
        taken.repair("hidden_from_production")
    taken.values = {
        "im_number": _im_number(row, taken),
        "general_contractor": plain(row.general_contractor or "") or "Unknown",
        "job_scope": plain(row.job_scope or "", lines=True) or "See Work Order",
        "estimated_hours": _hours(row.estimated_hours, taken),
        "context": _context(row),
        "status": ACTIVE if row.status == 1 and not hidden else INACTIVE,
        "created_at": instant(row.created_at),
        "user_id": row.user_id,
    }
    return taken


def _im_number(row: OldJob, taken: Taken) -> str:
    number = tidy(plain(row.im_number or ""))
    if not im_key(number):
        taken.repair("no_im_number")
        return f"OLD {row.id}"
    kept = number[:IM_NUMBER_MAX].strip()
    while len(im_key(kept)) > IM_NUMBER_MAX:  # some characters are two in capitals
        kept = kept[:-1].strip()
    if kept != number:
        taken.repair("im_number_cut")
    return kept


def _hours(stored: Any, taken: Taken) -> float | None:
    """Return the estimate; the old sync wrote "0000" where there was none."""
    text = plain(str(stored)) if stored is not None else ""
    if not text.strip("0"):
        return None
    grouped = re.fullmatch(r"\d{1,3}(,\d{3})+(\.\d+)?", text)
    try:
        hours = float(Decimal(text.replace(",", "") if grouped else text))
    except (InvalidOperation, ValueError):
        hours = -1.0
    if not 0 <= hours <= MAX_ESTIMATE:
        taken.repair("estimate_unreadable")
        return None
    if not re.fullmatch(r"[1-9]\d*(\.\d+)?", text):
        taken.repair("estimate_spelled")
    return round(hours, 2) or None


def _context(row: OldJob) -> str:
    """Return the note; an estimate that is no number goes on in it, so that nobody's words are lost."""
    note = plain(row.context or "", lines=True)
    spelled = plain(str(row.estimated_hours)) if row.estimated_hours is not None else ""
    if spelled and _hours(row.estimated_hours, Taken(0)) is None and spelled.strip("0"):
        note = f"{note}\nEstimated hours: {spelled}".strip()
    return note


def by_old_id(found: Iterable[Taken]) -> Mapping[int, Taken]:
    return {taken.old_id: taken for taken in found}
