"""What happens to people's accounts, by whom: each of these leaves its row in the audit."""

import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from flask_app.models.audit import ADDED, CHANGED, USER, Audit
from flask_app.models.errors import ValidationError
from flask_app.models.login_attempt import LoginAttempt
from flask_app.models.shift import Shift
from flask_app.models.user import ADMINISTRATIVE, Hashed, User
from flask_app.timeclock import ledger
from flask_app.timeclock.entries import Actor
from flask_app.timeclock.shift_rules import PunchRules

_FIELDS = (
    "first_name", "last_name", "email", "employee_number", "department", "on_active_roster", "hire_date",
    "leave_date",
)  # fmt: skip
_CHANGED_PASSWORD = {"password": ("set", "set anew")}  # that it was, never what it is


def register(values: Mapping[str, Any], *, at: datetime, approved: bool) -> User:
    """Make one's own account; nobody makes oneself an admin or a number. Raises ValidationError."""
    if values.get("department") == ADMINISTRATIVE:
        raise ValidationError({"department": "Choose one of these departments."})
    own = {
        field: value for field, value in values.items() if field != "employee_number"
    }  # the office gives it
    user = User.create(own, at=at, approved=approved)
    _write_down(ADDED, user, {}, by=user, at=at, reason="Made the account.")
    return user


def add(values: Mapping[str, Any], *, by: User | None, at: datetime) -> User:
    """Make somebody's account, ready to log in; `by` None is the command line. Raises ValidationError."""
    user = User.create(values, at=at, approved=True)
    _write_down(ADDED, user, {}, by=by, at=at)
    return user


def edit(person: User, values: Mapping[str, Any], *, by: User, at: datetime) -> None:
    """Change some of somebody's fields. Raises ValidationError."""
    before = _locked(person)
    person.edit(values, at=at)
    _write_down(CHANGED, person, before, by=by, at=at)


def set_roster(person: User, on: bool, *, by: User, at: datetime) -> None:
    """Expect somebody at the clock on working days, or don't."""
    before = _locked(person)
    person.on_active_roster, person.updated_at = on, at
    _write_down(CHANGED, person, before, by=by, at=at)


def activate(person: User, *, by: User, at: datetime) -> None:
    before = _locked(person)
    person.activate(at=at)
    _write_down(CHANGED, person, before, by=by, at=at)


def deactivate(person: User, *, by: User, at: datetime, rules: PunchRules) -> Shift | None:
    """Keep somebody out from now on. Return the shift that this ended, if they were on the clock."""
    before = _locked(person)
    person.deactivate(at=at)
    shift = Shift.open_of(person)
    if shift:
        reason = "Punched out because the account was deactivated."
        ledger.punch_out(shift, by=Actor(by), at=at, rules=rules, reason=reason)
    _write_down(CHANGED, person, before, by=by, at=at)
    return shift


def give_new_password(person: User, password: Hashed, *, by: User, at: datetime) -> None:
    """Give a one-time password that the person has to change; every session of theirs ends."""
    _locked(person)
    person.set_password(password, at=at)
    person.must_change_password = True
    LoginAttempt.forget(person.email)  # "ask an admin for a new password" ends the wait
    _record(person, _CHANGED_PASSWORD, by=by, at=at, reason="An admin gave a one-time password.")


def change_own_password(person: User, password: Hashed, *, checked: str, at: datetime) -> None:
    """Replace one's own password; every other session ends. Raises ValidationError.

    `checked` is the hash that the old password was found to match: an admin may have replaced it since.
    """
    _locked(person)
    if person.password != checked:
        raise ValidationError({"old_password": "Your password was changed a moment ago. Log in again."})
    person.set_password(password, at=at)
    _record(person, _CHANGED_PASSWORD, by=person, at=at, reason="")


def readable_password() -> str:
    """Return a password that can be read out aloud: three words out of 36, and a number."""
    return "-".join([*(secrets.choice(_WORDS) for _ in range(3)), str(secrets.randbelow(9000) + 1000)])


def _locked(person: User) -> dict[str, object]:
    User.locked(person.id)
    return _seen(person)


def _seen(person: User) -> dict[str, object]:
    return {**{field: getattr(person, field) for field in _FIELDS}, "active": person.is_active}


def _write_down(
    action: str,
    person: User,
    before: dict[str, object],
    *,
    by: User | None,
    at: datetime,
    reason: str = "",
) -> None:
    changes = {field: (before.get(field), value) for field, value in _seen(person).items()}
    _record(person, changes, by=by, at=at, reason=reason, action=action)


def _record(
    person: User,
    changes: Mapping[str, tuple[object, object]],
    *,
    by: User | None,
    at: datetime,
    reason: str,
    action: str = CHANGED,
) -> None:
    Audit.record(
        action, USER, person.id, subject=person.name, by=by, at=at, changes=changes, person_id=person.id,
        reason=reason,
    )  # fmt: skip


_WORDS = (
    "alder", "ash", "bevel", "birch", "brass", "cedar", "cherry", "chisel", "cove", "dado", "dowel", "elm",
    "fir", "gouge", "grain", "hinge", "inlay", "jig", "kerf", "lathe", "maple", "miter", "oak", "ogee",
    "pine", "plane", "rabbet", "rasp", "router", "sanded", "spline", "square", "teak", "tenon", "veneer",
    "walnut",
)  # fmt: skip
