"""The stand-in's change tracking, over real HTTPS."""

import re
from urllib.parse import unquote

import pytest

from flask_app.standin import Standin
from tests.standin.standin_caller import Caller

TRACK = "odata.track-changes"


@pytest.fixture
def standin():
    with Standin(rows=[{"imi_imnumber": str(number)} for number in range(4101, 4104)]) as running:
        yield running


@pytest.fixture
def caller(standin):
    with Caller(standin) as one:
        yield one


def first_reading(caller):
    return caller.get("imi_jobs?$select=imi_imnumber", TRACK).json()


def test_the_first_reading_is_answered_as_in_example_g4(standin, caller):
    answer = caller.get("imi_jobs?$select=imi_imnumber", TRACK)
    body = answer.json()
    link = body.pop("@odata.deltaLink")
    assert answer.headers["Preference-Applied"] == TRACK
    assert body == {
        "@odata.context": f"{caller.root}/$metadata#imi_jobs(imi_imnumber)",
        "value": [
            {name: row[name] for name in ("@odata.etag", "imi_imnumber", "imi_jobid")}
            for row in standin.rows()
        ],
    }
    shape = r"imi_jobs\?\$select=imi_imnumber&\$deltatoken=\d+%21\d\d%2f\d\d%2f\d{4}%20\d\d%3a\d\d%3a\d\d"
    assert re.fullmatch(re.escape(f"{caller.root}/") + shape, link)


def test_the_next_reading_holds_changes_and_deletions_as_in_example_g4(standin, caller):
    link = first_reading(caller)["@odata.deltaLink"]
    gone, changed = standin.rows()[0]["imi_jobid"], standin.rows()[1]["imi_jobid"]
    added = standin.add(imi_imnumber="4200")
    standin.delete(gone)
    standin.change(changed, imi_gc="Changed")
    body = caller.get(link).json()
    etags = {row["imi_jobid"]: row["@odata.etag"] for row in standin.rows()}
    assert body["@odata.context"] == f"{caller.root}/$metadata#imi_jobs(imi_imnumber)/$delta"
    assert body["@odata.deltaLink"] != link
    assert body["value"] == [
        {"@odata.etag": etags[added], "imi_imnumber": "4200", "imi_jobid": added},
        {"@odata.etag": etags[changed], "imi_imnumber": "4102", "imi_jobid": changed},
        {
            "@odata.context": f"{caller.root}/$metadata#imi_jobs/$deletedEntity",
            "id": gone,
            "reason": "deleted",
        },
    ]


def test_nothing_changed_is_an_empty_list_with_a_link_to_go_on(caller):
    body = caller.get(first_reading(caller)["@odata.deltaLink"]).json()
    assert body["value"] == []
    assert "$deltatoken" in body["@odata.deltaLink"]


def test_a_row_made_and_deleted_in_between_arrives_as_deleted(standin, caller):
    link = first_reading(caller)["@odata.deltaLink"]
    row_id = standin.add()
    standin.delete(row_id)
    assert [entry["id"] for entry in caller.get(link).json()["value"]] == [row_id]


def test_a_link_of_later_date_does_not_repeat_what_was_told(standin, caller):
    link = first_reading(caller)["@odata.deltaLink"]
    standin.add()
    second = caller.get(link).json()
    assert len(second["value"]) == 1
    assert caller.get(second["@odata.deltaLink"]).json()["value"] == []


def test_the_delta_link_comes_on_the_last_page_only(caller):
    wish = f"{TRACK},odata.maxpagesize=2"
    first = caller.get("imi_jobs", wish).json()
    last = caller.get(first["@odata.nextLink"], wish).json()
    assert 'istracking="True"' in unquote(first["@odata.nextLink"])
    assert ("@odata.deltaLink" in first, "@odata.nextLink" in last) == (False, False)
    assert caller.get(last["@odata.deltaLink"]).json()["value"] == []


def test_changes_while_the_first_reading_is_paged_are_told_afterwards(standin, caller):
    wish = f"{TRACK},odata.maxpagesize=2"
    first = caller.get("imi_jobs", wish).json()
    added = standin.add()
    last = caller.get(first["@odata.nextLink"], wish).json()
    changes = caller.get(last["@odata.deltaLink"]).json()["value"]
    assert [entry["imi_jobid"] for entry in changes] == [added]


def test_many_changes_come_in_pages(standin, caller):
    link = first_reading(caller)["@odata.deltaLink"]
    for _ in range(3):
        standin.add()
    standin.delete(standin.rows()[0]["imi_jobid"])
    pages = caller.pages(link, size=3)
    assert [len(page) for page in pages] == [3, 1]
    assert pages[1][0]["reason"] == "deleted"


def test_the_changes_can_be_counted(standin, caller):
    link = first_reading(caller)["@odata.deltaLink"]
    standin.add()
    assert caller.get(link.replace("imi_jobs?", "imi_jobs/$count?")).text == "1"


@pytest.mark.parametrize("option", ["$filter=statecode eq 0", "$orderby=imi_gc", "$top=1"])
def test_options_that_tracking_does_not_know_are_refused(caller, option):
    answer = caller.get(f"imi_jobs?{option}", TRACK)
    name = option.partition("=")[0]
    assert answer.status_code == 400
    assert answer.json()["error"]["message"] == (
        f'The "{name}" query parameter isn\'t supported when Change Tracking is enabled.'
    )


def test_an_expired_link_is_refused_and_a_full_reading_starts_anew(standin, caller):
    link = first_reading(caller)["@odata.deltaLink"]
    standin.faults.expire_deltas()
    refused = caller.get(link)
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "0x80044352")
    assert caller.get(first_reading(caller)["@odata.deltaLink"]).status_code == 200


def test_a_link_older_than_seven_days_has_expired(caller):
    link = first_reading(caller)["@odata.deltaLink"]
    old = re.sub(r"%21.*", "%2101%2f02%2f2020%2003%3a04%3a05", link)
    assert caller.get(old).json()["error"]["code"] == "0x80044352"


@pytest.mark.parametrize("token", ["nonsense", "1!99/99/2026 00:00:00", "x!01/01/2026 00:00:00"])
def test_a_token_that_is_none_is_refused(caller, token):
    answer = caller.get("imi_jobs", params={"$deltatoken": token})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "0x80060888")
