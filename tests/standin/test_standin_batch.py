"""The stand-in's $batch and bulk actions, over real HTTPS."""

import re

import pytest

from flask_app.standin import Standin
from tests.standin.standin_caller import Caller

ABSENT = "00000000-0000-0000-0000-000000000001"


@pytest.fixture
def standin():
    with Standin() as running:
        yield running


@pytest.fixture
def caller(standin):
    with Caller(standin) as one:
        yield one


def part(request, content_id="", boundary="batch_1"):
    """Write one part of a batch as the published examples do."""
    number = f"Content-ID: {content_id}\n" if content_id else ""
    head = f"--{boundary}\nContent-Type: application/http\nContent-Transfer-Encoding: binary\n{number}\n"
    return f"{head}{request}\n"


def write(method, address, content=None):
    body = f"Content-Type: application/json; type=entry\n\n{content}" if content else "\n"
    return f"{method} {address} HTTP/1.1\n{body}"


def change_set(*requests):
    parts = "".join(part(request, number, "changeset_1") for number, request in enumerate(requests, start=1))
    return f'--batch_1\nContent-Type: multipart/mixed; boundary="changeset_1"\n\n{parts}--changeset_1--\n\n'


def send(caller, *parts, prefer=""):
    body = "".join(parts) + "--batch_1--\n"
    kind = {"Content-Type": 'multipart/mixed; boundary="batch_1"'}
    return caller.send("POST", "$batch", prefer, data=body.replace("\n", "\r\n").encode(), headers=kind)


def statuses(answer):
    return [int(status) for status in re.findall(r"HTTP/1\.1 (\d+)", answer.text)]


def create(number):
    return write("POST", "/api/data/v9.2/imi_jobs", f'{{"imi_imnumber": "{number}"}}')


def numbers(standin):
    return [row["imi_imnumber"] for row in standin.rows()]


def test_a_batch_without_change_sets_is_answered_as_in_example_g9(standin, caller):
    answer = send(caller, part(create(1)), part(write("GET", "/api/data/v9.2/imi_jobs?$select=imi_imnumber")))
    boundary = re.fullmatch(r"multipart/mixed; boundary=(batchresponse_.+)", answer.headers["Content-Type"])[
        1
    ]
    row = standin.rows()[0]
    address = f"{caller.root}/imi_jobs({row['imi_jobid']})"
    created, listed = answer.text.split(f"--{boundary}\r\n")[1:]
    assert answer.status_code == 200
    assert created == (
        "Content-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n"
        f"HTTP/1.1 204 No Content\r\nOData-Version: 4.0\r\nLocation: {address}\r\n"
        f"OData-EntityId: {address}\r\n\r\n\r\n"
    )
    kind = "application/json; odata.metadata=minimal; odata.streaming=true"
    assert f"HTTP/1.1 200 OK\r\nOData-Version: 4.0\r\nContent-Type: {kind}\r\n" in listed
    assert f'"@odata.context": "{caller.root}/$metadata#imi_jobs(imi_imnumber)"' in listed
    assert listed.endswith(f"\r\n--{boundary}--\r\n")


def test_a_change_set_is_answered_as_in_example_g9(standin, caller):
    answer = send(caller, change_set(create(1), create(2)), part(write("GET", "imi_jobs/$count")))
    inside = re.search(
        r"Content-Type: multipart/mixed; boundary=(changesetresponse_\S+)\r\n\r\n", answer.text
    )[1]
    assert answer.text.count(f"--{inside}\r\n") == 2
    assert f"--{inside}--\r\n" in answer.text
    assert re.findall(r"Content-ID: (\d)", answer.text) == ["1", "2"]
    assert statuses(answer) == [204, 204, 200]
    assert numbers(standin) == ["1", "2"]


def test_a_change_set_that_fails_leaves_nothing_behind(standin, caller):
    missing = write("PATCH", f"/api/data/v9.2/imi_jobs({ABSENT})", '{"imi_gc": "A"}')
    missing = missing.replace("HTTP/1.1\n", "HTTP/1.1\nIf-Match: *\n")
    answer = send(caller, change_set(create(1), missing))
    assert (answer.status_code, statuses(answer)) == (400, [404])
    assert re.findall(r"Content-ID: (\d)", answer.text) == ["2"]
    assert standin.rows() == []


def test_the_first_error_ends_a_batch_as_in_the_published_example(standin, caller):
    answer = send(caller, part(create("9" * 101)), part(create(2)))
    assert (answer.status_code, statuses(answer)) == (400, [400])
    assert '"code": "0x80044331"' in answer.text
    assert "exceeded the maximum allowed length of '100'." in answer.text
    assert standin.rows() == []


def test_a_batch_goes_on_after_an_error_when_asked_to(standin, caller):
    answer = send(caller, part(create("9" * 101)), part(create(2)), prefer="odata.continue-on-error")
    assert (answer.status_code, statuses(answer)) == (200, [400, 204])
    assert numbers(standin) == ["2"]


