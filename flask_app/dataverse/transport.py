"""One HTTPS exchange: pooled, bounded in time to its last byte, bounded in size, never redirected."""

import re
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import certifi
import requests
from requests.adapters import HTTPAdapter
from requests.utils import get_environ_proxies, select_proxy
from urllib3 import HTTPSConnectionPool
from urllib3.connection import HTTPSConnection
from urllib3.exceptions import HTTPError

from flask_app.clock import monotonic
from flask_app.dataverse.answers import Answer
from flask_app.dataverse.errors import (
    DataverseClientError,
    DataverseProtocolError,
    DataverseRefused,
    DataverseUnavailable,
)
from flask_app.words import noted

_TUNNEL_REFUSED = re.compile(r"Tunnel connection failed: (\d{3})")
_CHUNK = 1 << 18  # bytes per read of a body


class Deadline:
    """The moment by which a call must be over, whatever it is doing."""

    def __init__(self, seconds: float, *, within: "Deadline | None" = None) -> None:
        self._seconds = seconds
        self._end = monotonic() + seconds
        self._within = within

    def remaining(self) -> float:
        """Return the seconds left, 0 if none."""
        left = max(0.0, self._end - monotonic())
        return min(left, self._within.remaining()) if self._within else left

    @property
    def seconds(self) -> float:
        """Return how long the time was that has run out, or runs out first."""
        if self._within and self._within.remaining() <= max(0.0, self._end - monotonic()):
            return self._within.seconds
        return self._seconds

    def extend(self, seconds: float) -> None:
        """Move the end by time that was not ours, such as the caller's work between two pages."""
        self._end += seconds


class _Reading(threading.local):
    """The exchange that the present thread is in."""

    timeout: float = 0.0
    deadline: Deadline | None = None


_reading = _Reading()


class _UntilDeadline(socket.socket):
    """A socket that looks at the deadline before every read.

    A read timeout starts anew with every byte, so a server that trickles is never late. Here each read, be
    it for a status line, a header or a chunk, gets no more than what is left of the whole.
    """

    def recv_into(self, buffer: Any, nbytes: int | None = None, flags: int = 0) -> int:
        if _reading.deadline is not None:
            left = _reading.deadline.remaining()
            if left <= 0:
                raise TimeoutError("the deadline has passed")
            self.settimeout(min(_reading.timeout, left))
        return super().recv_into(buffer, nbytes or 0, flags)


class _DeadlineSocket(_UntilDeadline, ssl.SSLSocket):
    """The TLS socket to Dataverse and the sign-in."""


class _Connection(HTTPSConnection):
    """A connection that is bounded also while a proxy is still being asked for the way, before TLS begins."""

    def _new_conn(self) -> socket.socket:
        plain = super()._new_conn()
        timeout, kind = plain.gettimeout(), (plain.family, plain.type, plain.proto)
        bounded = _UntilDeadline(*kind, fileno=plain.detach())
        bounded.settimeout(timeout)
        return bounded


class _Pool(HTTPSConnectionPool):
    ConnectionCls = _Connection


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
        self.poolmanager.pool_classes_by_scheme = {"https": _Pool}

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(proxy, ssl_context=self._context, **kwargs)
        manager.pool_classes_by_scheme = {"https": _Pool}
        return manager

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """Leave it to the context, which knows whom to trust; requests would load its own list as well."""


class _Session(requests.Session):
    """A session that asks no environment variable whom to trust or who we are, and follows no redirect."""

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
        how: dict[str, Any] = {"stream": True, "timeout": timeout, "allow_redirects": False}
        with self._session.send(request, proxies=proxies_for(request), **how) as response:
            host = _host(request)
            body = self._body(response)
            if body is None:
                bound = f"{self._max_body:,} bytes"
                return DataverseProtocolError(
                    noted("%(host)s sent more than %(bound)s in one answer.", host=host, bound=bound),
                    status=response.status_code,
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
                noted(
                    "%(host)s did not give a full answer within %(seconds)s seconds.",
                    host=host,
                    seconds=f"{deadline.seconds:g}",
                )
            )
        if "CERTIFICATE_VERIFY_FAILED" in text:
            return DataverseRefused(
                noted("The TLS certificate of %(host)s is not trusted here; check the CA bundle.", host=host)
            )
        if isinstance(fault, requests.exceptions.ContentDecodingError):
            return DataverseProtocolError(
                noted("%(host)s sent an answer that cannot be unpacked.", host=host)
            )
        if (proxy := _proxy_of(request)) and isinstance(fault, (ValueError, requests.exceptions.ProxyError)):
            return _proxy_fault(proxy, host, text)
        if isinstance(fault, ValueError):  # requests: an address that is none
            return DataverseRefused(
                noted("The address of %(host)s cannot be used; check the configuration.", host=host)
            )
        if isinstance(fault, requests.exceptions.Timeout) or "timed out" in text:
            return DataverseUnavailable(
                noted("%(host)s was silent for %(timeout)s seconds.", host=host, timeout=f"{self._timeout:g}")
            )
        if "NameResolutionError" in text:
            return DataverseUnavailable(
                noted("The name %(host)s cannot be resolved; check the address and the network.", host=host)
            )
        return DataverseUnavailable(
            noted("The connection to %(host)s could not be made or broke off.", host=host)
        )


def proxies_for(request: requests.PreparedRequest) -> dict[str, str]:
    """Return the proxies of HTTPS_PROXY (or ALL_PROXY) for this address, none if NO_PROXY says so.

    This machine itself is never reached through a proxy: a stand-in here is not there.
    """
    address = request.url or ""
    return {} if _is_here(_host(request)) else get_environ_proxies(address)


def _is_here(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _proxy_of(request: requests.PreparedRequest) -> str | None:
    return select_proxy(request.url or "", proxies_for(request))


def _proxy_fault(proxy: str, host: str, text: str) -> DataverseClientError:
    """Say what is wrong with the proxy, by its name: its address may hold a password."""
    name = proxy.rpartition("@")[2].removeprefix("http://").strip("/")
    if "Tunnel connection failed: 407" in text:
        return DataverseRefused(
            noted("The proxy %(name)s (HTTPS_PROXY) wants a user and a password that are right.", name=name)
        )
    if found := _TUNNEL_REFUSED.search(text):
        code = int(found[1])
        kind = DataverseUnavailable if code >= 500 else DataverseRefused
        return kind(
            noted(
                "The proxy %(name)s (HTTPS_PROXY) does not let us through to %(host)s (HTTP %(code)s).",
                name=name,
                host=host,
                code=code,
            )
        )
    if "Unable to connect to proxy" in text or "Cannot connect to proxy" in text:
        return DataverseUnavailable(
            noted("The proxy %(name)s (HTTPS_PROXY) could not be reached.", name=name)
        )
    return DataverseRefused(
        noted("The proxy %(name)s (HTTPS_PROXY) cannot be used; check its address.", name=name)
    )


def _host(request: requests.PreparedRequest) -> str:
    return urlsplit(request.url or "").hostname or "Dataverse"


def _trusting(ca_bundle: str | None) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=ca_bundle or certifi.where())
    except OSError:  # an SSLError is one, too
        context = None
    if context is None:
        raise DataverseRefused(
            noted("The CA bundle %(ca_bundle)s cannot be read as certificates.", ca_bundle=ca_bundle)
        )
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
