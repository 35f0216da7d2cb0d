"""The client against bytes that no decent server sends: a TLS socket that plays a script."""

import gzip
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from socket import create_server
from time import perf_counter
from typing import Any

import pytest

from flask_app.dataverse.client import DataverseClient, DataverseProtocolError, DataverseUnavailable, Row
from flask_app.standin import Standin
from flask_app.standin.certificate import server_context
from tests.servers import PROMPT

PAGE = b'{"value": [{"a": 1}]}'
HEADERS = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
WHOLE = HEADERS + b"Content-Length: %d\r\n\r\n" % len(PAGE) + PAGE


class Script:
    """Answers each connection with the next of some byte sequences, then closes it."""

    def __init__(self, certificate: Path) -> None:
        self.lines: list[Iterable[bytes]] = []
        self.stopped = threading.Event()
        self._socket = create_server(("127.0.0.1", 0))
        self._context = server_context(certificate, certificate.with_name("standin-key.pem"))
        self.base_url = f"https://localhost:{self._socket.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def slowly(self, *parts: bytes, then: bytes) -> Iterator[bytes]:
        """Yield the parts, then `then` again and again until the test is over."""
        yield from parts
        while not self.stopped.wait(0.05):
            yield then

    def stop(self) -> None:
        """End whatever is going on."""
        self.stopped.set()
        self._socket.close()
        self._thread.join(2)

    def _serve(self) -> None:
        for parts in iter(self._next, None):
            try:
                connection, _ = self._socket.accept()
                with self._context.wrap_socket(connection, server_side=True) as wire:
                    wire.recv(65536)
                    for part in parts:
                        wire.sendall(part)
            except OSError:  # the client has gone away, as it should
                continue

    def _next(self) -> Iterable[bytes] | None:
        while not self.lines and not self.stopped.wait(0.01):
            pass
        return self.lines.pop(0) if self.lines else None


@pytest.fixture(scope="module")
def standin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standin]:
    """Where the token comes from, and the certificate."""
    with Standin(directory=tmp_path_factory.mktemp("standin")) as standin:
        yield standin


@pytest.fixture
def script(standin: Standin) -> Iterator[Script]:
    script = Script(Path(standin.ca_bundle))
    yield script
    script.stop()


def new_client(standin: Standin, base_url: str, **settings: Any) -> DataverseClient:
    """Return a client of `base_url` that gets its token from the stand-in."""
    return DataverseClient(
        base_url,
        standin.tenant_id,
        standin.client_id,
        standin.client_secret,
        f"{standin.base_url}/.default",
        authority=standin.authority,
        ca_bundle=standin.ca_bundle,
        sleep=lambda seconds: None,
        **settings,
    )


def read(script: Script, standin: Standin, **settings: Any) -> list[Row]:
    """Read the jobs from the script."""
    with new_client(standin, script.base_url, **settings) as client:
        return client.list_records("imi_jobs")


def test_a_body_cut_off_on_the_wire_is_read_again(script: Script, standin: Standin) -> None:
    script.lines += [[WHOLE[:-5]], [WHOLE]]

    assert read(script, standin) == [{"a": 1}]


def test_a_body_that_is_always_cut_off_is_an_outage_and_not_a_short_page(
    script: Script, standin: Standin
) -> None:
    script.lines += [[WHOLE[:-5]], [WHOLE[:-5]]]

    with pytest.raises(DataverseUnavailable, match="broke off"):
        read(script, standin, max_attempts=2)


def test_chunks_that_end_early_are_an_outage_and_not_a_short_page(script: Script, standin: Standin) -> None:
    chunk = b"%x\r\n%s\r\n" % (len(PAGE), PAGE)
    script.lines += [[HEADERS + b"Transfer-Encoding: chunked\r\n\r\n" + chunk]]

    with pytest.raises(DataverseUnavailable, match="broke off"):
        read(script, standin, max_attempts=1)


def test_a_packed_page_is_unpacked(script: Script, standin: Standin) -> None:
    packed = gzip.compress(PAGE)
    head = HEADERS + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed)
    script.lines += [[head, packed]]

    assert read(script, standin) == [{"a": 1}]


def test_a_packed_page_is_measured_unpacked(script: Script, standin: Standin) -> None:
    packed = gzip.compress(b" " * 50_000_000)
    head = HEADERS + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed)
    script.lines += [[head, packed]]

    with pytest.raises(DataverseProtocolError, match="1,000,000 bytes"):
        read(script, standin, max_page_bytes=1_000_000)


def test_a_page_that_cannot_be_unpacked_is_to_be_reported(script: Script, standin: Standin) -> None:
    script.lines += [[WHOLE.replace(b"Content-Length", b"Content-Encoding: gzip\r\nContent-Length")]]

    with pytest.raises(DataverseProtocolError, match="unpacked"):
        read(script, standin)


@pytest.mark.parametrize(
    ("parts", "then"),
    [
        ([], b"H"),
        ([HEADERS], b"X-Filler: 1\r\n"),
        ([HEADERS, b"X-Endless: "], b"1"),
        ([HEADERS, b"Content-Length: 9999\r\n\r\n"], b"["),
        ([HEADERS, b"Transfer-Encoding: chunked\r\n\r\n"], b"1\r\n[\r\n"),
        ([HEADERS, b"Transfer-Encoding: chunked\r\n\r\nffff\r\n"], b"["),
        ([HEADERS, b"\r\n"], b"["),
    ],
    ids=["status line", "headers", "one header", "body", "chunks", "one chunk", "body without end"],
)
def test_nothing_that_trickles_outlives_the_deadline(
    script: Script, standin: Standin, parts: list[bytes], then: bytes
) -> None:
    script.lines += [script.slowly(*parts, then=then)]
    started = perf_counter()

    with pytest.raises(DataverseUnavailable, match=r"within 0\.6 seconds"):
        read(script, standin, deadline_seconds=0.6, timeout_seconds=0.3)
    assert perf_counter() - started < PROMPT


def test_silence_after_a_late_byte_does_not_get_the_full_time_again(script: Script, standin: Standin) -> None:
    def late() -> Iterator[bytes]:
        yield HEADERS + b"Content-Length: 9999\r\n\r\n"
        script.stopped.wait(0.7)
        yield b"["
        script.stopped.wait(5)

    def seconds_until_given_up() -> float:
        script.lines += [late()]
        started = perf_counter()
        with pytest.raises(DataverseUnavailable):
            read(script, standin, deadline_seconds=0.8)
        return perf_counter() - started

    # The full time again would be 1.5 seconds at least; a busy machine may need another try to be quicker.
    assert any(seconds_until_given_up() < 1.4 for _ in range(10))


def test_a_handshake_that_never_ends_cannot_outlive_the_deadline(standin: Standin) -> None:
    with create_server(("127.0.0.1", 0)) as mute:
        client = new_client(standin, f"https://localhost:{mute.getsockname()[1]}", deadline_seconds=0.4)

        started = perf_counter()

        with pytest.raises(DataverseUnavailable, match=r"within 0\.4 seconds"):
            client.list_records("imi_jobs")
        assert perf_counter() - started < PROMPT
