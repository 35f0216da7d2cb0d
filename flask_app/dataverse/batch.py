"""`$batch` as text: several changes in one request, and the answer to each of them.

After Microsoft's page on batch operations (execute-batch-operations-using-web-api): multipart/mixed, CRLF, no
change set, so that each part succeeds or fails by itself; answers come in the order of the requests.
"""

import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from email import message_from_bytes
from email.message import Message

from flask_app.dataverse.answers import Answer

MOST_PARTS = 100  # Dataverse takes 1,000, and advises to begin with few
_STATUS = re.compile(r"HTTP/1\.1 (\d{3})")


@dataclass(frozen=True, slots=True)
class Part:
    """One request inside a batch; `address` is absolute, `body` JSON."""

    method: str
    address: str
    headers: dict[str, str]
    body: str


def written(parts: Sequence[Part]) -> tuple[str, bytes]:
    """Return the Content-Type and the body of a batch."""
    boundary = f"batch_{uuid.uuid4()}"
    lines: list[str] = []
    for part in parts:
        lines += [f"--{boundary}", "Content-Type: application/http", "Content-Transfer-Encoding: binary", ""]
        lines += [f"{part.method} {part.address} HTTP/1.1"]
        lines += [f"{name}: {value}" for name, value in part.headers.items()]
        lines += ["Content-Type: application/json", "", part.body]
    lines += [f"--{boundary}--", ""]
    return f"multipart/mixed; boundary={boundary}", "\r\n".join(lines).encode()


def read(answer: Answer) -> list[Answer] | None:
    """Return the answers inside the answer to a batch, None if it is not one."""
    head = f"Content-Type: {answer.headers.get('Content-Type', '')}\r\n\r\n".encode()
    message = message_from_bytes(head + bytes(answer.body))
    content = message.get_payload()
    if message.get_content_type() != "multipart/mixed" or not isinstance(content, list):
        return None
    parts = [part for part in content if isinstance(part, Message)]
    inside = [_answer(part.get_payload(decode=True), answer.host) for part in parts]
    return None if None in inside else [one for one in inside if one is not None]


def _answer(content: object, host: str) -> Answer | None:
    if not isinstance(content, bytes):
        return None
    head, _, body = content.replace(b"\r\n", b"\n").lstrip().partition(b"\n\n")
    line, _, fields = head.partition(b"\n")
    status = _STATUS.match(line.decode("latin-1"))
    if status is None:
        return None
    headers = message_from_bytes(fields + b"\n\n")
    return Answer(host, int(status[1]), headers, body.strip())  # type: ignore[arg-type]  # it has get()
