"""What passes over the wire, taken apart: a request, a response, an error in Dataverse's shape."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from email.message import Message
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from .schema import COLUMNS, Column

JSON_TYPE = "application/json; odata.metadata=minimal"


@dataclass(frozen=True)
class Request:
    """One HTTP request. `query` is decoded; `raw_query` keeps the client's own spelling for links."""

    method: str
    path: str
    query: dict[str, str]
    raw_query: str
    headers: Message
    body: bytes
    origin: str
    api_root: str = ""  # …/api/data/v9.2, under which the answer's links shall lie
    columns: Mapping[str, Column] = field(default_factory=lambda: COLUMNS)  # of the table that is served
    secured: frozenset[str] = frozenset()  # those that the caller may not see

    @classmethod
    def parse(cls, method: str, target: str, headers: Message, body: bytes, origin: str) -> "Request":
        """Take a request line's target (relative or absolute) apart."""
        try:
            parts = urlsplit(target)
        except ValueError as error:
            raise ApiError(400, "", f"The address cannot be read: {error}") from error
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        return cls(method, unquote(parts.path), query, parts.query, headers, body, origin)

    def payload(self) -> dict[str, Any]:
        """Return the JSON object in the body."""
        try:
            content = json.loads(self.body or b"{}")
        except ValueError as error:
            raise bad_payload(
                f"An unexpected end or character was found in the JSON payload: {error}"
            ) from error
        if not isinstance(content, dict):
            raise bad_payload("A JSON object was expected.")
        return content

    def prefers(self) -> dict[str, str]:
        """Return the preferences, whether sent in one Prefer header or in several."""
        wishes = ",".join(self.headers.get_all("Prefer") or [])
        pairs = (wish.partition("=") for wish in _split_outside_quotes(wishes))
        return {name.strip().lower(): value.strip().strip('"') for name, _, value in pairs if name.strip()}


def _split_outside_quotes(text: str) -> Iterator[str]:
    start = 0
    quoted = False
    for position, letter in enumerate(text):
        if letter == '"':
            quoted = not quoted
        elif letter == "," and not quoted:
            yield text[start:position]
            start = position + 1
    yield text[start:]


@dataclass
class Response:
    """One HTTP response: either a JSON `payload` or ready `content` with its type."""

    status: int
    payload: dict[str, Any] | None = None
    headers: list[tuple[str, str]] = field(default_factory=list)
    content: bytes = b""
    content_type: str = JSON_TYPE

    def encoded(self) -> bytes:
        """Return the body's bytes."""
        return self.content if self.payload is None else json.dumps(self.payload).encode()


class ApiError(Exception):
    """A request that Dataverse refuses, with its status, code and message."""

    def __init__(self, status: int, code: str, message: str, headers: list[tuple[str, str]] | None = None):
        super().__init__(message)
        self.status = status
        self.code = code
        self.headers = headers or []

    def response(self) -> Response:
        """Return the error as the Web API writes it."""
        return Response(self.status, {"error": {"code": self.code, "message": str(self)}}, self.headers)


def bad_query(message: str) -> ApiError:
    """Return the error for a query that cannot be understood."""
    return ApiError(400, "0x80060888", message)


def unknown_property(name: str, type_name: str = "Microsoft.Dynamics.CRM.imi_job") -> ApiError:
    """Return the error for a column that the table does not have."""
    return bad_query(f"Could not find a property named '{name}' on type '{type_name}'.")


def unknown_function(name: str) -> ApiError:
    """Return the error for a function that $filter does not know, in OData's own words."""
    return bad_query(
        f"An unknown function with name '{name}' was found. This may also be a function import or a key "
        "lookup on a navigation property, which is not allowed."
    )


def unknown_segment(name: str) -> ApiError:
    """Return the error for an address that leads nowhere."""
    return ApiError(404, "0x8006088a", f"Resource not found for the segment '{name}'.")


def no_such_row(row_id: str) -> ApiError:
    """Return the error for a row that is not there."""
    return ApiError(404, "0x80040217", f"imi_job With Id = {row_id} Does Not Exist")


def version_mismatch() -> ApiError:
    """Return the error for a row that has changed since the caller read it."""
    message = "The version of the existing record doesn't match the RowVersion property provided."
    return ApiError(412, "0x80060882", message)


def already_exists() -> ApiError:
    """Return the error for a create of what exists (If-None-Match: *)."""
    return ApiError(412, "0x80040237", "A record with matching key values already exists.")


def bad_payload(message: str) -> ApiError:
    """Return the error for a body that the Web API cannot read."""
    text = (
        f"Error identified in Payload provided by the user for Entity :'imi_jobs'. InnerException : {message}"
    )
    return ApiError(400, "0x80048d19", text)
