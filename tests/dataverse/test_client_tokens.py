"""The bearer token: fetched once, kept, renewed when Dataverse no longer takes it."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from flask_app.dataverse.client import DataverseRefused, DataverseUnavailable

from .cloud import JOBS, TOKEN, Cloud, new_client

THREADS = 6


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with Cloud() as cloud:
        yield cloud


def at_once(work: Callable[[], Any]) -> list[Any]:
    """Run `work` in several threads that start together."""
    gate = threading.Barrier(THREADS)

    def run(_: int) -> Any:
        gate.wait(timeout=120)
        return work()

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(run, range(THREADS)))


def accept_only(cloud: Cloud, token: str, rejecting: Callable[[], object] = lambda: None) -> None:
    """Let Dataverse answer requests with this token and no other; call `rejecting` before each 401."""

    def respond(request: requests.PreparedRequest) -> tuple[int, dict[str, str], str]:
        if request.headers["Authorization"] == f"Bearer {token}":
            return 200, {}, '{"value": [{"a": 1}]}'
        rejecting()
        return 401, {}, ""

    cloud.add_callback("GET", JOBS, callback=respond)


def test_a_token_serves_many_calls(cloud: Cloud) -> None:
    cloud.sign_in()
    cloud.page()
    client = new_client()

    client.list_records("imi_jobs")
    client.list_records("imi_jobs")

    assert len(cloud.asked(TOKEN)) == 1


def test_a_token_that_is_no_longer_accepted_is_renewed_once(cloud: Cloud) -> None:
    cloud.sign_in("old-token", "new-token")
    accept_only(cloud, "new-token")

    assert new_client().list_records("imi_jobs") == [{"a": 1}]
    assert [sent.headers["Authorization"] for sent in cloud.asked()] == [
        "Bearer old-token",
        "Bearer new-token",
    ]


def test_a_new_token_that_is_not_accepted_either_is_a_refusal(cloud: Cloud) -> None:
    cloud.sign_in("old-token", "new-token")
    accept_only(cloud, "another-token")

    with pytest.raises(DataverseRefused, match="does not accept our sign-in") as caught:
        new_client().list_records("imi_jobs")

    assert caught.value.status == 401
    assert len(cloud.asked()) == 2


def test_threads_that_need_a_token_wait_for_one_fetch(cloud: Cloud) -> None:
    def grant_slowly(request: requests.PreparedRequest) -> tuple[int, dict[str, str], str]:
        threading.Event().wait(0.1)
        return 200, {}, '{"access_token": "t", "token_type": "Bearer", "expires_in": 3600}'

    cloud.discover()
    cloud.add_callback("POST", TOKEN, callback=grant_slowly)
    cloud.page({"a": 1})
    client = new_client()

    assert at_once(lambda: client.list_records("imi_jobs")) == [[{"a": 1}]] * THREADS
    assert len(cloud.asked(TOKEN)) == 1


def test_threads_whose_token_is_rejected_renew_it_once(cloud: Cloud) -> None:
    cloud.sign_in("old-token", "new-token", "needless-token")
    cloud.page()
    client = new_client()
    client.list_records("imi_jobs")
    cloud.remove("GET", JOBS)
    all_rejected = threading.Barrier(THREADS)
    accept_only(cloud, "new-token", rejecting=lambda: all_rejected.wait(120))

    assert at_once(lambda: client.list_records("imi_jobs")) == [[{"a": 1}]] * THREADS
    assert len(cloud.asked(TOKEN)) == 2


def test_a_thread_does_not_wait_for_another_ones_token_beyond_its_deadline(cloud: Cloud) -> None:
    fetching, finish = threading.Event(), threading.Event()

    def grant_when_told(request: requests.PreparedRequest) -> tuple[int, dict[str, str], str]:
        fetching.set()
        finish.wait(120)
        return 200, {}, '{"access_token": "t", "token_type": "Bearer", "expires_in": 3600}'

    cloud.discover()
    cloud.add_callback("POST", TOKEN, callback=grant_when_told)
    cloud.page({"a": 1})
    client = new_client(deadline_seconds=0.2)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(client.list_records, "imi_jobs")
        assert fetching.wait(120)
        with pytest.raises(DataverseUnavailable, match="sign-in"):
            client.list_records("imi_jobs")
        finish.set()
        first.exception()


def test_a_failing_renewal_falls_back_to_a_token_that_is_still_good(cloud: Cloud) -> None:
    aging = {"access_token": "aging", "token_type": "Bearer", "expires_in": 3600, "refresh_in": -1}
    cloud.discover()
    cloud.post(TOKEN, json=aging)
    cloud.post(TOKEN, status=503)
    accept_only(cloud, "aging")
    client = new_client()

    client.list_records("imi_jobs")

    assert client.list_records("imi_jobs") == [{"a": 1}]
    assert len(cloud.asked(TOKEN)) > 1
