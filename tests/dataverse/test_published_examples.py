"""Microsoft's published examples of a webhook's body and of `$batch`, as they stand on its pages."""

import json
import re
from collections.abc import Callable
from email import message_from_bytes
from email.message import Message
from pathlib import Path

import pytest
from flask import Flask

from flask_app.dataverse.answers import Answer, error_for
from flask_app.dataverse.batch import Part, read, written
from flask_app.dataverse.errors import DataverseProtocolError
from flask_app.dataverse.hooks import Hook, hook_of
from flask_app.models import HookedRow
from flask_app.standin import Standin
from flask_app.standin.batch import _inner_request, _parts
from flask_app.standin.wire import Request
from tests.connected import connect

PUBLISHED = Path(__file__).parent / "published"
CONTACT, KEY = "6d81597f-0f9f-e711-8122-000d3aa2331c", "k" * 24


def published(name: str) -> bytes:
    """Return an example as it goes over the wire."""
    return (PUBLISHED / name).read_bytes().replace(b"\n", b"\r\n")


def about_a_job() -> bytes:
    """Return the published hook, about a row of our table."""
    return published("webhook_update.json").replace(b'"contact"', b'"imi_job"')


def batch_answer(name: str) -> Answer:
    body = published(name)
    boundary = body.split(b"\r\n", 1)[0].removeprefix(b"--").decode()
    headers = message_from_bytes(f"Content-Type: multipart/mixed; boundary={boundary}\n\n".encode())
    return Answer("org.crm.dynamics.com", 200, headers, body)  # type: ignore[arg-type]  # it has get()


def test_the_webhook_tells_the_row_the_message_and_who_did_it() -> None:
    assert hook_of(about_a_job()) == Hook("Update", CONTACT, "75c2dd85-e89e-e711-8122-000d3aa2331c")


def test_about_another_table_it_is_no_hook_of_ours() -> None:
    with pytest.raises(ValueError, match="not about the table imi_job"):
        hook_of(published("webhook_update.json"))


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_program_queues_it(make_app: Callable[..., Flask], standin: Standin) -> None:
    app = connect(make_app, standin, settings={"webhook_keys": (KEY,)})
    headers = {"X-Webhook-Key": KEY, "Content-Type": "application/json; charset=utf-8"}
    app.config["WTF_CSRF_ENABLED"] = True

    answer = app.test_client().post("/api/dataverse/webhook", data=about_a_job(), headers=headers)

    assert answer.json == {"queued": True}
    with app.app_context():
        assert HookedRow.waiting() == {CONTACT: 1}


def test_a_batch_s_answers_come_one_by_one_in_their_order() -> None:
    answers = read(batch_answer("batch_response.txt"))

    assert answers is not None
    assert [one.status for one in answers] == [204, 204, 204, 200]
    assert "d41ba648-c592-ed11-aad1-000d3a993550" in answers[1].headers.get("OData-EntityId", "")
    rows = (answers[3].json_object() or {})["value"]
    assert [row["subject"] for row in rows] == ["Task 1 in batch", "Task 2 in batch", "Task 3 in batch"]


def test_of_a_batch_one_refused_request_has_its_own_error() -> None:
    answers = read(batch_answer("batch_response_with_an_error.txt"))

    assert answers is not None
    assert [one.status for one in answers] == [400, 204, 204]
    error = error_for(answers[0], lambda text: text)
    assert isinstance(error, DataverseProtocolError)
    assert (error.code, "exceeded the maximum allowed length" in str(error)) == ("0x80044331", True)


def test_a_batch_is_written_as_the_published_one() -> None:
    body = {
        "subject": "Task 1 in batch",
        "regardingobjectid_account_task@odata.bind": "accounts(00000000-0000-0000-0000-000000000001)",
    }
    kind, ours = written([Part("POST", "/api/data/v9.2/tasks", {}, json.dumps(body))])

    first = _message(published("batch_request.txt"))[0]
    [same] = _message(ours)
    assert re.fullmatch(r"multipart/mixed; boundary=batch_\S+", kind)
    assert dict(same.items()) == dict(first.items())
    assert _lines(same) == _lines(first)


def test_the_stand_in_understands_the_published_batch() -> None:
    body = published("batch_request.txt")
    boundary = body.split(b"\r\n", 1)[0].removeprefix(b"--").decode()
    headers = message_from_bytes(f'Content-Type: multipart/mixed; boundary="{boundary}"\n\n'.encode())
    whole = Request.parse("POST", "/api/data/v9.2/$batch", headers, body, "https://localhost")
    inside = [_inner_request(whole, leaf, {}) for leaf in _parts(whole)]

    assert [(one.method, one.path.rpartition("/")[2]) for one in inside] == [
        ("POST", "tasks"), ("POST", "tasks"), ("POST", "tasks"), ("GET", "Account_Tasks"),
    ]  # fmt: skip
    assert inside[2].payload()["subject"] == "Task 3 in batch"
    assert inside[3].query == {"$select": "subject"}


def _message(body: bytes) -> list[Message]:
    boundary = body.split(b"\r\n", 1)[0].removeprefix(b"--")
    message = message_from_bytes(b"Content-Type: multipart/mixed; boundary=" + boundary + b"\r\n\r\n" + body)
    return [part for part in message.get_payload() if isinstance(part, Message)]


def _lines(part: Message) -> tuple[str, str, object]:
    """Return the request line, the kind of content without its parameters, and the body."""
    content = part.get_payload(decode=True)
    assert isinstance(content, bytes)
    line, _, rest = content.decode().replace("\r\n", "\n").partition("\n")
    head, _, body = rest.partition("\n\n")
    return line, head.partition(";")[0].strip(), json.loads(body)
