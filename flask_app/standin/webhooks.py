"""Webhooks: who has registered, and the posts to them, after the pages use-webhooks and register-web-hook."""

import socket
import threading
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from urllib.parse import urlencode, urlsplit

from .execution_context import execution_context, message
from .schema import Row
from .table import Change

MESSAGES = ("Create", "Update", "Delete")
LOOPBACK = ("localhost", "127.0.0.1", "::1")
TRIED_AGAIN = (502, 503, 504)  # once
KEPT = 10_000
PATIENCE = 5  # seconds for the post under way to end when the stand-in stops


@dataclass(frozen=True)
class Webhook:
    """A registration. The pairs in its headers or its target are secrets."""

    url: str
    host: str
    port: int | None
    target: str  # path and query
    headers: dict[str, str]
    messages: tuple[str, ...]
    step: str  # the id of its sdkmessageprocessingstep
    attributes: frozenset[str] = frozenset()  # the step's filtering attributes; none: all
    broken: str = ""  # why no post is even tried

    def is_for(self, change: Change) -> bool:
        """Whether the step runs after this change."""
        filtered = change.message == "Update" and self.attributes
        return change.message in self.messages and not (filtered and self.attributes.isdisjoint(change.sent))


@dataclass(frozen=True)
class Delivery:
    """How a post ended, as a System Job would tell: the last status (0: no answer, and `error` says why)."""

    url: str
    message: str
    row_id: str
    attempts: int
    status: int
    error: str

    @property
    def failed(self) -> bool:
        """Whether the receiver has not confirmed it."""
        return not 200 <= self.status < 300


class Webhooks:
    """The registrations, and the thread that posts to them, one post after the other."""

    def __init__(self, log: Callable[[str], None] | None = None) -> None:
        self.timeout = 60.0  # seconds
        self.deliveries: list[Delivery] = []  # the last 10,000
        self._log = log
        self._hooks: list[Webhook] = []
        self._waiting: deque[tuple[Webhook, Row]] = deque()  # the first is being posted
        self._changed = threading.Condition()
        self._ending = False
        self._socket: socket.socket | None = None
        self._thread = threading.Thread()

    def register(
        self,
        url: str,
        messages: Iterable[str] = MESSAGES,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        key: str | None = None,
        attributes: Iterable[str] = (),
        step: str | None = None,
        broken: str = "",
    ) -> None:
        """Post to `url` after each of `messages`, with header pairs, query pairs or a WebhookKey (?code=).

        With filtering `attributes` an Update is told only if it wrote one of these columns. `step` is the id
        by which the registration can be forgotten; a `broken` one fails with that text at each post.
        """
        parts, chosen = urlsplit(str(url)), tuple(messages)
        if parts.scheme != "http" or parts.hostname not in LOOPBACK:
            raise ValueError(f"A webhook goes to this machine only, http://localhost:<port>/…, not to {url}")
        if not chosen or not set(chosen) <= set(MESSAGES):
            raise ValueError(f"The messages of a webhook are among {', '.join(MESSAGES)}.")
        if sum(way is not None for way in (headers, query, key)) > 1:
            raise ValueError("A webhook authenticates in one way: by headers, query or key.")
        pairs = urlencode(dict(query or {}) if key is None else {"code": key})
        target = f"{parts.path or '/'}?{'&'.join(filter(None, (parts.query, pairs)))}".removesuffix("?")
        shown = {str(name): str(value) for name, value in dict(headers or {}).items()}
        number, filtering = step or str(uuid.uuid4()), frozenset(attributes)
        hook = Webhook(url, parts.hostname, parts.port, target, shown, chosen, number, filtering, broken)
        with self._changed:
            self._hooks.append(hook)

    def forget(self, step: str) -> None:
        """Forget one registration, if it is there."""
        with self._changed:
            self._hooks = [hook for hook in self._hooks if hook.step != step]

    def clear(self) -> None:
        """Forget the registrations; what happened before is still posted."""
        with self._changed:
            self._hooks.clear()

    def publish(self, changes: list[Change]) -> None:
        """Let these changes, which were made together, be posted to those who registered for them."""
        correlation = str(uuid.uuid4())
        with self._changed:
            for change in changes:
                for hook in self._hooks:
                    if hook.is_for(change):
                        self._waiting.append((hook, execution_context(change, correlation, hook.step)))
            self._changed.notify_all()

    def settled(self, seconds: float = 5) -> bool:
        """Wait until all is posted; False when it is not after `seconds`."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._waiting, seconds)

    def start(self) -> None:
        """Begin to post."""
        self._ending = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End at once: the post under way fails, those behind it wait for the next start."""
        with self._changed:
            self._ending = True
            self._changed.notify_all()
            with suppress(OSError):  # already closed
                if self._socket is not None:
                    self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(PATIENCE)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._ending)
                if self._ending:
                    return
                hook, context = self._waiting[0]
            delivery = self._deliver(hook, context)
            if self._log is not None:
                self._log(f"webhook {delivery.message} {delivery.url} {delivery.status or delivery.error}")
            with self._changed:
                self.deliveries.append(delivery)
                del self.deliveries[:-KEPT]
                self._waiting.popleft()
                self._changed.notify_all()

    def _deliver(self, hook: Webhook, context: Row) -> Delivery:
        headers, body = message(context)
        attempts = 1
        status, error = self._post(hook, hook.headers | headers, body)
        if status in TRIED_AGAIN:
            attempts = 2
            status, error = self._post(hook, hook.headers | headers, body)
        return Delivery(hook.url, context["MessageName"], context["PrimaryEntityId"], attempts, status, error)

    def _post(self, hook: Webhook, headers: dict[str, str], body: bytes) -> tuple[int, str]:
        """Return the answer's status, or 0 and why there is none."""
        if hook.broken:
            return 0, hook.broken
        try:
            with closing(HTTPConnection(hook.host, hook.port, timeout=self.timeout)) as connection:
                connection.connect()
                with self._changed:
                    self._socket = connection.sock
                    if self._ending:
                        return 0, "The stand-in has ended."
                connection.request("POST", hook.target, body, headers)
                with connection.getresponse() as answer:  # of which only the status counts
                    return answer.status, ""
        except (OSError, HTTPException, ValueError) as error:
            return 0, f"{type(error).__name__}: {error}"
