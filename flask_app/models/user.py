"""People: who they are, how they prove it, what they may do."""

import os
import re
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from typing import Any, Self

from flask_bcrypt import Bcrypt
from sqlalchemy import ColumnElement, Select, String, bindparam, func, select
from sqlalchemy.exc import IntegrityError, NoResultFound, OperationalError
from sqlalchemy.orm import Mapped, mapped_column, validates

from flask_app.models.brief import Brief
from flask_app.models.database import Base, db, is_lock_wait
from flask_app.models.errors import Busy, ValidationError
from flask_app.models.names import KEY_MAX, folded, name_key, shown_name, tell_apart
from flask_app.models.types import UtcDateTime, exact_string, natural_number, visible
from flask_app.words import _, lazy

ADMINISTRATIVE = "ADMINISTRATIVE"
DEPARTMENTS = {
    "CNC_SHOP": "CNC shop",
    "CUT_SHOP": "Cut shop",
    "FABRICATION": "Fabrication",
    "PAINT_SHOP": "Paint shop",
    ADMINISTRATIVE: "Administrative",
}
PASSWORD_MIN_CHARACTERS = 8
PASSWORD_MAX_BYTES = 72  # bcrypt reads no further; bcrypt 5 raises instead of cutting silently
HOURS_BUSY = lazy("Someone is changing these hours right now. Try again.")
EMAIL_TAKEN = lazy("There is already an account with this email.")
EMPLOYEE_NUMBER_MAX = 20

bcrypt = Bcrypt()


def _key_of_new(context: Any) -> str:
    values = context.get_current_parameters()
    return name_key(values["first_name"], values["last_name"])


