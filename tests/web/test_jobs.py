"""The board, its search, one job's page, and the admins' forms for jobs."""

import re
from datetime import timedelta

import pytest
import time_machine
from sqlalchemy import select

from flask_app.models import Job, User, db
from tests.conftest import NOW
from tests.shop import punch_in, punch_out

FORM = {
    "im_number": "7001",
    "general_contractor": "Turner",
    "job_scope": "Stair rail",
    "estimated_hours": "12.5",
    "context": "Ask Luis",
    "status": "1",
}


@pytest.fixture
def grace(log_in, cast):
    return log_in("grace")


@pytest.fixture
def ana(log_in, cast):
    return log_in("ana")


def job_of(app, im_number: str) -> Job | None:
    with app.app_context():
        return db.session.scalar(select(Job).where(Job.im_number == im_number))


def work(app, user_id: int, job_id: int, minutes: int | None, at=NOW) -> None:
    with app.app_context():
        worker, job = db.session.get_one(User, user_id), db.session.get_one(Job, job_id)
        shift = punch_in(worker, job, at)
        if minutes is not None:
            punch_out(shift, at + timedelta(minutes=minutes))


def test_a_new_job_is_on_the_board_at_once(app, grace, cast):
    page = grace.post("/create/job", data=FORM, follow_redirects=True)
    assert "Job 7001 is on the board." in page.text
    job = job_of(app, "7001")
    assert (job.estimated_hours, job.context, job.status, job.user_id) == (12.5, "Ask Luis", 1, cast.grace)
    assert "7001" in grace.get("/jobs").text


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"im_number": ""}, "Enter the IM number."),
        ({"im_number": "4512"}, "There is already a job 4512."),
        ({"im_number": "x" * 51}, "This is too long: at most 50 characters."),
        ({"general_contractor": "\0"}, "Enter the general contractor."),
        ({"job_scope": " "}, "Enter the scope."),
        ({"job_scope": "x" * 2001}, "This is too long: at most 2,000 characters."),
        ({"estimated_hours": "a week"}, "Enter a number of hours such as 40 or 12.5."),
        ({"status": "7"}, "Choose active or inactive."),
    ],
)
def test_a_form_that_cannot_be_taken_says_why_and_keeps_what_was_typed(
    app, grace, add_job, changes, sentence
):
    add_job("4512")
    answer = grace.post("/create/job", data={**FORM, **changes})
    assert answer.status_code == 422
    assert sentence in answer.text
    assert "Ask Luis" in answer.text
    assert job_of(app, "7001") is None


def test_an_edit_saves_every_field(app, grace, add_job):
    job_id = add_job("4512")
    page = grace.post(
        f"/update/job/{job_id}", data={**FORM, "sure": "yes", "status": "0"}, follow_redirects=True
    )
    assert "Job 7001 is saved." in page.text
    job = job_of(app, "7001")
    assert (job.id, job.general_contractor, job.job_scope, job.status) == (job_id, "Turner", "Stair rail", 0)


def test_an_edit_that_cannot_be_taken_saves_nothing_and_keeps_what_was_typed(app, grace, add_job):
    job_id = add_job("4512")
    add_job("4513")
    answer = grace.post(f"/update/job/{job_id}", data={**FORM, "im_number": "4513"})
    assert (answer.status_code, "There is already a job 4513." in answer.text) == (422, True)
    assert "Stair rail" in answer.text
    assert job_of(app, "4512").job_scope == "Reception desk"


def test_one_field_may_be_changed_alone_as_scripts_do(app, grace, add_job):
    job_id = add_job("4512", estimated_hours="40")
    grace.post(f"/update/job/{job_id}", data={"sure": "yes", "status": "0"})
    job = job_of(app, "4512")
    assert (job.status, job.estimated_hours) == (0, 40)


@pytest.mark.parametrize("hours", ["12345.67", "999999", "0.05", "40", "100000", "", "0"])
def test_a_form_that_is_sent_back_as_it_came_changes_nothing(app, grace, add_job, hours):
    scope = "Two lines\nand a <b> & “quotes”"
    job_id = add_job("4512", estimated_hours=hours, job_scope=scope)
    before = job_of(app, "4512").estimated_hours
    page = grace.get(f"/edit/job/{job_id}").text
    shown = re.search(r'name="estimated_hours"[^>]*?value="([^"]*)"', page)[1]
    grace.post(f"/update/job/{job_id}", data={"estimated_hours": shown})
    assert job_of(app, "4512").estimated_hours == before
    assert "Two lines\nand a &lt;b&gt; &amp; “quotes”</textarea>" in page


