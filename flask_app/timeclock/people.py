"""What happens to people's accounts, by whom: each of these leaves its row in the audit."""

import secrets
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from flask_app.models.audit import ADDED, CHANGED, USER, Audit
from flask_app.models.database import db
from flask_app.models.department_stay import BEGINNING, DepartmentStay
from flask_app.models.dismissal import Dismissal
from flask_app.models.errors import ValidationError
from flask_app.models.login_attempt import LoginAttempt
from flask_app.models.shift import Shift
from flask_app.models.user import ADMINISTRATIVE, DEPARTMENTS, Hashed, User
from flask_app.timeclock import ledger
from flask_app.timeclock.entries import Actor
from flask_app.timeclock.shift_rules import PunchRules
from flask_app.words import _, noted

_FIELDS = (
    "first_name", "last_name", "email", "employee_number", "department", "on_active_roster", "hire_date",
    "leave_date",
)  # fmt: skip
_UNDOABLE = {"on_active_roster", "leave_date", "active"}
_CHANGED_PASSWORD = {"password": ("set", "set anew")}  # that it was, never what it is


def register(values: Mapping[str, Any], *, at: datetime, approved: bool) -> User:
    """Make one's own account; nobody makes oneself an admin or a number. Raises ValidationError."""
    if values.get("department") == ADMINISTRATIVE:
        raise ValidationError({"department": _("Choose one of these departments.")})
    own = {
        field: value for field, value in values.items() if field != "employee_number"
    }  # the office gives it
    user = User.create(own, at=at, approved=approved)
    _write_down(ADDED, user, {}, by=user, at=at, reason=noted("Made the account."))
    return user


def add(values: Mapping[str, Any], *, by: User | None, at: datetime) -> User:
    """Make somebody's account, ready to log in; `by` None is the command line. Raises ValidationError."""
    user = User.create(values, at=at, approved=True)
    _write_down(ADDED, user, {}, by=by, at=at)
    return user


def add_with_one_time_password(
    values: Mapping[str, Any], password: Hashed, *, by: User, at: datetime
) -> User:
    """Make somebody's account with a password that has to be changed at the first login."""
    user = add({**values, "password": password}, by=by, at=at)
    user.must_change_password = True
    return user


def edit(person: User, values: Mapping[str, Any], *, by: User, at: datetime, today: date) -> None:
    """Change some of somebody's fields; another department holds from `today` on. Raises ValidationError."""
    before = _locked(person)
    person.edit(values, at=at)
    if person.department != before["department"]:
        DepartmentStay.put(person, person.department, today)
    _write_down(CHANGED, person, before, by=by, at=at)


def move(person: User, department: str, day: date, *, by: User, at: datetime, today: date) -> None:
    """Let somebody be in a department from a day on, until the next move. Raises ValidationError."""
    if department not in DEPARTMENTS:
        raise ValidationError({"department": _("Choose a department.")})
    if not BEGINNING < day <= today:
        raise ValidationError({"from_day": _("This day can't be in the future.")})
    before = _locked(person)
    DepartmentStay.put(person, department, day)
    _settle_department(person, before, (None, _moved(department, day)), by=by, at=at, today=today)


def take_move_back(person: User, day: date, *, by: User, at: datetime, today: date) -> bool:
    """Let somebody stay where they were before the move of that day. Return False if there was none."""
    before = _locked(person)
    code = DepartmentStay.of(person).on(day)
    if not DepartmentStay.remove(person, day):
        return False
    _settle_department(person, before, (_moved(code, day), None), by=by, at=at, today=today)
    return True


def _settle_department(
    person: User,
    before: dict[str, object],
    moved: tuple[str | None, str | None],
    *,
    by: User,
    at: datetime,
    today: date,
) -> None:
    """Let the person be now where the moves say, and write the move down."""
    person.move(DepartmentStay.of(person).on(today))
    person.updated_at = at
    db.session.flush()
    changes = {field: (before.get(field), value) for field, value in _seen(person).items()}
    _record(person, {**changes, "moved": moved}, by=by, at=at, reason="")