class User(Base):
    """An employee. `department == "ADMINISTRATIVE"` makes an admin; everybody else is a worker."""

    __tablename__ = "users"

    id: Mapped[int] = mapped_column(primary_key=True)
    first_name: Mapped[str] = mapped_column(String(100))
    last_name: Mapped[str] = mapped_column(String(100))
    name_key: Mapped[str] = mapped_column(  # see name_key()
        exact_string(KEY_MAX), default=_key_of_new, server_default="", index=True
    )
    told_apart_by: Mapped[str] = mapped_column(String(255), default="", server_default="")  # see tell_apart()
    employee_number: Mapped[str | None] = mapped_column(  # the payroll's; None: has none
        exact_string(EMPLOYEE_NUMBER_MAX), index=True, unique=True
    )
    email: Mapped[str] = mapped_column(exact_string(255), unique=True)  # in lower case
    password: Mapped[str] = mapped_column(String(255))
    department: Mapped[str] = mapped_column(String(40))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    approved_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # None: waits for an admin
    deleted_date: Mapped[datetime | None] = mapped_column(UtcDateTime)  # set: deactivated
    on_active_roster: Mapped[bool] = mapped_column(default=True)  # expected at the clock on working days
    hire_date: Mapped[date | None]  # the first and the last day of work; None: not known, or not yet
    leave_date: Mapped[date | None]
    must_change_password: Mapped[bool] = mapped_column(default=False)  # an admin gave them this one
    language: Mapped[str | None] = mapped_column(String(8))  # of LANGUAGES; None: what the browser asks for
    epoch: Mapped[int] = mapped_column(default=0)  # raised to end every session of this user

    @validates("first_name", "last_name")
    def _keep_key(self, field: str, name: str) -> str:
        names = {"first_name": self.first_name or "", "last_name": self.last_name or "", field: name}
        self.name_key = name_key(**names)
        return name

    @property
    def name(self) -> str:
        return full_name(self.first_name, self.last_name, self.told_apart_by)

    @property
    def short_name(self) -> str:
        """First name and initial, as on the shop's boards: "Luis R."."""
        initial = f"{self.last_name[:1]}." if self.last_name else ""
        return full_name(self.first_name, initial, self.told_apart_by)

    @property
    def department_name(self) -> str:
        return DEPARTMENTS.get(self.department, self.department)

    @property
    def is_admin(self) -> bool:
        return self.department == ADMINISTRATIVE

    @property
    def is_active(self) -> bool:
        return self.approved_at is not None and self.deleted_date is None

    @property
    def is_waiting(self) -> bool:
        return self.approved_at is None and self.deleted_date is None

    @classmethod
    def create(cls, values: Mapping[str, Any], *, at: datetime, approved: bool) -> Self:
        """Add a person with a password, Hashed or not; or raise ValidationError."""
        filled = {**dict.fromkeys(_CHECKS, ""), **values}
        if problems := problems_of(filled):
            raise ValidationError(problems)
        password = filled.pop("password")
        values = _columns(filled)
        user = cls(**values, password="", created_at=at, approved_at=at if approved else None)
        user.on_active_roster = not user.is_admin  # admins are rarely expected at the clock
        user._store_password(password)
        db.session.add(user)
        _flush_unique()
        tell_namesakes_apart({user.name_key})
        return user

    def edit(self, values: Mapping[str, Any], *, at: datetime) -> None:
        """Change these fields; a change of department ends the person's sessions. Raises ValidationError."""
        days = {"hire_date": self.hire_date, "leave_date": self.leave_date}
        if problems := problems_of({**days, **values}):
            raise ValidationError(problems)
        values = _columns(values)
        self.move(values.get("department", self.department))
        before = self.name_key
        for field, value in values.items():
            setattr(self, field, value)
        self.updated_at = at
        _flush_unique()
        tell_namesakes_apart({before, self.name_key})

    def move(self, department: str) -> None:
        """Put the person into a department, which ends every session. Since when says DepartmentStay."""
        if department == self.department:
            return
        if self.is_admin:
            self._refuse_if_last_admin("department")
        self.department = department
        self.epoch += 1

    def set_password(self, password: "str | Hashed", *, at: datetime) -> None:
        """Replace the password and end every session that was opened with the old one."""
        self._store_password(password)
        self.must_change_password = False
        self.epoch += 1
        self.updated_at = at

    def activate(self, *, at: datetime) -> None:
        """Let the person in, whether they waited for it or had been deactivated."""
        self.approved_at = self.approved_at or at
        self.deleted_date = None
        self.updated_at = at

    def deactivate(self, *, at: datetime) -> None:
        """Keep the person out from their next request on; their shifts stay."""
        if self.is_admin:
            self._refuse_if_last_admin("department")
        self.deleted_date = at
        self.updated_at = at
        self.epoch += 1

    def take_deactivation_back(self) -> None:
        """Let the person in as if they had never been deactivated: the sessions that this ended go on."""
        self.deleted_date = None
        self.epoch -= 1

    def _refuse_if_last_admin(self, field: str) -> None:
        """Nobody could let an admin in again. The admins' rows are locked: two can't remove each other."""
        admins = select(User).where(User.department == ADMINISTRATIVE).order_by(User.id).with_for_update()
        others = db.session.scalars(admins.execution_options(populate_existing=True)).all()
        if not any(admin.is_active for admin in others if admin.id != self.id):
            raise ValidationError(
                {field: _("%(name)s is the only admin. Make someone else an admin first.", name=self.name)}
            )

    def _store_password(self, password: "str | Hashed") -> None:
        hashed = password if isinstance(password, Hashed) else _hashed(password)
        self.password = hashed.text

    @classmethod
    def by_email(cls, email: str) -> Self | None:
        return db.session.scalar(select(cls).where(cls.email == normal_email(email)))

    @classmethod
    def everybody(cls) -> Sequence[Self]:
        """Everybody by name: those who wait for approval and the active before the deactivated."""
        order = (
            cls.deleted_date.is_not(None),
            cls.approved_at.is_not(None),
            *cls.by_name(),
        )
        return db.session.scalars(select(cls).order_by(*order)).all()

    @classmethod
    def names(cls) -> dict[int, str]:
        """Everybody's name by id, in the order of names."""
        query = select(cls.id, cls.first_name, cls.last_name, cls.told_apart_by).order_by(*cls.by_name())
        return {user_id: full_name(*names) for user_id, *names in db.session.execute(query)}

    @classmethod
    def by_name(cls) -> tuple[Any, ...]:
        """What every list of people is sorted by, the same on every engine."""
        return cls.name_key, cls.id

    @classmethod
    def having(cls, search: str) -> list[ColumnElement[bool]]:
        """The rule that a name has every word of `search` somewhere, whatever its accents and case."""
        return [cls.name_key.contains(word, autoescape=True) for word in folded(search).split()[:8]]

    @classmethod
    def numbered(cls, text: str) -> Self | None:
        """The person whose id a form names."""
        number = natural_number(text)
        return None if number is None else db.session.get(cls, number)

    @classmethod
    def has_other_admin(cls, admin: "User") -> bool:
        """Whether somebody else is an admin too."""
        rule = (cls.department == ADMINISTRATIVE, cls.approved_at.is_not(None), cls.deleted_date.is_(None))
        return bool(db.session.scalar(select(func.count()).where(*rule, cls.id != admin.id)))

    @classmethod
    def waiting_count(cls) -> int:
        """How many made an account that no admin has activated yet."""
        waiting = (cls.approved_at.is_(None), cls.deleted_date.is_(None))
        return db.session.scalar(select(func.count()).where(*waiting)) or 0

    @classmethod
    def locked(cls, user_id: int, *, brief: bool = False) -> "User":
        """Return the person, read and locked until the transaction ends: one punch at a time. Who is locked
        already is not asked for again. `brief`: only what a login session and a punch need is read.
        """
        if (known := db.held(cls, user_id)) is not None:
            return known
        try:
            person = cls._read_briefly(user_id, locked=True) if brief else cls._read(user_id)
        except OperationalError as error:
            if not is_lock_wait(error):
                raise
            raise Busy(HOURS_BUSY) from error
        db.hold(person, user_id)
        return person

    @classmethod
    def _read(cls, user_id: int) -> "User":
        return db.session.scalars(_locking(), {"user_id": user_id}).one()

    @classmethod
    def in_brief(cls, user_id: int) -> "User | None":
        """Return the person with what a login session needs; the rest is fetched when it is asked for."""
        try:
            return cls._read_briefly(user_id, locked=False)
        except NoResultFound:
            return None

    @classmethod
    def _read_briefly(cls, user_id: int, *, locked: bool) -> "User":
        row = db.send(_brief(locked), {"user_id": user_id}).scalar_one()
        return db.as_read(User, user_id, **_identity().read(row))


