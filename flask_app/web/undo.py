"""Undo: the offer that a page makes after something was done, and what comes back when it is taken.

An offer is signed and stands in the session until the next page draws it, as part of what the page says. It
holds who did what at which instant, nothing of what was before: the audit knows that.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from flask import current_app, flash
from itsdangerous import BadData, URLSafeSerializer

from flask_app.clock import from_stamp
from flask_app.models.errors import RuleViolation
from flask_app.timeclock.ledger import Punched, PunchedOut, Unchanged
from flask_app.web.access import current_user
from flask_app.web.now import now
from flask_app.words import _

OFFERED_FOR = timedelta(minutes=1)  # js/toast.js takes it away after ten seconds; without it the page stays


@dataclass(frozen=True, slots=True)
class Offer:
    """What somebody (`by`) did at an instant (`at`, seconds since 1970): began or ended shifts, changed an
    account."""

    by: int
    at: int
    began: int | None = None
    ended: Sequence[int] = ()
    account: int | None = None

    @property
    def instant(self) -> datetime:
        return from_stamp(self.at)


def says(words: str, *, undo: Offer | None = None, category: str = "success") -> None:
    """Let the next page say what was done, with Undo beside it if there is something to undo."""
    message: Any = {"says": words, "undo": _serializer().dumps(asdict(undo))} if undo else words
    flash(message, category)  # any JSON may be flashed, whatever its type says


def asks(words: str, shift_id: int) -> None:
    """Let the next page ask whether the punch out of a shift was meant."""
    message: Any = {"says": words, "punch_out": shift_id}
    flash(message, "warning")


def of_punch(done: Punched | PunchedOut | Unchanged) -> Offer | None:
    """Return the offer to undo a punch; None if it changed nothing."""
    if isinstance(done, Punched):
        return _offer(began=done.shift.id, ended=[done.ended.id] if done.ended else [])
    return of_ends([done.shift.id]) if isinstance(done, PunchedOut) else None


def of_ends(shifts: Sequence[int]) -> Offer | None:
    """Return the offer to undo that these shifts were ended."""
    return _offer(ended=shifts) if shifts else None


def of_account(person_id: int, *, ended: Sequence[int] = ()) -> Offer:
    """Return the offer to undo the change of an account, and that shifts were ended by it."""
    return _offer(account=person_id, ended=ended)


def _offer(**what: int | Sequence[int] | None) -> Offer:
    return Offer(by=current_user().id, at=int(now().timestamp()), **what)  # type: ignore[arg-type]


def taken(token: str) -> Offer:
    """Return the offer that somebody takes. Raises RuleViolation, a sentence."""
    try:
        offer = Offer(**_serializer().loads(token))
    except BadData:
        raise RuleViolation(_("There is nothing to undo.")) from None
    if offer.by != current_user().id:
        raise RuleViolation(_("There is nothing to undo."))
    if now() - offer.instant > OFFERED_FOR:
        raise RuleViolation(_("It's too late to undo this."))
    return offer


def _serializer() -> URLSafeSerializer:
    return URLSafeSerializer(str(current_app.secret_key), salt="undo")
