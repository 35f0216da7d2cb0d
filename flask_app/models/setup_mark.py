"""The first hour of a shop: which steps the data shows as done, and what an admin ticked off or hid."""

from datetime import datetime

from sqlalchemy import ForeignKey, String, exists, or_, select
from sqlalchemy.orm import Mapped, mapped_column

from flask_app.models.audit import ADDED, USER, Audit
from flask_app.models.database import Base, db
from flask_app.models.job import Job
from flask_app.models.shop_rules import DepartmentRule, Holiday, flush_or_retry
from flask_app.models.types import UtcDateTime
from flask_app.models.user import ADMINISTRATIVE, User
from flask_app.models.working_week import WorkingWeek

JOBS, PEOPLE, SIGN, DAYS = "jobs", "people", "sign", "days"
STEPS = (JOBS, PEOPLE, SIGN, DAYS)
HIDDEN = "hidden"


class SetupMark(Base):
    """A step that an admin ticked off although the data can't show it; HIDDEN: the list is not shown."""

    __tablename__ = "setup_marks"

    name: Mapped[str] = mapped_column(String(20), primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    by_id: Mapped[int] = mapped_column(ForeignKey("users.id"))

    @classmethod
    def put(cls, name: str, *, by: User, at: datetime) -> None:
        if db.session.get(cls, name) is None:
            db.session.add(cls(name=name, at=at, by_id=by.id))
            flush_or_retry()

    @classmethod
    def remove(cls, name: str) -> None:
        if mark := db.session.get(cls, name):
            db.session.delete(mark)

    @classmethod
    def steps(cls) -> dict[str, bool] | None:
        """Return for each step whether it is done; None while the list is hidden."""
        marks = set(db.session.scalars(select(cls.name)))
        if HIDDEN in marks:
            return None
        own = (Audit.entity == USER, Audit.action == ADDED, Audit.by_id == Audit.entity_id)
        rules = or_(*(exists(select(entity)) for entity in (Holiday, WorkingWeek, DepartmentRule)))
        found = db.session.execute(
            select(
                exists(select(Job.id)),
                exists().where(User.department != ADMINISTRATIVE, User.deleted_date.is_(None)),
                exists().where(*own),  # somebody made the own account
                rules,
            )
        ).one()
        return {step: bool(is_done) or step in marks for step, is_done in zip(STEPS, found, strict=True)}
