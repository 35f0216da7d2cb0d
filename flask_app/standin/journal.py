"""The record of the requests that a stand-in has received."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from email.message import Message

from .wire import Request

KEPT = 10_000


@dataclass
class Record:
    """One request as it came, and the status it was answered with (0: not answered)."""

    method: str
    path: str
    query: dict[str, str]
    headers: Message
    body: bytes
    status: int = 0


class Journal:
    """The requests in the order of their arrival; `log` is told each one when it is answered."""

    def __init__(self, log: Callable[[str], None] | None = None) -> None:
        self._lock = threading.Lock()
        self._log = log
        self.records: list[Record] = []

    def arrived(self, request: Request) -> Record:
        """Note a request."""
        record = Record(request.method, request.path, request.query, request.headers, request.body)
        with self._lock:
            self.records.append(record)
            del self.records[:-KEPT]
        return record

    def answered(self, record: Record, status: int) -> None:
        """Note how a request was answered; before the caller can know it, so that a test may look at once."""
        record.status = status
        if self._log is None:
            return
        query = "&".join(f"{name}={value}" for name, value in record.query.items())
        self._log(f"{record.method} {record.path}{'?' if query else ''}{query} {status or 'no answer'}")
