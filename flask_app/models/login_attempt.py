"""The login throttle. It lives in the database, so it holds across processes and hosts.

Who guesses must not lock out whoever they guess about: tries are counted per account *and* place, and a
device that has logged in to the account before has tries of its own, which no stranger can use up.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from ipaddress import IPv6Address, ip_address
from math import ceil
from typing import Self

from sqlalchemy import ColumnElement, String, and_, delete, select
from sqlalchemy.orm import Mapped, mapped_column

from flask_app.models.database import Base, db
from flask_app.models.errors import RuleViolation
from flask_app.models.types import UtcDateTime
from flask_app.models.user import normal_email
from flask_app.words import ngettext

WINDOW = timedelta(minutes=15)
PER_ACCOUNT_AND_PLACE = 10  # of a known device as well
PER_ACCOUNT = 100  # by all strangers together, wherever they are
PER_PLACE = 200  # loose: the whole crew comes from one address at 6 AM
REGISTRATIONS_PER_PLACE = 60

STRANGER, SESSION, REGISTRATION = "", "session", "registration"  # what a try has for a device without one


class TooManyAttempts(RuleViolation):
    """Too many wrong passwords; the text says how long to wait."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Whom somebody tries to be, and where from.

    `device` is what a device is known by to this account, or STRANGER, SESSION (whoever is logged in and
    types the old password) or REGISTRATION. The account is a digest:
    people type passwords into the e-mail field.
    """

    account: str
    place: str
    device: str

    @classmethod
    def of(cls, email: str, address: str, device: str = STRANGER) -> Self:
        return cls(account_digest(email), _place(address), device)

    def limits(self) -> Iterator[tuple[ColumnElement[bool], int]]:
        """Yield each rule that counts tries, with how many it allows within WINDOW."""
        row = LoginAttempt
        if self.device == REGISTRATION:
            yield and_(row.device == REGISTRATION, row.address == self.place), REGISTRATIONS_PER_PLACE
            return
        yield self.own(), PER_ACCOUNT_AND_PLACE
        if self.device == STRANGER:
            yield and_(row.account == self.account, row.device == STRANGER), PER_ACCOUNT
            yield and_(row.address == self.place, row.device == STRANGER), PER_PLACE

    def own(self) -> ColumnElement[bool]:
        """The rule for the tries that are this one's own."""
        row = LoginAttempt
        own = and_(row.account == self.account, row.device == self.device)
        return and_(own, row.address == self.place) if self.device == STRANGER else own


class LoginAttempt(Base):
    """One try to log in that has not (yet) succeeded, or a registration."""

    __tablename__ = "login_attempts"

    id: Mapped[int] = mapped_column(primary_key=True)
    account: Mapped[str] = mapped_column(String(64), index=True)
    address: Mapped[str] = mapped_column(String(64), index=True)
    device: Mapped[str] = mapped_column(String(32), default=STRANGER, server_default=STRANGER)
    attempted_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)

    @classmethod
    def record(cls, origin: Origin, *, at: datetime) -> Self:
        """Count a try *before* its password is looked at, so that many at once cannot slip through.

        Call check() before, commit this, and check() again with `counted`.
        """
        db.session.execute(delete(cls).where(cls.attempted_at <= at - WINDOW))
        attempt = cls(account=origin.account, address=origin.place, device=origin.device, attempted_at=at)
        db.session.add(attempt)
        db.session.flush()
        return attempt

    @classmethod
    def check(cls, origin: Origin, *, at: datetime, counted: bool = False) -> None:
        """Raise TooManyAttempts if no try is left within WINDOW; `counted`: this one is there already."""
        for rule, most in origin.limits():
            recent = select(cls.attempted_at).where(rule, cls.attempted_at > at - WINDOW)
            tries = db.session.scalars(recent.order_by(cls.attempted_at.desc()).limit(most + 1)).all()
            if len(tries) >= most + counted:
                raise TooManyAttempts(_wait(origin, tries[most - 1] + WINDOW - at))

    @classmethod
    def take_back(cls, attempt_id: int) -> None:
        """Let a try that was refused count for nothing: it must not make anybody wait longer."""
        db.session.execute(delete(cls).where(cls.id == attempt_id))

    @classmethod
    def forget(cls, origin: Origin) -> None:
        """Clear this origin's own tries after a login that succeeded; a stranger's go on counting."""
        db.session.execute(delete(cls).where(origin.own()))

    @classmethod
    def unlock(cls, email: str) -> None:
        """Clear every try on the account."""
        db.session.execute(delete(cls).where(cls.account == account_digest(email)))


def account_digest(email: str) -> str:
    """Return what an account is counted under, 64 characters."""
    return sha256(normal_email(email).encode()).hexdigest()


def _place(address: str) -> str:
    """Where an address is: an IPv6 customer has 2^64 addresses of their own, which are one place."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address[:64]
    if isinstance(parsed, IPv6Address):
        return str(parsed.ipv4_mapped or IPv6Address(int(parsed) >> 64 << 64))
    return address


def _wait(origin: Origin, wait: timedelta) -> str:
    minutes = max(1, ceil(wait.total_seconds() / 60))
    if origin.device == REGISTRATION:
        return ngettext(
            "Too many new accounts from here. Wait %(n)s minute, or ask the office.",
            "Too many new accounts from here. Wait %(n)s minutes, or ask the office.",
            minutes,
        )
    return ngettext(
        "Too many tries. Wait %(n)s minute, or ask the office to reset your password.",
        "Too many tries. Wait %(n)s minutes, or ask the office to reset your password.",
        minutes,
    )
