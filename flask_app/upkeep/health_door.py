"""/healthz from a thread of its own: it answers even when every worker waits for a frozen database."""

from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread


def open_health_door(host: str, port: int, is_alive: Callable[[], bool]) -> ThreadingHTTPServer:
    """Answer GET /healthz on a port of its own: 200 while `is_alive()`, else 503. Close it by shutdown()."""

    class Door(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # noqa: N802  # the name that the library calls
            alive = self.path == "/healthz" and is_alive()
            body = b'{"status": "ok"}' if alive else b'{"status": "not ok"}'
            self.send_response(200 if alive else 503 if self.path == "/healthz" else 404)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the library's own name
            """A line every few seconds would say nothing."""

    server = ThreadingHTTPServer((host, port), Door)
    Thread(target=server.serve_forever, name="health", daemon=True).start()
    return server
