"""Admins correct shifts and put people onto jobs: forms, sentences, and nothing done silently."""

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
import time_machine
from sqlalchemy import select

from flask_app.models import Audit, Job, Shift, User, committing, db
from tests.connected import words
from tests.shop import punch_in, punch_out

NEW_YORK = ZoneInfo("America/New_York")
NOON = datetime(2026, 11, 23, 12, 0, tzinfo=NEW_YORK).astimezone(UTC)
SEVEN = datetime(2026, 11, 23, 7, 2, 40, tzinfo=NEW_YORK).astimezone(UTC)
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def noon():
    with time_machine.travel(NOON, tick=False):
        yield


@pytest.fixture
def jobs(add_job) -> dict[str, int]:
    return {number: add_job(number) for number in ("4512", "4513")}


@pytest.fixture
def punch(app, cast, jobs):
    def work(who, start, end=None, job="4512") -> int:
        with app.app_context():
            person, on = db.session.get_one(User, getattr(cast, who)), db.session.get_one(Job, jobs[job])
            shift = punch_in(person, on, start)
            if end:
                punch_out(shift, end)
            return shift.id

    return work


def shifts(app, user_id) -> list[tuple[str, datetime, datetime | None]]:
    with app.app_context():
        rows = db.session.scalars(select(Shift).where(Shift.user_id == user_id).order_by(Shift.started_at))
        return [(shift.job.im_number, shift.started_at, shift.ended_at) for shift in rows]


def as_shown(page: str) -> dict[str, str]:
    """The fields of the edit form, as a browser would send them."""
    form = page.split("/update/shift/")[1].split("</form>")[0]
    return dict(re.findall(r'<input[^>]*? name="(\w+)"[^>]*?value="([^"]*)"', form))


def test_a_change_needs_a_reason_and_shows_its_mark_everywhere(app, log_in, cast, punch, jobs):
    shift, grace = punch("ana", SEVEN, SEVEN + 4 * HOUR), log_in("grace")
    form = {**as_shown(grace.get(f"/edit/shift/{shift}").text), "end_time": "10:45"}
    answer = grace.post(f"/update/shift/{shift}", data=form)
    assert (answer.status_code, "Enter a reason" in answer.text, 'value="10:45"' in answer.text) == (
        422,
        True,
        True,
    )
    page = grace.post(f"/update/shift/{shift}", data={**form, "reason": "Left early"}, follow_redirects=True)
    assert "Ana Duarte's shift is saved." in words(page.text)
    assert "Left early" in page.text
    assert shifts(app, cast.ana)[0][1:] == (SEVEN, SEVEN + 4 * HOUR - timedelta(minutes=17, seconds=40))
    for path in (f"/show/job/{jobs['4512']}", "/reports/shifts?preset=today"):
        assert "Edited" in grace.get(path).text
    assert "Edited" in log_in("ana").get("/my/hours").text


def test_a_form_that_nobody_touched_keeps_the_seconds(app, log_in, cast, punch):
    shift, grace = punch("ana", SEVEN, SEVEN + 4 * HOUR), log_in("grace")
    form = {**as_shown(grace.get(f"/edit/shift/{shift}").text), "note": "Sanding"}
    grace.post(f"/update/shift/{shift}", data={**form, "reason": "Note"})
    assert shifts(app, cast.ana)[0][1:] == (SEVEN, SEVEN + 4 * HOUR)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"job": "9999"}, "There is no job 9999."),
        ({"job": ""}, "Choose a job: type its IM number"),
        ({"end_time": "06:00"}, "The end is before the start."),
        ({"end_time": "13:00"}, "This end is in the future."),
        ({"end_day": "", "end_time": ""}, "Enter when the shift ended."),
        ({"start_day": "yesterday"}, "This day can't be read."),
        ({"start_time": "25:00"}, "This time can't be read."),
        ({"start_day": "1887-01-01"}, "too far away"),
        ({"start_day": "2026-11-20"}, "can't be longer than 24 hours"),
        (
            {"end_time": "11:30"},
            "was on 4513 on Mon 11/23/2026 from 11:15 AM to 11:45 AM. Two shifts",
        ),
        ({"note": "x" * 501}, "too long"),
    ],
)
def test_each_rule_is_a_sentence_and_nothing_is_saved(app, log_in, cast, punch, changes, says):
    shift = punch("ana", SEVEN, SEVEN + 4 * HOUR)
    punch("ana", NOON - 0.75 * HOUR, NOON - 0.25 * HOUR, "4513")
    before, grace = shifts(app, cast.ana), log_in("grace")
    form = {**as_shown(grace.get(f"/edit/shift/{shift}").text), "reason": "Camera", **changes}
    answer = grace.post(f"/update/shift/{shift}", data=form, follow_redirects=True)
    assert says in words(answer.text)
    assert shifts(app, cast.ana) == before


