"""Webhooks of Dataverse: who may post, what is queued, what is read then, and what is dropped."""

import json
import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.serving import make_server

from flask_app.clock import utc_now
from flask_app.dataverse.table import READ
from flask_app.models import HookCount, HookedRow, Job, SyncHold, SyncRun, User, committing, db
from flask_app.models.sync_hold import CONFIRMED
from flask_app.models.sync_run import SUCCEEDED, WEBHOOK
from flask_app.standin import Standin
from flask_app.standin.access import USER_ID
from flask_app.sync.hours_out import start, would_change
from flask_app.utils.hooked_sync import automated_hooks
from flask_app.utils.scheduler_tasks import automated_hours_out
from tests import shop
from tests.conftest import Cast
from tests.connected import PATIENCE, connect, counted_statements, ledger, numbers, runs, sync, until, words

KEY, NEXT_KEY = "k" * 24, "n" * 24
ADDRESS = "/api/dataverse/webhook"
# Microsoft's own example (tests/dataverse/published), about a row of our table.
_EXAMPLE = Path(__file__).parents[1] / "dataverse" / "published" / "webhook_update.json"
PUBLISHED = {**json.loads(_EXAMPLE.read_text()), "PrimaryEntityName": "imi_job"}


@pytest.fixture
def app(make_app: Callable[..., Flask], standin: Standin) -> Flask:
    return connect(make_app, standin, settings={"webhook_keys": (KEY, NEXT_KEY), "write_back": "hours"})


@pytest.fixture(autouse=True)
def nothing_by_itself(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Rows are read when the test says so, not by a thread."""
    if "served" not in request.fixturenames:
        monkeypatch.setattr("flask_app.utils.hooked_sync._read_in_a_moment", lambda *_: None)


@pytest.fixture
def served(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The application behind a real server; its address."""
    monkeypatch.setattr("flask_app.utils.hooked_sync.GATHER", 0.05)
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}{ADDRESS}"
    server.shutdown()
    thread.join(PATIENCE)
    server.server_close()


def body(row_id: str, message: str = "Update", **more: Any) -> dict[str, Any]:
    return {**PUBLISHED, "PrimaryEntityId": row_id, "MessageName": message, **more}


def post(app: Flask, content: Any, key: str | None = KEY, **how: Any) -> Any:
    headers = {} if key is None else {"X-Webhook-Key": key}
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    return app.test_client().post(ADDRESS, data=data, headers=headers, content_type="application/json", **how)


def waiting(app: Flask) -> dict[str, int]:
    with app.app_context():
        return HookedRow.waiting()


def contractor(app: Flask, number: str = "4512") -> str | None:
    with app.app_context():
        job = Job.numbered(number)
        return job.general_contractor if job else None


def upstream_state(app: Flask, number: str = "4512") -> str:
    with app.app_context():
        job = Job.numbered(number)
        assert job is not None
        return job.upstream_state


@pytest.mark.parametrize("key", [KEY, NEXT_KEY])
def test_a_hook_with_a_key_is_queued(app: Flask, key: str) -> None:
    row_id = str(uuid.uuid4())

    answer = post(app, body(row_id.upper()), key)

    assert (answer.status_code, answer.json) == (200, {"queued": True})
    assert waiting(app) == {row_id: 1}


def test_a_hook_needs_no_token_of_a_form(app: Flask) -> None:
    app.config["WTF_CSRF_ENABLED"] = True

    assert post(app, body(str(uuid.uuid4()))).status_code == 200


@pytest.mark.parametrize("key", [None, "", "x", KEY[:-1], KEY + "k", f"{KEY},{NEXT_KEY}", "é" * 24])
def test_without_the_key_it_is_not(app: Flask, key: str | None) -> None:
    assert post(app, body(str(uuid.uuid4())), key).status_code == 401
    assert waiting(app) == {}


def test_where_no_key_is_set_there_is_no_such_address(
    make_app: Callable[..., Flask], standin: Standin
) -> None:
    assert post(connect(make_app, standin), body(str(uuid.uuid4()))).status_code == 404


