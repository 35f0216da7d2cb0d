"""What the shop decided for itself: when each department is clocked out, and its holidays."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, time
from typing import Any, Self

from sqlalchemy import String, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, mapped_column

from flask_app.models.audit import ADDED, CHANGED, DELETED, SETTING, Audit
from flask_app.models.database import Base, db
from flask_app.models.errors import ConcurrentUpdate, ValidationError
from flask_app.models.user import DEPARTMENTS, User
from flask_app.words import _

HOLIDAY_NAME_MAX = 100
_RULE_FIELDS = ("clocks_out", "clock_out_at", "assumed_end")
CLOCK_OUT_AT, ASSUMED_END = time(18, 0), time(15, 30)  # unless a department has its own


class DepartmentRule(Base):
    """A department's auto clock-out: Monday to Friday at `clock_out_at`, with `assumed_end`, shop time."""

    __tablename__ = "department_rules"

    department: Mapped[str] = mapped_column(String(40), primary_key=True)
    clocks_out: Mapped[bool]
    clock_out_at: Mapped[time]
    assumed_end: Mapped[time]

    @classmethod
    def all(cls) -> Mapping[str, Self]:
        """Return every department's rule; one that was never set has the usual times."""
        kept = {rule.department: rule for rule in db.session.scalars(select(cls))}
        return {code: kept.get(code) or cls.usual(code) for code in DEPARTMENTS}

    @classmethod
    def locked(cls, department: str) -> Self:
        """Return a department's rule, read again and locked until the transaction ends."""
        kept = db.session.get(cls, department, with_for_update=True, populate_existing=True)
        return kept or cls.usual(department)

    def change(self, values: Mapping[str, Any], *, by: User, now: datetime) -> None:
        """Change some values of a locked rule. Raises ValidationError."""
        whole = {field: values.get(field, getattr(self, field)) for field in _RULE_FIELDS}
        if whole["assumed_end"] > whole["clock_out_at"]:
            raise ValidationError({"assumed_end": _("This can't be after the time it runs.")})
        changes = {field: (getattr(self, field), value) for field, value in whole.items()}
        for field, value in whole.items():
            setattr(self, field, value)
        db.session.add(self)
        flush_or_retry()
        subject = f"Auto clock-out of {DEPARTMENTS[self.department]}"
        Audit.record(CHANGED, SETTING, None, subject=subject, by=by, at=now, changes=changes)

    @classmethod
    def usual(cls, department: str) -> Self:
        return cls(department=department, clocks_out=True, clock_out_at=CLOCK_OUT_AT, assumed_end=ASSUMED_END)


class Holiday(Base):
    """A day on which nobody is expected to work."""

    __tablename__ = "holidays"

    day: Mapped[date] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(100))

    @classmethod
    def between(cls, first: date, last: date) -> Sequence[Self]:
        """The holidays from `first` to `last`, both included, in order."""
        return db.session.scalars(select(cls).where(cls.day.between(first, last)).order_by(cls.day)).all()

    @classmethod
    def add(cls, day: date, name: str, *, by: User, now: datetime) -> bool:
        """Add a holiday. Return False if that day is one. Raises ValidationError."""
        if problems := holiday_problems({"name": name}):
            raise ValidationError(problems)
        if db.session.get(cls, day):
            return False
        db.session.add(cls(day=day, name=name))
        flush_or_retry()
        subject, changes = f"Holiday {name}", {"day": (None, day), "name": (None, name)}
        Audit.record(ADDED, SETTING, None, subject=subject, by=by, at=now, changes=changes)
        return True

    @classmethod
    def remove(cls, day: date, *, by: User, now: datetime) -> bool:
        """Take a holiday away. Return False if that day is none."""
        holiday = db.session.get(cls, day)
        if holiday is None:
            return False
        db.session.delete(holiday)
        subject, changes = f"Holiday {holiday.name}", {"day": (day, None), "name": (holiday.name, None)}
        Audit.record(DELETED, SETTING, None, subject=subject, by=by, at=now, changes=changes)
        return True


def holiday_problems(values: Mapping[str, Any]) -> dict[str, str]:
    """Return what is wrong with a holiday's values: a sentence for each field."""
    if "name" in values and not 0 < len(values["name"]) <= HOLIDAY_NAME_MAX:
        return {
            "name": _(
                "Enter a name of at most %(most)s characters.",
                most=HOLIDAY_NAME_MAX,
            )
        }
    return {}


def flush_or_retry() -> None:
    try:
        db.session.flush()
    except IntegrityError:
        raise ConcurrentUpdate(_("Someone else has just changed this.")) from None
