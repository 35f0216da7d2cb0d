"""The devices that people have logged in from: a signed cookie names the device and its accounts.

It opens nothing. It only gives the device tries of its own at the login, so that nobody who guesses somebody
else's password can keep them out.
"""

import secrets
from datetime import timedelta

from flask import Response, current_app, request, url_for
from itsdangerous import BadSignature, URLSafeSerializer

from flask_app.models.login_attempt import STRANGER, account_digest

_COOKIE = "device"
_KEPT_FOR = timedelta(days=400)  # the longest that browsers allow
_MOST = 20  # accounts: a computer in the shop is everybody's
_DIGITS = 16  # of an account's digest: enough to tell accounts apart, short enough for a cookie


def device_of(email: str) -> str:
    """Return what this device is known by to the account, STRANGER where it has never logged in to it."""
    device, accounts = _read()
    return device if account_digest(email)[:_DIGITS] in accounts else STRANGER


def remember_device(response: Response, email: str) -> None:
    """Let the device be known to this account from now on."""
    device, accounts = _read()
    account = account_digest(email)[:_DIGITS]
    kept = [account, *(other for other in accounts if other != account)][:_MOST]
    response.set_cookie(
        _COOKIE, _signing().dumps([device or secrets.token_hex(8), *kept]), max_age=_KEPT_FOR,
        path=url_for("users.enter"), secure=request.is_secure, httponly=True, samesite="Lax",
    )  # fmt: skip


def _read() -> tuple[str, list[str]]:
    try:
        device, *accounts = _signing().loads(request.cookies.get(_COOKIE, ""))
    except BadSignature:
        return STRANGER, []
    return device, accounts


def _signing() -> URLSafeSerializer:
    key = current_app.secret_key
    assert key is not None  # noqa: S101 # Config refuses to start without one
    return URLSafeSerializer(key, salt="device")
