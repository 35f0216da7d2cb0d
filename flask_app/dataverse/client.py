"""The Dataverse Web API over HTTPS: tokens, pages, retries, errors grouped by remedy. Nothing about jobs."""

import json
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from types import TracebackType
from typing import Any, Self, TypedDict, Unpack

import requests

from flask_app.clock import monotonic
from flask_app.dataverse.addresses import https_origin, plain_name, query_of
from flask_app.dataverse.answers import Answer, error_for, scrubber
from flask_app.dataverse.batch import Part, read, written
from flask_app.dataverse.errors import (
    DataverseClientError,
    DataverseConflict,
    DataverseProtocolError,
    DataverseRefused,
    DataverseUnavailable,
)
from flask_app.dataverse.retries import Call, CallStatistics, Retrier, RetryPolicy
from flask_app.dataverse.tokens import TokenSource
from flask_app.dataverse.transport import Deadline, Transport, origin_of

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

Row = dict[str, Any]


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


class DataverseClient:
    """One Dataverse environment. Safe to use from several threads; nothing is sent before the first call.

    `timeout_seconds` bounds each silence of the server, `deadline_seconds` a whole call with its token,
    retries, waits and pages (not the caller's own work between two pages). `max_wait_seconds` is the longest
    wait between two attempts: a server that asks for more ends the call. `ca_bundle` replaces the usual
    certificate authorities. Name look-ups are the operating system's and keep its own time limit.
    """

    def __init__(
        self,
        base_url: str,
        tenant_id: str,
        client_id: str,
        client_secret: str,
        scope: str | None = None,
        *,
        authority: str = "https://login.microsoftonline.com",
        api_version: str = "v9.2",
        timeout_seconds: float = 30,
        ca_bundle: str | None = None,
        deadline_seconds: float = 600,
        max_wait_seconds: float = 60,
        max_attempts: int = 5,
        max_page_bytes: int = 64 << 20,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        if not (tenant_id and client_id and client_secret):
            raise DataverseRefused("Dataverse needs a tenant id, a client id and a client secret.")
        self.base_url = https_origin(base_url)
        self._api = f"{self.base_url}/api/data/{api_version}"
        self._deadline_seconds = deadline_seconds
        self._scrub = scrubber(client_secret)
        self._transport = Transport(
            timeout_seconds=timeout_seconds, ca_bundle=ca_bundle, max_body_bytes=max_page_bytes
        )
        self._retrier = Retrier(
            self._transport, RetryPolicy(max_attempts, max_wait_seconds, sleep), self._scrub
        )
        self._tokens = TokenSource(
            authority=f"{https_origin(authority)}/{tenant_id}",
            client_id=client_id,
            client_secret=client_secret,
            scope=scope or f"{self.base_url}/.default",
            retrier=self._retrier,
            scrub=self._scrub,
        )

    def __repr__(self) -> str:
        return f"DataverseClient({self.base_url!r})"  # and nothing that is secret

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the pooled connections."""
        self._transport.close()

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

    def options(self, table: str, column: str) -> list[Row]:
        """Return the options of a choice column in their order, each with Value and Label."""
        where = f"EntityDefinitions(LogicalName='{plain_name(table)}')"
        which = f"Attributes(LogicalName='{plain_name(column)}')"
        cast = "Microsoft.Dynamics.CRM.PicklistAttributeMetadata"
        query = query_of({"$select": "LogicalName", "$expand": "OptionSet,GlobalOptionSet"})
        request = self._request("GET", f"{self._api}/{where}/{which}/{cast}{query}", {})
        found = self._object(self._answer(request, self._call()))
        chosen = found.get("OptionSet") or found.get("GlobalOptionSet") or {}
        return [option for option in chosen.get("Options") or [] if isinstance(option, dict)]

    def bound_function(
        self, entity_set: str, record_id: str, name: str, *, statistics: CallStatistics | None = None
    ) -> Row:
        """Return what a function of Dataverse's own says of one record; one without parameters."""
        address = f"{self._address(entity_set, record_id)}/Microsoft.Dynamics.CRM.{plain_name(name)}()"
        return self._object(self._answer(self._request("GET", address, {}), self._call(statistics)))

    def number_column(self, table: str, column: str, kind: str) -> Row:
        """Return the definition of one column of numbers; `kind` is "Decimal", "Double", ..."""
        options = {"$select": "LogicalName,IsValidForUpdate,SourceType,Precision,MinValue,MaxValue"}
        where = f"EntityDefinitions(LogicalName='{plain_name(table)}')"
        which = f"Attributes(LogicalName='{plain_name(column)}')"
        cast = f"Microsoft.Dynamics.CRM.{plain_name(kind)}AttributeMetadata"
        address = f"{self._api}/{where}/{which}/{cast}" + query_of(options)
        return self._object(self._answer(self._request("GET", address, {}), self._call()))

    def columns(self, table: str, *, statistics: CallStatistics | None = None) -> list[Row]:
        """Return the definitions of a table's columns: name, type, whether readable, whether secured.

        `table` is the logical name, such as "account". Needs the right to read metadata.
        """
        options = {"$select": "LogicalName,AttributeTypeName,IsValidForRead,IsSecured"}
        address = f"{self._api}/EntityDefinitions(LogicalName='{plain_name(table)}')/Attributes" + query_of(
            options
        )
        return self._page(self._request("GET", address, {}), self._call(statistics))[0]

    def who_am_i(self) -> Row:
        """Return the ids of the caller as Dataverse knows it: UserId, BusinessUnitId, OrganizationId."""
        return self._object(self._answer(self._request("GET", f"{self._api}/WhoAmI", {}), self._call()))

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

    def update(self, entity_set: str, record_id: str, changes: Mapping[str, Any], *, etag: str = "*") -> None:
        """Change one record, which must exist and, unless `etag` is "*", still be at that version.

        Raises DataverseConflict if it is not. Tried again like a read, since If-Match makes that harmless:
        a change that arrived although its answer got lost shows as a conflict, to be read again.
        """
        headers = {"If-Match": etag, "Content-Type": "application/json"}
        request = self._request("PATCH", self._address(entity_set, record_id), headers)
        request.data = json.dumps(changes)
        self._done(request)

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
            raise error_for(answer, self._scrub) if answer.status != 200 else _unreadable(answer, "no batch")
        return {
            record_id: None if 200 <= one.status < 300 else error_for(one, self._scrub)
            for record_id, one in zip(changes, answers, strict=True)
        }

    def _done(self, request: requests.Request, statistics: CallStatistics | None = None) -> None:
        """Send what changes something; raise unless Dataverse says that it is done."""
        answer = self._answer(request, self._call(statistics))
        if not 200 <= answer.status < 300:
            raise error_for(answer, self._scrub)

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
            raise _unreadable(answer, "a page without a list of rows")
        if not isinstance(link, str):
            raise _unreadable(answer, "a link to the next page that is no text")
        return rows, link

    def _check_next(self, link: str, seen: set[str]) -> None:
        """Raise unless `link` leads on, at the place that the token is meant for."""
        if origin_of(link) != self.base_url:
            raise DataverseProtocolError("Dataverse's link to the next page leads to another server.")
        if link in seen:
            raise DataverseProtocolError("Dataverse's pages go round in a circle.")
        seen.add(link)

    def _object(self, answer: Answer) -> Row:
        if answer.status != 200:
            raise error_for(answer, self._scrub)
        content = answer.json_object()
        if content is None:
            html = "html" in answer.headers.get("Content-Type", "").lower()
            what = "a web page instead of rows" if html else "something that is not whole JSON"
            raise _unreadable(answer, what)
        return content

    def _answer(self, request: requests.Request, call: Call) -> Answer:
        """Return the answer to an authorized request; a token that is not accepted is renewed once."""
        token = self._tokens.token(call)
        answer = self._retrier.answer(_authorized(request, token), call)
        if answer.status == 401:
            token = self._tokens.token(call, rejected=token)
            answer = self._retrier.answer(_authorized(request, token), call)
        return answer

    def _call(self, statistics: CallStatistics | None = None) -> Call:
        statistics = statistics or CallStatistics()
        return Call(Deadline(self._deadline_seconds, within=statistics.deadline), statistics)

    def _address(self, entity_set: str, record_id: str | None = None) -> str:
        key = "" if record_id is None else f"({uuid.UUID(record_id)})"
        return f"{self._api}/{plain_name(entity_set)}{key}"

    def _request(self, method: str, address: str, headers: Mapping[str, str]) -> requests.Request:
        common = {
            "Accept": "application/json",
            "Accept-Encoding": "gzip, deflate",  # a page is some megabytes of very repetitive text
            "OData-Version": "4.0",
            "OData-MaxVersion": "4.0",
            "User-Agent": "island-time",
            "x-ms-client-request-id": str(uuid.uuid4()),
        }
        return requests.Request(method, address, headers={**common, **headers})


def _authorized(request: requests.Request, token: str) -> requests.PreparedRequest:
    request.headers["Authorization"] = f"Bearer {token}"
    prepared = request.prepare()
    prepared.url = request.url  # as Dataverse wrote it: a next link must not be quoted again
    return prepared


def _annotations() -> str:
    return f'odata.include-annotations="{FORMATTED}"'


def _is_no_such_record(answer: Answer) -> bool:
    problem = (answer.json_object() or {}).get("error") if answer.status == 404 else None
    return isinstance(problem, dict) and problem.get("code") in (_NO_SUCH_RECORD, "")


def _unreadable(answer: Answer, what: str) -> DataverseProtocolError:
    sentence = f"{answer.host} answered with {what}."
    return DataverseProtocolError(sentence, status=answer.status, request_id=answer.request_id)
