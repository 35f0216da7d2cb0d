"""The stand-in's lists: columns, filters, order, counts and pages, over real HTTPS."""

from typing import Any
from urllib.parse import unquote

import pytest

from flask_app.standin import Standin
from tests.standin.standin_caller import Caller

CRM = "Microsoft.Dynamics.CRM."
LIBRARY: dict[str, Any] = {"imi_imnumber": "4101", "imi_gc": "O'Hara & Sons", "imi_jobnameaddress": "Library"}
ANNEX: dict[str, Any] = {"imi_imnumber": "4102", "imi_gc": None, "imi_jobnameaddress": "library annex"}
NOT_APPROVED: dict[str, Any] = {"imi_imnumber": "4103", "imi_gc": "Marlowe", "imi_submittalstatus": 826130001}
INACTIVE: dict[str, Any] = {"imi_imnumber": "4104", "imi_gc": "marlowe", "statecode": 1}
JOBS = [
    {**job, "createdon": f"2026-01-0{day}T00:00:00Z"}
    for day, job in enumerate((LIBRARY, ANNEX, NOT_APPROVED, INACTIVE), start=1)
]


@pytest.fixture(scope="module")
def standin():
    with Standin(rows=JOBS) as running:
        yield running


@pytest.fixture(scope="module")
def caller(standin):
    with Caller(standin) as one:
        yield one


@pytest.fixture
def pages_of_two():
    rows = [{"imi_imnumber": str(number)} for number in range(4100, 4105)]
    with Standin(rows=rows) as running, Caller(running) as one:
        yield running, one


def numbers(rows):
    return [row["imi_imnumber"] for row in rows]


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        ("imi_imnumber eq '4102'", ["4102"]),
        ("imi_gc eq 'MARLOWE'", ["4103", "4104"]),
        ("imi_gc eq 'O''Hara & Sons'", ["4101"]),
        ("imi_gc ne 'Marlowe'", ["4101"]),
        ("not (imi_gc eq 'Marlowe')", ["4101"]),
        ("imi_gc eq null", ["4102"]),
        ("imi_gc ne null and statecode eq 0", ["4101", "4103"]),
        ("imi_submittalstatus eq 826130004 and statecode eq 0", ["4101", "4102"]),
        ("imi_submittalstatus gt 826130000 and imi_submittalstatus lt 826130004", ["4103"]),
        ("statecode eq 1 or imi_submittalstatus le 826130001", ["4103", "4104"]),
        ("(statecode eq 1 or imi_imnumber eq '4101') and imi_gc ne null", ["4101", "4104"]),
        ("createdon ge 2026-01-03T00:00:00Z", ["4103", "4104"]),
        ("createdon lt 2026-01-01T19:00:00-05:00", ["4101"]),
        ("startswith(imi_jobnameaddress,'LIB') and contains(imi_jobnameaddress, 'annex')", ["4102"]),
        ("endswith(imi_imnumber,'4')", ["4104"]),
        ("not contains(imi_gc,'a')", []),
        ("imi_imnumber gt '4102'", ["4103", "4104"]),
        (f"{CRM}In(PropertyName='imi_imnumber',PropertyValues=['4101','4104'])", ["4101", "4104"]),
        (f"{CRM}NotIn(PropertyName='statecode',PropertyValues=['1'])", ["4101", "4102", "4103"]),
        (
            f"{CRM}Between(PropertyName='createdon',"
            "PropertyValues=['2026-01-02T00:00:00Z','2026-01-03T00:00:00Z'])",
            ["4102", "4103"],
        ),
        (f"{CRM}LastXHours(PropertyName='modifiedon',PropertyValue=1)", []),
    ],
)
def test_a_filter_keeps_the_rows_for_which_it_is_true(caller, expression, found):
    answer = caller.get("imi_jobs", params={"$filter": expression, "$select": "imi_imnumber"})
    assert numbers(answer.json()["value"]) == found


