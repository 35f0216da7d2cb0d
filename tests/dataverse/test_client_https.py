"""The client over real HTTPS, against the stand-in: waits, deadlines and faults that only a wire can have."""

import logging
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter, sleep
from typing import Any

import pytest

from flask_app.dataverse.client import (
    CallStatistics,
    DataverseClient,
    DataverseConflict,
    DataverseProtocolError,
    DataverseRefused,
    DataverseUnavailable,
)
from flask_app.dataverse.service import DataverseJob, DataverseService
from flask_app.standin import Standin
from tests.servers import PROMPT

ROWS = 12


@pytest.fixture(scope="module")
def running() -> Iterator[Standin]:
    with Standin(generate=ROWS, max_page_size=5) as standin:
        yield standin


@pytest.fixture
def standin(running: Standin) -> Iterator[Standin]:
    running.requests.clear()
    yield running
    running.faults.clear()


def new_client(standin: Standin, **settings: Any) -> DataverseClient:
    """Return a client of the stand-in that does not really sleep between attempts."""
    return DataverseClient(
        settings.pop("base_url", standin.base_url),
        settings.pop("tenant_id", standin.tenant_id),
        standin.client_id,
        settings.pop("client_secret", standin.client_secret),
        authority=standin.authority,
        **{"ca_bundle": standin.ca_bundle, "sleep": lambda seconds: None, **settings},
    )


def read(standin: Standin, **settings: Any) -> int:
    """Read the whole table with a new client, return the number of rows."""
    with new_client(standin, **settings) as client:
        return len(client.list_records("imi_jobs", orderby=["createdon desc", "imi_jobid"]))


def asked(standin: Standin, part: str) -> int:
    """Return how many requests had `part` in their path."""
    return sum(part in request.path for request in standin.requests)


def test_every_page_is_read(standin: Standin) -> None:
    with new_client(standin) as client:
        rows = client.list_records("imi_jobs", orderby=["createdon desc", "imi_jobid"])

    assert {row["imi_jobid"] for row in rows} == {row["imi_jobid"] for row in standin.rows()}
    assert asked(standin, "imi_jobs") == 3


def test_pages_are_read_over_one_connection_with_one_token(
    standin: Standin, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "urllib3")

    read(standin)

    assert caplog.text.count("Starting new HTTPS connection") == 1
    assert asked(standin, "/token") == 1


def test_retry_after_is_really_waited(standin: Standin) -> None:
    standin.faults.throttle(seconds=1)
    so_far = CallStatistics()
    client = new_client(standin, sleep=sleep)

    started = perf_counter()
    rows = client.list_records("imi_jobs", statistics=so_far)

    assert len(rows) == ROWS
    assert perf_counter() - started >= 1
    assert so_far.seconds_waited == 1


def test_a_connection_that_is_dropped_is_made_again(standin: Standin) -> None:
    standin.faults.drop(times=2)

    assert read(standin) == ROWS


def test_connections_that_are_always_dropped_are_an_outage(standin: Standin) -> None:
    standin.faults.drop(times=None)

    with pytest.raises(DataverseUnavailable, match="broke off"):
        read(standin, max_attempts=3)
    assert asked(standin, "imi_jobs") == 3


def test_a_silent_server_is_given_up_and_asked_again(standin: Standin) -> None:
    standin.faults.hang(seconds=10 * PROMPT)

    assert read(standin, timeout_seconds=1) == ROWS


@pytest.mark.parametrize("where", ["api", "token", "discovery"])
def test_a_server_that_stays_silent_is_an_outage(standin: Standin, where: str) -> None:
    standin.faults.hang(seconds=10 * PROMPT, times=None, where=where)
    started = perf_counter()

    with pytest.raises(DataverseUnavailable, match="was silent for 0.2 seconds"):
        read(standin, timeout_seconds=0.2, max_attempts=2)
    assert perf_counter() - started < PROMPT


@pytest.mark.parametrize("where", ["api", "token", "discovery"])
def test_silence_cannot_outlive_the_deadline(standin: Standin, where: str) -> None:
    standin.faults.hang(seconds=10 * PROMPT, times=None, where=where)
    started = perf_counter()

    with pytest.raises(DataverseUnavailable, match=r"within 0\.4 seconds"):
        read(standin, deadline_seconds=0.4)
    assert perf_counter() - started < PROMPT


