"""flask register-webhook, over real HTTPS to the stand-in, which then posts as it was told to."""

from collections.abc import Callable, Iterator
from threading import Thread
from typing import Any

import pytest
from click.testing import Result
from flask import Flask
from werkzeug.serving import make_server

from flask_app.dataverse.registration import FILTERING, WebhookRegistrar, webhook_address
from flask_app.dataverse.table import CREATED, ID, MODIFIED, READ
from flask_app.models import HookedRow
from flask_app.standin import Standin
from flask_app.standin.registrations import ENDPOINTS
from tests.connected import PATIENCE, connect, sync
from tests.standin.standin_caller import Caller
from tests.standin.webhook_receiver import Receiver, serving

KEY = "k" * 24 + '"&<'  # what XML has to write otherwise


@pytest.fixture
def app(make_app: Callable[..., Flask], standin: Standin) -> Flask:
    return connect(make_app, standin, settings={"webhook_keys": (KEY, "o" * 24)})


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with serving() as server:
        yield server


def origin(receiver: Receiver) -> str:
    return receiver.url.removesuffix("/hooks/jobs")


def run(app: Flask, *arguments: str, stdin: str = "y\n") -> Result:
    return app.test_cli_runner().invoke(args=["register-webhook", *arguments], input=stdin)


def rows(standin: Standin, path: str) -> list[dict[str, Any]]:
    with Caller(standin) as caller:
        return caller.rows(path)


def test_it_says_what_it_would_do_and_dataverse_posts_after_a_yes(
    app: Flask, standin: Standin, receiver: Receiver
) -> None:
    row = standin.add(imi_imnumber="4512")
    asked = run(app, origin(receiver), stdin="n\n")
    assert asked.exit_code == 1
    assert "Make the webhook" in asked.output
    assert rows(standin, ENDPOINTS) == []

    done = run(app, origin(receiver))
    assert done.exit_code == 0, done.output
    assert KEY not in done.output
    assert done.output.count("Done: Make an asynchronous step in PostOperation") == 3

    standin.change(row, imi_gc="Marlowe Brothers")
    post = receiver.next()
    assert (post.target, post.headers["X-Webhook-Key"]) == ("/api/dataverse/webhook", KEY)
    standin.delete(row)
    assert receiver.next().body["MessageName"] == "Delete"
    standin.add(imi_imnumber="4513")
    assert receiver.next().body["MessageName"] == "Create"


def test_the_steps_are_as_the_readme_says(app: Flask, standin: Standin, receiver: Receiver) -> None:
    run(app, origin(receiver))

    [endpoint] = rows(standin, "serviceendpoints?$filter=contract eq 8&$select=name,authtype,url")
    assert (endpoint["name"], endpoint["authtype"]) == ("Island Time 127.0.0.1", 5)
    steps = rows(standin, "sdkmessageprocessingsteps")
    assert {(step["mode"], step["stage"], step["asyncautodelete"]) for step in steps} == {(1, 40, True)}
    assert sorted((step["filteringattributes"] or "") for step in steps) == ["", "", ",".join(FILTERING)]


def test_what_is_read_is_what_fires_and_the_hours_are_not_among_it() -> None:
    assert set(FILTERING) == set(READ) - {ID, CREATED, MODIFIED}


def test_hours_that_are_written_there_fire_nothing(app: Flask, standin: Standin, receiver: Receiver) -> None:
    row = standin.add(imi_imnumber="4512")
    run(app, origin(receiver))

    standin.change(row, imi_actualhours=3.0)
    standin.change(row, imi_gc="Suffolk")

    assert receiver.next().columns()["imi_gc"] == "Suffolk"


def test_a_second_time_it_only_sets_the_key_and_mends_what_is_not_right(
    app: Flask, standin: Standin, receiver: Receiver
) -> None:
    run(app, origin(receiver))
    [create] = [one for one in rows(standin, "sdkmessageprocessingsteps") if "Create" in one["name"]]
    with Caller(standin) as caller:
        caller.send("DELETE", f"sdkmessageprocessingsteps({create['sdkmessageprocessingstepid']})")

    again = run(app, origin(receiver))

    assert "Set the key" in again.output
    assert again.output.count("Done: ") == 2
    assert len(rows(standin, "sdkmessageprocessingsteps")) == 3


def test_a_change_of_the_key_is_sent_from_then_on(
    make_app: Callable[..., Flask], app: Flask, standin: Standin, receiver: Receiver
) -> None:
    run(app, origin(receiver))
    run(connect(make_app, standin, settings={"webhook_keys": ("n" * 24, KEY)}), origin(receiver))

    standin.add(imi_imnumber="4512")

    assert receiver.next().headers["X-Webhook-Key"] == "n" * 24