def test_a_filter_takes_a_bare_guid(standin, caller):
    row_id = standin.rows()[2]["imi_jobid"]
    assert numbers(caller.rows(f"imi_jobs?$filter=imi_jobid eq {row_id}")) == ["4103"]


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("imi_gc eq 'Marl", "There is an unterminated literal at position 15 in 'imi_gc eq 'Marl'."),
        (
            "imi_gcc eq 'A'",
            "Could not find a property named 'imi_gcc' on type 'Microsoft.Dynamics.CRM.imi_job'.",
        ),
        ("imi_gc is 'A'", "Syntax error at position 7 in 'imi_gc is 'A''."),
        ("imi_gc eq", "Syntax error at position 9 in 'imi_gc eq'."),
        ("(imi_gc eq 'A'", "Syntax error at position 14 in '(imi_gc eq 'A''."),
        ("imi_gc eq 'A' imi_gc", "Syntax error at position 14 in 'imi_gc eq 'A' imi_gc'."),
        ("createdon gt 2026-13-45", "Unrecognized 'Edm.DateTimeOffset' literal '2026-13-45'."),
        (
            f"{CRM}In(PropertyName='createdon',PropertyValues=['soon'])",
            "Unrecognized 'Edm.DateTimeOffset' literal 'soon'.",
        ),
        (
            f"{CRM}LastXDays(PropertyName='createdon',PropertyValue={10**20})",
            f"The value '{10**20}' is not a number of hours or days.",
        ),
        (
            f"{CRM}Above(PropertyName='createdon',PropertyValue='x')",
            f"An unknown function with name '{CRM}Above' was found. This may also be a function import or a "
            "key lookup on a navigation property, which is not allowed.",
        ),
        (
            "imi_imnumber eq 4101",
            "A binary operator with incompatible types was detected. "
            "Found operand types 'Edm.String' and 'Edm.Int32' for operator kind 'Equal'.",
        ),
    ],
)
def test_a_filter_that_makes_no_sense_is_refused_with_the_reason(caller, expression, message):
    answer = caller.get("imi_jobs", params={"$filter": expression})
    assert answer.status_code == 400
    assert answer.json()["error"] == {"code": "0x80060888", "message": message}


def test_a_filter_nested_without_end_is_refused(caller):
    answer = caller.get("imi_jobs", params={"$filter": "(" * 5000 + "statecode eq 0" + ")" * 5000})
    assert answer.status_code == 400


