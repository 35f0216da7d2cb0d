"""What webhooks have told: the rows of Dataverse to look at, and how many hooks came on each day."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, Self

from sqlalchemy import Date, delete, literal_column, select, update
from sqlalchemy.dialects import mysql, sqlite
from sqlalchemy.orm import Mapped, mapped_column

from flask_app.models.database import Base, db
from flask_app.models.types import UtcDateTime, exact_string

MOST_AT_ONCE = 200  # rows in one run
_CHUNK = 500  # rows in one statement


class HookedRow(Base):
    """One row of Dataverse that something has happened to, until a sync has read it.

    `hooks` counts what has come and was not yet counted as read: a sync takes the row away only if no more
    have come since it looked.
    """

    __tablename__ = "hooked_rows"

    row_id: Mapped[str] = mapped_column(exact_string(36), primary_key=True)
    hooks: Mapped[int] = mapped_column(default=1)
    since: Mapped[datetime] = mapped_column(UtcDateTime, index=True)

    @classmethod
    def note(cls, row_id: str, *, at: datetime) -> None:
        """Queue a row; one that waits already is only counted."""
        _count_up(cls.__table__, {"row_id": row_id, "since": at}, "hooks")

    @classmethod
    def waiting(cls, *, limit: int | None = MOST_AT_ONCE) -> dict[str, int]:
        """Return the rows that have waited longest, each with its count."""
        query = select(cls.row_id, cls.hooks).order_by(cls.since, cls.row_id).limit(limit)
        return {row_id: hooks for row_id, hooks in db.session.execute(query)}

    @classmethod
    def settle(cls, read: Mapping[str, int], *, on: date) -> None:
        """Take away the rows that were read; of one about which more has come since, that much is left."""
        for hooks in sorted(set(read.values())):
            rows = sorted(row_id for row_id, count in read.items() if count == hooks)
            for first in range(0, len(rows), _CHUNK):
                cls._settle(rows[first : first + _CHUNK], hooks)
        HookCount.add(on, joined=sum(read.values()) - len(read))

    @classmethod
    def _settle(cls, row_ids: Sequence[str], hooks: int) -> None:
        quiet = {"synchronize_session": False}
        mine = cls.row_id.in_(row_ids)
        taken = db.session.execute(delete(cls).where(mine, cls.hooks == hooks), execution_options=quiet)
        if taken.rowcount < len(row_ids):  # type: ignore[attr-defined]
            left = update(cls).where(mine, cls.hooks > hooks).values(hooks=cls.hooks - hooks)
            db.session.execute(left, execution_options=quiet)

    @classmethod
    def any_waiting(cls) -> bool:
        return db.session.scalar(select(cls.row_id).limit(1)) is not None


class HookCount(Base):
    """How many hooks came on one shop day; of these `joined` fell together with others about the same row,
    and `dropped` told only what this program had done itself."""

    __tablename__ = "hook_counts"

    day: Mapped[date] = mapped_column(Date, primary_key=True)
    received: Mapped[int] = mapped_column(default=0)
    joined: Mapped[int] = mapped_column(default=0)
    dropped: Mapped[int] = mapped_column(default=0)

    @classmethod
    def received_one(cls, day: date, *, dropped: bool = False) -> None:
        """Count one hook."""
        _count_up(cls.__table__, {"day": day, "received": 1, "joined": 0, "dropped": 0}, "received")
        if dropped:
            cls.add(day, dropped=1)

    @classmethod
    def add(cls, day: date, **more: int) -> None:
        """Raise counts of a day that has received something; of another one nothing can be joined."""
        raised: dict[Any, Any] = {
            name: getattr(cls, name) + number for name, number in more.items() if number
        }
        if raised:
            quiet = {"synchronize_session": False}
            db.session.execute(update(cls).where(cls.day == day).values(raised), execution_options=quiet)

    @classmethod
    def of(cls, day: date) -> Self | None:
        return db.session.get(cls, day, populate_existing=True)


def _count_up(table: Any, row: Mapping[str, object], column: str) -> None:
    """Insert a row with the count 1, or raise the count of the one that is there."""
    one_more: Any = literal_column(f"{table.name}.{column} + 1")
    values = {column: 1, **row}
    if db.engine.dialect.name == "sqlite":
        key = [one.name for one in table.primary_key]
        statement: Any = sqlite.insert(table).values(**values)
        statement = statement.on_conflict_do_update(index_elements=key, set_={column: one_more})
    else:
        statement = mysql.insert(table).values(**values).on_duplicate_key_update({column: one_more})
    db.session.connection().execute(statement)
