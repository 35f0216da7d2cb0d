"""Who is not expected at the clock today."""

from datetime import date, datetime

from sqlalchemy import ForeignKey, delete
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, mapped_column

from flask_app.models.audit import CHANGED, USER, Audit
from flask_app.models.database import Base, db
from flask_app.models.errors import ConcurrentUpdate
from flask_app.models.types import UtcDateTime
from flask_app.models.user import User
from flask_app.words import _


class Dismissal(Base):
    """One person is not expected on one shop day: sick, off, excused."""

    __tablename__ = "dismissals"

    day: Mapped[date] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), primary_key=True)
    by_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)

    @classmethod
    def dismiss(cls, person: User, day: date, *, by: User, at: datetime) -> None:
        """Don't expect `person` on `day`; twice is the same as once."""
        if db.session.get(cls, (day, person.id)):
            return
        db.session.add(cls(day=day, user_id=person.id, by_id=by.id, created_at=at))
        try:
            db.session.flush()
        except IntegrityError:
            raise ConcurrentUpdate(_("Someone else has just done this.")) from None
        _write_down(person, (None, day), by, at)

    @classmethod
    def undo(cls, person: User, day: date, *, by: User, at: datetime) -> None:
        """Expect `person` on `day` after all."""
        gone = db.session.connection().execute(
            delete(cls.__table__).where(cls.day == day, cls.user_id == person.id)
        )
        if gone.rowcount:
            _write_down(person, (day, None), by, at)


def _write_down(person: User, change: tuple[date | None, date | None], by: User, at: datetime) -> None:
    Audit.record(
        CHANGED, USER, person.id, subject=person.name, by=by, at=at, changes={"not_expected": change},
        person_id=person.id,
    )  # fmt: skip
