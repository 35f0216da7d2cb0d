"""Answers of 1 KB and more go out as gzip; a stream piece by piece, a static file packed once and kept.

With nothing but zlib: Flask-Compress, which is well kept, packs a static file again for each browser and
brings two compiled packages; and browsers take better than gzip only over https. What compression may tell
about secrets: csrf.py.
"""

import gzip
import zlib
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from flask import Flask, Response, current_app, request

SMALLEST = 1024  # bytes; what is smaller fits one packet anyhow
_TYPES = ("text/", "application/json", "application/javascript", "application/manifest+json", "image/svg+xml")
_LEVEL = 6  # 20 KB in 0.4 ms
_NO_BODY = (204, 304, 301, 302, 303, 307, 308)  # or, of a redirect, a few words that nobody reads
_GZIP = 16 + zlib.MAX_WBITS  # what zlib calls gzip's frame


def init_app(app: Flask) -> None:
    """Has to come before all others: what is registered first sees an answer last."""
    app.after_request(_compress)


def _compress(answer: Response) -> Response:
    if answer.status_code in _NO_BODY or not (answer.mimetype or "").startswith(_TYPES):
        return answer
    answer.vary.add("Accept-Encoding")
    if request.accept_encodings["gzip"] > 0 and "Content-Encoding" not in answer.headers:
        return _packed(answer)
    return answer


def _packed(answer: Response) -> Response:
    if request.endpoint == "static":
        return _packed_file(answer)
    if answer.is_streamed:
        return _packed_stream(answer)
    body = answer.get_data()
    if len(body) >= SMALLEST:
        answer.set_data(gzip.compress(body, _LEVEL, mtime=0))
        answer.headers["Content-Encoding"] = "gzip"
    return answer


def _packed_file(answer: Response) -> Response:
    """A whole static file as gzip, with a tag of its own: a tag is for the bytes, and these are others."""
    tag, _ = answer.get_etag()
    if answer.status_code != 200 or tag is None or (answer.content_length or 0) < SMALLEST:
        return answer
    packed = _pack(Path(str(current_app.static_folder), (request.view_args or {})["filename"]), tag)
    _close_later(answer)
    answer.direct_passthrough = False
    answer.set_data(packed)
    answer.headers["Content-Encoding"] = "gzip"
    answer.set_etag(f"{tag}-gzip")
    answer.make_conditional(request)
    return answer


@lru_cache(maxsize=64)
def _pack(file: Path, _tag: str) -> bytes:
    """Return a file as gzip, read again only when its tag has changed."""
    return gzip.compress(file.read_bytes(), 9, mtime=0)


def _packed_stream(answer: Response) -> Response:
    pieces = answer.iter_encoded()
    _close_later(answer)
    answer.response = _stream(pieces)
    answer.headers.pop("Content-Length", None)
    answer.headers["Content-Encoding"] = "gzip"
    return answer


def _close_later(answer: Response) -> None:
    """What an answer would have sent is closed with it, whatever is sent instead."""
    if close := getattr(answer.response, "close", None):
        answer.call_on_close(close)


def _stream(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Every piece goes out when it is there. One that never comes leaves gzip without its end: broken off."""
    packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)
    for piece in pieces:
        yield packer.compress(piece) + packer.flush(zlib.Z_SYNC_FLUSH)
    yield packer.flush()
