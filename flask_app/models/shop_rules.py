"""What the shop decided for itself: when each department is clocked out, and its holidays."""

from collections.abc import Mapping, Sequence
from datetime import date, time
from typing import Self

from sqlalchemy import String, select
from sqlalchemy.orm import Mapped, mapped_column

from flask_app.models.base import Base, db
from flask_app.models.user import DEPARTMENTS

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
