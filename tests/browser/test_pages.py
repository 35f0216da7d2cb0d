"""What holds on every page: nobody is shut out by it, and it fits every screen."""

import shutil
from datetime import timedelta

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from flask_app.models import Job, Shift, User, committing, db
from flask_app.utils.clock import utc_now
from tests.browser.conftest import DESKTOP, PHONE, log_in

pytestmark = pytest.mark.browser

LONG_NUMBER = "IM-" + "4" * 40
LONG_NAME = "Brasfield & Gorrie with Hensel Phelps and Partners, a Joint Venture of Long Names LLC"
PAGES = ("/dashboard", "/dashboard?q=nothing-like-it", "/dashboard?tab=inactive", "/my/hours",
         "/show/job/{job}", "/manage_users", "/new/user", "/edit/user/{ana}", "/new/job", "/edit/job/{job}",
         "/sync", "/no/such/page")  # fmt: skip
PUBLIC = ("/", "/register")


@pytest.fixture
def database_url(sqlite_template, tmp_path):
    """Looks don't depend on the database: one of them is enough here."""
    shutil.copy(sqlite_template, tmp_path / "test.db")
    return f"sqlite:///{tmp_path / 'test.db'}"


@pytest.fixture
def busy_shop(app, cast, add_job):
    """A shop with long names, history and somebody on the clock; returns what the addresses need."""
    job = add_job(
        LONG_NUMBER, general_contractor=LONG_NAME, job_scope="Wall panels and " * 100, estimated_hours="1"
    )
    add_job("4513")
    with app.app_context():
        ana, grace = (db.session.get_one(User, person) for person in (cast.ana, cast.grace))
        now, on = utc_now(), db.session.get_one(Job, job)

        def work() -> None:
            for hours in range(30, 3, -3):
                Shift.start(ana, on, at=now - timedelta(hours=hours), note="Sanding " * 20).end(
                    at=now - timedelta(hours=hours - 2)
                )
            Shift.start(ana, on, at=now - timedelta(hours=1))
            Shift.start(grace, on, at=now - timedelta(minutes=5))

        committing(work)
    return {"job": job, "ana": cast.ana}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(open_browser, busy_shop, scheme):
    page = open_browser(color_scheme=scheme, watch=False)  # Chromium reports the answer 404 itself
    found = {path: _violations(page, path) for path in PUBLIC}
    log_in(page, "grace")
    found |= {path: _violations(page, path.format(**busy_shop)) for path in PAGES}
    assert {path: problems for path, problems in found.items() if problems} == {}


def _violations(page, path):
    page.goto(path)
    return [
        (rule["id"], [node["html"][:120] for node in rule["nodes"]])
        for rule in Axe().run(page).response["violations"]
    ]


@pytest.mark.parametrize("width", [320, 390, 1280])
def test_no_page_is_wider_than_its_screen(open_browser, busy_shop, width):
    page = open_browser(viewport={"width": width, "height": 640}, watch=False)
    log_in(page, "grace")
    wider = []
    for path in PAGES:
        page.goto(path.format(**busy_shop))
        if page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"):
            wider.append(path)
    assert wider == []


def test_whatever_a_finger_must_hit_is_44_pixels_high(open_browser, busy_shop):
    page = open_browser(viewport=PHONE, watch=False)
    log_in(page, "grace")
    small = set()
    for path in PAGES:
        page.goto(path.format(**busy_shop))
        small |= {f"{path}: {what}" for what in page.evaluate(_SMALL_TARGETS)}
    assert small == set()


_SMALL_TARGETS = """() =>
  [...document.querySelectorAll("button, select, input:not([type=hidden], [type=radio])")]
  .filter(e => e.checkVisibility() && e.getBoundingClientRect().height < 44)
  .map(e => e.outerHTML.slice(0, 100))"""


def test_nothing_moves_after_the_page_is_drawn(open_browser, busy_shop):
    page = open_browser(viewport=PHONE)
    page.add_init_script(
        "window.shift = 0; new PerformanceObserver(list => { for (const e of list.getEntries()) "
        "window.shift += e.value; }).observe({type: 'layout-shift', buffered: true});"
    )
    log_in(page, "ana")
    page.wait_for_load_state("networkidle")
    assert page.evaluate("window.shift") < 0.01


def test_the_timer_runs_by_the_servers_clock(open_browser, busy_shop):
    page = open_browser(viewport=DESKTOP)
    page.clock.install(time="2020-01-01T00:00:00Z")  # a phone whose clock is years behind
    log_in(page, "ana")
    expect(page.locator(".digits time")).to_have_text("1:00")
    page.clock.fast_forward("02:00:00")
    expect(page.locator(".digits time")).to_have_text("3:00")


def test_a_search_that_fails_says_so_and_keeps_the_list(open_browser, busy_shop):
    page = open_browser(watch=False)
    log_in(page, "ana")
    page.route("**/jobs?*", lambda route: route.abort())
    page.get_by_role("searchbox").fill("nothing-like-it")
    expect(page.get_by_role("alert").filter(has_text="didn't get through")).to_be_visible()
    expect(page.locator("#results").get_by_text("4513").first).to_be_visible()
    page.unroute("**/jobs?*")
    page.get_by_role("button", name="Try again").click()
    expect(page.locator("#results").get_by_text("No job matches")).to_be_visible()


def test_the_keyboard_reaches_the_page_past_the_navigation(open_browser, cast):
    page = open_browser(viewport=DESKTOP)
    log_in(page, "ana")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
