"""What holds on every page: nobody is shut out by it, and it fits every screen."""

import re
from datetime import timedelta
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import expect
from sqlalchemy import select

from flask_app.clock import day_of, utc_now, week_start
from flask_app.models import Holiday, Job, Shift, SyncRun, TimeRule, User, committing, db
from flask_app.models.sync_run import LEASE, SyncChange, SyncSkip, write_ledger
from flask_app.timeclock import ledger
from flask_app.timeclock.corrections import ask
from flask_app.timeclock.ledger import Actor
from tests.browser.conftest import DESKTOP, PHONE, log_in
from tests.shop import punch_in, punch_out

pytestmark = pytest.mark.browser

LONG_NUMBER = "IM-" + "4" * 40
LONG_NAME = "Brasfield & Gorrie with Hensel Phelps and Partners, a Joint Venture of Long Names LLC"
HOSTILE = "Qx" * 2000  # no blank to break a line at
PAGES = ("/dashboard", "/dashboard?q=nothing-like-it", "/dashboard?tab=inactive", "/my/hours",
         "/show/job/{job}", "/manage_users", "/new/user", "/edit/user/{ana}", "/new/job", "/edit/job/{job}",
         "/sync", "/sync/run/{run}", "/sync/run/{failed}", "/no/such/page", "/account", "/todays_activity",
         "/todays_activity?wall=1", "/end_of_day", "/office", "/edit/shift/{shift}", "/new/shift",
         "/admin/assign_shift", "/admin/audit", "/admin/rules", "/admin/rules/meals",
         "/employment/user/{ana}", "/reports/possible?person={ana}",
         "/reports/shifts?preset=two_weeks&person={ana}", "/admin/corrections", "/admin/stale_shifts",
         "/my/corrections/new", "/my/switch", "/reports",
         "/reports/shifts?preset=two_weeks", "/reports/hours?preset=month",
         "/reports/quarterly", "/reports/timesheets", "/my/timesheet", "/reports/jobs", "/reports/jobs/{job}",
         "/reports/shifts?format=print")  # fmt: skip
PUBLIC = ("/", "/register", "/offline/en")


@pytest.fixture
def busy_shop(app, cast, add_job):
    """A shop with long names, history, somebody on the clock and syncs of every outcome; returns what the
    addresses need."""
    job = add_job(
        LONG_NUMBER, general_contractor=LONG_NAME, job_scope="Wall panels and " * 100, estimated_hours="1"
    )
    gone = add_job("4513")
    with app.app_context():
        ana, grace = (db.session.get_one(User, person) for person in (cast.ana, cast.grace))
        now, on = utc_now(), db.session.get_one(Job, job)

        def work() -> None:
            for hours in range(30, 3, -3):
                shift = punch_in(ana, on, now - timedelta(hours=hours), note="Sanding " * 20)
                punch_out(shift, now - timedelta(hours=hours - 2))
            punch_in(ana, on, now - timedelta(hours=1))
            punch_in(grace, on, now - timedelta(minutes=5))
            on.dataverse_id, on.upstream_state, on.dataverse_since = str(uuid4()), "deleted", now
            on.dataverse_says = {"general_contractor": HOSTILE, "job_scope": ""}
            left = db.session.get_one(Job, gone)
            left.dataverse_id, left.upstream_state, left.dataverse_since = str(uuid4()), "not_approved", now

        committing(work)
        shift = committing(lambda: _changes(cast))
        runs = committing(lambda: _runs(on, now - timedelta(hours=27)))
    return {"job": job, "ana": cast.ana, "shift": shift, **runs}


def _changes(cast):
    """Marks, changes, a request, a holiday: what the office's pages can show. Returns an edited shift."""
    ana, grace = (db.session.get_one(User, person) for person in (cast.ana, cast.grace))
    now = utc_now()
    how: dict[str, Any] = {"by": Actor(grace), "at": now, "reason": "Camera " * 60}
    edited, assumed = db.session.scalars(select(Shift).where(Shift.ended_at.is_not(None)).limit(2)).all()
    ledger.amend(edited, edited.started_at, edited.ended_at - timedelta(minutes=7), edited.job, **how)
    assumed.assumed_at = now
    stale = Shift(user_id=cast.luis, job=edited.job, started_at=now - timedelta(days=4), note="")
    db.session.add(stale)
    ask(
        ana, "time", edited, edited.started_at, edited.ended_at - timedelta(minutes=1), edited.job,
        note="Really " * 40, at=now,
    )  # fmt: skip
    Holiday.add(now.date().replace(month=12, day=25), "Christmas Day", by=grace, now=now)
    return edited.id


