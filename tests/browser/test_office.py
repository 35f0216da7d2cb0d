"""What the office does all day, in a real browser: the live board, a correction, a repair, a report."""

import re
from datetime import date, timedelta
from typing import Any

import pytest
from playwright.sync_api import expect

from flask_app.clock import utc_now
from flask_app.models import Job, Shift, User, WorkingWeek, committing, db
from flask_app.timeclock import ledger
from flask_app.timeclock.clock_out import BY_ITSELF
from tests.browser.conftest import DESKTOP, log_in
from tests.conftest import PASSWORD
from tests.shop import punch_in, punch_out

pytestmark = pytest.mark.browser
HOUR = timedelta(hours=1)


@pytest.fixture
def punch(app, cast, add_job):
    job_id = add_job("4512")

    def work(who, ago, end=None) -> int:
        with app.app_context():
            person, job = db.session.get_one(User, getattr(cast, who)), db.session.get_one(Job, job_id)
            shift = punch_in(person, job, utc_now() - ago)
            if end is not None:
                punch_out(shift, utc_now() - end)
            return shift.id

    return work


@pytest.fixture(autouse=True)
def every_day(app, cast):
    """People are expected on any weekday on which these tests are run."""
    with app.app_context():
        since = date(2000, 1, 1)
        rows = [WorkingWeek(user_id=who, from_day=since, weekdays=127) for who in (cast.ana, cast.luis)]
        committing(lambda: db.session.add_all(rows))


def test_the_wall_changes_its_date_with_the_day(open_browser, cast):
    wall = open_browser()
    wall.clock.install()
    log_in(wall, "ana")
    wall.goto("/todays_activity?wall=1")

    def tomorrow(route) -> None:
        answer = route.fetch()
        later = re.sub(r'data-day="[^"]+"', 'data-day="Fri 01/01/2027"', answer.text())
        route.fulfill(response=answer, body=later)

    wall.route("**/todays_activity?part=1*", tomorrow)
    wall.clock.fast_forward("00:21")
    expect(wall.get_by_text("Fri 01/01/2027")).to_be_visible()


def test_the_board_keeps_up_by_itself_and_keeps_what_is_ticked(open_browser, punch):
    luis = punch("luis", timedelta(minutes=5))
    office = open_browser(viewport={"width": 390, "height": 400})
    office.clock.install()
    log_in(office, "grace")
    office.goto("/todays_activity")
    office.get_by_label("Luis Romero", exact=True).check()
    office.get_by_role("button", name="Not today: Ana Duarte").scroll_into_view_if_needed()
    before = office.evaluate("scrollY")
    punch("ana", timedelta(minutes=1))
    office.clock.fast_forward("00:21")
    expect(office.get_by_label("Ana Duarte", exact=True)).to_be_visible()
    expect(office.get_by_label("Luis Romero", exact=True)).to_be_checked()
    assert before > 0
    assert office.evaluate("scrollY") > 0
    office.get_by_role("button", name="Punch out selected").click()
    expect(office.get_by_text("Luis Romero is punched out.")).to_be_visible()
    expect(office.locator(f"#s{luis}")).to_have_count(0)


def test_a_board_that_cannot_be_updated_says_so_and_stays(open_browser, punch):
    punch("luis", timedelta(minutes=5))
    office = open_browser(watch=False)
    office.clock.install()
    log_in(office, "grace")
    office.goto("/todays_activity")
    office.route("**/todays_activity?part=1", lambda route: route.abort())
    office.clock.fast_forward("00:21")
    expect(office.get_by_text("Can't reach the server. Retrying…")).to_be_visible()
    expect(office.get_by_text("Luis Romero").first).to_be_visible()
    office.unroute("**/todays_activity?part=1")
    office.clock.fast_forward("00:21")
    expect(office.get_by_text("Can't reach the server. Retrying…")).to_be_hidden()


def test_somebody_is_dismissed_for_the_day_and_expected_again(open_browser, punch):
    office = open_browser()
    log_in(office, "grace")
    office.goto("/todays_activity")
    office.get_by_role("button", name="Not today: Ana Duarte").click()
    expect(office.get_by_text("Ana Duarte is not expected today.")).to_be_visible()
    office.get_by_role("button", name="Undo: expect Ana Duarte today").click()
    expect(office.get_by_role("button", name="Not today: Ana Duarte")).to_be_visible()


