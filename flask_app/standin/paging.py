"""Pages of a list: each first page takes a snapshot that the following pages are cut from.

The next link has the published shape (page-results): the asked-for query, then $skiptoken with a cookie that
is percent-encoded twice inside. Real paging is not a snapshot; here it is, so that pages are predictable.
"""

import re
import secrets
import threading
from collections import OrderedDict
from dataclasses import dataclass
from urllib.parse import quote, unquote

from .schema import ENTITY_SET, KEY, Row
from .wire import ApiError, Request

KEPT_SNAPSHOTS = 64
_TOKEN = re.compile(r'<cookie pagenumber="(\d+)" pagingcookie="([^"]*)" istracking="(?:True|False)" />')
_COOKIE = re.compile(r'<cookie page="\d+" snapshot="([\w-]+)" seen="(\d+)">.*</cookie>')


@dataclass(frozen=True)
class Snapshot:
    """The rows of one list as they were when its first page was asked for."""

    query: tuple[tuple[str, str], ...]
    rows: list[Row]
    total: int
    version: int | None  # where change tracking goes on from; None without it


@dataclass(frozen=True)
class Page:
    """One page: its rows, and the link to the next one (None on the last)."""

    rows: list[Row]
    total: int
    next_link: str | None
    version: int | None


def page_number(request: Request) -> int | None:
    """Return which page of a list of rows is asked for; None when the request is for something else."""
    if request.method != "GET" or not request.path.endswith(f"/{ENTITY_SET}"):
        return None
    match = _TOKEN.fullmatch(request.query.get("$skiptoken", ""))
    return int(match[1]) if match else 1


class Pager:
    """Keeps the snapshots and cuts pages from them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._snapshots: OrderedDict[str, Snapshot] = OrderedDict()

    def first(
        self, request: Request, rows: list[Row], *, total: int, size: int, version: int | None = None
    ) -> Page:
        """Return the first page of `rows`; `total` is for $count, `version` for a delta link."""
        snapshot = Snapshot(_asked(request), rows, total, version)
        if len(rows) <= size:
            return Page(rows, total, None, version)
        name = secrets.token_urlsafe(9)
        with self._lock:
            self._snapshots[name] = snapshot
            while len(self._snapshots) > KEPT_SNAPSHOTS:
                self._snapshots.popitem(last=False)
        return _cut(request, snapshot, name, number=1, start=0, size=size)

    def following(self, request: Request, size: int) -> Page:
        """Return the page that the request's $skiptoken names; a token of another query is refused."""
        token = _TOKEN.fullmatch(request.query["$skiptoken"])
        cookie = _COOKIE.fullmatch(unquote(token[2])) if token else None
        if token is None or cookie is None:
            raise _bad_cookie("Malformed XML in the Paging Cookie.")
        with self._lock:
            snapshot = self._snapshots.get(cookie[1])
            if snapshot is None:
                raise _bad_cookie("The paging cookie is unknown or no longer kept.")
            self._snapshots.move_to_end(cookie[1])
        if snapshot.query != _asked(request):
            raise _bad_cookie("The paging cookie belongs to another query.")
        return _cut(request, snapshot, cookie[1], number=int(token[1]), start=int(cookie[2]), size=size)


def _asked(request: Request) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((name, value) for name, value in request.query.items() if name != "$skiptoken"))


def _cut(request: Request, snapshot: Snapshot, name: str, *, number: int, start: int, size: int) -> Page:
    end = start + size
    rows = snapshot.rows[start:end]
    if end >= len(snapshot.rows):
        return Page(rows, snapshot.total, None, snapshot.version)
    last, first = (f"{{{row[KEY].upper()}}}" for row in (rows[-1], rows[0]))
    cookie = (
        f'<cookie page="{number}" snapshot="{name}" seen="{end}">'
        f'<{KEY} last="{last}" first="{first}" /></cookie>'
    )
    inner = re.sub("%..", lambda code: code[0].lower(), quote(cookie, safe=""))
    tracking = snapshot.version is not None
    token = f'<cookie pagenumber="{number + 1}" pagingcookie="{inner}" istracking="{tracking}" />'
    own = [part for part in request.raw_query.split("&") if part and not _is_skiptoken(part)]
    query = "&".join([*own, f"$skiptoken={quote(token, safe='=/')}"])
    return Page(rows, snapshot.total, f"{request.api_root}/{ENTITY_SET}?{query}", snapshot.version)


def _is_skiptoken(part: str) -> bool:
    return unquote(part.partition("=")[0]) == "$skiptoken"


def _bad_cookie(message: str) -> ApiError:
    return ApiError(400, "0x80040203", message)
