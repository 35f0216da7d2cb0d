"""The sync's page while a sync runs: it begins at once, is shown living, and whatever ends it is told."""

import re
from threading import enumerate as running_threads

import pytest
from playwright.sync_api import expect

from flask_app.clock import utc_now
from flask_app.models import SyncRun, User, committing, db
from flask_app.utils.background_sync import BackgroundSync
from tests.browser.conftest import DESKTOP, PHONE, log_in
from tests.connected import until


@pytest.fixture
def silent(standin):
    """A Dataverse that does not answer until its faults are cleared."""
    standin.add(imi_imnumber="4512")
    standin.faults.hang(600, times=None)
    yield standin
    standin.faults.clear()
    until(lambda: not [thread for thread in running_threads() if isinstance(thread, BackgroundSync)])


@pytest.mark.parametrize("viewport", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_the_button_begins_a_sync_that_is_seen_to_run_and_to_end(open_browser, cast, silent, viewport):
    office = open_browser(viewport=viewport)
    log_in(office, "grace")
    office.goto("/sync")
    with office.expect_response("**/api/process-approved-jobs") as pressed:
        office.get_by_role("button", name="Sync now").click()

    assert pressed.value.status == 202  # before Dataverse has said anything
    expect(office.get_by_text("A sync is running", exact=True)).to_be_visible()
    expect(office.locator("[data-far=seconds]")).to_have_text(re.compile("[1-9]"))
    width = office.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert width == 0
    silent.faults.clear()
    expect(office.locator("[data-answer].success")).to_have_text("1 new job came in.")
    expect(office.get_by_text("A sync is running", exact=True)).to_be_hidden()
    expect(office.locator(".runs li").get_by_text("Done")).to_be_visible()


def test_a_sync_that_fails_while_it_is_watched_says_why(open_browser, cast, silent):
    office = open_browser()
    log_in(office, "grace")
    office.goto("/sync")
    office.get_by_role("button", name="Sync now").click()
    expect(office.get_by_text("A sync is running", exact=True)).to_be_visible()
    silent.faults.clear()
    silent.faults.html(times=None)
    silent.faults.drop()

    expect(office.locator("[data-answer].error, [data-answer].success")).to_be_visible()
    expect(office.get_by_text("A sync is running", exact=True)).to_be_hidden()


def test_a_press_while_a_sync_runs_follows_that_one(open_browser, cast, app, standin):
    office = open_browser(watch=False)  # Chromium reports the answer 409 itself
    log_in(office, "grace")
    office.goto("/sync")
    with app.app_context():
        run = committing(lambda: SyncRun.take(trigger="schedule", user_id=None, now=utc_now()))
        committing(lambda: run.hold(now=utc_now(), pages=3, rows=12_000))
    office.get_by_role("button", name="Sync now").click()

    expect(office.get_by_text("A sync is running already.")).to_be_visible()
    expect(office.locator("[data-far=rows]")).to_have_text("12,000")
    with app.app_context():
        committing(lambda: run.finish(now=utc_now(), outcome="succeeded", message="7 new jobs came in."))
    expect(office.locator("[data-answer].success")).to_have_text("7 new jobs came in.")


def test_the_page_stops_looking_when_the_session_has_ended_and_says_so(open_browser, cast, app, silent):
    office = open_browser(watch=False)  # Chromium reports the answer 401 itself
    log_in(office, "grace")
    office.goto("/sync")
    office.get_by_role("button", name="Sync now").click()
    expect(office.get_by_text("A sync is running", exact=True)).to_be_visible()
    looks = []
    office.on("request", lambda request: looks.append(request.url) if "/sync/" in request.url else None)
    office.context.clear_cookies()

    expect(office.get_by_text("You were logged out. The sync goes on without you.")).to_be_visible()
    expect(office.get_by_text("A sync is running", exact=True)).to_be_hidden()
    counted = len(looks)
    office.evaluate("new Promise((resolve) => setTimeout(resolve, 1600))")  # two looks' time, in the browser
    assert len(looks) == counted
    expect(office.get_by_role("link", name="Log in to see how it went")).to_have_attribute(
        "href", "/?next=/sync"
    )


def test_a_press_after_the_session_has_ended_says_so(open_browser, cast, app, standin):
    office = open_browser(watch=False)
    log_in(office, "grace")
    office.goto("/sync")
    with app.app_context():
        db.session.get_one(User, cast.grace).epoch += 1  # as a new password does
        db.session.commit()
    office.get_by_role("button", name="Sync now").click()

    expect(office.get_by_text("You were logged out. The sync goes on without you.")).to_be_visible()
    with app.app_context():
        assert SyncRun.last() is None


@pytest.mark.parametrize("scripts", [True, False], ids=["script", "no script"])
def test_a_runs_own_page_shows_it_living_and_then_how_it_went(open_browser, cast, app, silent, scripts):
    office = open_browser()
    log_in(office, "grace")
    office.goto("/sync")
    office.get_by_role("button", name="Sync now").click()
    expect(office.get_by_text("A sync is running", exact=True)).to_be_visible()
    other = open_browser(java_script_enabled=scripts)
    log_in(other, "grace")
    other.goto("/sync/run/1")
    expect(other.get_by_text("A sync is running", exact=True)).to_be_visible()
    silent.faults.clear()

    expect(other.get_by_text("1 new job came in.")).to_be_visible()
    expect(other.get_by_text("Done", exact=True)).to_be_visible()
    expect(other.get_by_text("A sync is running", exact=True)).to_have_count(0)


def test_without_javascript_the_button_leads_to_the_run_which_looks_again_by_itself(
    open_browser, cast, silent
):
    office = open_browser(java_script_enabled=False)
    log_in(office, "grace")
    office.goto("/sync")
    office.get_by_role("button", name="Sync now").click()
    office.wait_for_url("**/sync/run/*")
    expect(office.get_by_text("A sync is running", exact=True)).to_be_visible()
    silent.faults.clear()

    expect(office.get_by_text("1 new job came in.")).to_be_visible()
