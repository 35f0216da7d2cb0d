"""A worker's phone: what has to be on the first screen, and what is never hidden behind something else."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from playwright.sync_api import BrowserType, Page, ViewportSize, expect

from flask_app.clock import utc_now
from flask_app.models import Job, Shift, User, committing, db
from tests.browser.conftest import log_in
from tests.conftest import PASSWORD
from tests.connected import PATIENCE
from tests.shop import punch_in

pytestmark = pytest.mark.browser

LONG_NAME = "Brasfield & Gorrie with Hensel Phelps and Partners, a Joint Venture of Long Names LLC"
SCREENS: tuple[ViewportSize, ...] = ({"width": 390, "height": 844}, {"width": 320, "height": 568})
HIDDEN = """() => {
  const e = document.activeElement, box = e.getBoundingClientRect()
  if (!box.width || e === document.body) return ""
  const x = Math.min(Math.max(box.left + box.width / 2, 1), innerWidth - 1), y = box.top + box.height / 2
  const top = document.elementFromPoint(x, y)
  const seen = top && (e.contains(top) || top.contains(e) || top.closest("label")?.contains(e))
  return seen ? "" : `${e.tagName} ${e.textContent.trim().slice(0, 40)} at ${Math.round(y)}`
}"""


@pytest.fixture
def worker(app: Any, cast: Any, add_job: Callable[..., int]) -> int:
    """Ana is on a job with a long name, and three of her shifts have an end that was only assumed."""
    job = add_job(
        "4512", general_contractor=LONG_NAME, job_scope="Wall panels and doors", estimated_hours="40"
    )
    now = utc_now()
    with app.app_context():

        def work() -> None:
            for days in (3, 2, 1):
                start = now - timedelta(days=days)
                end = start + timedelta(hours=8)
                shift = Shift(user_id=cast.ana, job_id=job, started_at=start, ended_at=end, note="")
                shift.assumed_at = now
                db.session.add(shift)

        committing(work)
        punch_in(db.session.get_one(User, cast.ana), db.session.get_one(Job, job), now - timedelta(hours=1))
    return job


@pytest.mark.parametrize("locale", ["en-US", "es-US"])
def test_punch_out_stays_on_the_first_screen_whatever_has_to_be_asked(
    open_browser, worker, app, cast, locale
):
    with app.app_context():
        committing(lambda: setattr(db.session.get_one(User, cast.ana), "language", locale[:2]))
    page: Page = open_browser()
    log_in(page, "ana")
    for screen in SCREENS:
        page.set_viewport_size(screen)
        page.goto("/dashboard")
        expect(page.locator("details.waiting")).to_have_count(1)
        expect(page.locator("details.waiting[open]")).to_have_count(0)
        button = page.locator(".btn.out").bounding_box()
        bar = page.locator(".tabs").bounding_box()
        assert button["y"] + button["height"] <= bar["y"], (screen, button, bar)


def test_what_has_the_focus_is_never_hidden_behind_the_tabs_or_the_strip(open_browser, worker):
    page: Page = open_browser(viewport=SCREENS[1])
    log_in(page, "ana")
    for address in ("/dashboard", "/my/hours", "/my/switch", "/my/corrections/new", f"/show/job/{worker}"):
        page.goto(address)
        hidden = []
        for _ in range(60):
            page.keyboard.press("Tab")
            hidden.append(page.evaluate(HIDDEN))
        assert [one for one in hidden if one] == [], address


def test_text_of_twice_its_size_needs_no_scrolling_sideways(
    browser_type: BrowserType, browser_type_launch_args: dict[str, Any], address: str, worker: int
):
    """The size of the browser's own text, which the media queries in rem follow too."""
    large = [*browser_type_launch_args.get("args", ()), "--blink-settings=defaultFontSize=32"]
    browser = browser_type.launch(**{**browser_type_launch_args, "args": large})
    page = browser.new_page(base_url=address, locale="es-US", viewport=SCREENS[1])
    page.set_default_timeout(PATIENCE * 1000)
    page.goto("/")
    page.locator("#email").fill("ana@shop.example")
    page.locator("#password").fill(PASSWORD)
    page.locator("main form .btn.wide").click()
    page.wait_for_url("**/dashboard")
    wide = []
    pages = ("/dashboard", "/my/hours", "/my/switch", "/my/corrections/new", "/account", "/todays_activity")
    for path in (*pages, f"/show/job/{worker}"):
        for screen in SCREENS:
            page.set_viewport_size(screen)
            page.goto(path)
            if page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"):
                wide.append(f"{path} at {screen['width']}")
    browser.close()
    assert wide == []
