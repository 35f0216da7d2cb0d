"""What is tried again, after which wait, and when the client gives up. Waits are recorded, not slept."""

from collections.abc import Iterator
from itertools import pairwise

import pytest
import requests
import time_machine

from flask_app.dataverse.client import (
    CallStatistics,
    DataverseProtocolError,
    DataverseRefused,
    DataverseUnavailable,
)

from .cloud import DISCOVERY, JOB_ID, JOBS, TOKEN, Cloud, new_client

LATER = "Wed, 21 Oct 2026 07:28:05 GMT"
NOW = "Wed, 21 Oct 2026 07:28:00 GMT"


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with Cloud() as cloud:
        cloud.sign_in()
        yield cloud


def naps_after(cloud: Cloud, status: int, **headers: str) -> list[float]:
    """Return the waits of a read whose first answer is `status` and whose second is good."""
    naps: list[float] = []
    cloud.get(JOBS, status=status, headers=headers)
    cloud.page({"a": 1})
    assert new_client(sleep=naps.append).list_records("imi_jobs") == [{"a": 1}]
    return naps


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_a_passing_fault_is_tried_again_after_a_short_wait(cloud: Cloud, status: int) -> None:
    (nap,) = naps_after(cloud, status)

    assert 0 <= nap <= 0.5


@pytest.mark.parametrize("fault", [requests.ConnectionError, requests.ReadTimeout, requests.ConnectTimeout])
def test_a_network_fault_is_tried_again(cloud: Cloud, fault: type[Exception]) -> None:
    cloud.get(JOBS, body=fault())
    cloud.page({"a": 1})

    assert new_client().list_records("imi_jobs") == [{"a": 1}]


def test_a_further_attempt_is_logged(cloud: Cloud, caplog: pytest.LogCaptureFixture) -> None:
    naps_after(cloud, 429, **{"Retry-After": "17"})

    assert "limiting our requests" in caplog.text
    assert "Trying again in 17.0 seconds." in caplog.text


def test_retry_after_in_seconds_is_obeyed(cloud: Cloud) -> None:
    assert naps_after(cloud, 429, **{"Retry-After": "17"}) == [17]


def test_retry_after_as_a_date_is_reckoned_by_the_servers_clock(cloud: Cloud) -> None:
    assert naps_after(cloud, 503, **{"Retry-After": LATER, "Date": NOW}) == [5]


def test_retry_after_as_a_date_is_reckoned_by_ours_if_the_server_shows_none(cloud: Cloud) -> None:
    with time_machine.travel("2026-10-21T07:28:00Z", tick=False):
        assert naps_after(cloud, 503, **{"Retry-After": LATER}) == [5]


@pytest.mark.parametrize("garbage", ["soon", "-5", "0", "", "nan", "inf", "1e999", NOW, "Wed, 99 Oct 2026"])
def test_a_retry_after_that_makes_no_sense_is_as_good_as_none(cloud: Cloud, garbage: str) -> None:
    (nap,) = naps_after(cloud, 429, **{"Retry-After": garbage, "Date": NOW})

    assert 0 <= nap <= 0.5


def test_more_rest_than_we_have_patience_for_ends_the_call_and_is_told(cloud: Cloud) -> None:
    cloud.get(JOBS, status=429, headers={"Retry-After": "301"})
    naps: list[float] = []

    with pytest.raises(DataverseUnavailable, match="301 seconds") as caught:
        new_client(sleep=naps.append, max_wait_seconds=300).list_records("imi_jobs")

    assert caught.value.retry_after == 301
    assert naps == []
    assert len(cloud.asked()) == 1


def test_a_wait_beyond_the_deadline_ends_the_call_at_once(cloud: Cloud) -> None:
    cloud.get(JOBS, status=429, headers={"Retry-After": "11"})

    with pytest.raises(DataverseUnavailable) as caught:
        new_client(deadline_seconds=10).list_records("imi_jobs")

    assert caught.value.retry_after == 11
    assert len(cloud.asked()) == 1


def test_it_gives_up_after_the_last_attempt_and_tells_the_rest_that_is_asked_for(cloud: Cloud) -> None:
    cloud.get(JOBS, status=429, headers={"Retry-After": "2"})
    naps: list[float] = []

    with pytest.raises(DataverseUnavailable) as caught:
        new_client(sleep=naps.append, max_attempts=3).list_records("imi_jobs")

    assert caught.value.retry_after == 2
    assert naps == [2, 2]
    assert len(cloud.asked()) == 3