@pytest.mark.parametrize(
    "content",
    [
        b"", b"no JSON", b"[]", b"\xff\xfe", b"[" * 5000,
        {**PUBLISHED, "PrimaryEntityName": "account"},
        {**PUBLISHED, "PrimaryEntityId": "1 OR 1=1"},
        {**PUBLISHED, "PrimaryEntityId": None},
        {**PUBLISHED, "MessageName": "Retrieve"},
        {key: value for key, value in PUBLISHED.items() if key != "MessageName"},
    ],
)  # fmt: skip
def test_what_is_no_hook_is_refused(app: Flask, content: Any) -> None:
    assert post(app, content).status_code == 400
    assert waiting(app) == {}


def test_a_body_that_is_too_large_is_refused(app: Flask) -> None:
    assert post(app, b" " * (256 * 1024 + 1)).status_code == 413


def test_a_body_of_the_size_that_dataverse_sends_is_taken(app: Flask) -> None:
    content = body(str(uuid.uuid4()), InputParameters=["x" * 200_000])

    assert post(app, content).status_code == 200


def test_hooks_about_one_row_fall_together(app: Flask, standin: Standin) -> None:
    row = standin.add(imi_imnumber="4512")
    sync(app)
    standin.change(row, imi_gc="Marlowe Brothers")
    for _ in range(20):
        post(app, body(row))
    standin.requests.clear()

    automated_hooks(app)

    assert contractor(app) == "Marlowe Brothers"
    assert len([one for one in standin.requests if "imi_jobs" in one.path]) == 1
    with app.app_context():
        [count] = db.session.scalars(select(HookCount))
        assert (count.received, count.joined, count.dropped) == (20, 19, 0)
    assert waiting(app) == {}


def test_what_the_hook_says_is_not_believed(app: Flask, standin: Standin) -> None:
    row = standin.add(imi_imnumber="4512", imi_gc="Gilbane")
    sync(app)
    post(app, body(row, "Delete"))

    automated_hooks(app)

    assert (contractor(app), upstream_state(app)) == ("Gilbane", "approved")


@pytest.mark.parametrize("state", ["deleted", "not_approved", "deactivated"])
def test_what_has_become_of_the_row_is_asked(app: Flask, standin: Standin, state: str) -> None:
    row = standin.add(imi_imnumber="4512")
    standin.add(imi_imnumber="4513")
    sync(app)
    if state == "deleted":
        standin.delete(row)
    else:
        standin.change(
            row,
            **{"not_approved": {"imi_submittalstatus": 826130000}, "deactivated": {"statecode": 1}}[state],
        )
    post(app, body(row, "Update"))

    automated_hooks(app)

    assert (upstream_state(app), upstream_state(app, "4513")) == (state, "approved")


def test_a_new_approved_row_comes_onto_the_board(app: Flask, standin: Standin) -> None:
    standin.add(imi_imnumber="4511")
    sync(app)
    row = standin.add(imi_imnumber="4512")
    standin.add(imi_imnumber="4513")
    post(app, body(row, "Create"))

    automated_hooks(app)

    assert numbers(app) == ["4511", "4512"]  # the other one was not told of; a poll will find it
    assert ledger(app)[0] == (WEBHOOK, SUCCEEDED)
    sync(app, trigger="poll")
    assert numbers(app) == ["4511", "4512", "4513"]


def test_a_row_that_is_nothing_to_us_changes_nothing(app: Flask, standin: Standin) -> None:
    sync(app)
    row = standin.add(imi_imnumber="4512", imi_submittalstatus=826130000)
    post(app, body(row))
    post(app, body(str(uuid.uuid4()), "Delete"))

    automated_hooks(app)

    assert (numbers(app), waiting(app)) == ([], {})


