"""Who is not expected at the clock today."""

from datetime import date, datetime

from sqlalchemy import ForeignKey
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, mapped_column

from flask_app.models.database import Base, db
from flask_app.models.errors import ConcurrentUpdate
from flask_app.models.types import UtcDateTime
from flask_app.models.user import User


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
            raise ConcurrentUpdate("Somebody else has just done this.") from None

    @classmethod
    def undo(cls, person: User, day: date) -> None:
        """Expect `person` on `day` after all."""
        if found := db.session.get(cls, (day, person.id)):
            db.session.delete(found)
