"""The product's main job, from Dataverse to somebody's hours, on a phone."""

import re
from datetime import timedelta

import pytest
from playwright.sync_api import expect

from flask_app.models import Job
from flask_app.models.job import ACTIVE, INACTIVE
from tests.browser.conftest import log_in

pytestmark = pytest.mark.browser


@pytest.fixture(autouse=True)
def no_second_tap(monkeypatch):
    """A test is quicker than people are: a punch out soon after the punch in is asked about, or not, by its
    speed (tests/web/test_undo.py has that question)."""
    monkeypatch.setattr("flask_app.timeclock.punches.DOUBLE_TAP", timedelta(0))


NEEDED = 826130000  # a submittal status that is not "Approved"


@pytest.mark.parametrize("database_url", ["sqlite", "mariadb"], indirect=True)
def test_a_day_at_the_shop(open_browser, cast, standin):
    standin.add(imi_imnumber="4512", imi_gc="Gilbane", imi_scopesummary="Reception desk, level 3")
    standin.add(imi_imnumber="4513", imi_gc="Suffolk", imi_scopesummary="Wall panels")
    office, phone = open_browser(viewport={"width": 1280, "height": 800}), open_browser()

    log_in(office, "grace")
    office.goto("/sync")
    office.get_by_role("button", name="Sync now").click()
    expect(office.get_by_text("2 new jobs came in.").first).to_be_visible()

    log_in(phone, "ana")
    expect(phone.get_by_role("heading", name="You're not on the clock")).to_be_visible()
    phone.get_by_role("searchbox").fill("reception gilb")
    expect(phone.locator("#results").get_by_text("1 job matches")).to_be_visible()
    phone.get_by_role("button", name="Punch in on 4512").click()
    expect(
        phone.get_by_role("status").filter(has_text=re.compile("You're on 4512 since .+ [AP]M"))
    ).to_be_visible()
    expect(phone.get_by_role("heading", name="On the clock", exact=True)).to_be_visible()

    phone.get_by_role("button", name="Switch to 4513").first.click()
    expect(phone.get_by_role("status").filter(has_text="You're on 4513 since")).to_be_visible()
    office.goto("/dashboard")
    expect(office.get_by_text("Ana Duarte")).to_be_visible()

    phone.get_by_role("button", name="Punch out").click()
    expect(phone.get_by_role("status").filter(has_text="Punched out of 4513 at")).to_be_visible()
    phone.get_by_role("link", name="My hours").click()
    expect(phone.get_by_role("link", name="4512")).to_be_visible()
    expect(phone.get_by_role("link", name="4513")).to_be_visible()


def test_new_jobs_arrive_by_the_button_and_a_deactivated_worker_is_out(open_browser, cast, add_job, standin):
    add_job("4512")
    office, phone = open_browser(), open_browser()
    log_in(phone, "ana")
    phone.get_by_role("button", name="Punch in on 4512").click()
    log_in(office, "grace")

    standin.add(imi_imnumber="4600", imi_gc="Stiles", imi_scopesummary="Lockers")
    office.goto("/sync")
    office.get_by_role("button", name="Sync now").click()
    expect(office.get_by_text("1 new job came in.").first).to_be_visible()
    phone.goto("/dashboard")
    expect(phone.get_by_role("button", name="Switch to 4600")).to_be_visible()

    office.goto(f"/edit/user/{cast.ana}")
    office.get_by_role("button", name="Deactivate Ana Duarte").click()
    expect(office.get_by_role("heading", name="Deactivate Ana Duarte?")).to_be_visible()
    office.get_by_role("button", name="Deactivate", exact=True).click()
    expect(office.get_by_text("Ana Duarte is deactivated and was punched out of 4512.")).to_be_visible()
    phone.get_by_role("link", name="My hours").click()
    expect(phone.get_by_role("button", name="Log in")).to_be_visible()


def test_a_newcomer_registers_waits_and_is_let_in(open_browser, cast):
    phone, office = open_browser(), open_browser()
    phone.goto("/register")
    for label, text in (("First name", "Noa"), ("Last name", "Berg"), ("Email", "noa@shop.example")):
        phone.get_by_label(label).fill(text)
    phone.get_by_label("Department").select_option(label="Paint shop")
    for box in phone.locator("input[type=password]").all():
        box.fill("dusty-hands-650")
    phone.locator("main form button").click()
    expect(phone.get_by_role("status").filter(has_text="Waiting for approval")).to_be_visible()

    log_in(office, "grace")
    office.goto("/manage_users")
    office.get_by_role("button", name="Activate Noa Berg").click()
    expect(office.get_by_text("Noa Berg can log in now.")).to_be_visible()
    log_in(phone, "noa")


def test_two_taps_on_punch_in_make_one_shift(open_browser, cast, add_job):
    add_job("4512")
    phone = open_browser()
    log_in(phone, "ana")
    phone.get_by_role("button", name="Punch in on 4512").dblclick()
    expect(phone.get_by_role("heading", name="On the clock", exact=True)).to_be_visible()
    phone.goto("/my/hours")
    expect(phone.locator("main").get_by_role("link", name="4512")).to_have_count(1)


