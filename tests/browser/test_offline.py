"""The network is gone: a page of the clock's own, and nothing that was somebody's."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import log_in

pytestmark = pytest.mark.browser

READY = "navigator.serviceWorker.ready.then(() => Boolean(navigator.serviceWorker.controller))"
KEPT = """async () => {
  const names = await caches.keys();
  const lists = await Promise.all(names.map(async (name) => (await caches.open(name)).keys()));
  return lists.flat().map((request) => new URL(request.url).pathname);
}"""


@pytest.fixture
def phone(open_browser, cast, add_job) -> Page:
    """Ana's phone, whose service worker is ready. What fails without a network lands on its console."""
    add_job("4512")
    page: Page = open_browser(watch=False, service_workers="allow")
    log_in(page, "ana")
    page.evaluate(READY)
    return page


def test_without_a_network_every_way_leads_to_a_page_that_says_so_and_back(phone):
    phone.goto("/my/hours")
    expect(phone.get_by_role("heading", name="My hours")).to_be_visible()
    phone.context.set_offline(True)
    for go in (lambda: phone.goto("/my/hours"), lambda: phone.goto("/dashboard"), phone.reload):
        go()
        expect(phone.get_by_role("heading", name="No connection")).to_be_visible()
        assert "Ana" not in phone.content()
    colour = phone.locator("a.btn").evaluate("e => getComputedStyle(e).backgroundColor")
    assert colour != "rgba(0, 0, 0, 0)"  # its style sheet is there
    phone.context.set_offline(False)
    phone.get_by_role("link", name="Try again").click()
    expect(phone.get_by_role("heading", name="Jobs")).to_be_visible()


def test_a_punch_without_a_network_says_so_and_is_none(phone, app):
    phone.context.set_offline(True)
    phone.get_by_role("button", name="Punch in on 4512").click()
    expect(phone.get_by_role("heading", name="No connection")).to_be_visible()
    phone.context.set_offline(False)
    phone.get_by_role("link", name="Try again").click()
    expect(phone.get_by_role("button", name="Punch in on 4512")).to_be_visible()


def test_nothing_is_kept_but_that_page_and_its_files(phone):
    phone.goto("/my/hours")
    kept = phone.evaluate(KEPT)
    assert "/offline/en" in kept
    assert "/static/app.css" in kept
    assert all(path == "/offline/en" or path.startswith("/static/") for path in kept)
