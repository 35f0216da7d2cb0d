"""The body and the headers of the stand-in's webhooks, after the published example G12 (use-webhooks)."""

import re
import uuid

import pytest

from flask_app.standin import Standin
from tests.standin.standin_caller import Caller
from tests.standin.webhook_receiver import serving, values

CONTRACTS = "http://schemas.microsoft.com/xrm/2011/Contracts"
# The names in the published example, G12.
CONTEXT = {
    "BusinessUnitId", "CorrelationId", "Depth", "InitiatingUserId", "InputParameters", "IsExecutingOffline",
    "IsInTransaction", "IsOfflinePlayback", "IsolationMode", "MessageName", "Mode", "OperationCreatedOn",
    "OperationId", "OrganizationId", "OrganizationName", "OutputParameters", "OwningExtension",
    "ParentContext", "PostEntityImages", "PreEntityImages", "PrimaryEntityId", "PrimaryEntityName",
    "RequestId", "SecondaryEntityName", "SharedVariables", "Stage", "UserId",
}  # fmt: skip
ENTITY = {
    "Attributes", "EntityState", "FormattedValues", "Id", "KeyAttributes", "LogicalName", "RelatedEntities",
    "RowVersion",
}  # fmt: skip
LEFT_OUT = {"ParentContext", "InputParameters", "PreEntityImages", "PostEntityImages"}


@pytest.fixture(scope="module")
def running():
    with Standin() as one:
        yield one


@pytest.fixture
def standin(running):
    """The one stand-in of this module, with nobody registered yet."""
    yield running
    running.webhooks.clear()


@pytest.fixture(scope="module")
def caller(running):
    with Caller(running) as one:
        yield one


@pytest.fixture
def receiver():
    with serving() as server:
        yield server


def choice(value):
    return {"__type": f"OptionSetValue:{CONTRACTS}", "Value": value}


def reference(table, row_id):
    return {"Id": row_id, "KeyAttributes": [], "LogicalName": table, "Name": None, "RowVersion": None}


def typed_reference(table, row_id):
    return {"__type": f"EntityReference:{CONTRACTS}", **reference(table, row_id)}


@pytest.fixture
def updated(standin, caller, receiver):
    """The post about an update of one column, the row's id, and who WhoAmI says has done it."""
    row_id = standin.add(imi_imnumber="4101", modifiedon="2026-01-05T12:00:00Z")
    standin.webhooks.register(receiver.url, messages=["Update"])
    assert caller.send("PATCH", f"imi_jobs({row_id})", json={"imi_gc": "Marlowe"}).status_code == 204
    return receiver.next(), row_id, caller.get("WhoAmI").json()


def test_an_update_is_told_in_the_fields_of_example_g12(updated):
    post, row_id, me = updated
    body = post.body
    assert set(body) == CONTEXT
    expected = {
        "BusinessUnitId": me["BusinessUnitId"], "Depth": 1, "InitiatingUserId": me["UserId"],
        "IsExecutingOffline": False, "IsInTransaction": False, "IsOfflinePlayback": False, "IsolationMode": 1,
        "MessageName": "Update", "Mode": 1, "OrganizationId": me["OrganizationId"], "OutputParameters": [],
        "PreEntityImages": [], "PrimaryEntityId": row_id, "PrimaryEntityName": "imi_job", "RequestId": None,
        "SecondaryEntityName": "none", "SharedVariables": [], "Stage": 40, "UserId": me["UserId"],
    }  # fmt: skip
    assert {name: body[name] for name in expected} == expected
    step = body["OwningExtension"]
    assert step == reference("sdkmessageprocessingstep", step["Id"])
    assert len({str(uuid.UUID(body[name])) for name in ("CorrelationId", "OperationId")}) == 2
    assert re.fullmatch(r"/Date\(\d{13}\+0000\)/", body["OperationCreatedOn"])


def test_the_target_of_an_update_holds_only_what_has_changed_as_in_example_g12(standin, updated):
    post, row_id, me = updated
    target = values(post.body["InputParameters"])["Target"]
    assert (target.pop("__type"), set(target)) == (f"Entity:{CONTRACTS}", ENTITY)
    assert (target["Id"], target["LogicalName"]) == (row_id, "imi_job")
    columns = post.columns()
    milliseconds = re.fullmatch(r"/Date\((\d{13})\)/", columns.pop("modifiedon"))
    assert int(milliseconds[1]) > 1767614400000
    assert columns == {
        "imi_gc": "Marlowe",
        "imi_jobid": row_id,
        "modifiedby": typed_reference("systemuser", me["UserId"]),
        "modifiedonbehalfby": None,
    }


