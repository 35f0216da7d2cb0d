"""GET imi_jobs: a list with its options, pages and counts."""

import re
from typing import Any

from .access import Access
from .delta import ChangeTracking, check_tracking, deleted_entry, delta_link, is_deleted
from .paging import Page, Pager
from .query import ListQuery, check_options, context, read_list_query, shown_columns
from .render import FORMATTED, show, wants
from .schema import ENTITY_SET
from .table import Table
from .wire import Request, Response

COUNT_LIMIT = 5000  # $count never tells more (count-rows)
_TOTAL = "Microsoft.Dynamics.CRM.totalrecordcount"
_EXCEEDED = "Microsoft.Dynamics.CRM.totalrecordcountlimitexceeded"


class Listing:
    """Answers list requests from the table."""

    def __init__(self, table: Table, tracking: ChangeTracking, access: Access, max_page_size: int) -> None:
        self._table = table
        self._access = access
        self._tracking = tracking
        self._pager = Pager()
        self._max_page_size = max_page_size

    def rows(self, request: Request, _match: "re.Match[str]") -> Response:
        """Answer one page of a list."""
        query = read_list_query(request)
        asked = _page_size(request, self._max_page_size)
        size = asked or self._max_page_size
        if "$skiptoken" in request.query:
            page = self._pager.following(request, size)
        elif "$deltatoken" in request.query or "odata.track-changes" in request.prefers():
            page = self._tracked(request, size)
        else:
            found = query.rows(self._access.visible(self._table.all()))
            # "Don't use $top with maxpagesize. If you include both, $top is ignored." (page-results)
            cut = found if query.top is None or asked else found[: query.top]
            page = self._pager.first(request, cut, total=len(found), size=size)
        return _answer(request, query, page, asked)

    def count(self, request: Request, _match: "re.Match[str]") -> Response:
        """Answer imi_jobs/$count: a bare number; with a delta token, the number of changes."""
        check_options(request, {"$filter", "$deltatoken", "$select"})
        token = request.query.get("$deltatoken")
        if token is None:
            found = read_list_query(request).rows(self._access.visible(self._table.all()))
        else:
            found, _ = self._tracking.since(token)
        return Response(200, content=str(min(len(found), COUNT_LIMIT)).encode(), content_type="text/plain")

    def _tracked(self, request: Request, size: int) -> Page:
        check_tracking(request)
        token = request.query.get("$deltatoken")
        entries, version = self._tracking.all() if token is None else self._tracking.since(token)
        entries = [entry if is_deleted(entry) else self._access.visible([entry])[0] for entry in entries]
        return self._pager.first(request, entries, total=len(entries), size=size, version=version)


def _page_size(request: Request, limit: int) -> int | None:
    """Return the page size asked for; None where none is, or one that Dataverse ignores (over the limit)."""
    text = request.prefers().get("odata.maxpagesize", "")
    size = int(text) if text.isdecimal() else 0
    return size if 0 < size <= limit else None


def _answer(request: Request, query: ListQuery, page: Page, page_size: int | None) -> Response:
    annotations = request.prefers().get("odata.include-annotations", "")
    suffix = "/$delta" if "$deltatoken" in request.query else ""
    payload: dict[str, Any] = {"@odata.context": context(request, ENTITY_SET, query.columns, suffix)}
    if query.count:
        payload["@odata.count"] = min(page.total, COUNT_LIMIT)
    payload |= _count_annotations(annotations, page.total if query.count else None)
    columns, formatted = shown_columns(request, query.columns), wants(annotations, FORMATTED)
    if page.version is not None and page.next_link is None:
        payload["@odata.deltaLink"] = delta_link(request, page.version)
    payload["value"] = [deleted_entry(request, row) or show(row, columns, formatted) for row in page.rows]
    if page.next_link:
        payload["@odata.nextLink"] = page.next_link
    headers = applied(annotations, page_size)
    if "odata.track-changes" in request.prefers():
        headers.append(("Preference-Applied", "odata.track-changes"))
    return Response(200, payload, headers)


def applied(annotations: str, page_size: int | None = None) -> list[tuple[str, str]]:
    """Return the Preference-Applied headers, one per preference as in the published examples."""
    headers = []
    if page_size:
        headers.append(("Preference-Applied", f"odata.maxpagesize={page_size}"))
    if annotations:
        headers.append(("Preference-Applied", f'odata.include-annotations="{annotations}"'))
    return headers


def _count_annotations(annotations: str, total: int | None) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    if wants(annotations, _TOTAL):
        shown[f"@{_TOTAL}"] = -1 if total is None else min(total, COUNT_LIMIT)
    if wants(annotations, _EXCEEDED):
        shown[f"@{_EXCEEDED}"] = total is not None and total > COUNT_LIMIT
    return shown
