"""What the client makes of pages: every row, or an error."""

from collections.abc import Iterator
from typing import Any

import pytest

from flask_app.dataverse import client as client_module
from flask_app.dataverse import transport
from flask_app.dataverse.client import CallStatistics, DataverseProtocolError

from .cloud import JOBS, ORG, Cloud, new_client

SECOND, THIRD = f"{JOBS}?$skiptoken=2", f"{JOBS}?$skiptoken=3"


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with Cloud() as cloud:
        cloud.sign_in()
        yield cloud


def test_the_rows_of_every_page_are_returned_in_order(cloud: Cloud) -> None:
    cloud.page({"a": 1}, {"a": 2}, link=SECOND)
    cloud.page({"a": 3}, link=THIRD)
    cloud.page({"a": 4})

    assert [row["a"] for row in new_client().list_records("imi_jobs")] == [1, 2, 3, 4]


def test_an_empty_page_with_a_link_is_not_the_end(cloud: Cloud) -> None:
    cloud.page(link=SECOND)
    cloud.page({"a": 1})

    assert new_client().list_records("imi_jobs") == [{"a": 1}]


def test_a_page_is_asked_for_when_it_is_wanted_and_not_before(cloud: Cloud) -> None:
    cloud.page({"a": 1}, link=SECOND)
    cloud.page({"a": 2})
    pages = new_client().pages("imi_jobs")

    assert next(pages) == [{"a": 1}]
    assert len(cloud.asked()) == 1


def test_statistics_tell_how_far_the_reading_is(cloud: Cloud) -> None:
    cloud.page({"a": 1}, {"a": 2}, link=SECOND)
    cloud.page({"a": 3})
    so_far = CallStatistics()
    pages = new_client().pages("imi_jobs", statistics=so_far)

    next(pages)
    assert (so_far.pages, so_far.rows) == (1, 2)
    next(pages)
    assert (so_far.pages, so_far.rows, so_far.requests, so_far.retries) == (2, 3, 4, 0)


def test_the_callers_own_time_between_pages_is_not_the_clients(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud.page({"a": 1}, link=SECOND)
    cloud.page({"a": 2})
    now = [0.0]
    monkeypatch.setattr(client_module, "monotonic", lambda: now[0])
    monkeypatch.setattr(transport, "monotonic", lambda: now[0])
    pages = new_client(deadline_seconds=10).pages("imi_jobs")

    next(pages)
    now[0] += 3_600

    assert next(pages) == [{"a": 2}]


def test_top_holds_even_if_the_server_sends_more(cloud: Cloud) -> None:
    cloud.page({"a": 1}, {"a": 2}, {"a": 3}, link=SECOND)

    assert new_client().list_records("imi_jobs", top=2) == [{"a": 1}, {"a": 2}]
    assert len(cloud.asked()) == 1


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://evil.example/api/data/v9.2/imi_jobs?$skiptoken=2",
        "http://org.crm.dynamics.com/api/data/v9.2/imi_jobs?$skiptoken=2",
        "https://org.crm.dynamics.com:8443/api/data/v9.2/imi_jobs?$skiptoken=2",
        "https://org.crm.dynamics.com@evil.example/imi_jobs",
        "https://org.crm.dynamics.com.evil.example/imi_jobs",
        "https://evil.example\\@org.crm.dynamics.com/imi_jobs",
        "//evil.example/imi_jobs",
        "/api/data/v9.2/imi_jobs?$skiptoken=2",
        "https://someone@org.crm.dynamics.com/imi_jobs",
        "https://[/imi_jobs",
        "https://org.crm.dynamics.com/imi_jobs?\ud800",
        "https://org.crm.dynamics.com\r\n/imi_jobs",
    ],
)
def test_a_link_that_leaves_the_environment_is_not_followed(cloud: Cloud, elsewhere: str) -> None:
    cloud.page({"a": 1}, link=elsewhere)

    with pytest.raises(DataverseProtocolError, match="another server"):
        new_client().list_records("imi_jobs")
    assert len(cloud.asked("imi_jobs")) == 1


@pytest.mark.parametrize("spelling", [f"{ORG.upper().replace('HTTPS', 'https')}/x?2", f"{ORG}:443/x?2"])
def test_the_same_server_may_be_spelled_differently(cloud: Cloud, spelling: str) -> None:
    cloud.page({"a": 1}, link=spelling)
    cloud.page({"a": 2}, address=spelling)

    assert new_client().list_records("imi_jobs") == [{"a": 1}, {"a": 2}]


def test_pages_in_a_circle_are_an_error(cloud: Cloud) -> None:
    cloud.page({"a": 1}, link=SECOND)
    cloud.page({"a": 2}, link=THIRD)
    cloud.page({"a": 3}, link=SECOND)

    with pytest.raises(DataverseProtocolError, match="circle"):
        new_client().list_records("imi_jobs")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b'{"value": [{"a": 1}, {"a"',
        b"<!doctype html><title>Sign in</title>",
        b"[]",
        b"null",
        b"{}",
        b'{"value": null}',
        b'{"value": {"a": 1}}',
        b'{"value": [1, 2]}',
        b'{"value": [], "@odata.nextLink": 7}',
        b"\xff\xfe\xfd",
        b"[" * 100_000,
    ],
)
def test_a_page_that_is_no_page_is_an_error_and_not_empty(cloud: Cloud, body: bytes) -> None:
    cloud.page({"a": 1}, link=SECOND)
    cloud.get(JOBS, body=body, content_type="application/json")

    with pytest.raises(DataverseProtocolError, match="org.crm.dynamics.com answered with"):
        new_client().list_records("imi_jobs")


def test_a_web_page_is_called_one(cloud: Cloud) -> None:
    cloud.get(JOBS, body="<html>Down for maintenance</html>", content_type="text/html; charset=utf-8")

    with pytest.raises(DataverseProtocolError, match="a web page instead of rows"):
        new_client().list_records("imi_jobs")


def test_partial_content_is_an_error(cloud: Cloud) -> None:
    cloud.get(JOBS, status=206, json={"value": [{"a": 1}]})

    with pytest.raises(DataverseProtocolError, match="HTTP 206"):
        new_client().list_records("imi_jobs")


def test_no_content_is_an_error_and_not_empty(cloud: Cloud) -> None:
    cloud.get(JOBS, status=204)

    with pytest.raises(DataverseProtocolError):
        new_client().list_records("imi_jobs")


def test_a_page_beyond_the_bound_is_an_error(cloud: Cloud) -> None:
    row: dict[str, Any] = {"a": "x" * 2_000}
    cloud.page(row)

    with pytest.raises(DataverseProtocolError, match="1,000 bytes"):
        new_client(max_page_bytes=1_000).list_records("imi_jobs")
