"""POST $batch: several requests in one, and change sets that succeed or fail as a whole.

After the published page on batch operations: answers in the order of the requests; the first error ends the
batch unless `Prefer: odata.continue-on-error`; no GET in a change set; `$1` is what Content-ID 1 has made.
"""

import re
import uuid
from collections.abc import Callable
from email import message_from_bytes
from email.message import Message
from http import HTTPStatus

from .table import Table
from .wire import ApiError, Request, Response, bad_query

MOST_REQUESTS = 1000
Part = tuple[dict[str, str], bytes]  # headers, content


class Failed(Exception):
    """A request of a change set failed: everything before it in the set is undone."""


class Batch:
    """Answers $batch by handing each request inside to `answer`."""

    def __init__(self, table: Table, answer: Callable[[Request], Response]) -> None:
        self._table = table
        self._answer = answer

    def run(self, request: Request, _match: "re.Match[str]") -> Response:
        """Answer a whole batch."""
        items = _parts(request)
        if sum(len(_leaves(item)) for item in items) > MOST_REQUESTS:
            raise bad_query(f"The number of requests in a batch exceeds the limit of {MOST_REQUESTS}.")
        go_on = "odata.continue-on-error" in request.prefers()
        answers: list[Part] = []
        failed = False
        for item in items:
            part, failed_here = self._item(request, item)
            answers.append(part)
            failed = failed or failed_here
            if failed and not go_on:
                break
        boundary = f"batchresponse_{uuid.uuid4()}"
        status = 400 if failed and not go_on else 200
        kind = f"multipart/mixed; boundary={boundary}"
        return Response(status, content=_joined(answers, boundary), content_type=kind)

    def _item(self, request: Request, item: Message) -> tuple[Part, bool]:
        if item.is_multipart():
            return self._change_set(request, item)
        response = self._single(request, item, {})
        return _as_part(response, item.get("Content-ID")), response.status >= 400

    def _change_set(self, request: Request, change_set: Message) -> tuple[Part, bool]:
        boundary = f"changesetresponse_{uuid.uuid4()}"
        answers: list[Part] = []
        failed = False
        try:
            with self._table.atomically():
                self._run_set(request, _leaves(change_set), answers)
        except Failed:
            answers = answers[-1:]  # only the error is told, for the rest has not happened
            failed = True
        headers = {"Content-Type": f"multipart/mixed; boundary={boundary}"}
        return (headers, _joined(answers, boundary)), failed

    def _run_set(self, request: Request, leaves: list[Message], answers: list[Part]) -> None:
        references: dict[str, str] = {}
        for leaf in leaves:
            number = leaf.get("Content-ID")
            response = self._single(request, leaf, references, in_change_set=True)
            answers.append(_as_part(response, number))
            if response.status >= 400:
                raise Failed
            made = dict(response.headers).get("OData-EntityId")
            if number and made:
                references[f"${number.strip()}"] = made

    def _single(
        self, outer: Request, leaf: Message, references: dict[str, str], in_change_set: bool = False
    ) -> Response:
        try:
            request = _inner_request(outer, leaf, references)
            if request.path.endswith("/$batch"):
                raise bad_query("A batch request can't contain other batch requests.")
            if in_change_set and request.method == "GET":
                raise bad_query("A GET request is not allowed inside a change set.")
        except ApiError as error:
            return error.response()
        return self._answer(request)


def _parts(request: Request) -> list[Message]:
    head = f"Content-Type: {request.headers.get('Content-Type', '')}\r\n\r\n".encode()
    message = message_from_bytes(head + request.body)
    if message.get_content_type() != "multipart/mixed" or not message.is_multipart():
        raise bad_query("The batch request must have a multipart/mixed body with a boundary.")
    return _leaves(message)


def _leaves(message: Message) -> list[Message]:
    content = message.get_payload()
    return [part for part in content if isinstance(part, Message)] if isinstance(content, list) else [message]


def _inner_request(outer: Request, leaf: Message, references: dict[str, str]) -> Request:
    content = leaf.get_payload(decode=True)
    if not isinstance(content, bytes):
        raise bad_query("A part of the batch holds no request.")
    line, _, rest = content.lstrip().replace(b"\r\n", b"\n").partition(b"\n")
    head, _, body = rest.partition(b"\n\n") if not rest.startswith(b"\n") else (b"", b"", rest[1:])
    words = line.decode("latin-1").rsplit(" HTTP/", 1)[0].split(" ", 1)
    if len(words) != 2:
        raise bad_query("A part of the batch does not begin with a request line.")
    target = _target(outer, words[1].strip(), references)
    return Request.parse(words[0], target, message_from_bytes(head + b"\n\n"), body, outer.origin)


def _target(outer: Request, target: str, references: dict[str, str]) -> str:
    if target.startswith("$") and not target.startswith("$metadata"):
        name, slash, rest = target.partition("/")
        if name not in references:
            raise ApiError(400, "", f"Content-ID Reference: '{name}' does not exist in the batch context.")
        return f"{references[name]}{slash}{rest}"
    if target.startswith(("https://", "http://", "/")):
        return target
    return f"{outer.api_root}/{target}"


def _as_part(response: Response, content_id: str | None) -> Part:
    body = response.encoded()
    headers = [("OData-Version", "4.0")]
    for name, value in response.headers:
        if name == "OData-EntityId":
            headers.append(("Location", value))
        headers.append((name, value))
    if response.status >= 400:
        headers.append(("REQ_ID", str(uuid.uuid4())))
    if body:
        streamed = "; odata.streaming=true" if "value" in (response.payload or {}) else ""
        headers.append(("Content-Type", f"{response.content_type}{streamed}"))
    status = f"HTTP/1.1 {response.status} {HTTPStatus(response.status).phrase}"
    lines = [status, *(f"{name}: {value}" for name, value in headers), "", ""]
    outer = {"Content-Type": "application/http", "Content-Transfer-Encoding": "binary"}
    if content_id:
        outer["Content-ID"] = content_id
    return outer, "\r\n".join(lines).encode() + body


def _joined(parts: list[Part], boundary: str) -> bytes:
    pieces = []
    for headers, content in parts:
        lines = [f"--{boundary}", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
        pieces.append("\r\n".join(lines).encode() + content + b"\r\n")
    return b"".join(pieces) + f"--{boundary}--\r\n".encode()
