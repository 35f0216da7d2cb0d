"""The product's main job, from Dataverse to somebody's hours, on a phone."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import log_in

pytestmark = pytest.mark.browser


def test_a_day_at_the_shop(open_browser, cast, standin):
    standin.add(imi_imnumber="4512", imi_gc="Gilbane", imi_scopesummary="Reception desk, level 3")
    standin.add(imi_imnumber="4513", imi_gc="Suffolk", imi_scopesummary="Wall panels")
    office, phone = open_browser(viewport={"width": 1280, "height": 800}), open_browser()

    log_in(office, "grace")
    office.get_by_role("link", name="Sync", exact=True).click()
    office.get_by_role("button", name="Sync now").click()
    expect(office.get_by_text("2 new jobs came in.").first).to_be_visible()

    log_in(phone, "ana")
    expect(phone.get_by_role("heading", name="You're not on the clock")).to_be_visible()
    phone.get_by_role("searchbox").fill("reception gilb")
    expect(phone.locator("#results").get_by_text("One job matches")).to_be_visible()
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
    expect(phone.get_by_role("status").filter(has_text="You're off 4513 since")).to_be_visible()
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

    office.goto("/manage_users")
    office.get_by_role("button", name="Deactivate Ana Duarte").click()
    expect(office.get_by_text("Ana Duarte is deactivated and was punched out of 4512.")).to_be_visible()
    phone.get_by_role("link", name="My hours").click()
    expect(phone.get_by_role("button", name="Log in")).to_be_visible()


def test_a_newcomer_registers_waits_and_is_let_in(open_browser, cast):
    phone, office = open_browser(), open_browser()
    phone.goto("/register")
    for label, text in (("First name", "Noa"), ("Last name", "Berg"), ("E-mail", "noa@shop.example")):
        phone.get_by_label(label).fill(text)
    phone.get_by_label("Department").select_option(label="Paint shop")
    for box in phone.locator("input[type=password]").all():
        box.fill("dusty-hands-650")
    phone.locator("main form button").click()
    expect(phone.get_by_role("status").filter(has_text="waits for an admin")).to_be_visible()

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
    expect(phone.get_by_text("You're off 4512 since")).to_be_visible()

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