def _moved(code: str, day: date) -> str:
    return f"{DEPARTMENTS.get(code, code)} from {day:%m/%d/%Y}"


def set_roster(person: User, on: bool, *, by: User, at: datetime) -> None:
    """Expect somebody at the clock on working days, or don't."""
    before = _locked(person)
    person.on_active_roster, person.updated_at = on, at
    _write_down(CHANGED, person, before, by=by, at=at)


def choose_language(person: User, code: str) -> None:
    """Speak to somebody in this language on all their devices. It is no fact about hours: no audit."""
    User.locked(person.id).language = code


def activate(person: User, *, by: User, at: datetime, today: date) -> None:
    """Let somebody in. Whoever left before `today` and comes back begins another employment on it."""
    before = _locked(person)
    if person.deleted_date is not None and person.leave_date is not None:
        if person.leave_date < today:
            person.hire_date = today
        person.leave_date = None
    person.activate(at=at)
    db.session.flush()
    _write_down(CHANGED, person, before, by=by, at=at)


def deactivate(
    person: User, *, by: User, at: datetime, rules: PunchRules, last_day: date | None = None
) -> Shift | None:
    """Keep somebody out from now on, with a last day of work (None: the one that is known, if one is).

    Return the shift that this ended, if they were on the clock. Raises ValidationError.
    """
    before = _locked(person)
    if last_day and person.hire_date and last_day < person.hire_date:
        raise ValidationError({"last_day": _("The last day is before the first day.")})
    person.leave_date = last_day or person.leave_date
    person.deactivate(at=at)
    shift = Shift.open_of(person)
    if shift:
        reason = noted("Punched out because the account was deactivated.")
        ledger.punch_out(shift, by=Actor(by), at=at, rules=rules, reason=reason)
    _write_down(CHANGED, person, before, by=by, at=at)
    return shift


def undo(person: User, *, of: datetime, by: User, at: datetime, ended: int | None = None) -> None:
    """Take back the latest change of an account, which `by` made at the instant `of`: a deactivation, with
    the shift that it `ended`, the roster or that somebody isn't expected.

    Raises NothingToUndo if anything else has happened to the account since.
    """
    before, last = _locked(person), next(iter(Audit.of(USER, person.id)), None)
    if last is None or (last.at, last.by_id) != (of, by.id) or last.reason == ledger.UNDONE:
        raise ledger.NothingToUndo
    old = {field: pair[0] for field, pair in last.changes.items()}
    if day := last.changes.get("not_expected", [None, None])[1]:
        Dismissal.undo(person, date.fromisoformat(day), by=by, at=at)
        return
    if old.keys() - _UNDOABLE:
        raise ledger.NothingToUndo
    if "on_active_roster" in old:
        person.on_active_roster = old["on_active_roster"] == "yes"
    if "leave_date" in old:
        person.leave_date = date.fromisoformat(old["leave_date"]) if old["leave_date"] else None
    if "active" in old:
        person.take_deactivation_back()
    person.updated_at = at
    db.session.flush()
    if ended:
        ledger.undo(person.id, began=None, ended=ended, of=of, by=Actor(by), at=at)
    _write_down(CHANGED, person, before, by=by, at=at, reason=ledger.UNDONE)


def give_new_password(person: User, password: Hashed, *, by: User, at: datetime) -> None:
    """Give a one-time password that the person has to change; every session of theirs ends."""
    _locked(person)
    person.set_password(password, at=at)
    person.must_change_password = True
    LoginAttempt.unlock(person.email)  # "ask an admin for a new password" ends the wait
    _record(person, _CHANGED_PASSWORD, by=by, at=at, reason=noted("An admin gave a one-time password."))


def change_own_password(person: User, password: Hashed, *, checked: str, at: datetime) -> None:
    """Replace one's own password; every other session ends. Raises ValidationError.

    `checked` is the hash that the old password was found to match: an admin may have replaced it since.
    """
    _locked(person)
    if person.password != checked:
        raise ValidationError({"old_password": _("Your password was changed a moment ago. Log in again.")})
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