@pytest.mark.parametrize("job_id", ["0", "999999", "2147483648", "99999999999999999999", "-1", "x", "1%00"])
@pytest.mark.parametrize("address", ["/show/job/", "/edit/job/", "/add/shift/"])
def test_a_job_that_does_not_exist_is_a_page_that_says_so(grace, address, job_id):
    answer = grace.get(address + job_id)
    assert answer.status_code == 404
    assert "There is no such job" in answer.text or "There is no page at this address" in answer.text


def test_a_job_without_shifts_can_be_opened(ana, add_job):
    answer = ana.get(f"/show/job/{add_job()}")
    assert (answer.status_code, "Nobody has worked on this job yet." in answer.text) == (200, True)


def test_a_jobs_page_adds_up_its_departments(app, ana, cast, add_job):
    job_id = add_job("4512", estimated_hours="4")
    work(app, cast.ana, job_id, 90)
    work(app, cast.luis, job_id, 45)
    page = ana.get(f"/show/job/{job_id}").text
    assert [word in page for word in ("2:15", "1:30", "0:45", "Cut shop", "CNC shop")] == [True] * 5
    assert "56% of the estimated 4 hours. 1.75 hours are left." in page


def test_a_job_over_its_estimate_says_by_how_much(app, ana, cast, add_job):
    job_id = add_job("4512", estimated_hours="1")
    work(app, cast.ana, job_id, 90)
    assert "This job is 0.5 hours over it." in ana.get(f"/show/job/{job_id}").text


@pytest.mark.parametrize("page", ["0", "-3", "2", "99999999999999999999", "x"])
def test_a_page_of_shifts_that_does_not_exist_is_the_nearest(app, ana, cast, add_job, page):
    job_id = add_job()
    work(app, cast.ana, job_id, 90)
    assert "1:30" in ana.get(f"/show/job/{job_id}?page={page}").text


def test_the_dashboard_shows_my_open_shift_its_job_and_the_way_out(app, ana, cast, add_job):
    work(app, cast.ana, add_job("4512"), None)
    with time_machine.travel(NOW + timedelta(minutes=75), tick=False):
        page = ana.get("/dashboard").text
    assert "On the clock" in page
    assert "1:15" in page
    assert "/punch_out/" in page


def test_the_dashboard_shows_who_is_on_the_clock(app, ana, cast, add_job):
    work(app, cast.luis, add_job("4512"), None)
    assert "Luis Romero" in ana.get("/dashboard").text
    assert "Luis R." in ana.get("/jobs").text


def test_an_empty_board_says_what_to_do_next(ana, grace):
    assert "Ask the office to add yours." in ana.get("/dashboard").text
    assert "No active jobs yet." in grace.get("/dashboard").text


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("", ["4512", "6100"]),
        ("q=4512", ["4512"]),
        ("q=GILB", ["4512"]),
        ("q=rail+turner", ["6100"]),
        ("q=%25", []),
        ("q=%00", ["4512", "6100"]),
        ("q=" + "x" * 3000, []),
        ("tab=inactive", ["5000"]),
        ("tab=nonsense", ["4512", "6100"]),
        ("page=99999999999999999999", ["4512", "6100"]),
        ("page=-1", ["4512", "6100"]),
        ("q=%ff%fe", []),
        ("q=4512&q=6100", ["4512"]),
    ],
)
def test_a_search_shows_the_jobs_that_match(ana, add_job, query, shown):
    add_job("4512")
    add_job("5000", status="0")
    add_job("6100", general_contractor="Turner", job_scope="Stair rail")
    answer = ana.get(f"/jobs?{query}")
    assert answer.status_code == 200
    assert sorted(set(re.findall(r'class="tag">(\d+)<', answer.text))) == shown


def test_a_search_that_finds_nothing_says_so_and_shows_the_words_as_text(ana):
    assert "&lt;script&gt;" in ana.get("/jobs?q=<script>").text


@pytest.mark.parametrize(
    "address", ["/dashboard", "/my/hours", "/todays_activity", "/reports", "/office", "/sync"]
)
def test_one_tab_is_the_current_one_on_every_page(log_in, cast, address):
    tabs = log_in("grace").get(address).text.partition('<nav class="tabs"')[2].partition("</nav>")[0]
    assert tabs.count("aria-current") == 1
