"""The login throttle. It lives in the database, so it holds across processes and hosts."""

from datetime import datetime, timedelta
from hashlib import sha256
from math import ceil

from sqlalchemy import String, delete, select
from sqlalchemy.orm import Mapped, mapped_column

from flask_app.models.database import Base, db
from flask_app.models.errors import RuleViolation
from flask_app.models.types import UtcDateTime
from flask_app.models.user import normal_email
from flask_app.words import ngettext

WINDOW = timedelta(minutes=15)
PER_ACCOUNT = 10
PER_ADDRESS = 200  # loose: the whole crew comes from one address at 6 AM


class TooManyAttempts(RuleViolation):
    """Too many wrong passwords; the text says how long to wait."""


class LoginAttempt(Base):
    """One try to log in that has not (yet) succeeded. The account is kept as a digest: people type
    passwords into the e-mail field."""

    __tablename__ = "login_attempts"

    id: Mapped[int] = mapped_column(primary_key=True)
    account: Mapped[str] = mapped_column(String(64), index=True)
    address: Mapped[str] = mapped_column(String(64), index=True)
    attempted_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)

    @classmethod
    def record(cls, email: str, address: str, *, at: datetime) -> None:
        """Count a try *before* its password is looked at, so that many at once cannot slip through.

        Commit it, then call check().
        """
        db.session.execute(delete(cls).where(cls.attempted_at <= at - WINDOW))
        db.session.add(cls(account=_digest(email), address=address[:64], attempted_at=at))
        db.session.flush()

    @classmethod
    def check(cls, email: str, address: str, *, at: datetime) -> None:
        """Raise TooManyAttempts if the tries within WINDOW exceed what is allowed."""
        for rule, most in (
            (cls.account == _digest(email), PER_ACCOUNT),
            (cls.address == address[:64], PER_ADDRESS),
        ):
            recent = select(cls.attempted_at).where(rule, cls.attempted_at > at - WINDOW)
            tries = db.session.scalars(recent.order_by(cls.attempted_at.desc()).limit(most + 1)).all()
            if len(tries) > most:
                free_at = tries[most - 1] + WINDOW  # then the next try is the last one allowed
                minutes = max(1, ceil((free_at - at).total_seconds() / 60))
                raise TooManyAttempts(
                    ngettext(
                        "Too many tries. Wait %(n)s minute, or ask the office to reset your password.",
                        "Too many tries. Wait %(n)s minutes, or ask the office to reset your password.",
                        minutes,
                    )
                )

    @classmethod
    def forget(cls, email: str) -> None:
        """Clear the account's count after a login that succeeded."""
        db.session.execute(delete(cls).where(cls.account == _digest(email)))


def _digest(email: str) -> str:
    return sha256(normal_email(email).encode()).hexdigest()
