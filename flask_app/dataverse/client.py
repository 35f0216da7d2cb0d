"""The Dataverse Web API: rows page by page, single records, changes, definitions. Nothing about jobs."""

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, TypedDict, Unpack

import requests

from flask_app.clock import monotonic
from flask_app.dataverse.addresses import plain_name, query_of
from flask_app.dataverse.answers import Answer, error_for
from flask_app.dataverse.batch import Part, read, written
from flask_app.dataverse.errors import (
    DataverseClientError,
    DataverseConflict,
    DataverseProtocolError,
    DataverseRefused,
    DataverseUnavailable,
)
from flask_app.dataverse.retries import Call, CallStatistics
from flask_app.dataverse.transport import origin_of
from flask_app.dataverse.web_api import Row, WebApi, unreadable
from flask_app.words import noted

__all__ = [
    "CallStatistics",
    "DataverseClient",
    "DataverseClientError",
    "DataverseConflict",
    "DataverseProtocolError",
    "DataverseRefused",
    "DataverseUnavailable",
    "Row",
]


class Query(TypedDict, total=False):
    """What `pages` takes, for those that pass it on."""

    select: Sequence[str]
    orderby: Sequence[str]
    filter_clause: str | None
    top: int | None
    statistics: CallStatistics | None


FORMATTED = "OData.Community.Display.V1.FormattedValue"
PAGE_SIZE = 5000  # rows; Dataverse's own maximum

_NO_SUCH_RECORD = "0x80040217"