@pytest.mark.parametrize(
    "option", ["$skip=2", "$expand=ownerid", "$select=imi_nothing", "$orderby=imi_nothing", "$top=x"]
)
def test_an_option_that_is_not_understood_is_refused(caller, option):
    answer = caller.get(f"imi_jobs?{option}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "0x80060888")


def test_only_the_chosen_columns_and_the_key_are_sent(caller):
    row = caller.rows("imi_jobs?$select=imi_gc&$top=1")[0]
    assert list(row) == ["@odata.etag", "imi_gc", "imi_jobid"]


def test_rows_come_in_the_order_asked_for_nulls_first(caller):
    assert numbers(caller.rows("imi_jobs?$orderby=imi_gc,imi_imnumber desc")) == [
        "4102",
        "4104",
        "4103",
        "4101",
    ]


def test_top_caps_the_rows(caller):
    body = caller.get("imi_jobs?$top=3&$count=true").json()
    assert (len(body["value"]), body["@odata.count"]) == (3, 4)
    assert "@odata.nextLink" not in body


def test_top_is_ignored_beside_a_page_size(caller):
    assert len(caller.get("imi_jobs?$top=1", "odata.maxpagesize=3").json()["value"]) == 3


def test_formatted_values_stand_beside_their_values_as_in_example_g2(standin, caller):
    wish = 'odata.include-annotations="OData.Community.Display.V1.FormattedValue"'
    answer = caller.get("imi_jobs?$select=imi_gc,imi_submittalstatus,createdon&$top=1", wish)
    row = standin.rows()[0]
    assert answer.headers["Preference-Applied"] == wish
    assert answer.json() == {
        "@odata.context": f"{caller.root}/$metadata#imi_jobs(imi_gc,imi_submittalstatus,createdon)",
        "value": [
            {
                "@odata.etag": row["@odata.etag"],
                "imi_gc": "O'Hara & Sons",
                "imi_submittalstatus@OData.Community.Display.V1.FormattedValue": "Approved",
                "imi_submittalstatus": 826130004,
                "createdon@OData.Community.Display.V1.FormattedValue": "1/1/2026 12:00 AM",
                "createdon": "2026-01-01T00:00:00Z",
                "imi_jobid": row["imi_jobid"],
            }
        ],
    }


def test_a_count_is_added_as_in_example_g3(caller):
    body = caller.get("imi_jobs?$select=imi_jobid&$count=true&$filter=statecode eq 0").json()
    assert list(body) == ["@odata.context", "@odata.count", "value"]
    assert body["@odata.count"] == 3


def test_the_count_annotations_stand_beside_it_as_in_example_g3(caller):
    answer = caller.send(
        "GET",
        "imi_jobs?$count=true",
        'odata.maxpagesize=3, odata.include-annotations="Microsoft.Dynamics.CRM.*"',
    )
    body = answer.json()
    assert body["@odata.count"] == body["@Microsoft.Dynamics.CRM.totalrecordcount"] == 4
    assert body["@Microsoft.Dynamics.CRM.totalrecordcountlimitexceeded"] is False
    assert answer.headers["Preference-Applied"] == (
        'odata.maxpagesize=3, odata.include-annotations="Microsoft.Dynamics.CRM.*"'
    )


def test_the_count_alone_is_plain_text_as_in_example_g3(caller):
    answer = caller.get("imi_jobs/$count")
    assert (answer.text, answer.headers["Content-Type"]) == ("4", "text/plain")


def test_a_count_stops_at_5000():
    with Standin(generate=5001) as standin, Caller(standin) as caller:
        body = caller.get("imi_jobs?$select=imi_jobid&$count=true", 'odata.include-annotations="*"').json()
    assert body["@odata.count"] == body["@Microsoft.Dynamics.CRM.totalrecordcount"] == 5000
    assert body["@Microsoft.Dynamics.CRM.totalrecordcountlimitexceeded"] is True
    assert (len(body["value"]), "@odata.nextLink" in body) == (5000, True)


def test_the_pages_hold_every_row_once(pages_of_two):
    _, caller = pages_of_two
    pages = caller.pages("imi_jobs?$select=imi_imnumber&$orderby=imi_imnumber desc", size=2)
    assert [numbers(page) for page in pages] == [["4104", "4103"], ["4102", "4101"], ["4100"]]


def test_the_first_page_is_answered_as_in_example_g1(pages_of_two):
    standin, caller = pages_of_two
    answer = caller.get("imi_jobs?$select=imi_imnumber", "odata.maxpagesize=2")
    body = answer.json()
    link = body.pop("@odata.nextLink")
    first, second = standin.rows()[:2]
    assert answer.headers["Preference-Applied"] == "odata.maxpagesize=2"
    assert body == {
        "@odata.context": f"{caller.root}/$metadata#imi_jobs(imi_imnumber)",
        "value": [
            {
                "@odata.etag": row["@odata.etag"],
                "imi_imnumber": row["imi_imnumber"],
                "imi_jobid": row["imi_jobid"],
            }
            for row in (first, second)
        ],
    }
    assert link.startswith(
        f"{caller.root}/imi_jobs?$select=imi_imnumber&$skiptoken=%3Ccookie%20pagenumber=%222%22%20"
        "pagingcookie=%22%253ccookie%2520page%253d%25221%2522"
    )
    assert link.endswith("%2520%252f%253e%253c%252fcookie%253e%22%20istracking=%22False%22%20/%3E")
    edges = (second["imi_jobid"].upper(), first["imi_jobid"].upper())
    assert '<imi_jobid last="{{{}}}" first="{{{}}}" />'.format(*edges) in unquote(unquote(link))


def test_a_link_spelt_otherwise_is_the_same_link(pages_of_two):
    _, caller = pages_of_two
    link = caller.get("imi_jobs?$select=imi_imnumber", "odata.maxpagesize=2").json()["@odata.nextLink"]
    address, _, query = link.partition("?")
    pairs = dict(part.split("=", 1) for part in query.split("&"))
    decoded = {unquote(name): unquote(value) for name, value in pairs.items()}
    answer = caller.get(address, "odata.maxpagesize=2", params=decoded)
    assert numbers(answer.json()["value"]) == ["4102", "4103"]


def test_a_page_may_be_asked_for_again(pages_of_two):
    _, caller = pages_of_two
    link = caller.get("imi_jobs?$select=imi_imnumber", "odata.maxpagesize=2").json()["@odata.nextLink"]
    first, again = (caller.get(link, "odata.maxpagesize=2").json()["value"] for _ in range(2))
    assert first == again


def test_a_link_with_a_changed_query_is_refused(pages_of_two):
    _, caller = pages_of_two
    link = caller.get("imi_jobs?$select=imi_imnumber", "odata.maxpagesize=2").json()["@odata.nextLink"]
    changed = caller.get(link.replace("imi_imnumber", "imi_gc", 1))
    assert (changed.status_code, changed.json()["error"]["code"]) == (400, "0x80040203")


@pytest.mark.parametrize(
    "token", ["nonsense", '<cookie pagenumber="2" pagingcookie="%3c" istracking="False" />']
)
def test_a_made_up_link_is_refused(caller, token):
    assert caller.get("imi_jobs", params={"$skiptoken": token}).status_code == 400


def test_rows_that_come_and_go_while_one_reads_do_not_disturb_the_pages(pages_of_two):
    standin, caller = pages_of_two
    body = caller.get("imi_jobs?$select=imi_imnumber&$orderby=imi_imnumber", "odata.maxpagesize=2").json()
    standin.delete(standin.rows()[0]["imi_jobid"])
    standin.add(imi_imnumber="0001")
    rest = caller.pages(body["@odata.nextLink"], size=2)
    assert [numbers(page) for page in rest] == [["4102", "4103"], ["4104"]]


def test_a_page_size_over_the_limit_is_ignored():
    with Standin(generate=12, max_page_size=5) as standin, Caller(standin) as caller:
        answer = caller.get("imi_jobs", "odata.maxpagesize=9")
        assert len(answer.json()["value"]) == 5
        assert "Preference-Applied" not in answer.headers