def test_everything_works_without_javascript(open_browser, cast, add_job, standin):
    add_job("4512", job_scope="Reception desk")
    standin.add(imi_imnumber="4600", imi_gc="Stiles", imi_scopesummary="Lockers")
    phone, office = open_browser(java_script_enabled=False), open_browser(java_script_enabled=False)
    log_in(phone, "ana")
    phone.get_by_role("searchbox").fill("reception")
    phone.get_by_role("button", name="Search").click()
    phone.get_by_role("button", name="Punch in on 4512").click()
    phone.get_by_role("button", name="Punch out").click()
    expect(phone.get_by_text("Punched out of 4512 at")).to_be_visible()

    log_in(office, "grace")
    office.goto("/sync")
    office.get_by_role("button", name="Sync now").click()
    expect(office.get_by_text("1 new job came in.").first).to_be_visible()


def test_a_sync_that_fails_says_why_on_the_page(open_browser, cast, standin):
    office = open_browser(watch=False)  # Chromium reports the answer 502 itself
    log_in(office, "grace")
    office.goto("/sync")
    standin.faults.html(times=10)
    office.get_by_role("button", name="Sync now").click()
    expect(office.locator("[data-answer].error")).to_be_visible()
    expect(office.get_by_text("Failed", exact=True)).to_be_visible()


def test_what_is_edited_here_stays_until_it_is_handed_back(open_browser, cast, standin):
    row = standin.add(imi_imnumber="4512", imi_gc="Gilbane")
    office = open_browser()
    log_in(office, "grace")
    sync_now(office)

    office.goto("/dashboard")
    office.get_by_role("link", name="4512").click()
    office.get_by_role("link", name="Edit").click()
    office.get_by_label("General contractor").fill("Suffolk, Boston office")
    office.get_by_role("button", name="Save").click()
    expect(office.locator(".head").get_by_text("Edited here")).to_be_visible()
    page = office.url

    standin.change(row, imi_gc="Gilbane Building Company")
    sync_now(office)
    office.goto(page)
    expect(office.locator(".head").get_by_text("Suffolk, Boston office")).to_be_visible()
    office.get_by_role("button", name="Follow Dataverse again: General contractor").click()
    expect(office.get_by_role("status").filter(has_text="follows Dataverse again")).to_be_visible()
    expect(office.locator(".head").get_by_text("Gilbane Building Company")).to_be_visible()
    expect(office.get_by_text("Edited here")).to_have_count(0)


def test_a_rehearsal_shows_what_a_sync_then_does_and_what_is_gone_is_deactivated(
    open_browser, cast, app, standin
):
    row = standin.add(imi_imnumber="4600", imi_gc="Stiles", imi_scopesummary="Lockers")
    office = open_browser()
    log_in(office, "grace")
    office.goto("/sync")
    office.get_by_role("button", name="Show what a sync would do").click()
    expect(office.get_by_role("heading", name="Nothing was changed")).to_be_visible()
    expect(office.get_by_text("4600")).to_be_visible()
    with app.app_context():
        assert Job.counts() == {ACTIVE: 0, INACTIVE: 0}

    office.get_by_role("button", name="Sync now").click()
    office.wait_for_url("**/sync")
    expect(office.locator(".runs li").get_by_text("Done")).to_be_visible()
    standin.change(row, imi_submittalstatus=NEEDED)
    sync_now(office)
    expect(office.get_by_role("heading", name="No longer approved")).to_be_visible()  # without a new page
    office.get_by_role("button", name="Deactivate 4600").click()
    office.get_by_role("button", name="Deactivate", exact=True).click()
    expect(office.get_by_role("status").filter(has_text="Job 4600 is saved.")).to_be_visible()
    expect(office.get_by_role("heading", name="No longer approved")).to_have_count(0)
    with app.app_context():
        assert Job.counts() == {ACTIVE: 0, INACTIVE: 1}


def test_a_sync_is_watched_while_it_runs_by_whoever_looks(open_browser, cast, standin):
    standin.add(imi_imnumber="4512")
    office, other = open_browser(), open_browser()
    for page in (office, other):
        log_in(page, "grace")
    standin.faults.hang(600)
    office.goto("/sync")
    office.get_by_role("button", name="Sync now").click()
    for page in (office, other):
        page.goto("/sync") if page is other else None
        expect(page.get_by_text("A sync is running", exact=True)).to_be_visible()
        expect(page.get_by_text("Jobs read")).to_be_visible()
    expect(other.get_by_text("Running", exact=True)).to_be_visible()

    standin.faults.clear()
    expect(office.get_by_role("status").filter(has_text="1 new job came in.")).to_be_visible()
    for page in (office, other):
        expect(page.get_by_text("A sync is running", exact=True)).to_be_hidden()
        expect(page.get_by_text("Done", exact=True)).to_be_visible()


def sync_now(page):
    page.goto("/sync")
    page.get_by_role("button", name="Sync now").click()
    expect(page.locator("[data-answer].success")).to_be_visible()
