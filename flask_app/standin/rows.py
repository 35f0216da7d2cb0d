"""One row at a time: retrieve, create, update, upsert, delete, with their conditions."""

import re
import uuid
from collections.abc import Mapping
from typing import Any

from .access import Access
from .filters import MULTI_SELECT
from .listing import applied
from .query import ROW_OPTIONS, check_options, context, selected_columns, shown_columns
from .render import FORMATTED, show, wants
from .schema import ACTIVITY, ENTITY_SET, ENTITY_TYPE, KEY, REASON_OF, TABLE, Column, Row
from .table import Table, etag
from .wire import ApiError, Request, Response, already_exists, bad_payload, bad_query


class RowOperations:
    """Answers requests for single rows of the table."""

    def __init__(self, table: Table, access: Access) -> None:
        self._table = table
        self._access = access

    def retrieve(self, request: Request, match: "re.Match[str]") -> Response:
        """Answer one row; 304 when the caller's entity tag is still the row's."""
        check_options(request, ROW_OPTIONS)
        row = self._table.get(row_key(match["key"]))
        annotations = request.prefers().get("odata.include-annotations", "")
        # "When the include-annotations header is included a GET never returns 304" (conditional operations)
        if not annotations and request.headers.get("If-None-Match") == etag(row):
            return Response(304)
        return self._representation(request, row, 200)

    def create(self, request: Request, _match: "re.Match[str]") -> Response:
        """Add a row."""
        check_options(request, ROW_OPTIONS)
        columns = read_columns(request.payload(), request.columns)
        check_reason(columns, NEW)
        row = self._table.insert(columns)
        return self._written(request, row, created=True)

    def update(self, request: Request, match: "re.Match[str]") -> Response:
        """Change a row; create it when it is absent and no If-Match forbids that."""
        check_options(request, ROW_OPTIONS)
        row_id = row_key(match["key"])
        columns = read_columns(request.payload(), request.columns)
        if_match = request.headers.get("If-Match")
        with self._table.atomically():
            present = self._table.has(row_id)
            if present and request.headers.get("If-None-Match") == "*":
                raise already_exists()
            if not present and if_match is None:
                check_reason(columns, NEW)
                return self._written(request, self._table.insert({**columns, KEY: row_id}), created=True)
            check_reason(columns, self._table.get(row_id))
            return self._written(request, self._table.update(row_id, columns, if_match or "*"), created=False)

    def delete(self, request: Request, match: "re.Match[str]") -> Response:
        """Remove a row."""
        check_options(request, set())
        self._table.delete(row_key(match["key"]), request.headers.get("If-Match") or "*")
        return Response(204)

    def _written(self, request: Request, row: Row, *, created: bool) -> Response:
        if request.prefers().get("return") == "representation":
            return self._representation(request, row, 201 if created else 200)
        return Response(204, headers=[("OData-EntityId", entity_url(request, row))])

    def _representation(self, request: Request, row: Row, status: int) -> Response:
        annotations = request.prefers().get("odata.include-annotations", "")
        columns = selected_columns(request)
        [visible] = self._access.visible([row])
        shown = show(visible, shown_columns(request, columns), wants(annotations, FORMATTED))
        payload = {"@odata.context": context(request, ENTITY_SET, columns, "/$entity"), **shown}
        headers = [("ETag", etag(row)), *applied(annotations)]
        if request.method != "GET":
            headers.append(("OData-EntityId", entity_url(request, row)))
            headers.append(("Preference-Applied", "return=representation"))
        return Response(status, payload, headers)


def row_key(text: str) -> str:
    """Return the id between an address's parentheses: a bare GUID, or `imi_jobid=<guid>`."""
    try:
        return str(uuid.UUID(text.removeprefix(f"{KEY}=")))
    except ValueError:
        message = f"The key in the request URI is not valid for resource '{ENTITY_TYPE}'."
        raise bad_query(message) from None


def entity_url(request: Request, row: Row) -> str:
    """Return the address of a row."""
    return f"{request.api_root}/{ENTITY_SET}({row[KEY]})"


def read_columns(payload: dict[str, Any], known: Mapping[str, Column]) -> Row:
    """Return the columns to store, checked as Dataverse does; read-only ones are passed over."""
    columns: Row = {}
    for name, value in payload.items():
        if "@" in name:
            continue
        column = known.get(name)
        if column is None:
            raise bad_payload(
                f"Microsoft.OData.ODataException: The property '{name}' does not exist on type "
                f"'{ENTITY_TYPE}'. Make sure to only use property names that are defined by the type."
            )
        if not column.read_only:
            columns[name] = _checked(column, value)
    return columns


NEW: Row = {"statecode": 0, KEY: "(new)"}  # what a row is that is not there yet


def check_reason(columns: Row, row: Row) -> None:
    """Refuse a status reason (statuscode) that does not belong to the state that the row will have."""
    state, reason = columns.get("statecode", row["statecode"]), columns.get("statuscode")
    if reason is None or state not in REASON_OF or REASON_OF[state] == reason:
        return
    message = (
        f"{reason} is not a valid status code for state code {TABLE}State.{ACTIVITY[state]} "
        f"on {TABLE} with Id {row[KEY]}."
    )
    raise ApiError(400, "0x80048408", message)


def _checked(column: Column, value: Any) -> Any:
    if value is None and column.kind != "Uniqueidentifier":
        return None
    if column.choices:
        return _choice(column, value)
    if column.kind == "Decimal":
        return _number(column, value)
    if not isinstance(value, str):
        raise bad_payload(f"Cannot convert the literal '{value}' to the expected type '{column.edm}'.")
    if column.length and len(value) > column.length:
        message = (
            f"A validation error occurred.  The length of the '{column.name}' attribute of the '{TABLE}' "
            f"entity exceeded the maximum allowed length of '{column.length}'."
        )
        raise ApiError(400, "0x80044331", message)
    return row_key(value) if column.kind == "Uniqueidentifier" else value


def _number(column: Column, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise bad_payload(f"Cannot convert the literal '{value}' to the expected type 'Edm.Decimal'.")
    return round(float(value), column.precision)


def _choice(column: Column, value: Any) -> Any:
    if column.kind == MULTI_SELECT:
        return _choices(column, value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise bad_payload(f"Cannot convert the literal '{value}' to the expected type 'Edm.Int32'.")
    if value not in column.choices:
        raise _outside(column, value)
    return value


def _choices(column: Column, value: Any) -> str:
    """Several choices come as their numbers in one text, with commas between."""
    if not isinstance(value, str):
        raise bad_payload(f"Cannot convert the literal '{value}' to the expected type 'Edm.String'.")
    numbers = [part.strip() for part in value.split(",")]
    for number in numbers:
        if not number.isdecimal() or int(number) not in column.choices:
            raise _outside(column, number)
    return ",".join(numbers)


def _outside(column: Column, value: Any) -> ApiError:
    accepted = ",".join(str(choice) for choice in column.choices)
    message = (
        f"A validation error occurred. The value '{value}' of '{column.name}' on record of type "
        f"'{TABLE}' is outside the valid range. Accepted Values: {accepted}"
    )
    return ApiError(400, "0x8004431a", message)
