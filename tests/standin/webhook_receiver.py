"""A receiver of webhooks for the stand-in's own tests: a real HTTP server that keeps what is posted to it."""

import json
import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PATIENCE = 5  # seconds; nothing on loopback takes that long


def values(pairs: list[dict[str, Any]]) -> dict[str, Any]:
    """Return an array of key and value as what it stands for."""
    assert all(set(pair) == {"key", "value"} for pair in pairs)
    return {pair["key"]: pair["value"] for pair in pairs}


@dataclass
class Post:
    """What was posted."""

    target: str
    headers: Message
    raw: bytes

    @property
    def body(self) -> dict[str, Any]:
        """The execution context."""
        return dict(json.loads(self.raw))

    def columns(self, where: str = "InputParameters", key: str = "Target") -> dict[str, Any]:
        """Return the columns of an entity in the body."""
        return values(values(self.body[where])[key]["Attributes"])


class Receiver(ThreadingHTTPServer):
    """Answers with the statuses in `answers`, then 200; not at all unless it is `free`."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}/hooks/jobs"
        self.posts: queue.Queue[Post] = queue.Queue()
        self.answers: list[int] = []
        self.free = threading.Event()
        self.free.set()

    def next(self) -> Post:
        """Wait for the next post."""
        return self.posts.get(timeout=PATIENCE)


class Handler(BaseHTTPRequestHandler):
    """Takes one post."""

    server: Receiver

    def do_POST(self) -> None:
        """Keep it, then answer."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.posts.put(Post(self.path, self.headers, body))
        if not self.server.free.is_set():
            self.server.free.wait(PATIENCE)
            return
        self.send_response(self.server.answers.pop(0) if self.server.answers else 200)
        self.send_header("Location", f"{self.server.url}/elsewhere")
        self.end_headers()

    def log_message(self, format: str, *arguments: Any) -> None:
        """Say nothing."""


@contextmanager
def serving() -> Iterator[Receiver]:
    """Serve until the end of the block."""
    with Receiver() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.free.set()
        server.shutdown()
        thread.join()
