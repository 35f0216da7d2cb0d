"""Faults on order: what a stand-in does wrong, how often, and on which page.

Faults wait in a queue; each request takes the first that fits it. All methods may be called from any thread.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .wire import ApiError, Request, Response

THROTTLED = {
    "0x80072322": "Number of requests exceeded the limit of 6000 over time window of 300 seconds.",
    "0x80072321": "Combined execution time of incoming requests exceeded limit of 1,200,000 milliseconds "
    "over time window of 300 seconds. Decrease number of concurrent requests or reduce the duration of "
    "requests and try again later.",
    "0x80072326": "Number of concurrent requests exceeded the limit of 52.",
}
HTML_PAGE = b"<!doctype html><title>Sign in</title><p>Please sign in to continue."


@dataclass
class Fault:
    """One fault in the queue. `times` counts down; None means until cleared."""

    times: int | None
    where: str = "api"
    page: int | None = None
    answer: Response | None = None  # given instead of the true answer
    wait: float = 0  # seconds before anything is answered
    pace: float = 0  # seconds between the body's bytes
    closes: bool = False  # the connection ends without an answer
    edit: Callable[[Request, Response], Response] | None = None

    def description(self) -> str:
        """Say in a line what this fault does."""
        deed = f"answers {self.answer.status}" if self.answer else "answers"
        if self.closes:
            deed = "closes the connection"
        if self.edit:
            deed = "spoils the answer"
        page = f", page {self.page}" if self.page else ""
        times = "until cleared" if self.times is None else f"{self.times} times"
        return f"{self.where}{page}: waits {self.wait:g} s, {deed}, {self.pace:g} s per byte; {times}"

    def fits(self, where: str, page: int | None) -> bool:
        """Say whether this fault is meant for such a request."""
        return self.where == where and self.page in (None, page)


class Faults:
    """The faults that a stand-in has still to commit."""

    def __init__(self, expire_tokens: Callable[[], None], expire_deltas: Callable[[], None]) -> None:
        self._lock = threading.Lock()
        self._queue: list[Fault] = []
        self._released = threading.Event()
        self._expire_tokens = expire_tokens
        self._expire_deltas = expire_deltas

    def throttle(self, seconds: float | str = 1, times: int | None = 1, code: str = "0x80072322") -> None:
        """Answer 429 with Retry-After; `seconds` may be a text, to send a date or garbage."""
        message = THROTTLED.get(code, "Too many requests.")
        answer = ApiError(429, code, message, [("Retry-After", str(seconds))]).response()
        self._add(Fault(times, answer=answer))

    def fail(
        self,
        status: int = 503,
        times: int | None = 1,
        retry_after: float | str | None = None,
        page: int | None = None,
        body: str | bytes | dict[str, Any] | None = None,
        content_type: str | None = None,
        where: str = "api",
    ) -> None:
        """Answer with a status and, where given, a body; where `page` is set, only on that page of a list."""
        answer = ApiError(status, "0x80040216", "An unexpected error occurred.").response()
        if isinstance(body, dict):
            answer.payload = body
        elif body is not None:
            content = body.encode() if isinstance(body, str) else body
            answer = Response(status, content=content, content_type="text/plain; charset=utf-8")
        answer.content_type = content_type or answer.content_type
        if retry_after is not None:
            answer.headers.append(("Retry-After", str(retry_after)))
        self._add(Fault(times, where, page, answer=answer))

    def hang(self, seconds: float = 30, times: int | None = 1, where: str = "api") -> None:
        """Answer late. clear() and the end of the stand-in wake what hangs."""
        self._add(Fault(times, where, wait=seconds))

    def trickle(self, seconds_per_byte: float = 0.1, times: int | None = 1, where: str = "api") -> None:
        """Send the headers at once and the body byte by byte."""
        self._add(Fault(times, where, pace=seconds_per_byte))

    def cut_json(self, times: int | None = 1, page: int | None = None) -> None:
        """Answer with only the first half of the JSON, its length told as if it were whole."""
        self._add(Fault(times, page=page, edit=_cut))

    def html(self, times: int | None = 1, where: str = "api") -> None:
        """Answer 200 with an HTML page, as a proxy's sign-in page would."""
        page = Response(200, content=HTML_PAGE, content_type="text/html; charset=utf-8")
        self._add(Fault(times, where, answer=page))

    def drop(self, times: int | None = 1, where: str = "api") -> None:
        """Close the connection without an answer."""
        self._add(Fault(times, where, closes=True))

    def expire_tokens(self) -> None:
        """Refuse with 401 every token issued so far."""
        self._expire_tokens()

    def expire_deltas(self) -> None:
        """Refuse with 0x80044352 every delta link given out so far."""
        self._expire_deltas()

    def foreign_next_link(self, url: str, times: int | None = 1) -> None:
        """Let a page of a list name `url` as its next page."""
        self._add(Fault(times, edit=lambda request, response: _with_next_link(response, url)))

    def repeat_next_link(self) -> None:
        """Let every page of a list name itself as its next page, until clear()."""
        self._add(Fault(None, edit=lambda request, response: _with_next_link(response, _own_url(request))))

    def clear(self) -> None:
        """Forget every fault and wake what hangs."""
        with self._lock:
            self._queue.clear()
            self._released.set()
            self._released = threading.Event()

    def waiting(self) -> list[str]:
        """Describe the faults in the queue."""
        with self._lock:
            return [fault.description() for fault in self._queue]

    def take(self, where: str, page: int | None) -> Fault | None:
        """Return the fault that the request must meet, if any, and count it down."""
        with self._lock:
            fault = next((fault for fault in self._queue if fault.fits(where, page)), None)
            if fault is not None and fault.times is not None:
                fault.times -= 1
                if fault.times <= 0:
                    self._queue.remove(fault)
            return fault

    def pause(self, seconds: float) -> bool:
        """Wait; return False when woken early by clear() or the end of the stand-in."""
        with self._lock:
            released = self._released
        return not released.wait(seconds)

    def _add(self, fault: Fault) -> None:
        with self._lock:
            self._queue.append(fault)


def _cut(request: Request, response: Response) -> Response:
    whole = response.encoded()
    return Response(response.status, None, response.headers, whole[: len(whole) // 2], response.content_type)


def _with_next_link(response: Response, url: str) -> Response:
    if response.payload is None or "value" not in response.payload:
        return response
    payload = {**response.payload, "@odata.nextLink": url}
    return Response(response.status, payload, response.headers, content_type=response.content_type)


def _own_url(request: Request) -> str:
    query = f"?{request.raw_query}" if request.raw_query else ""
    return f"{request.origin}{request.path}{query}"