def test_waits_grow_are_random_and_stay_under_the_bound(cloud: Cloud) -> None:
    cloud.get(JOBS, status=503)
    naps: list[float] = []

    with pytest.raises(DataverseUnavailable):
        new_client(sleep=naps.append, max_attempts=9, max_wait_seconds=4).list_records("imi_jobs")

    bounds = [0.5, 1, 2, 4, 4, 4, 4, 4]
    assert all(nap <= bound for nap, bound in zip(naps, bounds, strict=True))
    assert all(one != other for one, other in pairwise(naps))


@pytest.mark.parametrize("status", [400, 403, 404, 501])
def test_what_cannot_pass_is_not_tried_again(cloud: Cloud, status: int) -> None:
    cloud.get(JOBS, status=status)

    with pytest.raises((DataverseRefused, DataverseProtocolError)):
        new_client().list_records("imi_jobs")
    assert len(cloud.asked()) == 1


def test_a_page_that_is_no_json_is_not_tried_again(cloud: Cloud) -> None:
    cloud.get(JOBS, body="<html>")
    cloud.page({"a": 1})

    with pytest.raises(DataverseProtocolError):
        new_client().list_records("imi_jobs")


def test_a_fault_on_a_later_page_repeats_that_page_alone(cloud: Cloud) -> None:
    second = f"{JOBS}?$skiptoken=2"
    cloud.page({"a": 1}, link=second)
    cloud.get(second, status=503)
    cloud.page({"a": 2}, address=second)

    assert new_client().list_records("imi_jobs") == [{"a": 1}, {"a": 2}]
    assert len(cloud.asked()) == 3


def test_each_page_has_all_attempts(cloud: Cloud) -> None:
    second = f"{JOBS}?$skiptoken=2"
    cloud.get(JOBS, status=503)
    cloud.page({"a": 1}, link=second)
    cloud.get(second, status=503)
    cloud.page({"a": 2}, address=second)

    assert len(new_client(max_attempts=2).list_records("imi_jobs")) == 2


def test_statistics_count_retries_and_waits(cloud: Cloud) -> None:
    cloud.get(JOBS, status=429, headers={"Retry-After": "3"})
    cloud.page({"a": 1})
    so_far = CallStatistics()

    new_client().list_records("imi_jobs", statistics=so_far)

    assert (so_far.retries, so_far.seconds_waited, so_far.requests) == (1, 3, 4)


def test_an_update_is_tried_again_under_the_same_condition(cloud: Cloud) -> None:
    cloud.patch(f"{JOBS}({JOB_ID})", status=503)
    cloud.patch(f"{JOBS}({JOB_ID})", status=204)

    new_client().update("imi_jobs", JOB_ID, {"imi_gc": "Acme"}, etag='W/"7"')

    assert [(sent.headers["If-Match"], sent.body) for sent in cloud.asked()] == [
        ('W/"7"', '{"imi_gc": "Acme"}'),
        ('W/"7"', '{"imi_gc": "Acme"}'),
    ]


@pytest.mark.parametrize(("method", "address"), [("GET", DISCOVERY), ("POST", TOKEN)])
def test_a_passing_fault_of_the_sign_in_is_tried_again(method: str, address: str) -> None:
    with Cloud() as cloud:
        cloud.add(method, address, status=429, headers={"Retry-After": "1"})
        cloud.sign_in()
        cloud.page({"a": 1})
        naps: list[float] = []

        assert new_client(sleep=naps.append).list_records("imi_jobs") == [{"a": 1}]
        assert naps == [1]


def test_a_sign_in_that_recovers_is_asked_afresh_by_the_next_call() -> None:
    with Cloud() as cloud:
        cloud.discover()
        cloud.post(TOKEN, status=503, headers={"Retry-After": "3600"})
        cloud.post(TOKEN, json={"access_token": "t", "token_type": "Bearer", "expires_in": 3600})
        cloud.page({"a": 1})
        client = new_client()

        with pytest.raises(DataverseUnavailable) as caught:
            client.list_records("imi_jobs")

        assert caught.value.retry_after == 3600
        assert client.list_records("imi_jobs") == [{"a": 1}]
