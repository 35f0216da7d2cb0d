"""The shop's meal rule as it was decided, each with the day from which it holds."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Self

from sqlalchemy import CheckConstraint, SmallInteger, select
from sqlalchemy.orm import Mapped, mapped_column

from flask_app.models.audit import ADDED, CHANGED, DELETED, SETTING, Audit
from flask_app.models.database import Base, db
from flask_app.models.department_stay import BEGINNING
from flask_app.models.errors import ValidationError
from flask_app.models.shop_rules import flush_or_retry
from flask_app.models.user import User
from flask_app.words import _

MEAL_MOST, AFTER_MOST = 240, 24 * 60  # minutes


class TimeRule(Base):
    """From `from_day` on, `meal_minutes` are taken off a day of more than `meal_after` minutes (0: none)."""

    __tablename__ = "time_rules"
    __table_args__ = (
        CheckConstraint("meal_minutes BETWEEN 0 AND 240 AND meal_after BETWEEN 0 AND 1440", name="minutes"),
    )

    from_day: Mapped[date] = mapped_column(primary_key=True)
    meal_minutes: Mapped[int] = mapped_column(SmallInteger)
    meal_after: Mapped[int] = mapped_column(SmallInteger)

    @classmethod
    def all(cls) -> Sequence[Self]:
        """Every rule, in the order in which they came into force."""
        return db.session.scalars(select(cls).order_by(cls.from_day)).all()

    @classmethod
    def begin(cls, minutes: int, after: int) -> bool:
        """Keep the first rule, which held always, unless there is one. Return whether there was none."""
        if db.session.get(cls, BEGINNING):
            return False
        db.session.add(cls(from_day=BEGINNING, meal_minutes=minutes, meal_after=after))
        flush_or_retry()
        return True

    @classmethod
    def set(cls, minutes: int, after: int, day: date, *, by: User, at: datetime) -> None:
        """Let a rule hold from that day on, until the next one does. Raises ValidationError."""
        problems = {}
        if not 0 <= minutes <= MEAL_MOST:
            problems["minutes"] = _("A meal has 0 to %(most)s minutes.", most=MEAL_MOST)
        if not 0 <= after <= AFTER_MOST:
            problems["after"] = _("Meals begin after 0 to 24 hours.")
        if problems:
            raise ValidationError(problems)
        rule = db.session.get(cls, day, with_for_update=True)
        before = (rule.meal_minutes, rule.meal_after) if rule else (None, None)
        if rule is None:
            rule = cls(from_day=day)
            db.session.add(rule)
        rule.meal_minutes, rule.meal_after = minutes, after
        flush_or_retry()
        changes = {"meal_minutes": (before[0], minutes), "meal_after": (before[1], after)}
        action = ADDED if before[0] is None else CHANGED
        Audit.record(action, SETTING, None, subject=_subject(day), by=by, at=at, changes=changes)

    @classmethod
    def remove(cls, day: date, *, by: User, at: datetime) -> bool:
        """Take a rule away; the one before it holds on. Return False if there is none from that day on."""
        rule = db.session.get(cls, day) if day > BEGINNING else None
        if rule is None:
            return False
        db.session.delete(rule)
        changes = {"meal_minutes": (rule.meal_minutes, None), "meal_after": (rule.meal_after, None)}
        Audit.record(DELETED, SETTING, None, subject=_subject(day), by=by, at=at, changes=changes)
        return True


def _subject(day: date) -> str:
    return f"Meal rule from {day:%m/%d/%Y}" if day > BEGINNING else "Meal rule from the beginning"