@pytest.mark.parametrize("where", ["api", "token"])
def test_a_trickling_body_cannot_outlive_the_deadline(standin: Standin, where: str) -> None:
    standin.faults.trickle(seconds_per_byte=0.05, times=None, where=where)
    started = perf_counter()

    with pytest.raises(DataverseUnavailable, match=r"within 0\.5 seconds"):
        read(standin, deadline_seconds=0.5, timeout_seconds=0.3)
    assert perf_counter() - started < PROMPT


def test_a_second_page_cut_short_is_an_error(standin: Standin) -> None:
    standin.faults.cut_json(page=2)

    with pytest.raises((DataverseProtocolError, DataverseUnavailable)):
        read(standin, max_attempts=1)


def test_a_sign_in_page_instead_of_rows_is_an_error(standin: Standin) -> None:
    standin.faults.html()

    with pytest.raises(DataverseProtocolError, match="a web page"):
        read(standin)


def test_a_token_that_expires_between_two_pages_is_renewed(standin: Standin) -> None:
    with new_client(standin) as client:
        pages = client.pages("imi_jobs")
        next(pages)
        standin.faults.expire_tokens()

        assert [len(page) for page in pages] == [5, 2]
    assert asked(standin, "/token") == 2


def test_a_link_to_another_server_is_not_even_connected_to(standin: Standin) -> None:
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        stranger.settimeout(0)
        standin.faults.foreign_next_link(
            f"https://localhost:{stranger.getsockname()[1]}/api/data/v9.2/imi_jobs"
        )

        with pytest.raises(DataverseProtocolError, match="another server"):
            read(standin)
        with pytest.raises(BlockingIOError):
            stranger.accept()


def test_pages_that_link_to_themselves_are_an_error(standin: Standin) -> None:
    standin.faults.repeat_next_link()

    with pytest.raises(DataverseProtocolError, match="circle"):
        read(standin)


def test_a_certificate_of_nobody_we_know_is_a_matter_of_configuration(standin: Standin) -> None:
    with pytest.raises(DataverseRefused, match="not trusted"):
        read(standin, ca_bundle=None)


def test_the_environment_does_not_override_the_configuration(
    standin: Standin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere/ca.pem")
    monkeypatch.setenv("CURL_CA_BUNDLE", "/nowhere/ca.pem")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")

    assert read(standin) == ROWS


def test_a_wrong_secret_is_refused_without_being_told(standin: Standin) -> None:
    with pytest.raises(DataverseRefused, match="client secret") as caught:
        read(standin, client_secret="not-the-secret")
    assert "not-the-secret" not in repr(vars(caught.value)) + str(caught.value)


def test_an_unknown_tenant_is_refused(standin: Standin) -> None:
    with pytest.raises(DataverseRefused, match="tenant"):
        read(standin, tenant_id="99999999-0000-0000-0000-000000000000")


def test_nobody_at_the_address_is_an_outage(standin: Standin) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]

    with pytest.raises(DataverseUnavailable, match="could not be made"):
        read(
            standin,
            base_url=f"https://localhost:{port}",
            scope=f"{standin.base_url}/.default",
            max_attempts=2,
        )


def test_one_client_serves_several_threads(standin: Standin) -> None:
    with new_client(standin) as client, ThreadPoolExecutor(6) as pool:
        reads = [pool.submit(client.list_records, "imi_jobs") for _ in range(12)]

        assert [len(reading.result()) for reading in reads] == [ROWS] * 12
    assert asked(standin, "/token") == 1


def test_a_change_of_a_record_that_has_changed_since_is_a_conflict(standin: Standin) -> None:
    with new_client(standin) as client:
        job = client.list_records("imi_jobs", top=1)[0]
        client.update("imi_jobs", job["imi_jobid"], {"imi_gc": "Acme"}, etag=job["@odata.etag"])

        with pytest.raises(DataverseConflict):
            client.update("imi_jobs", job["imi_jobid"], {"imi_gc": "Bolt"}, etag=job["@odata.etag"])
        assert (client.get("imi_jobs", job["imi_jobid"]) or {})["imi_gc"] == "Acme"


def test_the_service_reads_the_standins_jobs(standin: Standin) -> None:
    service = DataverseService(new_client(standin))

    jobs = service.get_all_active_jobs()

    active = [row for row in standin.rows() if row["statecode"] == 0]
    assert len(jobs) == len(active)
    assert all(job.submittal_status for job in jobs if isinstance(job, DataverseJob))