def test_a_content_id_stands_for_what_was_made(standin, caller):
    answer = send(caller, change_set(create(1), write("PATCH", "$1", '{"imi_gc": "By reference"}')))
    assert statuses(answer) == [204, 204]
    assert standin.rows()[0]["imi_gc"] == "By reference"


def test_a_content_id_that_is_not_there_yet_is_refused(standin, caller):
    answer = send(caller, change_set(write("PATCH", "$7", '{"imi_gc": "A"}')))
    assert statuses(answer) == [400]
    assert "Content-ID Reference: '$7' does not exist in the batch context." in answer.text


@pytest.mark.parametrize("address", ["imi_jobs", "/api/data/v9.2/imi_jobs"])
def test_a_get_in_a_change_set_is_refused(caller, address):
    assert statuses(send(caller, change_set(write("GET", address)))) == [400]


def test_a_batch_in_a_batch_is_refused(caller):
    assert statuses(send(caller, part(write("POST", "/api/data/v9.2/$batch", "{}")))) == [400]


def test_more_than_1000_requests_are_refused(caller):
    answer = send(caller, *([part(write("GET", "WhoAmI"))] * 1001))
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "0x80060888")


def test_a_body_that_is_no_batch_is_refused(caller):
    answer = caller.send("POST", "$batch", data="nonsense", headers={"Content-Type": "multipart/mixed"})
    assert answer.status_code == 400


def test_a_read_only_standin_still_reads_in_batches():
    with Standin(read_only=True) as standin, Caller(standin) as caller:
        answer = send(caller, part(write("GET", "WhoAmI")), part(create(1)), prefer="odata.continue-on-error")
        assert statuses(answer) == [200, 403]


def targets(*rows):
    return {"Targets": [{"@odata.type": "Microsoft.Dynamics.CRM.imi_job", **row} for row in rows]}


def test_many_rows_are_created_at_once(standin, caller):
    rows = targets({"imi_imnumber": "1"}, {"imi_imnumber": "2"})
    answer = caller.send("POST", "imi_jobs/Microsoft.Dynamics.CRM.CreateMultiple", json=rows)
    assert answer.json() == {
        "@odata.context": f"{caller.root}/$metadata#Microsoft.Dynamics.CRM.CreateMultipleResponse",
        "Ids": [row["imi_jobid"] for row in standin.rows()],
    }


def test_many_rows_are_updated_at_once_as_in_example_g10(standin, caller):
    ids = [standin.add(imi_jobnameaddress="Kept"), standin.add()]
    rows = targets(*({"imi_jobid": row_id, "imi_gc": "New"} for row_id in ids))
    answer = caller.send("POST", "imi_jobs/Microsoft.Dynamics.CRM.UpdateMultiple", json=rows)
    assert (answer.status_code, answer.content, answer.headers["OData-Version"]) == (204, b"", "4.0")
    assert [row["imi_gc"] for row in standin.rows()] == ["New", "New"]
    assert standin.rows()[0]["imi_jobnameaddress"] == "Kept"


def test_one_row_that_is_not_there_stops_the_whole_update(standin, caller):
    row_id = standin.add(imi_gc="Before")
    rows = targets({"imi_jobid": row_id, "imi_gc": "After"}, {"imi_jobid": ABSENT, "imi_gc": "After"})
    answer = caller.send("POST", "imi_jobs/Microsoft.Dynamics.CRM.UpdateMultiple", json=rows)
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "0x80040217")
    assert standin.rows()[0]["imi_gc"] == "Before"


@pytest.mark.parametrize("row", [{"imi_jobid": ABSENT}, {"@odata.type": "Microsoft.Dynamics.CRM.imi_job"}])
def test_a_target_without_its_type_or_its_id_is_refused(caller, row):
    answer = caller.send("POST", "imi_jobs/Microsoft.Dynamics.CRM.UpdateMultiple", json={"Targets": [row]})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "0x80048d19")


def test_a_bulk_delete_deletes_the_rows_named_by_id(standin, caller):
    gone, kept = standin.add(), standin.add()
    values = [{"Value": gone, "Type": "System.Guid"}]
    condition = {"AttributeName": "imi_jobid", "Operator": "In", "Values": values}
    query = {"EntityName": "imi_job", "Criteria": {"Conditions": [condition]}}
    answer = caller.send("POST", "BulkDelete", json={"QuerySet": [query]})
    assert answer.json()["JobId"]
    assert [row["imi_jobid"] for row in standin.rows()] == [kept]


def test_a_bulk_delete_of_anything_else_is_refused(standin, caller):
    standin.add()
    assert caller.send("POST", "BulkDelete", json={"QuerySet": [{}]}).status_code == 400
    assert len(standin.rows()) == 1