def _runs(job, at):
    """A run that skipped and changed a lot long ago, one that failed, one that broke off, one at work."""
    ended = {"started_at": at, "finished_at": at, "lease_until": at}
    run = SyncRun(trigger="schedule", outcome="succeeded", message="Much.", added=12040, updated=60, **ended)
    failed = SyncRun(trigger="button", outcome="failed", message=f"It said {HOSTILE[:600]}.", **ended)
    broken = SyncRun(trigger="login", outcome="abandoned", message="This run broke off.", **ended)
    now = utc_now()
    at_work = SyncRun(trigger="login", started_at=now, lease_until=now + LEASE, pages=3, rows=15000)
    db.session.add_all([run, failed, broken])
    db.session.flush()
    db.session.add(at_work)
    texts = [("Gilbane", "Suffolk"), (HOSTILE, "<b>" * 1000), ("", "Suffolk"), ("Gilbane", "")]
    fields = [("link", "", "x"), ("upstream_state", "approved", "deleted"), ("im_number", "1", "2" * 50)]
    fields += [("general_contractor", old, new) for old, new in texts]
    one = {"run_id": run.id, "job_id": job.id, "im_number": job.im_number}
    write_ledger(SyncChange, [{**one, "field": name, "old": old, "new": new} for name, old, new in fields])
    numbers = ["", "W" * 255, *("4512" for _ in range(58))]
    skip = {"run_id": run.id, "dataverse_id": str(uuid4()), "reason": "The IM number is missing."}
    write_ledger(SyncSkip, [{**skip, "im_number": number} for number in numbers])
    return {"run": run.id, "failed": failed.id}


# What axe judges by colours: the one thing that another colour scheme can make wrong.
COLOURS = {"runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}}


@pytest.mark.parametrize("share", range(4))
def test_axe_finds_nothing(open_browser, busy_shop, share):
    page = open_browser(watch=False)  # Chromium reports the answer 404 itself
    found = {path: _violations(page, path) for path in PUBLIC} if share == 0 else {}
    log_in(page, "grace")
    found |= {path: _violations(page, path.format(**busy_shop)) for path in PAGES[share::4]}
    assert {path: problems for path, problems in found.items() if problems} == {}


def _violations(page, path):
    page.goto(path)
    page.evaluate(AXE_SCRIPT)
    found = []
    for scheme, rules in (("light", {}), ("dark", COLOURS)):
        page.emulate_media(color_scheme=scheme)
        for rule in page.evaluate(_VIOLATIONS, {"resultTypes": ["violations"], **rules}):
            found.append((scheme, rule["id"], rule["nodes"]))
    return found


_VIOLATIONS = """async options => (await axe.run(options)).violations
  .map(rule => ({id: rule.id, nodes: rule.nodes.map(node => node.html.slice(0, 120))}))"""


def test_every_page_fits_every_screen_and_every_finger(open_browser, busy_shop):
    """Nothing is wider than its screen; on a phone whatever a finger must hit is 44 pixels high."""
    page = open_browser(watch=False)
    log_in(page, "grace")
    wrong = []
    for path in PAGES:
        page.goto(path.format(**busy_shop))
        for width in (320, 390, 1280):
            page.set_viewport_size({"width": width, "height": 640})
            if page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"):
                wrong.append(f"{path} at {width}")
            if width < 400:
                wrong += [f"{path} at {width}: {what}" for what in page.evaluate(_SMALL_TARGETS)]
    assert wrong == []


_SMALL_TARGETS = """() =>
  [...document.querySelectorAll(
    "button, select, summary, input:not([type=hidden], [type=radio], [type=checkbox])")]
  .filter(e => e.checkVisibility() && e.getBoundingClientRect().height < 44)
  .map(e => e.outerHTML.slice(0, 100))"""


def test_a_run_is_searched_and_long_texts_are_folded(open_browser, busy_shop):
    page = open_browser()
    log_in(page, "grace")
    page.goto("/sync/run/{run}".format(**busy_shop))
    rows = page.locator("#details [data-row]").filter(visible=True)
    expect(rows).to_have_count(1 + 50)
    page.get_by_label("Find by").fill("4512 missing")
    expect(rows).to_have_count(58)  # also those that were not shown at first
    page.get_by_label("Find by").fill("nothing-like-it")
    expect(page.locator("#filter-none")).to_be_visible()
    page.get_by_label("Find by").fill("")
    before = page.locator(".long").first.bounding_box()["height"]
    page.get_by_text("Show all", exact=True).first.click()
    assert page.locator(".long").first.bounding_box()["height"] > 5 * before


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


def test_meal_and_paid_grow_by_the_meal_rule(app, open_browser, cast, add_job):
    job = add_job("4512")
    with app.app_context():
        committing(lambda: TimeRule.begin(30, 240))
        start = utc_now() - timedelta(hours=4, minutes=10)
        punch_in(db.session.get_one(User, cast.ana), db.session.get_one(Job, job), start)
        first_of_week = week_start(day_of(start, ZoneInfo("America/New_York")))
    page = open_browser()
    page.clock.install()
    log_in(page, "ana")
    page.goto(f"/my/hours?to={first_of_week}")
    total = page.locator("li", has=page.get_by_text("Total", exact=True))
    expect(total).to_contain_text(re.compile(r"4:1\d\s*4:00 paid \(0:1\d meal\)"))
    page.clock.fast_forward("01:00:00")
    expect(total).to_contain_text(re.compile(r"5:1\d\s*4:4\d paid \(0:30 meal\)"))


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
