"""What became of each row of the old program's database, and what is set aside until an admin decides."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from sqlalchemy import JSON, ColumnElement, ForeignKey, Index, String, Text, func, or_, select
from sqlalchemy.orm import Mapped, joinedload, mapped_column, relationship

from flask_app.models.database import Base, db
from flask_app.models.job import Job
from flask_app.models.types import UtcDateTime, natural_number, plain, words
from flask_app.models.user import User

TAKEN, MERGED, REPAIRED, SET_ASIDE = "taken", "merged", "repaired", "set_aside"


@dataclass(frozen=True, slots=True)
class SetAside:
    """Which of the rows set aside: those that one rule set aside, with these words (a name, an IM number, the
    old number), and whether somebody has settled them already."""

    rule: str = ""
    words: str = ""
    settled: bool = False


class AdoptedRow(Base):
    """One row of the old database: `old_table` and `old_id` name it, `new_id` is its number here.

    `digest` is of the values that were written here: if the row here is still the same, a later adoption may
    bring it up to date; if not, the shop has changed it and it stays. `source` keeps what stood in a row
    that is set aside, as texts; `person_id`, `job_id` and the two instants are what could be made of it.
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

    person_id: Mapped[int | None]
    job_id: Mapped[int | None]
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    person: Mapped[User | None] = relationship(
        primaryjoin="foreign(AdoptedRow.person_id) == User.id", viewonly=True
    )
    job: Mapped[Job | None] = relationship(primaryjoin="foreign(AdoptedRow.job_id) == Job.id", viewonly=True)
    settled_by: Mapped[User | None] = relationship(foreign_keys=[settled_by_id], viewonly=True)

    @classmethod
    def waiting(
        cls,
        wanted: SetAside = SetAside(),
        *,
        limit: int = 200,
        offset: int = 0,  # noqa: B008  # frozen
    ) -> Sequence[Self]:
        """The wanted rows that were set aside, with their people and jobs, oldest first."""
        query = cls._chosen(select(cls), wanted).options(joinedload(cls.person), joinedload(cls.job))
        return db.session.scalars(query.order_by(cls.old_id).limit(limit).offset(offset)).all()

    @classmethod
    def waiting_among(cls, old_ids: Sequence[int]) -> Sequence[Self]:
        """Those of some old shifts that were set aside and wait, with their people and jobs."""
        query = cls._chosen(select(cls), SetAside()).where(cls.old_table == "shifts", cls.old_id.in_(old_ids))
        query = query.options(joinedload(cls.person), joinedload(cls.job)).order_by(cls.old_id)
        return db.session.scalars(query).all()

    @classmethod
    def waiting_count(cls, wanted: SetAside = SetAside()) -> int:  # noqa: B008  # frozen
        return db.session.scalar(cls._chosen(select(func.count()), wanted)) or 0

    @classmethod
    def waiting_rules(cls, wanted: SetAside) -> Sequence[tuple[str, int]]:
        """The `rules` of the wanted rows, and how many rows have them."""
        query: Any = select(cls.rules, func.count())
        query = cls._chosen(query, wanted).group_by(cls.rules)
        return [(rules, count) for rules, count in db.session.execute(query)]

    @classmethod
    def set_aside(cls, table: str, old_id: int, *, lock: bool = False) -> Self | None:
        """One row that was set aside, settled or not; with `lock` as it is now, and locked."""
        row = db.session.get(cls, (table, old_id), with_for_update=lock or None, populate_existing=lock)
        return row if row is not None and row.outcome == SET_ASIDE else None

    @classmethod
    def ends_by_person(cls) -> dict[int, list[datetime]]:
        """When shifts that were set aside ended, by person: somebody punched there, whatever is wrong."""
        query = select(cls.person_id, cls.ended_at).where(cls.outcome == SET_ASIDE, cls.ended_at.is_not(None))
        ends: dict[int, list[datetime]] = {}
        for person_id, ended_at in db.session.execute(query):
            if person_id is not None and ended_at is not None:
                ends.setdefault(person_id, []).append(ended_at)
        return ends

    @classmethod
    def _chosen(cls, query: Any, wanted: SetAside) -> Any:
        is_settled = cls.settled_at.is_not(None) if wanted.settled else cls.settled_at.is_(None)
        query = query.where(cls.outcome == SET_ASIDE, is_settled)
        if wanted.rule:
            query = query.where(cls.rules.contains(wanted.rule, autoescape=True))
        return query.where(*(cls._has_word(word) for word in plain(wanted.words).split()[:8]))

    @classmethod
    def _has_word(cls, word: str) -> ColumnElement[bool]:
        people = select(User.id).where(*User.having(word))
        jobs = select(Job.id).where(*Job.having(word))
        number = natural_number(word)
        found = [cls.person_id.in_(people), cls.job_id.in_(jobs)]
        return or_(*found) if number is None else or_(cls.old_id == number, *found)