def test_a_worker_says_when_they_left_and_the_office_approves(app, open_browser, punch):
    shift_id = punch("ana", 30 * HOUR)
    with app.app_context():
        shift = db.session.get_one(Shift, shift_id)
        how: dict[str, Any] = {"by": BY_ITSELF, "at": utc_now(), "reason": "Open"}
        committing(lambda: ledger.assume_end(shift, shift.started_at + HOUR, **how))
    phone, office = open_browser(), open_browser(viewport=DESKTOP)
    log_in(phone, "ana")
    phone.get_by_role("link", name="I left at another time").click()
    later = (shift.started_at + 2 * HOUR).astimezone(app.extensions["settings"].shop_timezone)
    phone.get_by_label("End, day").fill(later.strftime("%Y-%m-%d"))
    phone.get_by_label("End, time").fill(later.strftime("%H:%M"))
    phone.get_by_label("Note (optional)").fill("Stayed for the delivery")
    phone.get_by_role("button", name="Send to the office").click()
    expect(phone.get_by_text("Waiting for the office.").last).to_be_visible()
    log_in(office, "grace")
    office.get_by_role("link", name="Office").click()
    office.get_by_role("link", name="Correction requests").click()
    expect(office.get_by_text("Stayed for the delivery")).to_be_visible()
    office.get_by_role("button", name="Approve: Ana Duarte").click()
    expect(office.get_by_text("Ana Duarte's hours are corrected.")).to_be_visible()
    phone.reload()
    expect(phone.get_by_text("Approved by Grace W.").last).to_be_visible()


def test_a_shift_is_corrected_on_a_phone_with_a_reason(open_browser, punch):
    shift_id = punch("ana", 3 * HOUR, HOUR)
    phone = open_browser(watch=False)  # Chromium reports the answer 422 itself
    log_in(phone, "grace")
    phone.goto(f"/edit/shift/{shift_id}")
    phone.get_by_label("Note").fill("Sanding")
    phone.get_by_label("Job", exact=True).fill("9999")
    phone.get_by_role("button", name="Save the shift").click()
    expect(phone.get_by_text("There is no job 9999.")).to_be_visible()
    phone.get_by_label("Job", exact=True).fill("4512")
    phone.get_by_label("Reason for the change").fill("Asked on the floor")
    phone.get_by_role("button", name="Save the shift").click()
    expect(phone.get_by_text("Asked on the floor")).to_be_visible()


def test_people_are_put_on_a_job_after_a_look_at_who_is_busy(open_browser, punch, add_job):
    punch("luis", 2 * HOUR)
    add_job("4600")
    phone = open_browser()
    log_in(phone, "grace")
    phone.goto("/admin/assign_shift")
    phone.get_by_label("Job", exact=True).fill("4600")
    phone.get_by_label("Find by").fill("cut shop")
    expect(phone.get_by_label("Luis Romero")).to_be_hidden()
    phone.get_by_label("Ana Duarte").check()
    phone.get_by_label("Find by").fill("")
    phone.get_by_label("Luis Romero").check()
    phone.get_by_role("button", name="Show what would happen").click()
    expect(phone.get_by_text("On 4512 since")).to_be_visible()
    phone.get_by_label("Move at").check()
    phone.get_by_role("button", name="Start these shifts").click()
    expect(phone.get_by_text("2 people are now on 4600.")).to_be_visible()


def test_a_report_keeps_its_state_in_its_address(open_browser, punch):
    for n in range(60):
        punch("ana", timedelta(minutes=120 - 2 * n), timedelta(minutes=119 - 2 * n))
    office = open_browser(viewport=DESKTOP)
    log_in(office, "grace")
    office.get_by_role("link", name="Reports").click()
    office.get_by_role("link", name="Shifts").first.click()
    office.get_by_role("link", name="Last two weeks").click()
    expect(office.get_by_text("No shift matches.")).to_be_visible()
    office.get_by_label("From").fill("2020-01-01")
    office.get_by_label("To").fill("")
    office.get_by_label("Employee").select_option("Ana Duarte")
    office.get_by_role("button", name="Show").click()
    office.get_by_role("link", name="Worked").click()
    office.get_by_role("link", name="Next").click()
    expect(office.get_by_text("Page 2 of 2")).to_be_visible()
    office.reload()
    expect(office.get_by_text("Page 2 of 2")).to_be_visible()
    expect(office.get_by_label("Employee")).to_have_value(office.url.split("person=")[1].split("&")[0])
    with office.expect_download() as download:
        office.get_by_role("link", name="CSV").click()
    assert download.value.suggested_filename.startswith("shifts ")


def test_a_person_is_found_without_the_accents_of_the_name(app, open_browser, cast):
    form = {"first_name": "José", "last_name": "Núñez-Łuk", "department": "CUT_SHOP", "password": PASSWORD}
    with app.app_context():
        committing(lambda: User.create({**form, "email": "jn@shop.example"}, at=utc_now(), approved=True))
    office = open_browser()
    log_in(office, "grace")
    office.goto("/manage_users")
    rows = office.locator("#people [data-row]").filter(visible=True)
    for search in ("jose nunez", "LUK", "josé"):
        office.get_by_label("Find by").fill(search)
        expect(rows).to_have_count(1)
        expect(rows).to_contain_text("José Núñez-Łuk")
