"""The token of every form, written differently into every page.

flask-wtf signs one secret of the session anew each second but writes the secret itself as it is. On a page
that is compressed and repeats what its address says, the length of the answer could tell a secret sign by
sign (BREACH). So the token is masked by as many random bytes, as Django does it. The session's cookie is
SameSite=Lax, so another site can't even ask for our pages unseen; the mask doesn't rely on that.
"""

import os
from base64 import urlsafe_b64decode, urlsafe_b64encode

from flask import Flask, g
from flask_wtf.csrf import CSRFProtect, generate_csrf


class MaskedCSRF(CSRFProtect):  # type: ignore[misc]  # flask-wtf has no types
    """flask-wtf's protection, with tokens that are masked on the page."""

    def init_app(self, app: Flask) -> None:
        super().init_app(app)
        app.context_processor(lambda: {"csrf_token": masked_token})

    def protect(self, apply_exemptions: bool = False) -> None:
        """Refuse a Referer that can't be read as well: flask-wtf would let its ValueError through."""
        try:
            super().protect(apply_exemptions)
        except ValueError:
            self._error_response("The referrer can't be read.")

    def _get_csrf_token(self) -> str | None:
        """Where flask-wtf takes the token of a request from."""
        sent = super()._get_csrf_token()
        return unmasked(sent) if sent else None


def masked_token() -> str:
    """Return the token for a page's forms; the same for all forms of one page."""
    if "masked_csrf" not in g:
        g.masked_csrf = _masked(generate_csrf().encode())
    token: str = g.masked_csrf
    return token


def unmasked(token: str) -> str:
    """Return what was masked; "" if this is nothing of ours."""
    try:
        both = urlsafe_b64decode(token)
        mask, text = both[: len(both) // 2], both[len(both) // 2 :]
        return _xor(mask, text).decode("ascii")
    except ValueError:  # no base64, uneven halves, no ASCII
        return ""


def _masked(token: bytes) -> str:
    mask = os.urandom(len(token))
    return urlsafe_b64encode(mask + _xor(mask, token)).decode()


def _xor(mask: bytes, text: bytes) -> bytes:
    return bytes(one ^ other for one, other in zip(mask, text, strict=True))