def test_two_admins_do_not_overwrite_each_other(app, log_in, cast, punch):
    shift, grace = punch("ana", SEVEN, SEVEN + 4 * HOUR), log_in("grace")
    form = {**as_shown(grace.get(f"/edit/shift/{shift}").text), "reason": "Camera"}
    grace.post(f"/update/shift/{shift}", data={**form, "end_time": "10:30"})
    page = grace.post(f"/update/shift/{shift}", data={**form, "end_time": "10:00"}, follow_redirects=True)
    assert page.status_code == 409
    assert "Someone else changed this to “11/23/2026 10:30 AM”" in words(page.text)
    assert 'value="10:00"' in page.text
    assert shifts(app, cast.ana)[0][2] == SEVEN.replace(hour=15, minute=30, second=0)
    grace.post(f"/update/shift/{shift}", data={**as_shown(page.text), "reason": "Camera"})
    assert shifts(app, cast.ana)[0][2] == SEVEN.replace(hour=15, minute=0, second=0)


def test_a_deleted_shift_leaves_every_total_and_stays_in_the_changes(app, log_in, cast, punch):
    shift, grace = punch("ana", SEVEN, SEVEN + 4 * HOUR), log_in("grace")
    assert grace.post(f"/delete/shift/{shift}").status_code == 422
    page = grace.post(f"/delete/shift/{shift}", data={"reason": "Punched twice"}, follow_redirects=True)
    assert "shift on 4512 is deleted" in page.text
    assert shifts(app, cast.ana) == []
    assert grace.post(f"/delete/shift/{shift}", data={"reason": "Again"}).status_code == 404
    assert "Punched twice" in grace.get("/admin/audit").text


NEW = {"job": "4512", "start_day": "2026-11-20", "start_time": "07:00", "end_day": "2026-11-20",
       "end_time": "15:30", "reason": "Phone was dead"}  # fmt: skip


def test_a_forgotten_shift_is_added(app, log_in, cast, jobs):
    page = log_in("grace").post("/new/shift", data={**NEW, "user_id": cast.ana}, follow_redirects=True)
    assert "Ana Duarte has a shift on 4512 on Fri 11/20/2026." in page.text
    ((_, start, end),) = shifts(app, cast.ana)
    assert end - start == 8.5 * HOUR


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"user_id": ""}, "Choose a person."),
        ({"reason": ""}, "Enter a reason"),
        ({"end_time": ""}, "Enter the time."),
    ],
)
def test_a_shift_is_not_added_without_what_it_needs(app, log_in, cast, jobs, changes, says):
    answer = log_in("grace").post("/new/shift", data={**NEW, "user_id": cast.ana, **changes})
    assert (answer.status_code, says in answer.text) == (422, True)
    assert shifts(app, cast.ana) == []


def preview(browser, people, job="4512", day="2026-11-23", at="09:00") -> str:
    form = {"person": people, "job": job, "start_day": day, "start_time": at}
    return browser.post("/admin/assign_shift", data=form).text


def decided(page: str, **choices: str) -> dict[str, str]:
    """The fields of the preview with `choices` by person's id (p12="move")."""
    form = dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', page))
    form |= dict(re.findall(r'type="radio" name="([^"]+)" value="([^"]*)" checked', page))
    return form | {f"choice-{name[1:]}": choice for name, choice in choices.items()}


def test_who_is_free_starts_and_who_is_busy_is_shown_and_left_alone(app, log_in, cast, punch):
    punch("luis", SEVEN, job="4513")
    grace = log_in("grace")
    page = preview(grace, [cast.ana, cast.luis])
    assert "On 4513 since 11/23/2026 7:02 AM." in words(page)
    assert shifts(app, cast.ana) == []
    answer = grace.post("/admin/assign_shift/start", data=decided(page), follow_redirects=True)
    assert "1 person is now on 4512." in answer.text
    assert shifts(app, cast.ana) == [("4512", NOON - 3 * HOUR, None)]
    assert shifts(app, cast.luis) == [("4513", SEVEN, None)]


