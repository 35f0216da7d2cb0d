"""Whether the proxy in front tells what the program can't see: that the browser uses https, and who it is.

Without X-Forwarded-Proto cookies are not Secure and no HSTS is sent; without X-Forwarded-For everybody has
the proxy's address, and the login's throttle counts the whole crew as one. Only admins' requests are looked
at: what a stranger sends must not put a warning onto anybody's page.
"""

import logging

from flask import Flask, Response, current_app, g, request

from flask_app.config import settings
from flask_app.web.parse import site_of
from flask_app.words import ENGLISH, Lazy, lazy, speaking

_NOT_TOLD = lazy(
    "This page came over https, but the program wasn't told, so login cookies aren't Secure. Set "
    "TRUSTED_PROXIES to the number of proxies."
)
_NO_PROTO = lazy(
    "This page came over https, but the proxy doesn't send X-Forwarded-Proto, so login cookies aren't Secure."
)
_NOT_TRUSTED = lazy(
    "There is a proxy in front, but TRUSTED_PROXIES is 0, so everyone seems to come from one address."
)
_NO_ADDRESS = lazy(
    "The proxy sends fewer addresses in X-Forwarded-For than TRUSTED_PROXIES says, so everyone seems to come "
    "from one address."
)
_SEEN = "proxy_problems"  # what the last admin's request showed, in app.extensions

_log = logging.getLogger(__name__)


def init_app(app: Flask) -> None:
    app.extensions[_SEEN], told = [], set[str]()

    @app.after_request
    def look(response: Response) -> Response:
        user = g.get("me")
        if user is not None and user.is_admin:
            app.extensions[_SEEN] = proxy_problems()
            _log_new(problems_seen(), told)
        return response


def problems_seen() -> list[str]:
    """Return what the last request of an admin has shown, in English: for logs and machines."""
    with speaking(ENGLISH):
        return [str(problem) for problem in current_app.extensions[_SEEN]]


def proxy_problems() -> list[Lazy]:
    """Return a sentence for each thing that the proxy of this request leaves out."""
    hops = settings().trusted_proxies
    proto = (_NO_PROTO if hops else _NOT_TOLD) if _browser_is_on_https() and not request.is_secure else None
    return [problem for problem in (proto, _about_addresses(hops)) if problem is not None]


def _about_addresses(hops: int) -> Lazy | None:
    told = [part for part in request.headers.get("X-Forwarded-For", "").split(",") if part.strip()]
    if not hops:
        return _NOT_TRUSTED if told else None
    return _NO_ADDRESS if len(told) < hops else None


def _browser_is_on_https() -> bool:
    """Whether the browser names the page of ours that it came from with https."""
    scheme, host = site_of(request.headers.get("Origin") or request.headers.get("Referer", ""))
    ours = host == request.host or request.headers.get("Sec-Fetch-Site") == "same-origin"
    return scheme == "https" and ours


def _log_new(problems: list[str], told: set[str]) -> None:
    """Write each problem once: there may be thousands of requests a day."""
    for problem in problems:
        if problem not in told:
            told.add(problem)
            _log.warning(problem)
