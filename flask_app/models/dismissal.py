"""Who is not expected at the clock today."""

from datetime import date, datetime

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from flask_app.models.base import Base, UtcDateTime


class Dismissal(Base):
    """One person is not expected on one shop day: sick, off, excused."""

    __tablename__ = "dismissals"

    day: Mapped[date] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), primary_key=True)
    by_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
