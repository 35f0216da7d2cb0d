"""From when to when somebody was employed, more than once if they came back.

`users.hire_date` and `users.leave_date` are the days of the latest employment; its row follows them.
"""

from datetime import date
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    Computed,
    Connection,
    ForeignKey,
    Index,
    Row,
    Table,
    and_,
    event,
    exists,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.orm import Mapped, mapped_column

from flask_app.models.database import Base, db
from flask_app.models.errors import ValidationError
from flask_app.models.user import User
from flask_app.words import _

Days = tuple[date | None, date | None]


class Employment(Base):
    """One employment, both days included. `first_day` None: since always; `last_day` None: it goes on.

    The database keeps: one that goes on per person, none that ends before it begins.
    """

    __tablename__ = "employments"
    __table_args__ = (
        CheckConstraint("last_day >= first_day", name="ends_after_start"),
        Index("ix_employments_user_id", "user_id", "first_day", "last_day"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    first_day: Mapped[date | None]
    last_day: Mapped[date | None]
    open_for: Mapped[int | None] = mapped_column(
        Computed("CASE WHEN last_day IS NULL THEN user_id END", persisted=False), unique=True, deferred=True
    )

    @classmethod
    def by_person(cls) -> dict[int, list[Days]]:
        """Return everybody's employments, earliest first."""
        found: dict[int, list[Days]] = {}
        query = select(cls.user_id, cls.first_day, cls.last_day).order_by(cls.user_id, cls.id)
        for user_id, first, last in db.session.execute(query):
            found.setdefault(user_id, []).append((first, last))
        return found

    @classmethod
    def of(cls, person: User) -> list[Days]:
        """Return one person's employments, earliest first."""
        query = select(cls.first_day, cls.last_day).where(cls.user_id == person.id).order_by(cls.id)
        return [(first, last) for first, last in db.session.execute(query)]

    @classmethod
    def covers(cls, day: date) -> Any:
        """Return SQL: whether the person of a row of `users` was employed on that day."""
        mine = cls.user_id == User.id
        within = _within(cls.first_day, cls.last_day, day)
        is_written_down = exists(select(cls.id).where(mine))
        present = _within(User.hire_date, User.leave_date, day)
        return or_(exists(select(cls.id).where(mine, within)), and_(~is_written_down, present))


def _within(first: Any, last: Any, day: date) -> Any:
    return and_(or_(first.is_(None), first <= day), or_(last.is_(None), last >= day))


_TABLE: Table = Employment.__table__  # it is no join


@event.listens_for(User, "after_insert")
def _first_employment(_mapper: Any, connection: Connection, person: User) -> None:
    connection.execute(insert(_TABLE), _days_of(person))


@event.listens_for(User, "after_update")
def _follow(_mapper: Any, connection: Connection, person: User) -> None:
    """Write a person's days into the latest employment; a first day after its last begins another one."""
    mine = select(_TABLE).where(_TABLE.c.user_id == person.id).order_by(_TABLE.c.id.desc()).limit(2)
    rows = connection.execute(mine).all()
    latest, days = rows[0] if rows else None, _days_of(person)
    if latest is None or _comes_back(person, latest):
        connection.execute(insert(_TABLE), days)
    elif (latest.first_day, latest.last_day) != (person.hire_date, person.leave_date):
        if len(rows) > 1:
            _check_after(rows[1], person)
        connection.execute(update(_TABLE).where(_TABLE.c.id == latest.id), days)


def _days_of(person: User) -> dict[str, Any]:
    return {"user_id": person.id, "first_day": person.hire_date, "last_day": person.leave_date}


def _comes_back(person: User, latest: Row[Any]) -> bool:
    return bool(person.hire_date and latest.last_day and person.hire_date > latest.last_day)


def _check_after(before: Row[Any], person: User) -> None:
    if person.hire_date is None or (before.last_day is not None and person.hire_date <= before.last_day):
        until = before.last_day
        raise ValidationError(
            {
                "hire_date": _(
                    "The last employment ended %(until)s. Start after it.", until=f"{until:%m/%d/%Y}"
                )
            }
        )
