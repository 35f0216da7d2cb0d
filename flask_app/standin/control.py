"""The stand-in's own controls under /standin/: faults, limits, webhooks, what was asked. No token needed.

Loopback only: the server listens nowhere else, and a foreign Host header (DNS rebinding) or a form sent from
a web page (no JSON content type) is refused.
"""

import inspect
from collections.abc import Callable
from html import escape
from typing import Any

from .faults import Faults
from .journal import Journal
from .limits import Limits
from .table import Table
from .webhooks import Webhooks
from .wire import ApiError, Request, Response

ROOT = "/standin/"
FAULTS = (
    "throttle", "fail", "hang", "trickle", "cut_json", "html", "drop", "expire_tokens", "expire_deltas",
    "foreign_next_link", "repeat_next_link", "clear",
)  # fmt: skip
_SHOWN = 50  # requests on the page


class Control:
    """Answers the controls."""

    def __init__(
        self, table: Table, faults: Faults, limits: Limits, journal: Journal, webhooks: Webhooks
    ) -> None:
        self._table = table
        self._faults = faults
        self._limits = limits
        self._journal = journal
        self._webhooks = webhooks
        self._actions: dict[tuple[str, str], Callable[[Request], Response]] = {
            ("GET", ""): self._page,
            ("POST", "faults"): self._order_fault,
            ("DELETE", "faults"): self._clear,
            ("POST", "limits"): self._set_limits,
            ("POST", "webhooks"): self._register_webhook,
            ("DELETE", "webhooks"): self._forget_webhooks,
        }

    def answer(self, request: Request) -> Response:
        """Answer a request under /standin/."""
        try:
            _check_sender(request)
            action = self._actions.get((request.method, request.path.removeprefix(ROOT)))
            if action is None:
                raise ApiError(404, "", "There is GET /standin/, POST /standin/{faults,limits,webhooks}.")
            return action(request)
        except ApiError as error:
            return error.response()

    def _order_fault(self, request: Request) -> Response:
        order = request.payload()
        name = order.pop("fault", None)
        if name not in FAULTS:
            raise ApiError(400, "", f"'fault' must be one of {', '.join(FAULTS)}.")
        _call(getattr(self._faults, name), order)
        return Response(204)

    def _clear(self, request: Request) -> Response:
        self._faults.clear()
        return Response(204)

    def _set_limits(self, request: Request) -> Response:
        order = request.payload()
        if order.pop("on", True):
            _call(self._limits.switch_on, order)
        else:
            self._limits.switch_off()
        return Response(204)

    def _register_webhook(self, request: Request) -> Response:
        _call(self._webhooks.register, request.payload())
        return Response(204)

    def _forget_webhooks(self, request: Request) -> Response:
        self._webhooks.clear()
        return Response(204)

    def _page(self, request: Request) -> Response:
        latest = self._journal.records[-_SHOWN:][::-1]
        lines = "".join(
            f"<tr><td>{one.status or '-'}<td>{escape(one.method)}<td>{escape(one.path)}"
            f"<td>{escape('&'.join(f'{name}={value}' for name, value in one.query.items()))}"
            for one in latest
        )
        waiting = "".join(f"<li>{escape(text)}" for text in self._faults.waiting()) or "<li>none"
        page = (
            '<!doctype html><html lang="en"><meta charset="utf-8"><title>Dataverse stand-in</title>'
            f"<h1>Dataverse stand-in</h1><p>{escape(request.origin)} holds {len(self._table)} jobs."
            f"<h2>Faults waiting</h2><ul>{waiting}</ul>"
            f"<h2>Latest requests</h2><table><tr><th>Status<th>Method<th>Path<th>Query{lines}</table></html>"
        )
        return Response(200, content=page.encode(), content_type="text/html; charset=utf-8")


def _check_sender(request: Request) -> None:
    host = request.headers.get("Host", "").rpartition(":")[0]
    if host not in ("localhost", "127.0.0.1"):
        raise ApiError(403, "", "The controls answer to localhost only.")
    kind = request.headers.get("Content-Type", "").partition(";")[0]
    if request.method == "POST" and kind != "application/json":
        raise ApiError(415, "", "Send application/json.")


def _call(action: Callable[..., None], order: dict[str, Any]) -> None:
    """Call with what the JSON says; what the action does not take is the sender's slip."""
    try:
        inspect.signature(action).bind(**order)
        action(**order)
    except (TypeError, ValueError) as error:
        raise ApiError(400, "", f"{error}") from error