class DataverseClient(WebApi):
    """What can be asked of one Dataverse environment, and changed in it."""

    def list_records(self, entity_set: str, **query: Unpack[Query]) -> list[Row]:
        """Return every row of every page, or raise: an outage is never an empty list."""
        return list(self.rows(entity_set, **query))

    def rows(self, entity_set: str, **query: Unpack[Query]) -> Iterator[Row]:
        """Yield every row, page after page; a page that cannot be read raises, never counts as empty."""
        return chain.from_iterable(self.pages(entity_set, **query))

    def pages(
        self,
        entity_set: str,
        *,
        select: Sequence[str] = (),
        orderby: Sequence[str] = (),
        filter_clause: str | None = None,
        top: int | None = None,
        statistics: CallStatistics | None = None,
    ) -> Iterator[list[Row]]:
        """Yield the pages, one in memory at a time.

        `filter_clause` is OData; `orderby` should end in a unique column, or rows may repeat or go missing
        between two pages. `statistics` is filled in while the pages come.
        """
        query = query_of(
            {
                "$select": ",".join(select),
                "$filter": filter_clause or "",
                "$orderby": ",".join(orderby),
                "$top": "" if top is None else str(top),
            }
        )
        return self._pages(self._address(entity_set) + query, top, statistics or CallStatistics())

    def count(
        self, entity_set: str, *, filter_clause: str | None = None, statistics: CallStatistics | None = None
    ) -> int | None:
        """Return how many rows there are, None if the answer does not say; Dataverse counts to 5,000 at most.

        With a page of one row instead of `$top`: "You should also not use $top with $count" (Microsoft's
        query-data-web-api).
        """
        query = query_of({"$filter": filter_clause or "", "$count": "true"})
        request = self._request("GET", self._address(entity_set) + query, {"Prefer": "odata.maxpagesize=1"})
        count = self._object(self._answer(request, self._call(statistics))).get("@odata.count")
        # Negative: Dataverse's word for "not counted". A bool is an int in Python.
        return count if type(count) is int and count >= 0 else None

    def options(self, table: str, column: str, *, statistics: CallStatistics | None = None) -> list[Row]:
        """Return the options of a choice column in their order, each with Value and Label."""
        where = f"EntityDefinitions(LogicalName='{plain_name(table)}')"
        which = f"Attributes(LogicalName='{plain_name(column)}')"
        cast = "Microsoft.Dynamics.CRM.PicklistAttributeMetadata"
        query = query_of({"$select": "LogicalName", "$expand": "OptionSet,GlobalOptionSet"})
        request = self._request("GET", f"{self._api}/{where}/{which}/{cast}{query}", {})
        found = self._object(self._answer(request, self._call(statistics)))
        chosen = found.get("OptionSet") or found.get("GlobalOptionSet")
        options = chosen.get("Options") if isinstance(chosen, dict) else None
        if not isinstance(options, list):
            raise DataverseProtocolError(
                noted("Dataverse does not tell the options of the column %(column)s.", column=column)
            )
        return [option for option in options if isinstance(option, dict)]

    def bound_function(
        self, entity_set: str, record_id: str, name: str, *, statistics: CallStatistics | None = None
    ) -> Row:
        """Return what a function of Dataverse's own says of one record; one without parameters."""
        address = f"{self._address(entity_set, record_id)}/Microsoft.Dynamics.CRM.{plain_name(name)}()"
        return self._object(self._answer(self._request("GET", address, {}), self._call(statistics)))

    def number_column(
        self, table: str, column: str, kind: str, *, statistics: CallStatistics | None = None
    ) -> Row:
        """Return the definition of one column of numbers; `kind` is "Decimal", "Double", ..."""
        options = {"$select": "LogicalName,IsValidForUpdate,SourceType,Precision,MinValue,MaxValue"}
        where = f"EntityDefinitions(LogicalName='{plain_name(table)}')"
        which = f"Attributes(LogicalName='{plain_name(column)}')"
        cast = f"Microsoft.Dynamics.CRM.{plain_name(kind)}AttributeMetadata"
        address = f"{self._api}/{where}/{which}/{cast}" + query_of(options)
        return self._object(self._answer(self._request("GET", address, {}), self._call(statistics)))

    def columns(self, table: str, *, statistics: CallStatistics | None = None) -> list[Row]:
        """Return the definitions of a table's columns: name, type, whether readable, whether secured.

        `table` is the logical name, such as "account". Needs the right to read metadata.
        """
        options = {"$select": "LogicalName,AttributeTypeName,IsValidForRead,IsSecured"}
        address = f"{self._api}/EntityDefinitions(LogicalName='{plain_name(table)}')/Attributes" + query_of(
            options
        )
        return self._page(self._request("GET", address, {}), self._call(statistics))[0]

    def who_am_i(self, *, statistics: CallStatistics | None = None) -> Row:
        """Return the ids of the caller as Dataverse knows it: UserId, BusinessUnitId, OrganizationId."""
        request = self._request("GET", f"{self._api}/WhoAmI", {})
        return self._object(self._answer(request, self._call(statistics)))

    def get(
        self,
        entity_set: str,
        record_id: str,
        *,
        select: Sequence[str] = (),
        statistics: CallStatistics | None = None,
    ) -> Row | None:
        """Return one record, or None if Dataverse says that it has no record of this id."""
        address = self._address(entity_set, record_id) + query_of({"$select": ",".join(select)})
        request = self._request("GET", address, {"Prefer": _annotations()})
        answer = self._answer(request, self._call(statistics))
        if _is_no_such_record(answer):
            return None
        return self._object(answer)

    def update(
        self,
        entity_set: str,
        record_id: str,
        changes: Mapping[str, Any],
        *,
        etag: str = "*",
        statistics: CallStatistics | None = None,
    ) -> None:
        """Change one record, which must exist and, unless `etag` is "*", still be at that version.

        Raises DataverseConflict if it is not. Tried again like a read, since If-Match makes that harmless:
        a change that arrived although its answer got lost shows as a conflict, to be read again.
        """
        headers = {"If-Match": etag, "Content-Type": "application/json"}
        request = self._request("PATCH", self._address(entity_set, record_id), headers)
        request.data = json.dumps(changes)
        self._done(request, statistics)

    def update_many(
        self, entity_set: str, table: str, rows: Sequence[Row], *, statistics: CallStatistics | None = None
    ) -> None:
        """Change several records, each with its id among its columns: all of them, or none (UpdateMultiple).

        A record that is not there is an error, never made. May be sent twice, as `update` may.
        """
        address = f"{self._address(entity_set)}/Microsoft.Dynamics.CRM.UpdateMultiple"
        kind = f"Microsoft.Dynamics.CRM.{plain_name(table)}"
        request = self._request("POST", address, {"Content-Type": "application/json"})
        request.data = json.dumps({"Targets": [{"@odata.type": kind, **row} for row in rows]})
        self._done(request, statistics)

    def update_each(
        self,
        entity_set: str,
        changes: Mapping[str, Mapping[str, Any]],
        *,
        statistics: CallStatistics | None = None,
    ) -> dict[str, DataverseClientError | None]:
        """Change several records, at most MOST_PARTS, each by itself; return the error of each id or None.

        One batch, of which a record that is refused does not stop the others.
        """
        headers = {"If-Match": "*"}
        parts = [
            Part("PATCH", self._address(entity_set, record_id), headers, json.dumps(columns))
            for record_id, columns in changes.items()
        ]
        kind, body = written(parts)
        sent = {"Content-Type": kind, "Prefer": "odata.continue-on-error"}
        request = self._request("POST", f"{self._api}/$batch", sent)
        request.data = body
        answer = self._answer(request, self._call(statistics))
        answers = read(answer) if answer.status == 200 else None
        if answers is None or len(answers) != len(changes):
            raise (
                error_for(answer, self._scrub)
                if answer.status != 200
                else unreadable(answer, noted("something that is no batch"))
            )
        return {
            record_id: None if 200 <= one.status < 300 else error_for(one, self._scrub)
            for record_id, one in zip(changes, answers, strict=True)
        }

    def _pages(self, address: str, top: int | None, statistics: CallStatistics) -> Iterator[list[Row]]:
        call = self._call(statistics)
        headers = {"Prefer": _annotations() if top else f"odata.maxpagesize={PAGE_SIZE},{_annotations()}"}
        left, link, seen = top, address, {address}
        while link:
            rows, link = self._page(self._request("GET", link, headers), call)
            if link:
                self._check_next(link, seen)
            if left is not None:
                rows, left = rows[:left], left - len(rows)
                link = link if left > 0 else ""
            statistics.pages += 1
            statistics.rows += len(rows)
            handed_over = monotonic()
            yield rows
            call.deadline.extend(monotonic() - handed_over)
            del rows  # or two pages would be in memory while the next one comes

    def _page(self, request: requests.Request, call: Call) -> tuple[list[Row], str]:
        """Return the rows of one page and the link to the next one, "" after the last."""
        answer = self._answer(request, call)
        content = self._object(answer)
        rows, link = content.get("value"), content.get("@odata.nextLink", "")
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise unreadable(answer, noted("a page without a list of rows"))
        if not isinstance(link, str):
            raise unreadable(answer, noted("a link to the next page that is no text"))
        return rows, link

    def _check_next(self, link: str, seen: set[str]) -> None:
        """Raise unless `link` leads on, at the place that the token is meant for."""
        if origin_of(link) != self.base_url:
            raise DataverseProtocolError(noted("Dataverse's link to the next page leads to another server."))
        if link in seen:
            raise DataverseProtocolError(noted("Dataverse's pages go round in a circle."))
        seen.add(link)


def _annotations() -> str:
    return f'odata.include-annotations="{FORMATTED}"'


def _is_no_such_record(answer: Answer) -> bool:
    problem = (answer.json_object() or {}).get("error") if answer.status == 404 else None
    return isinstance(problem, dict) and problem.get("code") in (_NO_SUCH_RECORD, "")