def full_name(first_name: str, last_name: str, told_apart_by: str) -> str:
    """Return a person's name as every page and file shows it."""
    return shown_name(first_name, last_name, told_apart_by, DEPARTMENTS)


@cache
def _locking() -> Select[User]:
    """The statement of User.locked: putting it together takes longer than sending it."""
    query = select(User).where(User.id == bindparam("user_id")).with_for_update()
    return query.execution_options(populate_existing=True)


@cache
def _identity() -> Brief:
    """What a login session and a punch need to know of a person."""
    table: Any = User.__table__
    return Brief(**{name: table.c[name] for name in _BRIEF})


@cache
def _brief(locked: bool) -> Select[Any]:
    query = select(_identity().column).where(User.__table__.c.id == bindparam("user_id"))
    return query.with_for_update() if locked else query


_BRIEF = (
    "first_name", "last_name", "told_apart_by", "department", "approved_at", "deleted_date",
    "must_change_password", "epoch", "language",
)  # fmt: skip


def normal_email(email: str) -> str:
    """Return an address as it is kept: in lower case, without what a copied one brings along."""
    bare = visible(email).lower().removeprefix("mailto:")
    return bare.strip().lstrip("<").rstrip(">.,;:!?").strip()


@dataclass(frozen=True, slots=True)
class Hashed:
    """A password that was found good, as it is stored."""

    text: str


def hash_password(password: str) -> Hashed:
    """Hash a new password before anything is locked for it: bcrypt takes a third of a second, and on SQLite a
    context that may write keeps everybody else from writing. Raises ValidationError."""
    return hash_passwords([password])[0]


def hash_passwords(passwords: Sequence[str]) -> list["Hashed"]:
    """Hash several, as many at a time as there are processors: bcrypt lets other threads run meanwhile."""
    if db.session.in_transaction():
        db.session.commit()
    if len(passwords) == 1:
        return [_hashed(passwords[0])]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(_hashed, passwords))


def _hashed(password: str) -> Hashed:
    if problem := password_problem(password):
        raise ValidationError({"password": problem})
    return Hashed(bcrypt.generate_password_hash(password).decode("ascii"))