@pytest.mark.parametrize("database_url", ["mariadb"], indirect=True)  # SQLite's one writer lets nothing in
def test_hooks_that_come_while_their_row_is_read_are_not_forgotten_nor_counted_twice(
    app: Flask, standin: Standin, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = standin.add(imi_imnumber="4512")
    sync(app)
    post(app, body(row))
    post(app, body(row))
    settle, late = HookedRow.settle, [row, row, row]

    def meanwhile(read: Any, **named: Any) -> None:
        while late:
            post(app, body(late.pop()))
        settle(read, **named)

    monkeypatch.setattr(HookedRow, "settle", meanwhile)
    monkeypatch.setattr("flask_app.utils.hooked_sync._MOST_RUNS", 1)
    automated_hooks(app)

    assert waiting(app) == {row: 3}
    automated_hooks(app)
    assert waiting(app) == {}
    with app.app_context():
        [count] = db.session.scalars(select(HookCount))
        assert (count.received, count.joined) == (5, 3)  # five hooks, two readings


def test_an_outage_keeps_the_rows_for_later(app: Flask, standin: Standin) -> None:
    row = standin.add(imi_imnumber="4512")
    sync(app)
    standin.change(row, imi_gc="Marlowe Brothers")
    post(app, body(row))
    standin.faults.fail(503, times=None)

    automated_hooks(app)
    assert (ledger(app)[0], waiting(app)) == ((WEBHOOK, "failed"), {row: 1})

    standin.faults.clear()
    automated_hooks(app)
    assert (contractor(app), waiting(app)) == ("Marlowe Brothers", {})


def test_a_run_for_hooks_does_not_hide_what_else_has_changed(app: Flask, standin: Standin) -> None:
    told, untold = standin.add(imi_imnumber="4512"), standin.add(imi_imnumber="4513")
    sync(app)
    standin.change(untold, imi_gc="Marlowe Brothers")
    standin.change(told, imi_gc="Suffolk")
    post(app, body(told))
    automated_hooks(app)
    assert contractor(app, "4513") != "Marlowe Brothers"

    sync(app, trigger="poll")

    assert contractor(app, "4513") == "Marlowe Brothers"


def test_a_run_for_hooks_is_no_sign_that_the_daily_one_works(app: Flask, standin: Standin) -> None:
    row = standin.add(imi_imnumber="4512")
    sync(app)
    with app.app_context():
        since = SyncRun.good_since()
        last = SyncRun.last()
        assert last is not None
        last.started_at -= timedelta(hours=30)
        db.session.commit()
    post(app, body(row))
    automated_hooks(app)

    with app.app_context():
        good_since = SyncRun.good_since()
    assert good_since is not None
    assert since is not None
    assert good_since < since


def test_our_own_changes_are_dropped(app: Flask, cast: Cast, standin: Standin) -> None:
    row = standin.add(imi_imnumber="4512")
    sync(app)
    with app.app_context():
        organization, _ = would_change()
        start(organization, everything=True, by=db.session.get_one(User, cast.grace), at=utc_now())

    answer = post(app, body(row, InitiatingUserId=USER_ID.upper()))

    assert answer.json == {"queued": False}
    assert waiting(app) == {}
    with app.app_context():
        [count] = db.session.scalars(select(HookCount))
        assert (count.received, count.dropped) == (1, 1)


def test_a_hook_costs_few_statements(app: Flask) -> None:
    post(app, body(str(uuid.uuid4())))
    with counted_statements(app) as statements:
        post(app, body(str(uuid.uuid4())))

    assert len(statements) <= 5, statements


def test_the_sync_page_tells_how_many_came(
    app: Flask, cast: Cast, log_in: Callable[[str], FlaskClient]
) -> None:
    browser = log_in("grace")
    assert "Webhooks today None yet" in words(browser.get("/sync").text)
    post(app, body(str(uuid.uuid4())))
    post(app, body(str(uuid.uuid4())))

    assert "2 received" in words(browser.get("/sync").text)


def test_a_change_in_dataverse_is_on_the_board_a_moment_later(
    app: Flask, cast: Cast, standin: Standin, served: str
) -> None:
    """The whole way over HTTP; what this program writes back fires nothing."""
    row = standin.add(imi_imnumber="4512")
    sync(app)
    with app.app_context():
        organization, _ = would_change()
        start(organization, everything=True, by=db.session.get_one(User, cast.grace), at=utc_now())
        job, now = Job.numbered("4512"), utc_now()
        assert job is not None
        shift = shop.punch_in(db.session.get_one(User, cast.ana), job, now - timedelta(hours=2))
        shop.punch_out(shift, now)
    standin.webhooks.register(served, headers={"X-Webhook-Key": KEY}, attributes=READ)
    automated_hours_out(app)
    assert standin.webhooks.settled(PATIENCE)
    assert standin.webhooks.deliveries == []

    standin.change(row, imi_gc="Marlowe Brothers")

    until(lambda: contractor(app) == "Marlowe Brothers")
    until(lambda: waiting(app) == {})
    assert [delivery.status for delivery in standin.webhooks.deliveries] == [200]
    until(lambda: not [run for run in runs(app) if run.is_running])


def test_a_reading_of_everything_answers_what_waits(app: Flask, standin: Standin) -> None:
    """Also a row whose own reading goes wrong does not keep the others waiting for ever."""
    row = standin.add(imi_imnumber="4512")
    post(app, body(row))
    post(app, body(str(uuid.uuid4())))

    sync(app)

    assert (numbers(app), waiting(app)) == (["4512"], {})


def told_one_by_one(app: Flask, rows: list[str]) -> None:
    """Let a hook come about each row, each read before the next one comes."""
    for row in rows:
        post(app, body(row))
        automated_hooks(app)


@pytest.fixture
def board(app: Flask, standin: Standin) -> list[str]:
    """The rows of 40 jobs that came from Dataverse."""
    rows = [standin.add(imi_imnumber=f"N{n}", imi_gc="Suffolk") for n in range(40)]
    sync(app)
    return rows


def lost(app: Flask) -> int:
    with app.app_context():
        return len(Job.gone_but_active())


def test_a_mass_change_that_hooks_tell_one_by_one_is_held_back_as_well(
    app: Flask, standin: Standin, board: list[str], cast: Cast
) -> None:
    for row in board[:30]:
        standin.change(row, imi_submittalstatus=826130000)
        told_one_by_one(app, [row])

    assert lost(app) == 9  # the tenth is one of ten, which is more than a fifth
    with app.app_context():
        [hold] = SyncHold.current()
        assert (hold.kind, hold.state, len(hold.job_ids)) == ("gone", "open", 21)
    assert "Webhooks have told the same of others within the last hour: 9." in runs(app)[0].message
    assert sync(app).held == 21

    with app.app_context():
        [hold], grace = SyncHold.current(), db.session.get_one(User, cast.grace)
        committing(lambda: hold.decide(CONFIRMED, by=grace, at=utc_now()))
    assert sync(app).gone == 21
    standin.change(board[30], imi_submittalstatus=826130000)
    told_one_by_one(app, [board[30]])
    assert lost(app) == 31


def test_contractors_that_go_blank_one_by_one_are_held_back_as_well(
    app: Flask, standin: Standin, board: list[str]
) -> None:
    for row in board[:20]:
        standin.change(row, imi_gc=None)
        told_one_by_one(app, [row])

    with app.app_context():
        blank = db.session.scalars(select(Job.im_number).where(Job.general_contractor != "Suffolk")).all()
    assert len(blank) == 9


def test_what_hooks_told_an_hour_ago_is_no_mass_change_any_more(
    app: Flask, standin: Standin, board: list[str]
) -> None:
    for count, hours in ((9, 3), (9, 0)):
        with time_machine.travel(utc_now() - timedelta(hours=hours), tick=False):
            for row in board[9 - 3 * hours :][:count]:
                standin.change(row, imi_submittalstatus=826130000)
                told_one_by_one(app, [row])

    assert lost(app) == 18
