"""imi_jobs in the shop's words, and the rows that cannot be put into them."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

import pytest

from flask_app.dataverse.client import CallStatistics, DataverseClientError, Row
from flask_app.dataverse.service import DataverseJob, DataverseService, GoneRow, InvalidRow, job_from

from .cloud import JOB_ID, JOBS, Cloud, new_client

MODIFIED = "2026-10-21T07:28:00Z"
OTHER_ID = "99999999-2222-3333-4444-555555555555"
LABEL = "imi_submittalstatus@OData.Community.Display.V1.FormattedValue"


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with Cloud() as cloud:
        cloud.sign_in()
        cloud.tell_columns()
        yield cloud


def row(**changes: Any) -> Row:
    """Return a clean row of imi_jobs, changed as told."""
    clean = {
        "@odata.etag": 'W/"7"',
        "imi_jobid": JOB_ID,
        "imi_imnumber": "4711",
        "imi_gc": "Acme Builders",
        "imi_scopesummary": "Reception desk",
        "imi_jobnameaddress": "Lobby, 1 Main St",
        "imi_submittalstatus": 826130004,
        "statecode": 0,
        LABEL: "Approved",
        "modifiedon": MODIFIED,
        "createdon": "2026-10-20T07:28:00Z",
    }
    return clean | changes


def asked(cloud: Cloud) -> dict[str, list[str]]:
    """Return the options of the one query that was sent to Dataverse."""
    (request,) = cloud.asked(JOBS)
    return parse_qs(urlsplit(request.url).query)


def test_approved_jobs_are_asked_for_newest_first_in_a_stable_order(cloud: Cloud) -> None:
    cloud.page()

    DataverseService(new_client()).get_approved_jobs()

    query = asked(cloud)
    assert query["$filter"] == ["imi_submittalstatus eq 826130004 and statecode eq 0"]
    assert query["$orderby"] == ["createdon desc,imi_jobid"]


def test_only_the_columns_that_are_needed_are_asked_for(cloud: Cloud) -> None:
    cloud.page()

    DataverseService(new_client()).get_approved_jobs()

    columns = asked(cloud)["$select"][0].split(",")
    assert sorted(columns) == sorted(key for key in row() if "@" not in key)


def test_active_jobs_are_asked_for_whatever_their_submittal(cloud: Cloud) -> None:
    cloud.page(row(imi_submittalstatus=826130002, **{LABEL: "AWT Approval"}))

    (job,) = DataverseService(new_client()).get_all_active_jobs()

    assert asked(cloud)["$filter"] == ["statecode eq 0"]
    assert job.submittal_status == "AWT Approval"


def test_jobs_of_every_page_are_returned(cloud: Cloud) -> None:
    second = f"{JOBS}?$skiptoken=2"
    cloud.page(row(imi_imnumber="1"), row(imi_imnumber="2"), link=second)
    cloud.page(row(imi_imnumber="3"), address=second)

    jobs = DataverseService(new_client()).get_approved_jobs()

    assert [job.im_number for job in jobs] == ["1", "2", "3"]


def test_pages_come_one_by_one_with_statistics(cloud: Cloud) -> None:
    second = f"{JOBS}?$skiptoken=2"
    cloud.page(row(), link=second)
    cloud.page(row(), row(), address=second)
    so_far = CallStatistics()
    pages = DataverseService(new_client()).approved_pages(so_far)

    assert len(next(pages).rows) == 1
    assert so_far.rows in (1, 3)  # the second page may be there already
    assert len(next(pages).rows) == 2
    assert so_far.rows == 3


def test_an_error_on_the_last_page_is_an_error_of_the_whole(cloud: Cloud) -> None:
    second = f"{JOBS}?$skiptoken=2"
    cloud.page(row(), link=second)
    cloud.get(second, status=400)

    with pytest.raises(DataverseClientError):
        DataverseService(new_client()).get_approved_jobs()


def test_a_row_becomes_a_job_in_our_words() -> None:
    assert job_from(row()) == DataverseJob(
        dataverse_id=JOB_ID,
        im_number="4711",
        general_contractor="Acme Builders",
        scope="Reception desk",
        job_name_address="Lobby, 1 Main St",
        submittal_status="Approved",
        created_on="2026-10-20T07:28:00Z",
        modified_on=MODIFIED,
        fingerprint=job_from(row()).fingerprint,
    )


@pytest.mark.parametrize("empty", [None, "", "  "])
def test_empty_texts_get_the_shops_own_words(empty: str | None) -> None:
    job = job_from(row(imi_gc=empty, imi_scopesummary=empty, imi_jobnameaddress=empty))

    assert isinstance(job, DataverseJob)
    assert (job.general_contractor, job.scope) == ("Unknown", "See Work Order")


def test_a_column_that_did_not_come_is_as_good_as_empty() -> None:
    job = job_from({"imi_jobid": JOB_ID, "imi_imnumber": "4711"})

    assert isinstance(job, DataverseJob)
    assert (job.general_contractor, job.scope, job.job_name_address, job.submittal_status) == (
        "Unknown",
        "See Work Order",
        "",
        "",
    )


@pytest.mark.parametrize(("length", "kept"), [(255, True), (256, False)])
def test_a_scope_beyond_255_characters_is_in_the_work_order(length: int, kept: bool) -> None:
    job = job_from(row(imi_scopesummary="é" * length))

    assert isinstance(job, DataverseJob)
    assert job.scope == ("é" * length if kept else "See Work Order")


def test_blanks_around_the_im_number_are_not_part_of_it() -> None:
    assert job_from(row(imi_imnumber=" 4711\u00a0\n")).im_number == "4711"


@pytest.mark.parametrize(
    ("number", "shown", "reason"),
    [
        (None, "", "The IM number is missing."),
        ("", "", "The IM number is blank."),
        (" \t\u00a0", " \t\u00a0", "The IM number is blank."),
        ("\u200b\u3164", "\u200b\u3164", "The IM number is blank."),
        (0, "0", "The IM number is missing."),
        (1e300, "1e+300", "The IM number is a number too large to be read exactly."),
        (float("nan"), "nan", "The IM number is a number too large to be read exactly."),
        (10**50, "1" + "0" * 49 + "…", "The IM number is longer than 50 characters."),
        (["4711"], "['4711']", "The IM number is not text."),
        (True, "True", "The IM number is not text."),
        ("9" * 51, "9" * 50 + "…", "The IM number is longer than 50 characters."),
        ("47\ue00011", "47\ue00011", "The IM number contains an unprintable character."),
        ("47\ud80011", "47?11", "The IM number contains an unprintable character."),
    ],
)
def test_an_im_number_that_is_none_is_named_with_its_row(number: object, shown: str, reason: str) -> None:
    assert job_from(row(imi_imnumber=number)) == InvalidRow(JOB_ID, shown, reason)


@pytest.mark.parametrize(
    ("number", "taken"),
    [
        (4711, "4711"),
        (4711.0, "4711"),
        (47.5, "47.5"),
        ("47\x00\u200b11", "4711"),
        ("2458  (4391)", "2458 (4391)"),
    ],
)
def test_an_im_number_that_is_a_number_is_its_digits_and_nothing_unseen_is_kept(
    number: Any, taken: str
) -> None:
    job = job_from(row(imi_imnumber=number))
    assert isinstance(job, DataverseJob)
    assert job.im_number == taken


def test_texts_lose_the_blanks_at_their_ends() -> None:
    job = job_from(
        row(imi_gc=" Acme\u00a0", imi_scopesummary="\tDesk\r\n", imi_jobnameaddress=" Lobby\n1 Main St ")
    )
    assert isinstance(job, DataverseJob)
    assert (job.general_contractor, job.scope, job.job_name_address) == ("Acme", "Desk", "Lobby\n1 Main St")


def test_an_im_number_of_50_characters_is_taken() -> None:
    assert isinstance(job_from(row(imi_imnumber=" " + "9" * 50)), DataverseJob)


@pytest.mark.parametrize(
    ("column", "name"),
    [
        ("imi_gc", "general contractor"),
        ("imi_scopesummary", "scope"),
        ("imi_jobnameaddress", "job name and address"),
    ],
)
@pytest.mark.parametrize("value", [7, 0, False, [], {"a": 1}])
def test_a_text_that_is_none_is_named_with_its_row(column: str, name: str, value: object) -> None:
    assert job_from(row(**{column: value})) == InvalidRow(JOB_ID, "4711", f"The {name} is not text.")


def test_half_a_character_is_named_before_it_can_cost_a_whole_batch() -> None:
    expected = InvalidRow(JOB_ID, "4711", "The general contractor contains half a character.")

    assert job_from(row(imi_gc="Acme \ud83d")) == expected


@pytest.mark.parametrize("missing", [None, ""])
def test_a_row_without_an_id_is_named_by_its_im_number(missing: object) -> None:
    assert job_from(row(imi_jobid=missing)) == InvalidRow("", "4711", "The row has no imi_jobid.")


def test_an_id_that_is_no_guid_is_named_in_letters_that_any_database_takes() -> None:
    assert job_from(row(imi_jobid="é\ud800" + "x" * 99)) == InvalidRow(
        "??" + "x" * 34, "4711", "The imi_jobid is no GUID."
    )


@pytest.mark.parametrize("column", ["imi_gc", "imi_jobnameaddress"])
def test_a_text_that_no_column_holds_is_named(column: str) -> None:
    assert isinstance(job_from(row(**{column: "x" * 4000})), DataverseJob)
    assert "longer than 4,000" in job_from(row(**{column: "x" * 4001})).reason


def test_a_row_that_says_the_same_comes_as_such(cloud: Cloud) -> None:
    known = {JOB_ID: job_from(row()).fingerprint}
    cloud.page(row(modifiedon="2026-11-01T00:00:00Z"), row(imi_jobid=OTHER_ID))
    cloud.page(row(imi_gc="Stiles"))

    service = DataverseService(new_client())
    (page,) = service.approved_pages(known=known)
    (changed,) = service.approved_pages(known=known)

    assert (page.same, page.latest) == ([JOB_ID], datetime(2026, 11, 1, tzinfo=UTC))
    assert [row.dataverse_id for row in page.rows] == [OTHER_ID]
    assert changed.rows[0].general_contractor == "Stiles"


def test_changes_are_asked_for_by_dataverses_clock_and_tell_what_is_gone(cloud: Cloud) -> None:
    cloud.page(row(), row(statecode=1), row(imi_submittalstatus=826130002))

    since = datetime(2026, 11, 23, 7, 2, tzinfo=ZoneInfo("America/New_York"))
    (page,) = DataverseService(new_client()).changed_pages(since)

    assert asked(cloud)["$filter"] == ["modifiedon ge 2026-11-23T12:02:00Z"]
    gone = [GoneRow(JOB_ID, upstream_state) for upstream_state in ("deactivated", "not_approved")]
    assert (type(page.rows[0]), page.rows[1:]) == (DataverseJob, gone)


@pytest.mark.parametrize(
    ("status", "label"),
    [
        (826130003, "Update with Field #'s"),
        (826130005, "N/A"),
        (826139999, "826139999"),
        (None, ""),
        ("x", ""),
    ],
)
def test_a_status_without_a_label_gets_ours(status: object, label: str) -> None:
    job = job_from(row(imi_submittalstatus=status, **{LABEL: None}))

    assert isinstance(job, DataverseJob)
    assert job.submittal_status == label


def test_a_service_is_connected_by_its_configuration(cloud: Cloud) -> None:
    cloud.page(row())
    service = DataverseService.connect(
        base_url="https://org.crm.dynamics.com/", tenant_id="tenant", client_id="client", client_secret="x"
    )

    assert service.get_approved_jobs() == [job_from(row())]


ALONE = f"{JOBS}({JOB_ID})"
NO_SUCH_ROW = {"error": {"code": "0x80040217", "message": f"imi_job With Id = {JOB_ID} Does Not Exist"}}
NO_RIGHT = {"error": {"code": "0x80040220", "message": "SecLib::AccessCheckEx failed."}}


@pytest.mark.parametrize(
    ("status", "answer", "state"),
    [
        (404, NO_SUCH_ROW, "deleted"),
        (403, NO_RIGHT, "missing"),
        (200, row(), "approved"),
        (200, row(statecode=1), "deactivated"),
        (200, row(imi_submittalstatus=826130002), "not_approved"),
    ],
)
def test_a_row_that_no_list_shows_is_asked_for_alone_before_it_is_called_deleted(
    cloud: Cloud, status: int, answer: Row, state: str
) -> None:
    cloud.page()
    cloud.get(ALONE, status=status, json=answer)

    found = [
        pair for some in DataverseService(new_client()).upstream_states([JOB_ID]) for pair in some.items()
    ]

    assert found == [(JOB_ID, state)]


def test_a_404_that_is_not_about_the_row_is_an_error_not_a_deletion(cloud: Cloud) -> None:
    cloud.page()
    cloud.get(ALONE, status=404, body="<html>Not here</html>", content_type="text/html")

    with pytest.raises(DataverseClientError):
        list(DataverseService(new_client()).upstream_states([JOB_ID]))


def test_of_very_many_rows_that_no_list_shows_the_rest_is_called_missing(cloud: Cloud) -> None:
    ids = [f"00000000-0000-4000-8000-{n:012}" for n in range(130)]
    cloud.page()
    for row_id in ids:
        cloud.get(f"{JOBS}({row_id})", status=404, json=NO_SUCH_ROW)

    states: dict[str, str] = {}
    for some in DataverseService(new_client()).upstream_states(ids):
        states |= some

    assert list(states.values()) == ["deleted"] * 100 + ["missing"] * 30
