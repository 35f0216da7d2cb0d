"""The login session: a signed cookie that names the user and ends by itself."""

import json
from datetime import datetime, timedelta
from typing import Any

from flask import Flask, Request, g, request, session
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface, session_json_serializer
from itsdangerous import BadSignature, URLSafeTimedSerializer
from sqlalchemy.exc import NoResultFound

from flask_app.models import User

SESSION_END = timedelta(days=30)  # whatever one does, the password is asked again after this
IDLE_END = {
    False: timedelta(days=7),
    True: timedelta(hours=12),
}  # by is_admin: a worker's phone, an admin's desk
_SEEN_EVERY = timedelta(minutes=10)  # how often the cookie is written anew


class _Texts:
    """A session as JSON. What Flask's own serializer has marked, such as a message's tuple, is still read."""

    @staticmethod
    def dumps(session: dict[str, Any]) -> str:
        return json.dumps(session, separators=(",", ":"))

    @staticmethod
    def loads(text: str) -> Any:
        return session_json_serializer.loads(text) if '{" ' in text else json.loads(text)


class Sessions(SecureCookieSessionInterface):
    """Cookies that are Secure exactly when the page came over https, and whose end session_user() decides."""

    serializer = _Texts()  # type: ignore[assignment]  # anything with dumps and loads
    _signing: URLSafeTimedSerializer | None = None

    def get_signing_serializer(self, app: Flask) -> URLSafeTimedSerializer | None:
        """Flask makes one anew for each reading and for each writing."""
        if self._signing is None:
            self._signing = super().get_signing_serializer(app)
        return self._signing

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        # Flask's own refuses a cookie from "the future": with two hosts whose clocks differ by a second,
        # the page after the login would ask for the password again.
        serializer = self.get_signing_serializer(app)
        if serializer is None:
            return None
        try:
            return self.session_class(serializer.loads(request.cookies.get(self.get_cookie_name(app), "")))
        except BadSignature:
            return self.session_class()

    def get_cookie_secure(self, app: Flask) -> bool:
        return request.is_secure


def open_session(user: User, *, now: datetime) -> None:
    """Log in: nothing of the session before it survives."""
    session.clear()
    session.permanent = True
    session.update(user_id=user.id, epoch=user.epoch, since=_stamp(now), seen=_stamp(now))


def close_session() -> None:
    session.clear()


def session_user(*, now: datetime, locked: bool = False) -> User | None:
    """Return who is logged in, or None; a session that has ended is cleared.

    `locked`: they stay locked until what this request changes is committed, so that the ledger needn't ask
    for the same person again.
    """
    if "user_id" not in session:
        return None
    user = _locked(session["user_id"]) if locked else User.in_brief(session["user_id"])
    if user is None or not user.is_active or session.get("epoch") != user.epoch or _has_ended(user, now):
        g.whose = session["user_id"]  # a form that they sent is kept for them alone
        session.clear()
        return None
    if _stamp(now) - session["seen"] >= _SEEN_EVERY.total_seconds():
        session["seen"] = _stamp(now)
    return user


def _locked(user_id: int) -> User | None:
    try:
        return User.locked(user_id, brief=True)
    except NoResultFound:
        return None


def _has_ended(user: User, now: datetime) -> bool:
    since, seen = session.get("since", 0), session.get("seen", 0)
    too_old = _stamp(now) - since > SESSION_END.total_seconds()
    return bool(too_old or _stamp(now) - seen > IDLE_END[user.is_admin].total_seconds())


def _stamp(instant: datetime) -> int:
    return int(instant.timestamp())