def password_problem(password: str) -> str | None:
    """Return what is wrong with a new password, or None."""
    if len(password) < PASSWORD_MIN_CHARACTERS:
        return _("Use at least %(least)s characters.", least=PASSWORD_MIN_CHARACTERS)
    if len(password.encode()) > PASSWORD_MAX_BYTES:
        return _(
            "This password is too long: at most %(most)s bytes (an accented letter is two).",
            most=PASSWORD_MAX_BYTES,
        )
    if "\0" in password:
        return _("A password can't contain a null character.")
    return None


def password_matches(stored_hash: str | None, password: str) -> bool:
    """Compare in the same time whether or not there is such a user; a damaged hash matches nothing."""
    try:
        matches: bool = bcrypt.check_password_hash(stored_hash or _nobodys_hash(), password)
    except ValueError:  # over 72 bytes, a null character, or a stored hash that is none
        return False
    return matches and stored_hash is not None


_nobody: list[str] = []


def _nobodys_hash() -> str:
    if not _nobody:
        _nobody.append(bcrypt.generate_password_hash("nobody's password").decode("ascii"))
    return _nobody[0]


def problems_of(values: Mapping[str, Any]) -> dict[str, str]:
    """Return what is wrong with the values of a person's fields: a sentence for each field."""
    found = {field: check(values[field]) for field, check in _CHECKS.items() if field in values}
    first, last = values.get("hire_date"), values.get("leave_date")
    if first and last and last < first:
        found["leave_date"] = _("The last day is before the first day.")
    return {field: problem for field, problem in found.items() if problem}


def _first_name_problem(name: str) -> str | None:
    if not name:
        return _("Enter the first name.")
    return _("The first name is too long: at most 100 characters.") if len(name) > 100 else None


def _last_name_problem(name: str) -> str | None:
    return _("The last name is too long: at most 100 characters.") if len(name) > 100 else None


def _email_problem(email: str) -> str | None:
    email = normal_email(email)
    is_one = re.fullmatch(_EMAIL, email) and len(email) <= 255
    return None if is_one else _("This doesn't look like an email address.")


def _employee_number_problem(number: str) -> str | None:
    is_long = len(number) > EMPLOYEE_NUMBER_MAX
    return _("This is too long: at most %(most)s characters.", most=EMPLOYEE_NUMBER_MAX) if is_long else None


def _department_problem(department: str) -> str | None:
    return None if department in DEPARTMENTS else _("Choose a department.")


_EMAIL = r"[^@\s<>(),;:\"\[\]\\]+@[^@\s<>(),;:\"\[\]\\.]+(\.[^@\s<>(),;:\"\[\]\\.]+)+"
_CHECKS: dict[str, Callable[[Any], str | None]] = {
    "first_name": _first_name_problem,
    "last_name": _last_name_problem,
    "email": _email_problem,
    "department": _department_problem,
    "employee_number": lambda number: _employee_number_problem(number or ""),
    "password": lambda password: None if isinstance(password, Hashed) else password_problem(password),
}
_COLUMNS = (
    "first_name", "last_name", "email", "employee_number", "department", "on_active_roster", "hire_date",
    "leave_date",
)  # fmt: skip


def _columns(values: Mapping[str, Any]) -> dict[str, Any]:
    known = {field: value for field, value in values.items() if field in _COLUMNS}
    if "email" in known:
        known["email"] = normal_email(known["email"])
    if "employee_number" in known:
        known["employee_number"] = known["employee_number"] or None
    return known


def _flush_unique() -> None:
    try:
        db.session.flush()
    except IntegrityError as taken:
        # The key's name comes last on both engines, after what somebody typed.
        if str(taken.orig).rstrip("')\"").endswith("employee_number"):
            raise ValidationError({"employee_number": _("Someone else has this employee number.")}) from None
        raise ValidationError({"email": EMAIL_TAKEN}) from None


def tell_namesakes_apart(name_keys: set[str]) -> None:
    """Tell all who bear these names apart. Their rows are locked: two who come at once see each other."""
    for key in sorted(name_keys):
        query = select(User).where(User.name_key == key).order_by(User.id).with_for_update()
        tell_apart(db.session.scalars(query.execution_options(populate_existing=True)).all())
    db.session.flush()
