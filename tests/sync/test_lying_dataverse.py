"""A Dataverse whose answers are nonsense here and there: an error that is told, never one of our own."""

import json
import random
from collections.abc import Callable
from contextlib import suppress
from datetime import date, timedelta
from typing import Any

import pytest
from flask import Flask

from flask_app.clock import utc_now
from flask_app.dataverse.answers import Answer
from flask_app.dataverse.retries import Retrier
from flask_app.models import Job, OwedHours, User, committing, db
from flask_app.models.errors import RuleViolation
from flask_app.standin import Standin
from flask_app.sync.check import board_step, check
from flask_app.sync.folders import refresh_folders
from flask_app.sync.hours_out import send_owed_hours, start, would_change
from flask_app.sync.phases_out import send_phases, start_phases, would_move
from tests import shop
from tests.conftest import Cast
from tests.connected import connect, sync
from tests.sync.test_phases_out import rules

NONSENSE = [
    None, 0, -1, 1.5, 10**30, True, "", "\x00", "x" * 500, [], [1], {}, {"a": 1}, "826130004",
    "https://evil.example/", "no-guid", "9999-12-31T23:59:59+14:00",
]  # fmt: skip
ROUNDS = 12


class Liar:
    """Spoils what comes from Dataverse while it is `lying`."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)  # noqa: S311  # no secret
        self.lying = False
        self._answer = Retrier.answer

    def answer(self, retrier: Retrier, *arguments: Any) -> Answer:
        true = self._answer(retrier, *arguments)
        if not self.lying or true.status >= 400:
            return true
        body = bytes(true.body)
        content = true.json_object()
        if content is None:
            body = body[: self.random.randrange(len(body) + 1)]
        else:
            share = self.random.choice([0, 0.01, 0.03, 0.1])
            body = json.dumps(self._spoilt(content, share)).encode()
        status = true.status if self.random.random() > 0.03 else self.random.choice([204, 206, 302, 404, 501])
        return Answer(true.host, status, true.headers, body)

    def _spoilt(self, value: Any, share: float) -> Any:
        if self.random.random() < share:
            return self.random.choice(NONSENSE)
        if isinstance(value, dict):
            kept = [name for name in value if self.random.random() >= share]
            return {name: self._spoilt(value[name], share) for name in kept}
        return [self._spoilt(one, share) for one in value] if isinstance(value, list) else value


@pytest.fixture
def app(make_app: Callable[..., Flask], standin: Standin, cast: Cast) -> Flask:
    writing = {"write_back": "hours", "phase_rules": True, "sharepoint_links": True}
    app = connect(make_app, standin, settings={"login_sync_minutes": 0, **writing})
    for n in range(12):
        standin.sharepoint.add_folder(standin.add(imi_imnumber=f"N{n}"), f"N{n}")
    sync(app)
    with app.app_context():
        grace = db.session.get_one(User, cast.grace)
        start(would_change()[0], everything=True, by=grace, at=utc_now())
        start_phases(would_move(rules())[0], rules(), by=grace, at=utc_now())
    return app


def work(app: Flask, person: int, job_id: int, at: Any) -> None:
    with app.app_context():
        shift = shop.punch_in(db.session.get_one(User, person), db.session.get_one(Job, job_id), at)
        shop.punch_out(shift, at + timedelta(hours=1))


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("seed", range(3))
def test_whatever_dataverse_says_is_an_error_that_is_told_and_nothing_owed_is_lost(
    app: Flask, cast: Cast, standin: Standin, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    liar, began = Liar(seed), utc_now() - timedelta(days=30)
    monkeypatch.setattr(Retrier, "answer", lambda self, *arguments: liar.answer(self, *arguments))
    for n in range(ROUNDS):
        work(app, cast.ana, n % 12 + 1, began + timedelta(hours=2 * n))
        moment = utc_now() + timedelta(days=n)
        deeds: list[Callable[[], Any]] = [
            lambda: list(check(today=date(2026, 11, 25))),
            lambda moment=moment: board_step(now=moment),
            lambda moment=moment: send_owed_hours(now=moment),
            lambda moment=moment: send_phases(now=moment),
            lambda moment=moment: refresh_folders(now=moment),
            would_change,
            lambda: would_move(rules()),
        ]
        for deed in deeds:
            liar.lying = True
            app.extensions.pop("hours_table", None)
            with app.app_context():
                with suppress(RuleViolation):  # a sentence for whoever asked
                    deed()
                db.session.rollback()
        assert "broke off" not in sync(app, trigger="poll" if n % 2 else "button").message

    liar.lying = False
    app.extensions.pop("hours_table", None)
    with app.app_context():
        committing(OwedHours.try_again)
        send_owed_hours(now=utc_now() + timedelta(days=40))
    assert {row["imi_actualhours"] for row in standin.rows()} == {1.0}
