"""Reports by their addresses: what a link carries, and what nobody should have typed."""

import html
import re
from datetime import timedelta

import pytest

from flask_app.models import Job, User, db
from tests.conftest import NOW
from tests.shop import punch_in, punch_out

REPORTS = ("shifts", "hours", "quarterly", "jobs")


@pytest.fixture
def grace(cast, log_in):
    return log_in("grace")


@pytest.mark.parametrize("words", ["endpoint=x", "_method=POST", "_external=1", "_scheme=http"])
def test_words_of_the_framework_in_an_address_change_nothing(grace, words):
    for report in REPORTS:
        page = grace.get(f"/reports/{report}?{words}")
        assert (page.status_code, 'href="http' in page.text) == (200, False)


def test_links_carry_the_state_of_a_report_and_a_preset_stays_relative(grace):
    page = grace.get("/reports/shifts?preset=last_week&department=CNC_SHOP&only=edited&page=3")
    link = "/reports/shifts?preset=last_week&amp;department=CNC_SHOP&amp;only=edited&amp;format="
    assert all(f"{link}{form}" in page.text for form in ("csv", "xlsx", "print"))


@pytest.mark.parametrize(
    ("days", "sentence"),
    [
        ("from=2026-11-09&to=2026-11-01", "The last day is before the first day. Swap them."),
        ("from=abc", "This day can&#39;t be read."),
        ("from=2000-01-01&to=2026-11-01", "That&#39;s more than ten years."),
        ("quarter=2026-Q9", "This quarter can&#39;t be read."),
        ("preset=nonsense", "There is no such range of days."),
    ],
)
def test_days_that_make_no_sense_are_told_and_never_become_a_file(grace, days, sentence):
    page, file = (grace.get(f"/reports/shifts?{days}&format={form}") for form in ("", "csv"))
    assert (page.status_code, sentence in page.text) == (422, True)
    assert (file.status_code, file.mimetype) == (400, "text/html")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("/shift_report", "/reports/shifts"),
        ("/shift_report/last_week", "/reports/shifts?preset=last_week"),
        ("/shift_report?preset=this_month", "/reports/shifts?preset=month"),
        ("/quarterly_report", "/reports/quarterly"),
    ],
)
def test_old_addresses_lead_to_the_reports(grace, old, new):
    assert grace.get(old).location == new
    assert grace.get(new).status_code == 200


NUMBERS = ["10023", "4512", "A10", "2458 (4391)", "a9", "0040"]
IN_ORDER = ["0040", "2458 (4391)", "4512", "10023", "a9", "A10"]


@pytest.mark.parametrize("report", ["jobs", "shifts"])
@pytest.mark.parametrize("form", ["csv", ""])
def test_job_numbers_stand_in_the_order_of_the_numbers(app, cast, grace, add_job, report, form):
    for place, number in enumerate(NUMBERS):
        job_id = add_job(number)
        with app.app_context():
            ana, job = db.session.get_one(User, cast.ana), db.session.get_one(Job, job_id)
            punch_in(ana, job, NOW + timedelta(minutes=place))
    for sort, expected in (("job", IN_ORDER), ("-job", IN_ORDER[::-1])):
        days = f"from={NOW:%Y-%m-%d}&to={NOW:%Y-%m-%d}"
        page = grace.get(f"/reports/{report}?sort={sort}&format={form}&{days}").text
        table = page[page.index("<tbody") :] if not form else page
        places = {number: re.search(rf"\b{re.escape(number)}(?!\d)", table) for number in NUMBERS}
        assert sorted(NUMBERS, key=lambda number: places[number].start()) == expected


def test_a_print_says_what_it_was_narrowed_to(grace):
    page = grace.get("/reports/shifts?preset=week&department=CUT_SHOP&only=open&format=print")
    assert "Department: Cut shop; Only: On the clock" in page.text


@pytest.mark.parametrize("what", ["update", "delete"])
def test_the_filters_of_a_report_survive_that_a_shift_is_changed_or_deleted(app, grace, cast, add_job, what):
    add_job("4512")
    day = {"job": "4512", "start_day": "2026-11-23", "start_time": "07:00", "end_day": "2026-11-23"}
    grace.post("/new/shift", data={**day, "end_time": "08:00", "user_id": cast.ana, "reason": "Forgot"})
    report = (
        f"/reports/shifts?from=2026-11-23&to=2026-11-23&person={cast.ana}&department=CUT_SHOP&only=edited"
    )
    page = grace.get(report).text
    edit = html.unescape(re.search(r'href="(/edit/shift/[^"]+)"', page)[1])
    form = grace.get(edit).text
    assert f'class="back" href="{html.escape(report)}"' in form
    sent = {
        name: html.unescape(re.search(f'name="{name}" value="([^"]*)"', form)[1]) for name in ("next", "seen")
    }
    shift_id = re.search(r"/edit/shift/(\d+)", edit)[1]
    wrong = grace.post(f"/{what}/shift/{shift_id}", data={**sent, **day, "end_time": "09:00", "reason": ""})
    assert wrong.status_code == 422
    assert f'name="next" value="{html.escape(report)}"' in wrong.text
    right = {**sent, **day, "end_time": "09:00", "reason": "She said so"}
    assert grace.post(f"/{what}/shift/{shift_id}", data=right).location == report


def test_a_report_to_go_back_to_is_one_of_ours(grace, cast, add_job):
    add_job("4512")
    day = {"job": "4512", "start_day": "2026-11-23", "start_time": "07:00", "end_day": "2026-11-23"}
    added = grace.post(
        "/new/shift", data={**day, "end_time": "08:00", "user_id": cast.ana, "reason": "Forgot"}
    )
    page = grace.get(f"{added.location}?next=https://evil.example/")
    assert (page.status_code, "evil" in page.text) == (200, False)


def test_on_paper_there_are_no_hints_and_the_totals_stand_once_at_the_end(app, grace, cast, add_job, log_in):
    log_in("ana").post("/create/shift", data={"job_id": add_job("4512")})
    page, paper = (grace.get(f"/reports/hours{form}").text for form in ("", "?format=print"))
    assert ("kpis" in page, "quiet" in page) == (True, True)
    assert ("kpis" in paper, 'class="quiet"' in paper) == (False, False)
    assert paper.count("<tfoot>") == 1


def test_a_line_of_shifts_has_times_of_its_day_and_other_days_by_name(app, grace, cast, add_job):
    job = add_job("4512")
    with app.app_context():
        ana, desk = db.session.get_one(User, cast.ana), db.session.get_one(Job, job)
        shift = punch_in(ana, desk, NOW)
        punch_out(shift, NOW + timedelta(hours=13))
        punch_out(punch_in(ana, desk, NOW + timedelta(hours=15)), NOW + timedelta(hours=20))
    text = grace.get("/reports/shifts?from=2026-11-23&to=2026-11-23&sort=start").text
    times = re.findall(r"<time [^>]*>([^<]+)</time>", text)
    assert times[:2] == ["7:02 AM", "8:02 PM"]
    assert times[-2:] == ["10:02 PM", "Tue Nov 24 3:02 AM"]
