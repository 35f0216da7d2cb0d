"""The HTTPS server: connections, requests in and responses out, faults at the network's edge."""

import socket
import ssl
import threading
import uuid
from collections.abc import Callable
from email.utils import formatdate
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from .faults import Fault, Faults
from .journal import Journal
from .paging import page_number
from .wire import ApiError, Request, Response

LARGEST_BODY = 64 * 1024 * 1024
HANDSHAKE_SECONDS = 10
PATIENCE = 5  # seconds for the connections to end when the server stops


class Server(ThreadingHTTPServer):
    """Serves TLS on loopback. Each connection shakes hands in its own thread, so that nobody waits for it."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(
        self, port: int, context: ssl.SSLContext, faults: Faults, journal: Journal, host: str = "localhost"
    ) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.base_url = f"https://{host}:{self.server_address[1]}"
        self.faults = faults
        self.journal = journal
        self.application: Callable[[Request], Response] = _not_ready
        self.area_of: Callable[[Request], str] = lambda request: "other"
        self._context = context
        self._open: set[socket.socket] = set()
        self._changed = threading.Condition()

    def get_request(self) -> tuple[socket.socket, Any]:
        """Accept a connection without waiting for its handshake."""
        connection, address = super().get_request()
        secure = self._context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        with self._changed:
            self._open.add(secure)
        return secure, address

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Shake hands and serve the connection; runs in its own thread."""
        try:
            request.settimeout(HANDSHAKE_SECONDS)
            request.do_handshake()
            request.settimeout(None)
            super().finish_request(request, client_address)
        except OSError:  # the caller distrusts the certificate, or went away
            pass

    def close_request(self, request: Any) -> None:
        """Close a connection and tell stop(), which may be waiting for it."""
        super().close_request(request)
        with self._changed:
            self._open.discard(request)
            self._changed.notify_all()

    def stop(self) -> None:
        """End the accept loop and every connection, and wait for their threads."""
        self.shutdown()
        self.server_close()
        self.faults.clear()
        with self._changed:
            for connection in self._open:
                _shut(connection)
            self._changed.wait_for(lambda: not self._open, PATIENCE)


class Handler(BaseHTTPRequestHandler):
    """One connection: reads its requests one after the other and writes each answer in one piece."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else some 42 ms pass before a small answer goes out
    server: Server

    def answer_request(self) -> None:
        """Answer the request whose line and headers have just been read."""
        try:
            body = self._body()
            request = Request.parse(self.command, self.path, self.headers, body, self.server.base_url)
        except ApiError as error:
            self.close_connection = True
            self._write(error.response(), None)
            return
        record = self.server.journal.arrived(request)
        fault = self.server.faults.take(self.server.area_of(request), page_number(request))
        response = self._response(request, fault)
        self.server.journal.answered(record, response.status if response else 0)
        if response is None:
            self.close_connection = True
            return
        self._write(response, fault)

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = do_HEAD = do_OPTIONS = answer_request

    def log_message(self, format: str, *arguments: Any) -> None:
        """Say nothing: the journal logs."""

    def _response(self, request: Request, fault: Fault | None) -> Response | None:
        if fault is None:
            return self.server.application(request)
        if fault.wait:
            self.server.faults.pause(fault.wait)
        if fault.closes:
            return None
        response = fault.answer or self.server.application(request)
        return fault.edit(request, response) if fault.edit else response

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding"):
            raise ApiError(411, "", "A Content-Length is required.")
        length = self.headers.get("Content-Length", "0")
        if not length.isdecimal():
            raise ApiError(400, "", "The Content-Length is not a number.")
        if int(length) > LARGEST_BODY:
            raise ApiError(413, "", "The request is too large.")
        return self.rfile.read(int(length))

    def _write(self, response: Response, fault: Fault | None) -> None:
        body = response.encoded()
        head = self._head(response, len(body))
        if self.command == "HEAD" or response.status in (204, 304):
            body = b""
        if fault is None or not fault.pace:
            self.wfile.write(head + body)
            return
        self.wfile.write(head)
        for position in range(len(body)):
            if not self.server.faults.pause(fault.pace):
                self.wfile.write(body[position:])
                return
            self.wfile.write(body[position : position + 1])

    def _head(self, response: Response, length: int) -> bytes:
        number = str(uuid.uuid4())
        headers = [
            ("Date", formatdate(usegmt=True)),
            ("Cache-Control", "no-cache"),
            ("Expires", "-1"),
            ("OData-Version", "4.0"),
            ("x-ms-service-request-id", number),
            ("REQ_ID", number),
            *response.headers,
        ]
        if response.status != 204:
            headers.append(("Content-Type", response.content_type))
        if response.status not in (204, 304):
            headers.append(("Content-Length", str(length)))
        if self.close_connection:
            headers.append(("Connection", "close"))
        lines = [f"HTTP/1.1 {response.status} {_phrase(response.status)}", *(f"{k}: {v}" for k, v in headers)]
        return "\r\n".join([*lines, "", ""]).encode("latin-1", "replace")


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"


def _shut(connection: socket.socket) -> None:
    try:
        # Of the plain socket, not of the TLS layer on it, which another thread may be reading from.
        socket.socket.shutdown(connection, socket.SHUT_RDWR)
    except OSError:  # already gone
        return


def _not_ready(request: Request) -> Response:
    return Response(503)
