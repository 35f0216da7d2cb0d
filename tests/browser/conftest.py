"""A real Chromium on the real program, served by the server that `python server.py` uses."""

import os
import shutil
from collections.abc import Callable, Iterator
from threading import Thread
from typing import Any

import pytest
from flask import Flask
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect
from waitress.server import create_server

from flask_app.standin import Standin
from tests.conftest import PASSWORD, dataverse_settings, fresh_database, missing
from tests.connected import PATIENCE

PHONE = {"width": 390, "height": 844}
DESKTOP = {"width": 1280, "height": 800}

expect.set_options(timeout=PATIENCE * 1000)


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, Any]:
    path = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        missing("Chromium", "install chromium, or name it in CHROMIUM")
    quiet = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
             "--disable-background-networking", "--disable-component-update", "--disable-sync")  # fmt: skip
    return {"executable_path": path, "args": list(quiet)}


@pytest.fixture
def database_url(request: pytest.FixtureRequest) -> str:
    """What the browser shows doesn't depend on the database: SQLite, unless a test asks for "mariadb"."""
    return fresh_database(request, getattr(request, "param", "sqlite"))


@pytest.fixture
def app(make_app: Callable[..., Flask], standin: Standin) -> Flask:
    app = make_app(dataverse=dataverse_settings(standin), login_sync_minutes=0)
    app.config["WTF_CSRF_ENABLED"] = True
    return app


@pytest.fixture
def address(app: Flask) -> Iterator[str]:
    """The address of the running program."""
    sockets: dict[int, Any] = {}
    server = create_server(app, map=sockets, host="127.0.0.1", port=0, threads=4)
    thread = Thread(target=server.run)
    thread.start()
    yield f"http://127.0.0.1:{server.effective_port}"
    server.task_dispatcher.shutdown()
    # The thread that waits for the sockets closes them itself; it would not survive seeing them closed.
    server.trigger.pull_trigger(lambda: [one.close() for one in list(sockets.values())])
    thread.join(timeout=120)


@pytest.fixture
def open_browser(browser: Browser, address: str) -> Iterator[Callable[..., Page]]:
    """Open a new browser, a phone unless told otherwise; whatever lands on its console fails the test."""
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if message.text == "Service Worker registration blocked by Playwright":
            return
        complaints.append(f"{message.type}: {message.text} ({message.location.get('url')})")

    def open_one(*, watch: bool = True, **options: Any) -> Page:
        settings = {"viewport": PHONE, "has_touch": True, "timezone_id": "America/New_York", **options}
        # Only the tests of the service worker wait for it; under the others it would come at any moment.
        settings.setdefault("service_workers", "block")
        context = browser.new_context(base_url=address, **settings)
        context.set_default_timeout(PATIENCE * 1000)
        contexts.append(context)
        page = context.new_page()
        if watch:
            page.on("console", note)
            page.on("pageerror", lambda error: complaints.append(f"error: {error}"))
        return page

    yield open_one
    for context in contexts:
        context.close()
    assert complaints == []


def log_in(page: Page, name: str) -> None:
    page.goto("/")
    page.get_by_label("Email").fill(f"{name}@shop.example")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url("**/dashboard")