def test_it_is_removed_with_all_its_steps_and_another_webhook_stays(
    app: Flask, standin: Standin, receiver: Receiver
) -> None:
    run(app, origin(receiver))
    run(app, "http://localhost:9")

    gone = run(app, origin(receiver), "--remove")

    assert gone.exit_code == 0
    assert gone.output.count("Done: Remove the step") == 3
    assert [one["url"] for one in rows(standin, ENDPOINTS)] == ["http://localhost:9/api/dataverse/webhook"]
    assert len(rows(standin, "sdkmessageprocessingsteps")) == 3
    assert "no such webhook" in run(app, origin(receiver), "--remove").output


def test_a_dry_run_changes_nothing_and_asks_nothing(app: Flask, standin: Standin, receiver: Receiver) -> None:
    told = run(app, origin(receiver), "--dry-run", stdin="")

    assert (told.exit_code, "Nothing was changed." in told.output) == (0, True)
    assert rows(standin, ENDPOINTS) == []


def test_without_the_right_it_says_how_to_do_it_by_hand(app: Flask, standin: Standin) -> None:
    standin.access.customize = False

    told = run(app, "http://localhost:9", "--yes")

    assert told.exit_code == 1
    assert "prvCreateServiceEndpoint" in told.output
    assert "Plug-in Registration Tool" in told.output
    assert f"Filtering Attributes {', '.join(FILTERING)}" in told.output
    assert KEY not in told.output


def test_an_outage_half_way_is_made_good_by_another_go(
    app: Flask, standin: Standin, receiver: Receiver
) -> None:
    standin.faults.fail(503, times=None, retry_after=3600)
    assert "start it again" in run(app, origin(receiver)).output
    standin.faults.clear()

    assert run(app, origin(receiver)).exit_code == 0


def test_an_answer_that_is_lost_makes_no_second_webhook(
    app: Flask, standin: Standin, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = WebhookRegistrar._done
    monkeypatch.setattr(WebhookRegistrar, "_done", lambda *request: (done(*request), done(*request)))

    assert run(app, origin(receiver)).exit_code == 0

    assert (len(rows(standin, ENDPOINTS)), len(rows(standin, "sdkmessageprocessingsteps"))) == (1, 3)


def test_without_a_key_nothing_is_registered(make_app: Callable[..., Flask], standin: Standin) -> None:
    assert "DATAVERSE_WEBHOOK_KEY" in run(connect(make_app, standin), "https://clock.example.com").output


@pytest.mark.parametrize(
    ("clock", "said"),
    [
        ("clock.example.com", "https://clock.example.com/api/dataverse/webhook"),
        ("https://clock.example.com:443/", "https://clock.example.com/api/dataverse/webhook"),
        ("https://clock.example.com:8443", "port 443"),
        ("http://clock.example.com", "port 443"),
        ("https://localhost", "port 443"),
        ("https://clock.example.com/login", "Give the address"),
        ("https://[", "Give the address"),
        ("https://clock.example.com:x", "Give the address"),
        ("", "Give the address"),
    ],
)
def test_an_address_that_dataverse_cannot_post_to_is_refused(clock: str, said: str) -> None:
    try:
        answer = webhook_address(clock, loopback=False)
    except ValueError as problem:
        answer = str(problem)
    assert said in answer


def test_a_header_that_cannot_be_read_fails_as_dataverse_says(standin: Standin, receiver: Receiver) -> None:
    with Caller(standin) as caller:
        broken = {"name": "x", "url": receiver.url, "contract": 8, "authtype": 5, "authvalue": "Key1: Value1"}
        made = caller.send("POST", ENDPOINTS, json=broken)
        endpoint = made.headers["OData-EntityId"].rpartition("/")[2]
        [message] = caller.rows("sdkmessages?$filter=name eq 'Create'")
        number = message["sdkmessageid"]
        ours = f"primaryobjecttypecode eq 'imi_job' and _sdkmessageid_value eq {number}"
        [only] = caller.rows(f"sdkmessagefilters?$filter={ours}")
        step = {
            "name": "x", "mode": 1, "stage": 40,
            "eventhandler_serviceendpoint@odata.bind": f"/{endpoint}",
            "sdkmessageid@odata.bind": f"/sdkmessages({number})",
            "sdkmessagefilterid@odata.bind": f"/sdkmessagefilters({only['sdkmessagefilterid']})",
        }  # fmt: skip
        assert caller.send("POST", "sdkmessageprocessingsteps", json=step).status_code == 204
    standin.add()
    assert standin.webhooks.settled()
    assert "0x80050203" in standin.webhooks.deliveries[-1].error


def test_the_program_hears_of_a_change_by_the_webhook_that_it_registered(
    app: Flask, standin: Standin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flask_app.utils.hooked_sync._read_in_a_moment", lambda *_: None)
    row = standin.add(imi_imnumber="4512")
    sync(app)
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        assert run(app, f"http://127.0.0.1:{server.server_port}").exit_code == 0
        standin.change(row, imi_gc="Marlowe Brothers")
        assert standin.webhooks.settled(PATIENCE)
    finally:
        server.shutdown()
        thread.join(PATIENCE)
        server.server_close()

    assert standin.webhooks.deliveries[-1].status == 200
    with app.app_context():
        assert HookedRow.waiting() == {row: 1}
