"""What became of each row of the old program's database, and what is set aside until an admin decides."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Self

from sqlalchemy import JSON, ForeignKey, Index, String, Text, func, select
from sqlalchemy.orm import Mapped, mapped_column

from flask_app.models.database import Base, db
from flask_app.models.types import UtcDateTime, words

TAKEN, MERGED, REPAIRED, SET_ASIDE = "taken", "merged", "repaired", "set_aside"


class AdoptedRow(Base):
    """One row of the old database: `old_table` and `old_id` name it, `new_id` is its number here.

    `digest` is of the values that were written here: if the row here is still the same, a later adoption may
    bring it up to date; if not, the shop has changed it and it stays. `source` keeps what stood in a row
    that is set aside, as texts.
    """

    __tablename__ = "adopted_rows"
    __table_args__ = (Index("ix_adopted_rows_waiting", "outcome", "settled_at"),)

    old_table: Mapped[str] = mapped_column(String(20), primary_key=True)
    old_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    outcome: Mapped[str] = mapped_column(words(TAKEN, MERGED, REPAIRED, SET_ASIDE))
    rules: Mapped[str] = mapped_column(String(255), default="")  # names, with blanks between
    new_id: Mapped[int | None]
    digest: Mapped[str] = mapped_column(String(24), default="")
    source: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True), nullable=True)
    settled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # an admin repaired or dismissed it
    settled_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    settled_how: Mapped[str] = mapped_column(Text, default="")

    @classmethod
    def waiting(cls, *, rule: str = "", limit: int = 200) -> Sequence[Self]:
        """The rows set aside that nobody has settled yet, oldest first; with `rule` those set aside by it."""
        query = select(cls).where(cls.outcome == SET_ASIDE, cls.settled_at.is_(None))
        if rule:
            query = query.where(cls.rules.contains(rule, autoescape=True))
        return db.session.scalars(query.order_by(cls.old_id).limit(limit)).all()

    @classmethod
    def waiting_count(cls) -> int:
        rule = (cls.outcome == SET_ASIDE, cls.settled_at.is_(None))
        return db.session.scalar(select(func.count()).where(*rule)) or 0
