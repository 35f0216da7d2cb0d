"""The audit: who changed what, when, from what to what, and why. Rows are written once and never changed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any, Self

from sqlalchemy import JSON, ForeignKey, Index, String, Text, event, insert, or_, select
from sqlalchemy.orm import Mapped, joinedload, mapped_column, relationship
from sqlalchemy.orm.interfaces import ORMOption

from flask_app.models.database import Base, db
from flask_app.models.errors import ValidationError
from flask_app.models.types import UtcDateTime, plain, words
from flask_app.models.user import User
from flask_app.words import _

SHIFT, JOB, USER, SETTING = "shift", "job", "user", "setting"
ADDED, CHANGED, DELETED = "added", "changed", "deleted"
ENTITIES = (SHIFT, JOB, USER, SETTING)
# In which role hours were changed ("": other changes, and those of before roles were kept) ...
PERSON, ADMIN, BY_CLOCK, BY_CORRECTION = "person", "admin", "clock_out", "correction"
# ... and by what way.
WEB, COMMAND, SCHEDULE = "web", "command", "schedule"
REASON_MAX = 500


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which changes: of what, by whom, whose, with which words, in [start, end), before which row.

    Ordinary punches are left out unless `punches`: then there are only these.
    """

    entity: str | None = None
    by_id: int | None = None
    person_id: int | None = None
    words: str = ""
    start: datetime | None = None
    end: datetime | None = None
    before: int | None = None
    punches: bool = False


class Audit(Base):
    """One change of one thing. `by` is None where the clock itself did it, such as the auto clock-out.

    `changes` maps a field to [old, new]; instants are texts like 2026-11-23T12:02:00Z, days like
    2026-11-23, jobs their IM numbers, None nothing. `person` is whose shift or account it is, None for
    jobs and settings. Secrets (passwords) never stand in it. `is_punch` tells a person's own ordinary
    punches from what somebody changed.
    """

    __tablename__ = "audit"
    __table_args__ = (Index("ix_audit_entity", "entity", "entity_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    entity: Mapped[str] = mapped_column(words(SHIFT, JOB, USER, SETTING))
    entity_id: Mapped[int | None]
    person_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    subject: Mapped[str] = mapped_column(String(255))  # what it was, in words, also when it is gone
    action: Mapped[str] = mapped_column(words(ADDED, CHANGED, DELETED))
    changes: Mapped[dict[str, list[str | None]]] = mapped_column(JSON, nullable=True)
    reason: Mapped[str] = mapped_column(Text, default="")
    role: Mapped[str] = mapped_column(String(20), default="")
    source: Mapped[str] = mapped_column(String(20), default="")
    is_punch: Mapped[bool] = mapped_column(default=False, index=True)

    by: Mapped[User | None] = relationship(foreign_keys=[by_id])
    person: Mapped[User | None] = relationship(foreign_keys=[person_id])

    @classmethod
    def record(
        cls,
        action: str,
        entity: str,
        entity_id: int | None,
        *,
        subject: str,
        by: User | None,
        at: datetime,
        changes: Mapping[str, tuple[object, object]] | None = None,
        person_id: int | None = None,
        reason: str = "",
    ) -> None:
        """Write down one change, in the transaction that makes it; a change of nothing leaves no row."""
        texts = as_texts(changes or {})
        if not texts and action == CHANGED:
            return
        who = by.id if by else None
        row = cls(at=at, by_id=who, entity=entity, entity_id=entity_id, person_id=person_id, action=action)
        row.subject, row.changes, row.reason = subject[:255], texts, reason
        db.session.add(row)

    @classmethod
    def write(cls, entries: Sequence[Mapping[str, object]]) -> None:
        """Write rows down as they are, in one statement: what `record` does one by one."""
        if entries:
            db.send(_INSERT, list(entries))

    @classmethod
    def _people(cls) -> tuple[ORMOption, ...]:
        """Who made a change and whose shift or account it is, read along with it."""
        return joinedload(cls.by), joinedload(cls.person)

    @classmethod
    def of(cls, entity: str, entity_id: int) -> Sequence[Self]:
        """The changes of one thing with their people, latest first."""
        query = select(cls).where(cls.entity == entity, cls.entity_id == entity_id)
        return db.session.scalars(query.options(*cls._people()).order_by(cls.id.desc())).all()

    @classmethod
    def of_shifts(cls, ids: Sequence[int]) -> Sequence[Self]:
        """What was changed of these shifts but for ordinary punches, with who did it, earliest first."""
        if not ids:
            return ()
        query = select(cls).where(cls.entity == SHIFT, cls.entity_id.in_(ids), cls.is_punch.is_(False))
        return db.session.scalars(query.options(joinedload(cls.by)).order_by(cls.id)).all()

    @classmethod
    def search(cls, wanted: Wanted, *, limit: int) -> Sequence[Self]:
        """The changes that are wanted with their people, latest first."""
        query = select(cls).options(*cls._people()).order_by(cls.id.desc()).limit(limit)
        query = query.where(cls.is_punch.is_(wanted.punches))
        for column, value in (
            (cls.entity, wanted.entity), (cls.by_id, wanted.by_id), (cls.person_id, wanted.person_id),
        ):  # fmt: skip
            query = query if value is None else query.where(column == value)
        query = query if wanted.start is None else query.where(cls.at >= wanted.start)
        query = query if wanted.end is None else query.where(cls.at < wanted.end)
        query = query if wanted.before is None else query.where(cls.id < wanted.before)
        for word in plain(wanted.words).split()[:8]:
            named = select(User.id).where(*User.having(word))
            query = query.where(
                or_(
                    cls.subject.icontains(word, autoescape=True),
                    cls.reason.icontains(word, autoescape=True),
                    cls.person_id.in_(named),
                )
            )
        return db.session.scalars(query).all()


_INSERT = insert(Audit.__table__)  # not by way of the ORM: that takes twice as long


def as_texts(changes: Mapping[str, tuple[object, object]]) -> dict[str, list[str | None]]:
    """Return the changes that are some, as the audit writes them down."""
    texts = {field: [as_text(old), as_text(new)] for field, (old, new) in changes.items()}
    return {field: pair for field, pair in texts.items() if pair[0] != pair[1]}


def as_text(value: object) -> str | None:
    """Return how the audit writes a value down."""
    if value is None or value == "":
        return None
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%SZ")
    if isinstance(value, date | time):
        return value.isoformat()
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)


def checked_reason(text: str) -> str:
    """Return why somebody's hours are changed, or raise ValidationError."""
    text = plain(text)
    if not text:
        raise ValidationError({"reason": _("Enter a reason. It stays with the shift.")})
    if len(text) > REASON_MAX:
        raise ValidationError(
            {"reason": _("This is too long: at most %(most)s characters.", most=REASON_MAX)}
        )
    return text


@event.listens_for(Audit, "before_update")
@event.listens_for(Audit, "before_delete")
def _refuse(_mapper: Any, _connection: Any, _target: Audit) -> None:
    raise TypeError("an audit row is never changed")
