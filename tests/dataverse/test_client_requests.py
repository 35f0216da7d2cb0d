"""What the client sends: addresses, headers, bodies."""

import json
from collections.abc import Iterator
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from flask_app.dataverse.client import (
    DataverseClient,
    DataverseConflict,
    DataverseRefused,
)

from .cloud import DISCOVERY, JOB_ID, JOBS, ORG, SECRET, TOKEN, Cloud, new_client


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with Cloud() as cloud:
        cloud.sign_in()
        yield cloud


def test_nothing_is_sent_before_the_first_call(cloud: Cloud) -> None:
    new_client()

    assert len(cloud.calls) == 0


def test_a_query_becomes_odata_options(cloud: Cloud) -> None:
    cloud.page()

    new_client().list_records(
        "imi_jobs", select=["imi_jobid", "imi_gc"], orderby=["createdon desc"], filter_clause="a eq 'x&y+z'"
    )

    query = parse_qs(urlsplit(cloud.asked()[0].url).query, strict_parsing=True)
    assert query == {
        "$select": ["imi_jobid,imi_gc"],
        "$orderby": ["createdon desc"],
        "$filter": ["a eq 'x&y+z'"],
    }


def test_a_request_carries_the_token_and_the_odata_headers(cloud: Cloud) -> None:
    cloud.page()

    new_client().list_records("imi_jobs")

    headers = cloud.asked()[0].headers
    assert headers["Authorization"] == "Bearer first-token"
    assert headers["OData-Version"] == headers["OData-MaxVersion"] == "4.0"
    assert headers["Accept"] == "application/json"
    assert "gzip" in headers["Accept-Encoding"]


def test_every_page_is_asked_for_in_full_size_and_with_labels(cloud: Cloud) -> None:
    second = f"{JOBS}?$skiptoken=2"
    cloud.page({"a": 1}, link=second)
    cloud.page({"a": 2}, address=second)

    new_client().list_records("imi_jobs")

    expected = 'odata.maxpagesize=5000,odata.include-annotations="OData.Community.Display.V1.FormattedValue"'
    assert [request.headers["Prefer"] for request in cloud.asked()] == [expected, expected]


def test_top_is_not_asked_for_together_with_a_page_size(cloud: Cloud) -> None:
    cloud.page()

    new_client().list_records("imi_jobs", top=3)

    assert "maxpagesize" not in cloud.asked()[0].headers["Prefer"]
    assert "$top=3" in unquote(cloud.asked()[0].url)


def test_a_next_link_is_followed_as_it_was_written(cloud: Cloud) -> None:
    cookie = "%253ccookie%2520pagenumber%253d%25222%2522%2520%252f%253e%7E"
    link = (
        f"{JOBS}?$select=a,b&$skiptoken=%3Ccookie%20pagenumber=%222%22%20pagingcookie=%22{cookie}%22%20/%3E"
    )
    cloud.page(link=link)
    cloud.page(address=JOBS)

    new_client().list_records("imi_jobs")

    assert cloud.asked()[1].url == link


def test_each_request_has_an_id_of_its_own(cloud: Cloud) -> None:
    cloud.page()
    client = new_client()

    client.list_records("imi_jobs")
    client.list_records("imi_jobs")

    assert len({request.headers["x-ms-client-request-id"] for request in cloud.asked()}) == 2


def test_the_scope_is_the_environments_default(cloud: Cloud) -> None:
    cloud.page()

    new_client().list_records("imi_jobs")

    assert parse_qs(cloud.asked(TOKEN)[0].body)["scope"] == [f"{ORG}/.default"]


def test_the_secret_goes_to_the_token_endpoint_alone(cloud: Cloud) -> None:
    cloud.page()

    new_client().list_records("imi_jobs")

    assert parse_qs(cloud.asked(TOKEN)[0].body)["client_secret"] == [SECRET]
    others = [call.request for call in cloud.calls if call.request.url != TOKEN]
    assert [request.url for request in others] == [DISCOVERY, cloud.asked()[0].url]
    assert not any(SECRET in str(vars(request)) for request in others)


