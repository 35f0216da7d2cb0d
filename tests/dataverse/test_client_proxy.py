"""HTTPS_PROXY and NO_PROXY hold for Dataverse and the sign-in; nothing else of the environment does."""

from collections.abc import Iterator
from time import perf_counter
from typing import Any

import pytest

from flask_app.dataverse.client import DataverseClient, DataverseRefused, DataverseUnavailable
from flask_app.standin import Standin
from tests.dataverse.proxy import Proxy
from tests.servers import PROMPT, free_port

ROWS = 12
PASSWORD = "a-proxys-own-650"
VARIABLES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY")


@pytest.fixture(scope="module")
def running() -> Iterator[Standin]:
    standin = Standin(generate=ROWS, max_page_size=5)
    standin.host = "dataverse.test"  # a name that no resolver knows: only the proxy leads there
    with standin:
        yield standin


@pytest.fixture
def standin(running: Standin, monkeypatch: pytest.MonkeyPatch) -> Standin:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    running.requests.clear()
    return running


def read(standin: Standin, **settings: Any) -> int:
    """Read the whole table with a new client, return the number of rows."""
    client = DataverseClient(
        standin.base_url,
        standin.tenant_id,
        standin.client_id,
        standin.client_secret,
        authority=standin.authority,
        **{"ca_bundle": standin.ca_bundle, "sleep": lambda seconds: None, "max_attempts": 2, **settings},
    )
    with client:
        return len(client.list_records("imi_jobs", orderby=["createdon desc", "imi_jobid"]))


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"])
def test_every_request_goes_through_the_proxy_those_of_the_sign_in_too(
    standin: Standin, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    with Proxy().running() as proxy:
        monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")

        assert read(standin) == ROWS

    assert set(proxy.asked) == {standin.base_url.removeprefix("https://")}
    paths = [request.path for request in standin.requests]
    assert [part for part in ("openid-configuration", "/token", "imi_jobs") if part in " ".join(paths)] == [
        "openid-configuration", "/token", "imi_jobs",
    ]  # fmt: skip


def test_a_proxy_that_wants_a_name_gets_it_and_nobody_else_does(
    standin: Standin, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Proxy().running() as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://shop:{PASSWORD}@127.0.0.1:{proxy.port}")

        assert read(standin) == ROWS

    assert proxy.credentials == ["Proxy-Authorization: Basic c2hvcDphLXByb3h5cy1vd24tNjUw"] * len(proxy.asked)


@pytest.mark.parametrize("no_proxy", ["dataverse.test", ".test", "other.example, test", "*"])
def test_no_proxy_leads_past_it(standin: Standin, monkeypatch: pytest.MonkeyPatch, no_proxy: str) -> None:
    with Proxy().running() as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
        monkeypatch.setenv("NO_PROXY", no_proxy)

        with pytest.raises(DataverseUnavailable, match=r"The name dataverse\.test cannot be resolved"):
            read(standin)

    assert proxy.asked == []


def test_behind_a_proxy_the_environment_still_does_not_say_whom_to_trust(
    standin: Standin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(standin.ca_bundle))
    monkeypatch.setenv("CURL_CA_BUNDLE", str(standin.ca_bundle))
    with Proxy().running() as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
        with pytest.raises(DataverseRefused, match="not trusted"):
            read(standin, ca_bundle=None)
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere/ca.pem")
        assert read(standin) == ROWS


def test_a_proxy_that_is_not_there_is_named_without_its_password(
    standin: Standin, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = free_port()
    monkeypatch.setenv("HTTPS_PROXY", f"http://shop:{PASSWORD}@127.0.0.1:{port}")

    with pytest.raises(
        DataverseUnavailable, match=rf"The proxy 127\.0\.0\.1:{port} .* could not be"
    ) as caught:
        read(standin)
    assert PASSWORD not in f"{caught.value} {vars(caught.value)}"


@pytest.mark.parametrize(
    ("answer", "kind", "sentence"),
    [
        (b"HTTP/1.1 407 Proxy Authentication Required", DataverseRefused, "wants a user and a password"),
        (b"HTTP/1.1 403 Forbidden", DataverseRefused, "does not let us through to dataverse.test"),
        (b"HTTP/1.1 502 Bad Gateway", DataverseUnavailable, "does not let us through"),
    ],
    ids=["407", "403", "502"],
)
def test_a_proxy_that_refuses_is_told_in_words(
    standin: Standin, monkeypatch: pytest.MonkeyPatch, answer: bytes, kind: type[Exception], sentence: str
) -> None:
    with Proxy(answer).running() as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
        with pytest.raises(kind, match=sentence):
            read(standin)


@pytest.mark.parametrize("nonsense", ["http://", "socks5://127.0.0.1:9", "http://[", "http://a:b:c"])
def test_an_address_that_is_no_proxys_is_a_matter_of_configuration(
    standin: Standin, monkeypatch: pytest.MonkeyPatch, nonsense: str
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", nonsense)

    with pytest.raises(DataverseRefused, match="HTTPS_PROXY"):
        read(standin)


def test_a_proxy_that_trickles_cannot_outlive_the_deadline(
    standin: Standin, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Proxy(b"HTTP/1.1 200 OK" + b" " * 2000, pace=0.1).running() as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
        began = perf_counter()
        with pytest.raises(DataverseUnavailable, match=r"within 0\.5 seconds"):
            read(standin, deadline_seconds=0.5, timeout_seconds=0.3)

    assert perf_counter() - began < PROMPT  # 200 seconds if it were let


def test_this_machine_is_never_reached_through_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    with Standin(generate=ROWS) as here:
        assert read(here) == ROWS
