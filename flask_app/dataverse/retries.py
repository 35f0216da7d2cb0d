"""RetryPolicy: which failures are tried again, how long to wait before, and when to give up."""

import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

import requests

from flask_app.dataverse.answers import PASSING, Answer, Scrub, error_for
from flask_app.dataverse.errors import DataverseClientError, DataverseUnavailable
from flask_app.dataverse.transport import Deadline, Transport

_FIRST_BACKOFF = 0.5  # seconds; doubled with every attempt
_random = secrets.SystemRandom()
_logger = logging.getLogger(__name__)


@dataclass(slots=True)
class CallStatistics:
    """What a call, or a row of calls, has cost so far; another thread may read it while it is under way.

    `deadline`, if there is one, bounds them all together; each call has its own deadline as well.
    """

    deadline: Deadline | None = None
    requests: int = 0
    pages: int = 0
    rows: int = 0
    retries: int = 0
    seconds_waited: float = 0.0


@dataclass(frozen=True, slots=True)
class Call:
    """One call of the client's user, over all its requests, waits and pages."""

    deadline: Deadline
    statistics: CallStatistics = field(default_factory=CallStatistics)


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often a request is sent (`attempts`) and the longest single wait in between, in seconds."""

    attempts: int
    max_wait_seconds: float
    sleep: Callable[[float], None]

    def backoff(self, attempt: int) -> float:
        """Return a random wait ("full jitter"), so that many clients don't come back all at once."""
        return _random.uniform(0, min(self.max_wait_seconds, _FIRST_BACKOFF * 2 ** (attempt - 1)))


class Retrier:
    """Sends requests until there is an answer to go by."""

    def __init__(self, transport: Transport, patience: RetryPolicy, scrub: Scrub) -> None:
        self._transport = transport
        self._patience = patience
        self._scrub = scrub

    def answer(self, request: requests.PreparedRequest, call: Call) -> Answer:
        """Return the first answer that is no passing fault. For requests that may be sent twice only.

        Raises DataverseUnavailable when the attempts are used up, when the server asks for a longer wait
        than we have patience for, or when the wait would outlast the deadline; its `retry_after` then says
        how long the server still wants to be left alone.
        """
        for attempt in range(1, self._patience.attempts):
            outcome = self._outcome(request, call)
            if isinstance(outcome, Answer):
                return outcome
            self._wait_before_next(attempt, outcome, call)
        outcome = self._outcome(request, call)
        if isinstance(outcome, Answer):
            return outcome
        raise outcome

    def _outcome(self, request: requests.PreparedRequest, call: Call) -> Answer | DataverseClientError:
        call.statistics.requests += 1
        outcome = self._transport.outcome(request, call.deadline)
        if isinstance(outcome, Answer) and outcome.status in PASSING:
            return error_for(outcome, self._scrub)
        return outcome

    def _wait_before_next(self, attempt: int, trouble: DataverseClientError, call: Call) -> None:
        if not isinstance(trouble, DataverseUnavailable):
            raise trouble
        wait = trouble.retry_after or self._patience.backoff(attempt)
        if wait > self._patience.max_wait_seconds or wait >= call.deadline.remaining():
            raise trouble
        call.statistics.retries += 1
        call.statistics.seconds_waited += wait
        _logger.warning("%s Trying again in %.1f seconds.", trouble, wait)
        self._patience.sleep(wait)