def test_the_image_after_an_asynchronous_update_holds_the_name_as_in_example_g12(updated):
    post, row_id, _ = updated
    image = values(post.body["PostEntityImages"])["AsynchronousStepPrimaryName"]
    assert (set(image), image["Id"]) == (ENTITY, row_id)
    assert values(image["Attributes"]) == {"imi_imnumber": "4101", "imi_jobid": row_id}


def test_the_parent_context_is_that_of_the_request_as_in_example_g12(updated):
    post, row_id, _ = updated
    body, parent = post.body, post.body["ParentContext"]
    assert set(parent) == CONTEXT
    own = {"InputParameters", "ParentContext", "PostEntityImages", "SharedVariables", "Stage"}
    assert {name for name in CONTEXT if parent[name] != body[name]} == own
    assert (parent["Stage"], parent["ParentContext"], parent["PostEntityImages"]) == (30, None, [])
    inputs = values(parent["InputParameters"])
    assert values(inputs["Target"]["Attributes"]) == {"imi_gc": "Marlowe", "imi_jobid": row_id}
    assert inputs["SuppressDuplicateDetection"] is False
    changed = {
        "__type": "KeyValuePairOfstringstring:#System.Collections.Generic",
        "key": "imi_job",
        "value": "Update",
    }
    assert values(parent["SharedVariables"]) == {"ChangedEntityTypes": [changed]}


def test_the_slashes_in_the_body_are_escaped_as_in_example_g12(updated):
    assert rb'"\/Date(' in updated[0].raw
    assert not re.search(rb"(?<!\\)/", updated[0].raw)


def test_the_headers_are_those_of_the_published_table(updated):
    post, _, _ = updated
    sent = {name.lower(): value for name, value in post.headers.items() if name.lower().startswith("x-")}
    assert sent == {
        "x-ms-dynamics-organization": "localhost",
        "x-ms-dynamics-entity-name": "imi_job",
        "x-ms-dynamics-request-name": "Update",
        "x-ms-correlation-request-id": post.body["CorrelationId"],
    }
    assert post.headers["Content-Type"] == "application/json"


def test_a_create_tells_every_column_that_has_a_value(standin, caller, receiver):
    standin.webhooks.register(receiver.url)
    caller.send("POST", "imi_jobs", json={"imi_imnumber": "4101", "imi_submittalstatus": 826130004})
    post = receiver.next()
    row_id = post.body["PrimaryEntityId"]
    assert (post.body["MessageName"], values(post.body["OutputParameters"])) == ("Create", {"id": row_id})
    columns = post.columns()
    assert columns["imi_imnumber"] == "4101"
    assert columns["imi_submittalstatus"] == choice(826130004)
    assert (columns["statecode"], columns["statuscode"]) == (choice(0), choice(1))
    assert columns["createdon"] == columns["modifiedon"]
    assert not {"imi_gc", "versionnumber"} & columns.keys()


def test_a_delete_tells_which_row_and_how_it_was_called(standin, caller, receiver):
    row_id = standin.add(imi_imnumber="4101")
    standin.webhooks.register(receiver.url)
    caller.send("DELETE", f"imi_jobs({row_id})")
    post = receiver.next()
    assert post.body["MessageName"] == "Delete"
    assert values(post.body["InputParameters"]) == {"Target": typed_reference("imi_job", row_id)}
    assert post.columns("PreEntityImages", "AsynchronousStepPrimaryName")["imi_imnumber"] == "4101"
    assert post.body["PostEntityImages"] == []


def test_a_column_made_empty_is_told_as_null_and_the_reason_follows_the_state(standin, receiver):
    row_id = standin.add()
    standin.webhooks.register(receiver.url)
    standin.change(row_id, imi_gc=None, statecode=1)
    columns = receiver.next().columns()
    assert (columns["imi_gc"], columns["statuscode"]) == (None, choice(2))


def test_a_body_above_256_kb_comes_without_what_the_page_names(standin, receiver):
    standin.webhooks.register(receiver.url)
    row_id = standin.add(imi_scopesummary="x" * 262_144)
    post = receiver.next()
    assert "x-ms-dynamics-msg-size-exceeded" in post.headers
    assert set(post.body) == CONTEXT - LEFT_OUT
    assert (post.body["PrimaryEntityId"], post.body["PrimaryEntityName"]) == (row_id, "imi_job")


def test_text_that_is_no_text_reaches_the_receiver_all_the_same(standin, receiver):
    standin.webhooks.register(receiver.url)
    standin.add(imi_gc="\ud800 Müller \\/ Söhne", modifiedon="yesterday")
    assert receiver.next().columns()["imi_gc"] == "? Müller \\/ Söhne"
