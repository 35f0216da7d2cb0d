"""Microsoft's own Python SDK against the stand-in.

It is no dependency of the project: without PowerPlatform-Dataverse-Client (1.1.0 was tried) they are skipped.
"""

from types import SimpleNamespace
from typing import Any

import pytest

from flask_app.standin import Standin
from tests.standin.standin_caller import Caller

sdk = pytest.importorskip("PowerPlatform.Dataverse.client")

ABSENT = "00000000-0000-0000-0000-000000000001"


@pytest.fixture
def standin():
    with Standin(generate=12) as running:
        yield running


@pytest.fixture
def client(standin, monkeypatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", standin.ca_bundle)
    with Caller(standin) as caller:
        credential = SimpleNamespace(
            get_token=lambda *scopes, **options: SimpleNamespace(token=caller.token())
        )
        with sdk.DataverseClient(standin.base_url, credential) as one:
            yield one


def test_it_lists_page_by_page_with_labels(standin, client):
    rows = client.records.list(
        "imi_job",
        select=["imi_imnumber", "imi_submittalstatus"],
        filter="imi_submittalstatus eq 826130004",
        orderby=["imi_imnumber asc"],
        count=True,
        page_size=2,
        include_annotations="OData.Community.Display.V1.FormattedValue",
    )
    approved = [row["imi_imnumber"] for row in standin.rows() if row["imi_submittalstatus"] == 826130004]
    assert [row["imi_imnumber"] for row in rows] == approved
    assert {row["imi_submittalstatus@OData.Community.Display.V1.FormattedValue"] for row in rows} == {
        "Approved"
    }


def test_it_creates_updates_by_label_retrieves_and_deletes(standin, client):
    row_id = client.records.create("imi_job", {"imi_imnumber": "5001", "imi_submittalstatus": "Approved"})
    client.records.update("imi_job", row_id, {"imi_gc": "New", "imi_submittalstatus": "AWT Approval"})
    row = client.records.retrieve("imi_job", row_id, select=["imi_gc", "imi_submittalstatus"])
    assert (row["imi_gc"], row["imi_submittalstatus"]) == ("New", 826130002)
    client.records.delete("imi_job", row_id)
    assert client.records.retrieve("imi_job", row_id) is None


def test_it_creates_updates_and_deletes_many(standin, client):
    ids = client.records.create("imi_job", [{"imi_imnumber": "5001"}, {"imi_imnumber": "5002"}])
    client.records.update("imi_job", ids, {"imi_gc": "Many"})
    assert [row["imi_gc"] for row in standin.rows()[-2:]] == ["Many", "Many"]
    assert client.records.delete("imi_job", ids)
    assert len(standin.rows()) == 12


def test_it_reads_the_table_and_its_columns(client):
    assert client.tables.get("imi_job").entity_set_name == "imi_jobs"
    assert client.tables.get("imi_nothing") is None
    texts = client.tables.list_columns("imi_job", select=["LogicalName"], filter="AttributeType eq 'String'")
    assert [column["LogicalName"] for column in texts][:2] == ["imi_imnumber", "imi_gc"]
    assert client.tables.get_column("imi_job", "imi_gc", typed=True)["MaxLength"] == 255


def test_its_batches_and_change_sets_are_understood(standin, client):
    batch = client.batch.new()
    with batch.changeset() as change_set:
        made = change_set.records.create("imi_job", {"imi_imnumber": "6001"})
        change_set.records.update("imi_job", made, {"imi_gc": "By reference"})
    batch.records.list("imi_job", select=["imi_gc"], filter="imi_imnumber eq '6001'")
    answers = batch.execute().responses
    assert [answer.status_code for answer in answers] == [204, 204, 200]
    assert answers[-1].data["value"][0]["imi_gc"] == "By reference"


def test_it_sees_why_a_change_set_failed(standin, client):
    batch = client.batch.new()
    with batch.changeset() as change_set:
        change_set.records.create("imi_job", {"imi_imnumber": "6001"})
        change_set.records.update("imi_job", ABSENT, {"imi_gc": "A"})
    answer = batch.execute().responses[0]
    assert (answer.status_code, answer.error_code) == (404, "0x80040217")
    assert len(standin.rows()) == 12


def test_it_understands_throttling(standin, client):
    standin.faults.throttle(seconds=9)
    with pytest.raises(Exception, match="Number of requests exceeded") as caught:
        list(client.records.list("imi_job"))
    refusal: Any = caught.value
    assert (refusal.is_transient, refusal.details["retry_after"]) == (True, 9)
