"""Pages that ask Dataverse: nobody waits for the database meanwhile, and a page does not wait for ever."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from flask_app.dataverse.retries import Retrier
from flask_app.models import db
from flask_app.models.task_run import LAPSE
from flask_app.standin import Standin
from flask_app.sync import hours_out, phases_out
from flask_app.sync.hours_out import BATCH_SECONDS, PAGE_SECONDS
from flask_app.sync.phases_out import GLANCE_SECONDS, SECONDS
from tests.conftest import Cast
from tests.connected import connect, sync

ORGANIZATION = "11111111-2222-3333-4444-555555555555"


@pytest.fixture
def app(make_app: Callable[..., Flask], standin: Standin, cast: Cast) -> Flask:
    writing = {"write_back": "hours", "phase_rules": True}
    app = connect(make_app, standin, settings={"login_sync_minutes": 0, **writing})
    standin.add(imi_imnumber="4512")
    sync(app)
    return app


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # whose one writer keeps all others out
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("post", "/sync/check"),
        ("post", "/sync/rehearsal"),
        ("post", "/sync/hours/rehearsal"),
        ("post", "/sync/hours/start"),
        ("get", "/sync/phases"),
        ("post", "/sync/phases/rehearsal"),
        ("post", "/sync/phases/start"),
    ],
)
def test_no_transaction_is_open_while_dataverse_is_asked(
    app: Flask,
    log_in: Callable[[str], FlaskClient],
    monkeypatch: pytest.MonkeyPatch,
    method: str,
    path: str,
) -> None:
    answer, asked = Retrier.answer, []

    def ask(self: Retrier, *arguments: Any) -> Any:
        asked.append(db.session.in_transaction())
        return answer(self, *arguments)

    grace = log_in("grace")
    monkeypatch.setattr(Retrier, "answer", ask)
    fields = {"organization": ORGANIZATION, "first_punch": "826130001"}
    getattr(grace, method)(path, **({"data": fields} if method == "post" else {}))

    assert asked
    assert not any(asked)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("room", [hours_out, phases_out])
def test_a_page_gives_up_before_the_proxy_in_front_does(
    app: Flask,
    log_in: Callable[[str], FlaskClient],
    monkeypatch: pytest.MonkeyPatch,
    standin: Standin,
    room: Any,
) -> None:
    monkeypatch.setattr(room, "PAGE_SECONDS", 0.0)
    monkeypatch.setattr(phases_out, "GLANCE_SECONDS", 0.0)
    path = "/sync/hours/rehearsal" if room is hours_out else "/sync/phases/rehearsal"
    page = log_in("grace").post(path, data={}, follow_redirects=True).text

    assert "did not give a full answer within" in page or "in time" in page


def test_a_page_and_a_pass_end_before_those_who_wait_for_them_give_up() -> None:
    assert GLANCE_SECONDS < PAGE_SECONDS < 60
    assert max(SECONDS, BATCH_SECONDS) < LAPSE.total_seconds() / 2
