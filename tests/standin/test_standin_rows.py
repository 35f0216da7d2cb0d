"""The stand-in's single rows and their conditions, over real HTTPS."""

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


def error_of(answer):
    return answer.status_code, answer.json()["error"]["code"]


def test_a_row_is_retrieved_with_its_chosen_columns_and_key(standin, caller):
    row_id = standin.add(imi_imnumber="4321")
    answer = caller.get(f"imi_jobs({row_id})?$select=imi_imnumber")
    assert answer.json() == {
        "@odata.context": f"{caller.root}/$metadata#imi_jobs(imi_imnumber)/$entity",
        "@odata.etag": standin.rows()[0]["@odata.etag"],
        "imi_imnumber": "4321",
        "imi_jobid": row_id,
    }


def test_a_row_that_is_not_there_is_404(caller):
    answer = caller.get(f"imi_jobs({ABSENT})")
    assert error_of(answer) == (404, "0x80040217")
    assert answer.json()["error"]["message"] == f"imi_job With Id = {ABSENT} Does Not Exist"


def test_a_key_that_is_no_guid_is_refused(caller):
    assert error_of(caller.get("imi_jobs('4321')")) == (400, "0x80060888")


def test_a_patch_changes_what_it_names_and_answers_as_in_example_g6(standin, caller):
    row_id = standin.add(imi_gc="Before", imi_jobnameaddress="Kept")
    version = standin.rows()[0]["versionnumber"]
    answer = caller.send("PATCH", f"imi_jobs({row_id})", json={"imi_gc": "After"})
    row = standin.rows()[0]
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["OData-EntityId"] == f"{caller.root}/imi_jobs({row_id})"
    assert (row["imi_gc"], row["imi_jobnameaddress"]) == ("After", "Kept")
    assert row["versionnumber"] > version


@pytest.mark.parametrize(("present", "status"), [(True, 200), (False, 201)])
def test_a_patch_that_wants_the_row_back_gets_it_as_in_example_g6(standin, caller, present, status):
    row_id = standin.add() if present else ABSENT
    answer = caller.send(
        "PATCH", f"imi_jobs({row_id})?$select=imi_jobid", "return=representation", json={"imi_gc": "A"}
    )
    assert answer.status_code == status
    assert answer.headers["Preference-Applied"] == "return=representation"
    assert answer.json() == {
        "@odata.context": f"{caller.root}/$metadata#imi_jobs(imi_jobid)/$entity",
        "@odata.etag": answer.headers["ETag"],
        "imi_jobid": row_id,
    }


def test_if_match_star_prevents_a_create_as_in_example_g5(standin, caller):
    answer = caller.send("PATCH", f"imi_jobs({ABSENT})", headers={"If-Match": "*"}, json={"imi_gc": "A"})
    assert error_of(answer) == (404, "0x80040217")
    assert standin.rows() == []


def test_if_none_match_star_prevents_an_update_as_in_example_g5(standin, caller):
    row_id = standin.add(imi_gc="Before")
    answer = caller.send("PATCH", f"imi_jobs({row_id})", headers={"If-None-Match": "*"}, json={"imi_gc": "A"})
    assert answer.status_code == 412
    assert answer.json()["error"]["message"] == "A record with matching key values already exists."
    assert standin.rows()[0]["imi_gc"] == "Before"


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
def test_an_outdated_entity_tag_is_412_as_in_example_g5(standin, caller, method):
    row_id = standin.add()
    old = standin.rows()[0]["@odata.etag"]
    standin.change(row_id, imi_gc="Changed meanwhile")
    answer = caller.send(method, f"imi_jobs({row_id})", headers={"If-Match": old}, json={})
    assert error_of(answer) == (412, "0x80060882")
    assert answer.json()["error"]["message"] == (
        "The version of the existing record doesn't match the RowVersion property provided."
    )


def test_an_unchanged_row_is_304_as_in_example_g5(standin, caller):
    row_id = standin.add()
    tag = {"If-None-Match": standin.rows()[0]["@odata.etag"]}
    unchanged = caller.get(f"imi_jobs({row_id})", headers=tag)
    assert (unchanged.status_code, unchanged.content) == (304, b"")
    assert unchanged.headers["Content-Type"] == "application/json; odata.metadata=minimal"
    standin.change(row_id, imi_gc="New")
    assert caller.get(f"imi_jobs({row_id})", headers=tag).status_code == 200


def test_a_request_with_annotations_is_never_304(standin, caller):
    row_id = standin.add()
    tag = {"If-None-Match": standin.rows()[0]["@odata.etag"]}
    answer = caller.get(f"imi_jobs({row_id})", 'odata.include-annotations="*"', headers=tag)
    assert answer.status_code == 200


def test_a_row_is_created_and_deleted(standin, caller):
    created = caller.send("POST", "imi_jobs", json={"imi_imnumber": "4400"})
    address = created.headers["OData-EntityId"]
    assert created.status_code == 204
    assert standin.rows()[0]["imi_imnumber"] == "4400"
    assert caller.send("DELETE", address).status_code == 204
    assert standin.rows() == []


@pytest.mark.parametrize(
    ("columns", "code"),
    [
        ({"imi_nothing": 1}, "0x80048d19"),
        ({"imi_gc": 5}, "0x80048d19"),
        ({"imi_submittalstatus": 1}, "0x8004431a"),
        ({"imi_imnumber": "9" * 101}, "0x80044331"),
    ],
)
def test_a_value_that_does_not_fit_its_column_is_refused(standin, caller, columns, code):
    assert error_of(caller.send("POST", "imi_jobs", json=columns)) == (400, code)
    assert standin.rows() == []


def test_a_body_that_is_no_json_is_refused(caller):
    assert error_of(caller.send("POST", "imi_jobs", data="{")) == (400, "0x80048d19")


@pytest.mark.parametrize("method", ["POST", "PATCH", "DELETE"])
def test_a_read_only_standin_refuses_every_write_for_want_of_a_privilege(method):
    with Standin(read_only=True) as standin, Caller(standin) as caller:
        row_id = standin.add()
        path = "imi_jobs" if method == "POST" else f"imi_jobs({row_id})"
        answer = caller.send(method, path, json={"imi_gc": "A"})
        assert error_of(answer) == (403, "0x80040220")
        assert "is missing prvWriteimi_job privilege" in answer.json()["error"]["message"]


def test_a_change_in_the_same_second_still_moves_modifiedon(standin):
    row_id = standin.add()
    before = standin.rows()[0]["modifiedon"]
    standin.change(row_id, imi_gc="A")
    assert standin.rows()[0]["modifiedon"] > before


def test_deactivating_a_job_moves_its_status_reason_too(standin, caller):
    row_id = standin.add()
    caller.send("PATCH", f"imi_jobs({row_id})", json={"statecode": 1})
    assert standin.rows()[0]["statuscode"] == 2


def test_a_misspelt_column_in_a_test_is_an_error_at_once(standin):
    with pytest.raises(ValueError, match="imi_imnumbr"):
        standin.add(imi_imnumbr="4100")


def test_given_rows_may_hold_anything_json_can(caller, standin):
    hostile = [None, 17, "x" * 300, "🪚", ["a"], ""]
    for value in hostile:
        standin.add(imi_imnumber=value)
    assert [row["imi_imnumber"] for row in caller.rows("imi_jobs?$select=imi_imnumber")] == hostile
