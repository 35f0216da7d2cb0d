"""Applications that are connected to a stand-in, and how tests look at what a sync has done to them."""

import html
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from threading import Event
from time import monotonic
from typing import Any

from flask import Flask
from sqlalchemy import event, select

from flask_app.dataverse.client import DataverseClient
from flask_app.dataverse.service import DataverseService
from flask_app.models import Job, SyncRun, db
from flask_app.standin import Standin
from flask_app.sync.approved_jobs import SyncResult, sync_approved_jobs
from tests.conftest import dataverse_settings

PATIENCE = 120  # seconds; far more than anything here takes on a busy machine


def connected_quietly(make_app: Callable[..., Flask], standin: Standin) -> Flask:
    """Return an application on `standin` that syncs only when told to: not at logins, without polls."""
    app = connect(make_app, standin)
    app.extensions["settings"] = replace(app.extensions["settings"], login_sync_minutes=0, poll_minutes=0)
    return app


def connect(make_app: Callable[..., Flask], standin: Standin, **client: Any) -> Flask:
    """Return an application on `standin` whose client does not really wait between attempts; `settings` are
    further settings of the application."""
    settings = dataverse_settings(standin)
    app = make_app(dataverse=settings, **client.pop("settings", {}))
    app.extensions["dataverse"] = DataverseService(
        DataverseClient(
            settings.base_url,
            settings.tenant_id,
            settings.client_id,
            client.pop("client_secret", settings.client_secret),
            authority=settings.authority,
            ca_bundle=settings.ca_bundle,
            **{"sleep": lambda seconds: None, **client},
        )
    )
    return app


def sync(app: Flask, **how: Any) -> SyncResult:
    """Run one sync in a context of its own."""
    with app.app_context():
        return sync_approved_jobs(**{"trigger": "button", **how})


def numbers(app: Flask) -> list[str]:
    """Return the IM numbers on the board, sorted."""
    with app.app_context():
        return sorted(db.session.scalars(select(Job.im_number)))


def runs(app: Flask) -> list[SyncRun]:
    """Return the ledger, newest first, skips loaded."""
    with app.app_context():
        latest = list(SyncRun.latest())
        for run in latest:
            assert run.skips is not None
        return latest


def ledger(app: Flask) -> list[tuple[str, str]]:
    """Return trigger and outcome of each run, newest first."""
    return [(run.trigger, run.outcome) for run in runs(app)]


def words(page: str) -> str:
    """Return what there is to read on a page."""
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", page)).split())


def until(happened: Callable[[], object]) -> None:
    """Wait for what another process or thread will do soon."""
    give_up = monotonic() + PATIENCE
    while not happened():
        assert monotonic() < give_up, "it did not happen"
        Event().wait(0.01)


@contextmanager
def counted_statements(app: Flask) -> Iterator[list[str]]:
    """Yield a list that fills with the statements that the application sends to its database."""
    sent: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        sent.append(statement)

    engine = app.extensions["engine"]
    event.listen(engine, "before_cursor_execute", note)
    yield sent
    event.remove(engine, "before_cursor_execute", note)