def test_rows_are_counted_with_a_page_of_one_and_never_with_top(cloud: Cloud) -> None:
    """Microsoft advises against $top together with $count."""
    cloud.get(JOBS, json={"@odata.count": 5000, "value": [{}]})

    assert new_client().count("imi_jobs", filter_clause="statecode eq 0") == 5000

    query = parse_qs(urlsplit(cloud.asked()[0].url).query)
    assert query == {"$filter": ["statecode eq 0"], "$count": ["true"]}
    assert cloud.asked()[0].headers["Prefer"] == "odata.maxpagesize=1"


@pytest.mark.parametrize("said", [{}, *({"@odata.count": odd} for odd in ("7", None, -1, True, 1.5))])
def test_a_list_that_does_not_say_its_count_has_none(cloud: Cloud, said: dict[str, object]) -> None:
    cloud.get(JOBS, json={"value": [], **said})

    assert new_client().count("imi_jobs") is None


def test_one_record_is_read_by_its_id(cloud: Cloud) -> None:
    cloud.get(f"{JOBS}({JOB_ID})", json={"imi_gc": "Acme"})

    assert new_client().get("imi_jobs", JOB_ID, select=["imi_gc"]) == {"imi_gc": "Acme"}
    assert cloud.asked()[0].url.endswith(f"imi_jobs({JOB_ID})?$select=imi_gc")


def test_a_record_that_dataverse_does_not_have_is_none(cloud: Cloud) -> None:
    missing = {"error": {"code": "0x80040217", "message": f"imi_job With Id = {JOB_ID} Does Not Exist"}}
    cloud.get(f"{JOBS}({JOB_ID})", json=missing, status=404)

    assert new_client().get("imi_jobs", JOB_ID) is None


def test_a_table_that_dataverse_does_not_have_is_an_error(cloud: Cloud) -> None:
    missing = {"error": {"code": "0x8006088a", "message": "Resource not found for the segment 'imi_jobs'."}}
    cloud.get(f"{JOBS}({JOB_ID})", json=missing, status=404)

    with pytest.raises(DataverseRefused, match="Resource not found"):
        new_client().get("imi_jobs", JOB_ID)


def test_an_update_changes_an_existing_record_only(cloud: Cloud) -> None:
    cloud.patch(f"{JOBS}({JOB_ID})", status=204)

    new_client().update("imi_jobs", JOB_ID, {"imi_gc": "Acmé"})

    sent = cloud.asked()[0]
    assert sent.headers["If-Match"] == "*"
    assert json.loads(sent.body) == {"imi_gc": "Acmé"}


def test_an_update_of_a_changed_record_is_a_conflict(cloud: Cloud) -> None:
    cloud.patch(
        f"{JOBS}({JOB_ID})", status=412, json={"error": {"code": "0x80060882", "message": "RowVersion"}}
    )

    with pytest.raises(DataverseConflict) as caught:
        new_client().update("imi_jobs", JOB_ID, {"imi_gc": "Acme"}, etag='W/"7"')

    assert caught.value.code == "0x80060882"
    assert cloud.asked()[0].headers["If-Match"] == 'W/"7"'


@pytest.mark.parametrize("entity_set", ["", "imi_jobs?x=1", "../users", "imi jobs", "imi_jobs(1)"])
def test_an_entity_set_is_a_plain_name(entity_set: str) -> None:
    with pytest.raises(ValueError, match="no name of a table"):
        new_client().pages(entity_set)


@pytest.mark.parametrize(
    "address",
    [
        "http://org.crm.dynamics.com",
        "org.crm.dynamics.com",
        "",
        "https://a:x/",
        "https://m\u00fcnchen.example",
        "https://me@org.crm.dynamics.com",
    ],
)
def test_an_address_that_is_not_https_is_refused(address: str) -> None:
    with pytest.raises(DataverseRefused, match="https://"):
        DataverseClient(address, "tenant", "client", SECRET)


@pytest.mark.parametrize("blank", range(3))
def test_a_missing_credential_is_refused(blank: int) -> None:
    credentials = ["tenant", "client", SECRET]
    credentials[blank] = ""

    with pytest.raises(DataverseRefused, match="needs a tenant id"):
        DataverseClient(ORG, *credentials)


def test_an_unreadable_ca_bundle_is_refused_by_name(tmp_path: pytest.TempPathFactory) -> None:
    with pytest.raises(DataverseRefused, match="missing.pem"):
        new_client(ca_bundle=f"{tmp_path}/missing.pem")


def test_a_client_shows_its_address_and_no_secret() -> None:
    assert repr(new_client()) == f"DataverseClient('{ORG}')"
