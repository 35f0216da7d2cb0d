"""Service protection limits: too many requests, too much execution time, too many at once (api-limits).

Switched off at first. The real limits hold per user and web server; here there is one of each.
"""

import math
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from .faults import THROTTLED
from .wire import ApiError

LONGEST_PENALTY = 300  # seconds


@dataclass(frozen=True)
class Allowance:
    """What a user may do within `window` seconds; `penalty` is the first Retry-After, in seconds."""

    requests: int = 6000
    execution_seconds: float = 1200
    concurrent: int = 52
    window: float = 300
    penalty: int = 2


class Limits:
    """Counts the requests of the one user and refuses them when they are too many."""

    def __init__(self) -> None:
        self.now = time.monotonic  # seconds; a test may put its own clock here
        self._lock = threading.Lock()
        self._on = False
        self._allowance = Allowance()
        self._finished: deque[tuple[float, float]] = deque()  # end, seconds taken
        self._running = 0
        self._strikes = 0
        self._blocked_until = -math.inf
        self._code = ""

    def switch_on(
        self,
        requests: int = 6000,
        execution_seconds: float = 1200,
        concurrent: int = 52,
        window: float = 300,
        penalty: int = 2,
    ) -> None:
        """Enforce these limits from now on."""
        with self._lock:
            self._allowance = Allowance(requests, execution_seconds, concurrent, window, penalty)
            self._on = True
            self._forget()

    def switch_off(self) -> None:
        """Enforce nothing."""
        with self._lock:
            self._on = False
            self._forget()

    @contextmanager
    def request(self) -> Iterator[None]:
        """Count a request while it is worked on; raise the 429 when it is one too many."""
        started = self.now()
        with self._lock:
            if self._on:
                self._admit(started)
            self._running += 1
        try:
            yield
        finally:
            with self._lock:
                self._running -= 1
                self._finished.append((self.now(), self.now() - started))

    def headers(self) -> list[tuple[str, str]]:
        """Return the headers that tell what is left; for debugging only, as the published page says."""
        with self._lock:
            self._slide(self.now())
            left = self._allowance.requests - len(self._finished)
            seconds = self._allowance.execution_seconds - sum(taken for _, taken in self._finished)
        return [
            ("x-ms-dop-hint", "48"),
            ("x-ms-ratelimit-time-remaining-xrm-requests", f"{max(0, seconds):,.2f}"),
            ("x-ms-ratelimit-burst-remaining-xrm-requests", str(max(0, left))),
        ]

    def _admit(self, now: float) -> None:
        if now < self._blocked_until:  # still hammering: the wait grows
            raise self._refusal(now, self._code)
        self._slide(now)
        code = self._exceeded()
        if code is None:
            self._strikes = 0
            return
        self._finished.clear()  # after the wait the user starts afresh
        raise self._refusal(now, code)

    def _exceeded(self) -> str | None:
        allowance = self._allowance
        if self._running >= allowance.concurrent:
            return "0x80072326"
        if sum(taken for _, taken in self._finished) >= allowance.execution_seconds:
            return "0x80072321"
        return "0x80072322" if len(self._finished) + self._running >= allowance.requests else None

    def _refusal(self, now: float, code: str) -> ApiError:
        wait = min(self._allowance.penalty * 2**self._strikes, LONGEST_PENALTY)
        self._strikes += 1
        self._blocked_until = now + wait
        self._code = code
        return ApiError(429, code, self._message(code), [("Retry-After", str(math.ceil(wait)))])

    def _message(self, code: str) -> str:
        allowance = self._allowance
        text = THROTTLED[code].replace("limit of 6000", f"limit of {allowance.requests}")
        text = text.replace("limit of 52", f"limit of {allowance.concurrent}")
        text = text.replace("1,200,000", f"{allowance.execution_seconds * 1000:,.0f}")
        return text.replace("300 seconds", f"{allowance.window:g} seconds")

    def _slide(self, now: float) -> None:
        while self._finished and self._finished[0][0] <= now - self._allowance.window:
            self._finished.popleft()

    def _forget(self) -> None:
        self._finished.clear()
        self._strikes = 0
        self._blocked_until = -math.inf
        self._code = ""
