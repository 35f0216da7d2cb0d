"""What goes over the wire: packed, small, and telling nothing by its length."""

import gzip
import http.client
import re
import zlib
from collections.abc import Iterator
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import pytest
import time_machine
from flask import Response, stream_with_context
from waitress.server import create_server

from flask_app.web.csrf import masked_token, unmasked
from tests.conftest import NOW
from tests.web.test_headers import static_addresses

LATER = re.compile(r"\.png|/sw\.js")  # not for this page: a phone's icon, the worker once the page is there
GZIP = {"Accept-Encoding": "gzip, deflate, br"}
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # the engine can't matter


def on_the_wire(answer) -> int:
    """Return the bytes of an answer's body and headers."""
    headers = sum(len(name) + len(text) + 4 for name, text in answer.headers.items())
    return len(answer.get_data()) + headers


@pytest.fixture
def full_board(cast, add_job):
    for n in range(30):
        add_job(
            f"{4500 + n}", general_contractor=f"Contractor {n * 7}", job_scope=f"Desk {n * 13} and wall {n}"
        )


def test_the_first_visit_takes_15_kb_and_the_next_one_7(app, log_in, full_board):
    app.config["WTF_CSRF_ENABLED"] = False
    ana = log_in("ana")
    page = ana.get("/dashboard", headers=GZIP)
    text = gzip.decompress(page.get_data()).decode()
    assert text.count("Punch in on") >= 20
    assert on_the_wire(page) <= 7 * 1024
    files = {file for file in static_addresses(text) if not LATER.search(file)}
    assert len(files) >= 4
    first = on_the_wire(page) + sum(on_the_wire(ana.get(file, headers=GZIP, buffered=True)) for file in files)
    assert first <= 15 * 1024


@pytest.mark.parametrize("path", ["/dashboard", "/reports/shifts?format=csv", "/jobs.json", "/no/such/page"])
def test_a_long_answer_is_packed_for_who_takes_it_and_the_same_for_who_does_not(app, log_in, cast, path):
    app.add_url_rule("/jobs.json", view_func=lambda: {"jobs": ["4512"] * 500})
    with time_machine.travel(NOW, tick=False):  # a page says what time it is
        grace = log_in("grace")
        packed, plain = (
            grace.get(path, headers={"Accept-Encoding": taken}, buffered=True)
            for taken in ("gzip, deflate, br", "br, gzip;q=0")
        )
    assert packed.headers["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in plain.headers
    assert without_tokens(gzip.decompress(packed.get_data())) == without_tokens(plain.get_data())
    for answer in (packed, plain):
        assert "Accept-Encoding" in answer.vary


def without_tokens(text: bytes) -> bytes:
    return re.sub(rb'name="(csrf_token|punch_key)" value="[^"]+"', b"", text)


@pytest.mark.parametrize(("size", "is_packed"), [(1023, False), (1024, True)])
def test_what_fits_a_packet_anyhow_is_left_as_it_is(app, size, is_packed):
    app.add_url_rule("/text", view_func=lambda: Response("a" * size, mimetype="text/plain"))
    answer = app.test_client().get("/text", headers=GZIP)
    assert ("Content-Encoding" in answer.headers) is is_packed
    assert answer.content_length == len(answer.get_data())


def test_a_workbook_is_packed_already(log_in, cast):
    answer = log_in("grace").get("/reports/shifts?format=xlsx", headers=GZIP, buffered=True)
    assert answer.get_data().startswith(b"PK")
    assert "Content-Encoding" not in answer.headers


def test_a_static_file_has_a_tag_for_each_of_its_forms(app):
    browser = app.test_client()
    path = "/static/app.css"
    with browser.get(path) as plain, browser.get(path, headers=GZIP) as packed:
        assert gzip.decompress(packed.get_data()) == plain.get_data()
        assert packed.get_etag()[0] != plain.get_etag()[0]
        known = {"If-None-Match": packed.headers["ETag"], **GZIP}
    with browser.get(path, headers=known) as again:
        assert (again.status_code, again.get_data()) == (304, b"")
        assert "Accept-Encoding" in again.vary


def test_a_static_file_is_packed_once_and_again_when_it_has_changed(app, tmp_path, monkeypatch):
    app.static_folder = str(tmp_path)
    packings = []
    monkeypatch.setattr("flask_app.web.compression.gzip.compress", pack_and_count(packings))
    for text in ("a" * 2000, "a" * 2000, "b" * 3000):
        (tmp_path / "new.js").write_text(text)
        with app.test_client().get("/static/new.js", headers=GZIP) as answer:
            assert gzip.decompress(answer.get_data()).decode() == text
    assert len(packings) <= 3


def pack_and_count(packings: list[int]) -> Any:
    real = gzip.compress

    def pack(body: bytes, *how: Any, **more: Any) -> bytes:
        packings.append(len(body))
        return real(body, *how, **more)

    return pack


@pytest.fixture
def served(app) -> Iterator[str]:
    """The address of the app behind waitress."""
    sockets: dict[int, Any] = {}
    server = create_server(app, map=sockets, host="127.0.0.1", port=0, threads=2)
    thread = Thread(target=server.run)
    thread.start()
    yield f"127.0.0.1:{server.effective_port}"
    server.task_dispatcher.shutdown()
    server.trigger.pull_trigger(lambda: [one.close() for one in list(sockets.values())])
    thread.join(timeout=120)


@pytest.fixture
def slow_stream(app) -> list[str]:
    """/stream, which makes its second piece only after the first was fetched; and what happened to it."""
    happened: list[str] = []

    def pieces() -> Iterator[str]:
        try:
            yield "first " * 500
            happened.append("second")
            yield "second " * 500
        finally:
            happened.append("closed")

    app.add_url_rule(
        "/stream", view_func=lambda: Response(stream_with_context(pieces()), mimetype="text/csv")
    )
    return happened


def test_each_piece_of_a_stream_goes_out_when_it_is_there(app, slow_stream):
    answer = app.test_client().get("/stream", headers=GZIP, buffered=False)
    unpacker = zlib.decompressobj(16 + zlib.MAX_WBITS)
    stream = answer.iter_encoded()
    assert unpacker.decompress(next(stream)) == b"first " * 500
    assert slow_stream == []
    answer.close()
    assert slow_stream == ["closed"]


def test_a_stream_arrives_whole_through_the_server(served, slow_stream):
    connection = http.client.HTTPConnection(urlsplit(f"//{served}").netloc, timeout=120)
    connection.request("GET", "/stream", headers=GZIP)
    answer = connection.getresponse()
    assert answer.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(answer.read()) == b"first " * 500 + b"second " * 500
    connection.close()


def test_the_token_of_a_form_is_written_differently_into_every_page(app):
    with app.test_request_context():
        first, again = masked_token(), masked_token()
    assert first == again  # all forms of one page: a page of thirty forms stays small
    browser = app.test_client()
    tokens = [re.search(r'name="csrf_token" value="([^"]+)"', browser.get("/").text)[1] for _ in range(2)]
    secrets = [unmasked(token).split(".")[0] for token in tokens]
    assert secrets[0] == secrets[1] != ""
    assert not common(*tokens)


def common(one: str, other: str) -> set[str]:
    """Return the runs of eight signs that two texts share."""
    runs = [{text[n : n + 8] for n in range(len(text) - 7)} for text in (one, other)]
    return runs[0] & runs[1]


@pytest.mark.parametrize("sent", ["", "x", "abcd", "é", "A" * 400, "IjEi.aaaa.bbbb", "/w=="])
def test_what_is_no_token_of_ours_is_no_token(app, sent):
    assert "." not in unmasked(sent)
