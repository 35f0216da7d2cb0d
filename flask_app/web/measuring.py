"""Each request is measured: its id, its time, its SQL statements; for the log and for /metrics."""

import logging
import re
from uuid import uuid4

from flask import Flask, Response, g, has_app_context, request
from prometheus_client import Counter, Histogram
from sqlalchemy import Engine, event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import OperationalError

from flask_app.clock import monotonic
from flask_app.models.database import is_retryable

REQUESTS = Counter("island_time_requests", "Requests answered", ["method", "route", "status"])
SECONDS = Histogram(
    "island_time_request_seconds",
    "How long a request took",
    ["route"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
REFUSED_LOGINS = Counter("island_time_refused_logins", "Logins that were refused")
LOCK_WAITS = Counter("island_time_lock_waits", "Statements that another transaction was in the way of")
_REQUEST_ID = re.compile(r"[A-Za-z0-9._=-]{1,128}", re.ASCII)  # as load balancers send them

_log = logging.getLogger("island_time.request")


def init_app(app: Flask) -> None:
    app.before_request(_begin)
    app.after_request(_end)


@event.listens_for(Engine, "before_cursor_execute")
def _count(*_: object) -> None:
    if has_app_context():  # a request's or a task's
        here = g._get_current_object()
        here.statements = here.get("statements", 0) + 1


@event.listens_for(Engine, "handle_error")
def _count_lock_waits(context: ExceptionContext) -> None:
    error = context.sqlalchemy_exception
    if isinstance(error, OperationalError) and is_retryable(error):
        LOCK_WAITS.inc()


def _user_id() -> int | None:
    """Who asked, if that was looked up: the log asks no database."""
    user = g.get("me")
    return user.id if user else None


def _begin() -> None:
    g.began = monotonic()
    sent = request.headers.get("X-Request-Id", "")
    g.request_id = sent if _REQUEST_ID.fullmatch(sent) else uuid4().hex


def _end(response: Response) -> Response:
    if "began" not in g:  # refused before it began, such as a Host that is not trusted
        return response
    seconds, method, status = monotonic() - g.began, request.method, response.status_code
    # The rule, not the address: that has numbers, and a search has words.
    route = str(request.url_rule) if request.url_rule else "none"
    REQUESTS.labels(method, route, status).inc()
    SECONDS.labels(route).observe(seconds)
    if route == "/login" and method == "POST" and status >= 400:
        REFUSED_LOGINS.inc()
    response.headers["X-Request-Id"] = g.request_id
    if _log.isEnabledFor(logging.INFO):
        fields = {
            "request": g.request_id, "method": method, "route": route, "status": status,
            "ms": round(seconds * 1000, 1), "sql": g.get("statements", 0), "user": _user_id(),
        }  # fmt: skip
        _log.info("%s %s %s", method, route, status, extra={"fields": fields})
    return response
