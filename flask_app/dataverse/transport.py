"""One HTTPS exchange: pooled, bounded in time to its last byte, bounded in size, never redirected."""

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import certifi
import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError

from flask_app.clock import monotonic
from flask_app.dataverse.answers import Answer
from flask_app.dataverse.errors import (
    DataverseClientError,
    DataverseProtocolError,
    DataverseRefused,
    DataverseUnavailable,
)

_CHUNK = 1 << 18  # bytes per read of a body


class Deadline:
    """The moment by which a call must be over, whatever it is doing."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._end = monotonic() + seconds

    def remaining(self) -> float:
        """Return the seconds left, 0 if none."""
        return max(0.0, self._end - monotonic())

    def extend(self, seconds: float) -> None:
        """Move the end by time that was not ours, such as the caller's work between two pages."""
        self._end += seconds


class _Reading(threading.local):
    """The exchange that the present thread is in."""

    timeout: float = 0.0
    deadline: Deadline | None = None


_reading = _Reading()


class _DeadlineSocket(ssl.SSLSocket):
    """A TLS socket that looks at the deadline before every read.

    A read timeout starts anew with every byte, so a server that trickles is never late. Here each read, be
    it for a status line, a header or a chunk, gets no more than what is left of the whole.
    """

    def recv_into(self, buffer: Any, nbytes: int | None = None, flags: int = 0) -> int:
        if _reading.deadline is not None:
            left = _reading.deadline.remaining()
            if left <= 0:
                raise TimeoutError("the deadline has passed")
            self.settimeout(min(_reading.timeout, left))
        return super().recv_into(buffer, nbytes, flags)


@contextmanager
def _reading_until(deadline: Deadline, timeout: float) -> Iterator[None]:
    _reading.deadline, _reading.timeout = deadline, timeout
    try:
        yield
    finally:
        _reading.deadline = None


class _Adapter(HTTPAdapter):
    """Connections that all share one TLS context: loading the authorities costs 20 ms, each time."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        super().__init__(pool_maxsize=10)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, ssl_context=self._context, **kwargs)

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """Leave it to the context, which knows whom to trust; requests would load its own list as well."""


class _Session(requests.Session):
    """A session that asks no environment variable and follows no redirect."""

    def __init__(self, context: ssl.SSLContext) -> None:
        super().__init__()
        self.trust_env = False  # REQUESTS_CA_BUNDLE and .netrc would override what we were configured with
        self.mount("https://", _Adapter(context))

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Say that there is none; requests would prepare the next request, reading a body without bound."""


class Transport:
    """The way to the network that Dataverse and the sign-in share. Safe to use from several threads."""

    def __init__(self, *, timeout_seconds: float, ca_bundle: str | None, max_body_bytes: int) -> None:
        self._timeout = timeout_seconds
        self._max_body = max_body_bytes
        self._session = _Session(_trusting(ca_bundle))

    def close(self) -> None:
        """Close the pooled connections."""
        self._session.close()

    def outcome(self, request: requests.PreparedRequest, deadline: Deadline) -> Answer | DataverseClientError:
        """Return the answer, or the error that came instead.

        Returned, not raised: an error raised while a network exception is handled would carry that one
        along, and with it the request's Authorization header.
        """
        try:
            with _reading_until(deadline, self._timeout):
                return self._exchange(request, deadline)
        except (OSError, HTTPError) as fault:  # requests' own exceptions are OSErrors
            return self._explain(fault, request, deadline)

    def _exchange(
        self, request: requests.PreparedRequest, deadline: Deadline
    ) -> Answer | DataverseClientError:
        timeout = min(self._timeout, deadline.remaining())
        if timeout <= 0:
            raise TimeoutError("the deadline has passed")
        with self._session.send(request, stream=True, timeout=timeout, allow_redirects=False) as response:
            host = _host(request)
            body = self._body(response)
            if body is None:
                bound = f"{self._max_body:,} bytes"
                return DataverseProtocolError(
                    f"{host} sent more than {bound} in one answer.", status=response.status_code
                )
            return Answer(host, response.status_code, response.headers, body)

    def _body(self, response: requests.Response) -> bytearray | None:
        """Read the body; None if it is larger, unpacked, than the bound."""
        body = bytearray()
        for chunk in response.iter_content(_CHUNK):
            body += chunk
            if len(body) > self._max_body:
                return None
        return body

    def _explain(
        self, fault: Exception, request: requests.PreparedRequest, deadline: Deadline
    ) -> DataverseClientError:
        host, text = _host(request), str(fault)
        if deadline.remaining() <= 0:
            return DataverseUnavailable(
                f"{host} did not give a full answer within {deadline.seconds:g} seconds."
            )
        if "CERTIFICATE_VERIFY_FAILED" in text:
            return DataverseRefused(
                f"The TLS certificate of {host} is not trusted here; check the CA bundle."
            )
        if isinstance(fault, requests.exceptions.ContentDecodingError):
            return DataverseProtocolError(f"{host} sent an answer that cannot be unpacked.")
        if isinstance(fault, ValueError):  # requests: an address that is none
            return DataverseRefused(f"The address of {host} cannot be used; check the configuration.")
        if isinstance(fault, requests.exceptions.Timeout) or "timed out" in text:
            return DataverseUnavailable(f"{host} was silent for {self._timeout:g} seconds.")
        if "NameResolutionError" in text:
            return DataverseUnavailable(
                f"The name {host} cannot be resolved; check the address and the network."
            )
        return DataverseUnavailable(f"The connection to {host} could not be made or broke off.")


def _host(request: requests.PreparedRequest) -> str:
    return urlsplit(request.url or "").hostname or "Dataverse"


def _trusting(ca_bundle: str | None) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=ca_bundle or certifi.where())
    except OSError:  # an SSLError is one, too
        context = None
    if context is None:
        raise DataverseRefused(f"The CA bundle {ca_bundle} cannot be read as certificates.")
    context.sslsocket_class = _DeadlineSocket
    return context


def origin_of(address: str) -> str:
    """Return `https://host[:port]`, "" for anything that does not plainly name one."""
    try:
        parts = urlsplit(address)
        host, port = parts.hostname, parts.port
    except ValueError:
        return ""
    plain = address.isascii() and address.isprintable() and "@" not in parts.netloc
    if parts.scheme != "https" or not host or not plain:
        return ""
    host = f"[{host}]" if ":" in host else host
    return f"https://{host}" if port in (None, 443) else f"https://{host}:{port}"