def test_who_is_busy_is_moved_at_that_time_if_so_decided(app, log_in, cast, punch):
    punch("luis", SEVEN, job="4513")
    grace = log_in("grace")
    form = decided(preview(grace, [cast.luis]), **{f"p{cast.luis}": "move"})
    for _ in range(2):  # a form that is sent twice does nothing the second time
        grace.post("/admin/assign_shift/start", data={**form, "reason": "Rush"})
    nine = NOON - 3 * HOUR
    assert shifts(app, cast.luis) == [("4513", SEVEN, nine), ("4512", nine, None)]
    with app.app_context():
        rows = db.session.scalars(select(Audit).where(Audit.entity == "shift", ~Audit.is_punch)).all()
        assert {(row.action, row.reason) for row in rows} == {("changed", "Rush"), ("added", "Rush")}


def test_after_a_finished_shift_the_new_one_begins_at_its_end(app, log_in, cast, punch):
    punch("luis", SEVEN, NOON - HOUR, "4513")
    grace = log_in("grace")
    form = decided(preview(grace, [cast.luis]), **{f"p{cast.luis}": "after"})
    grace.post("/admin/assign_shift/start", data=form)
    assert shifts(app, cast.luis)[1] == ("4512", NOON - HOUR, None)


@pytest.mark.parametrize(
    ("start", "job", "says"),
    [
        (SEVEN, "4512", "Already on this job."),
        (NOON - HOUR, "4513", "Punched in after that time."),
        (NOON - 40 * HOUR, "4513", "On the clock for more than 24 hours."),
    ],
)
def test_what_cannot_be_decided_is_said(log_in, cast, punch, start, job, says):
    punch("luis", start, job=job)
    page = preview(log_in("grace"), [cast.luis])
    assert says in words(page)
    assert 'value="move"' not in page


def test_whoever_punched_since_the_preview_is_left_alone_and_named(app, log_in, cast, jobs):
    grace = log_in("grace")
    form = decided(preview(grace, [cast.ana, cast.luis]))
    log_in("luis").post("/create/shift", data={"job_id": jobs["4513"]})
    page = grace.post("/admin/assign_shift/start", data=form, follow_redirects=True)
    assert "Luis Romero has punched since you looked, so nothing was changed." in page.text
    assert shifts(app, cast.luis) == [("4513", NOON, None)]
    assert len(shifts(app, cast.ana)) == 1


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"job": "9999"}, "There is no job 9999."),
        ({"people": []}, "Select the people first."),
        ({"at": "14:00"}, "in the future"),
        ({"day": "2026-11-20"}, "more than a day ago"),
    ],
)
def test_what_cannot_be_assigned_is_refused_at_once(log_in, cast, jobs, changes, says):
    page = preview(log_in("grace"), **{"people": [cast.ana], **changes})
    assert says in words(page)


def test_a_closed_job_takes_nobody(app, log_in, cast, jobs):
    grace = log_in("grace")
    form = decided(preview(grace, [cast.ana]))
    grace.post(f"/update/job/{jobs['4512']}", data={"sure": "yes", "status": "0"})
    page = grace.post("/admin/assign_shift/start", data=form, follow_redirects=True)
    assert "Job 4512 is closed." in page.text
    assert shifts(app, cast.ana) == []


def test_an_admins_own_hours_wait_for_another_admin_and_the_page_says_so(app, log_in, cast, jobs):
    with app.app_context():
        committing(lambda: setattr(db.session.get_one(User, cast.ana), "department", "ADMINISTRATIVE"))
    form = {"user_id": cast.ana, "job": "4512", "start_day": "2026-11-20", "start_time": "07:00",
            "end_day": "2026-11-20", "end_time": "15:00", "reason": "Forgot"}  # fmt: skip
    page = log_in("ana").post("/new/shift", data=form, follow_redirects=True)
    assert "another admin has to approve the change" in page.text
    assert page.request.path == "/admin/corrections"
    assert shifts(app, cast.ana) == []


def test_one_who_cannot_be_moved_does_not_hide_who_was(app, log_in, cast, jobs):
    grace = log_in("grace")
    form = decided(preview(grace, [cast.ana, cast.luis]))
    form[f"seen-{cast.luis}"] = "somebody else's"
    page = words(grace.post("/admin/assign_shift/start", data=form, follow_redirects=True).text)
    assert "Luis Romero has punched since you looked" in page
    assert "1 person is now on 4512." in page
    assert (len(shifts(app, cast.ana)), shifts(app, cast.luis)) == (1, [])
