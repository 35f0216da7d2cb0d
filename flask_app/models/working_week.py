"""On which weekdays somebody works: Monday to Friday, unless a dated row says otherwise."""

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, SmallInteger, select
from sqlalchemy.orm import Mapped, mapped_column

from flask_app.models.audit import CHANGED, USER, Audit
from flask_app.models.database import Base, db
from flask_app.models.dated import Dated
from flask_app.models.errors import ValidationError
from flask_app.models.user import User
from flask_app.words import _

USUAL = 0b0011111  # Monday to Friday
NAMES = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


class WorkingWeek(Base):
    """The weekdays on which a person works from a day on: the sum of 1 for Monday, 2 for Tuesday, ... 64."""

    __tablename__ = "working_days"
    __table_args__ = (CheckConstraint("weekdays BETWEEN 0 AND 127", name="weekdays"),)

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), primary_key=True)
    from_day: Mapped[date] = mapped_column(primary_key=True)
    weekdays: Mapped[int] = mapped_column(SmallInteger)

    @classmethod
    def by_person(cls) -> dict[int, Dated[int]]:
        """Return the weeks of everybody who ever had another one than the usual."""
        rows: dict[int, list[tuple[date, int]]] = {}
        for user_id, day, weekdays in db.session.execute(select(cls.user_id, cls.from_day, cls.weekdays)):
            rows.setdefault(user_id, []).append((day, weekdays))
        return {user_id: Dated(USUAL, changes) for user_id, changes in rows.items()}

    @classmethod
    def of(cls, person: User) -> Dated[int]:
        """Return one person's weeks."""
        query = select(cls.from_day, cls.weekdays).where(cls.user_id == person.id)
        return Dated(USUAL, [(day, weekdays) for day, weekdays in db.session.execute(query)])

    @classmethod
    def on(cls, day: date) -> Any:
        """Return SQL for the weekdays of the person of a row of `users` on that day, NULL for the usual."""
        query = select(cls.weekdays).where(cls.user_id == User.id, cls.from_day <= day)
        return query.order_by(cls.from_day.desc()).limit(1).scalar_subquery()

    @classmethod
    def set(cls, person: User, weekdays: int, from_day: date, *, by: User | None, at: datetime) -> None:
        """Let a person's week be that from a day on, until the next row. Raises ValidationError."""
        if not 0 <= weekdays <= 127:
            raise ValidationError({"weekdays": _("Choose weekdays.")})
        person = User.locked(person.id)
        before = cls.of(person).on(from_day)
        row = db.session.get(cls, (person.id, from_day), populate_existing=True)
        if row is None:
            row = cls(user_id=person.id, from_day=from_day)
            db.session.add(row)
        row.weekdays = weekdays
        db.session.flush()
        changes = {"weekdays": (words_of(before), words_of(weekdays)), "from_day": (None, from_day)}
        if before != weekdays:
            Audit.record(
                CHANGED, USER, person.id, subject=person.name, by=by, at=at, changes=changes,
                person_id=person.id,
            )  # fmt: skip


def works_on(weekdays: int, day: date) -> bool:
    """Whether a day is one of these weekdays."""
    return bool(weekdays >> day.weekday() & 1)


def weekdays_of(numbers: Iterable[int]) -> int:
    """Return the sum for weekdays numbered from Monday, 0."""
    return sum(1 << number for number in set(numbers))


def words_of(weekdays: int) -> str:
    """Return weekdays as the audit writes them down: "Mon, Tue, Sat"."""
    return ", ".join(name for n, name in enumerate(NAMES) if weekdays >> n & 1) or "no day"
