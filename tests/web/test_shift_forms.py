"""The fields of shifts: the hour that comes twice, a job by words, a form sent twice, the way back."""

import html
import re
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import time_machine
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select

from flask_app.clock import NoSuchTime, comes_twice, instant_of
from flask_app.models import Correction, Shift, db
from tests.connected import words

NEW_YORK = ZoneInfo("America/New_York")
ZONES = [
    "America/New_York",
    "America/Havana",
    "Asia/Beirut",
    "Australia/Lord_Howe",
    "America/St_Johns",
    "UTC",
]
FALL_BACK = datetime(2026, 11, 1, 17, 0, tzinfo=UTC)  # noon in New York, some hours after
FIRST_120, SECOND_120 = datetime(2026, 11, 1, 5, 20, tzinfo=UTC), datetime(2026, 11, 1, 6, 20, tzinfo=UTC)
NIGHT = {"job": "4512", "start_day": "2026-10-31", "start_time": "22:00", "end_day": "2026-11-01"}
NIGHT |= {"end_time": "01:20", "reason": "Phone was dead"}


@pytest.fixture
def grace(log_in: Any, cast: Any, add_job: Any) -> Any:
    add_job("4512")
    add_job("4513", general_contractor="Turner", job_scope="Stair rail")
    with time_machine.travel(FALL_BACK, tick=False):
        yield log_in("grace")


def shifts(app: Any) -> list[tuple[datetime, datetime | None]]:
    with app.app_context():
        return [(shift.started_at, shift.ended_at) for shift in db.session.scalars(select(Shift))]


def count(app: Any, entity: Any) -> int:
    with app.app_context():
        return db.session.scalar(select(func.count()).select_from(entity)) or 0


def choices(page: str, name: str = "end") -> list[str]:
    labels = re.findall(rf'<label><input type="radio" name="{name}_which"[^>]*>([^<]*)</label>', page)
    return [label.strip() for label in labels]


# --- days and times


@given(
    zone=st.sampled_from(ZONES),
    day=st.dates(date(2000, 1, 1), date(2037, 12, 31)),
    at=st.times().map(lambda at: at.replace(second=0, microsecond=0)),
)
def test_every_time_of_every_day_is_the_instants_at_which_clocks_show_it(zone, day, at):
    there = ZoneInfo(zone)
    utc = datetime.combine(day, at, tzinfo=UTC)
    near = (utc + timedelta(minutes=n) for n in range(-15 * 60, 15 * 60, 30))  # offsets are half hours here
    wanted = datetime.combine(day, at)
    shown = [one for one in near if one.astimezone(there).replace(tzinfo=None) == wanted]
    if not shown:
        with pytest.raises(NoSuchTime):
            instant_of(day, at, there)
        return
    assert comes_twice(day, at, there) is (len(shown) == 2)
    assert instant_of(day, at, there) == shown[0]
    assert instant_of(day, at, there, second=True) == shown[-1]


def test_the_hour_that_comes_twice_asks_which_one_and_only_then(app, grace, cast):
    plain = grace.get("/new/shift").text
    assert choices(plain) == []
    answer = grace.post("/new/shift", data={**NIGHT, "user_id": cast.ana})
    assert (answer.status_code, shifts(app)) == (422, [])
    assert "This time comes twice that night. Choose which one." in answer.text
    assert choices(answer.text) == ["1:20 AM EDT (first)", "1:20 AM EST (second)"]
    assert choices(answer.text, "start") == []
    assert "Phone was dead" in answer.text


@pytest.mark.parametrize(("which", "instant"), [("first", FIRST_120), ("second", SECOND_120)])
def test_either_of_the_two_can_be_typed_and_comes_back_as_it_is(app, grace, cast, which, instant):
    grace.post("/new/shift", data={**NIGHT, "user_id": cast.ana, "end_which": which})
    assert [end for _, end in shifts(app)] == [instant]
    with app.app_context():
        shift_id = db.session.scalars(select(Shift.id)).one()
    page = grace.get(f"/edit/shift/{shift_id}").text
    assert re.search(rf'name="end_which" value="{which}" checked', page)
    other, moved = ("second", SECOND_120) if which == "first" else ("first", FIRST_120)
    form = {**NIGHT, "end_which": other, "version": re.search(r'name="version" value="([^"]*)"', page)[1]}
    assert grace.post(f"/update/shift/{shift_id}", data=form).status_code == 302
    assert [end for _, end in shifts(app)] == [moved]


def test_a_time_that_there_was_not_is_refused_with_a_sentence(app, grace, cast, log_in):
    with time_machine.travel(datetime(2027, 3, 14, 16, tzinfo=UTC), tick=False):
        night = {**NIGHT, "start_day": "2027-03-13", "end_day": "2027-03-14", "end_time": "02:30"}
        answer = log_in("grace").post("/new/shift", data={**night, "user_id": cast.ana})
    sentence = "On Sun 03/14/2027 the clocks went forward: there was no 2:30 AM."
    assert (answer.status_code, sentence in answer.text, shifts(app)) == (422, True, [])


def test_a_request_names_the_second_hour_too(app, grace, log_in):
    night = {**NIGHT, "start_day": "2026-11-01", "start_time": "00:10", "end_which": "second"}
    assert log_in("ana").post("/my/corrections/new", data=night).status_code == 302
    with app.app_context():
        assert Correction.waiting()[0].new_ended_at == SECOND_120


# --- a job by words


def test_words_in_place_of_a_number_bring_jobs_to_choose_from(app, grace, cast):
    form = {**NIGHT, "user_id": cast.ana, "end_which": "first", "job": "stair turner"}
    answer = grace.post("/new/shift", data=form)
    assert answer.status_code == 422
    assert "Not an IM number. Choose one of these jobs, or type its number." in answer.text
    assert re.findall(r'name="job_pick" value="(\w+)"', answer.text) == ["4513"]
    grace.post("/new/shift", data={**form, "job_pick": "4513"})
    with app.app_context():
        assert db.session.scalars(select(Shift)).one().job.im_number == "4513"


def test_find_only_looks_and_finds_nothing_wrong(app, grace, cast):
    answer = grace.post("/new/shift", data={"job": "turner", "find": "job", "note": "Sanding"})
    assert (answer.status_code, shifts(app)) == (200, [])
    assert re.findall(r'name="job_pick" value="(\w+)"', answer.text) == ["4513"]
    assert 'value="Sanding"' in answer.text
    assert 'class="problem"' not in answer.text
    assert "formnovalidate" in answer.text  # the rest of the form may still be empty
    none = grace.post("/new/shift", data={"job": "nothing like it", "find": "job"})
    assert "No job has these words." in none.text


def test_suggestions_are_the_jobs_with_every_word_active_before_closed(grace, add_job):
    add_job("4514", general_contractor="Turner", job_scope="Stairs", status="0")
    page = grace.get("/jobs/suggest?q=turner+stair").text
    assert re.findall(r'data-number="(\w+)"', page) == ["4513", "4514"]
    assert "(closed)" in page
    assert grace.get("/jobs/suggest?q=").text.strip() == ""
    assert grace.get("/jobs/suggest?q=%00%ff").status_code == 200
    assert "<script>" not in grace.get("/jobs/suggest?q=<script>").text


# --- a form sent twice, and the way back


def test_a_shift_that_is_added_twice_is_one(app, grace, cast):
    form = {**NIGHT, "user_id": cast.ana, "end_which": "first"}
    answers = [grace.post("/new/shift", data=form) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [302, 302]
    assert answers[0].location == answers[1].location
    assert len(shifts(app)) == 1


def test_a_request_that_is_sent_twice_is_one(app, grace, log_in):
    ana = log_in("ana")
    form = {**NIGHT, "start_day": "2026-11-01", "start_time": "00:10", "end_which": "first"}
    assert [ana.post("/my/corrections/new", data=form).status_code for _ in range(2)] == [302, 302]
    assert count(app, Correction) == 1
    ana.post("/my/corrections/new", data={**form, "note": "Camera"})
    assert count(app, Correction) == 2


@pytest.mark.parametrize("action", ["update", "delete"])
def test_the_list_with_its_filters_is_where_one_comes_back_to(app, grace, cast, action):
    grace.post("/new/shift", data={**NIGHT, "user_id": cast.ana, "end_which": "first"})
    report = f"/reports/shifts?person={cast.ana}&from=2026-10-01&to=2026-11-01"
    link = re.search(r'href="(/edit/shift/[^"]*)"', grace.get(report).text)[1]
    page = grace.get(html.unescape(link)).text
    back = html.unescape(re.search(r'name="next" value="([^"]*)"', page)[1])
    assert back.startswith("/reports/shifts?")
    address = html.unescape(link).split("?")[0].replace("edit", action)
    answer = grace.post(address, data={"note": "Night", "reason": "Camera", "next": back})
    assert answer.location == back
    assert f"person={cast.ana}" in answer.location
    assert "from=2026-10-01" in answer.location
    refused = grace.post(address, data={"note": "x" * 501, "reason": "", "next": back})
    assert refused.status_code in (404, 422)
    assert refused.status_code == 404 or html.escape(back) in refused.text


def test_a_foreign_way_back_is_not_taken(app, grace, cast):
    grace.post("/new/shift", data={**NIGHT, "user_id": cast.ana, "end_which": "first"})
    with app.app_context():
        shift_id = db.session.scalars(select(Shift.id)).one()
    form = {"note": "Night", "reason": "Camera", "next": "//evil.example/"}
    assert grace.post(f"/update/shift/{shift_id}", data=form).location == f"/edit/shift/{shift_id}"
    assert "evil" not in grace.get(f"/edit/shift/{shift_id}?next=//evil.example/").text


def test_all_problems_of_a_shift_are_told_at_once(grace, cast):
    form = {"user_id": "", "job": "9999", "start_day": "", "end_day": "2026-11-01", "end_time": "26:00"}
    page = words(grace.post("/new/shift", data={**form, "note": "x" * 501}).text)
    for sentence in (
        "Choose a person.",
        "There is no job 9999.",
        "Enter when the shift started.",
        "This time can't be read.",
        "This is too long: at most 500 characters.",
        "Enter a reason.",
    ):
        assert sentence in page


def test_batches_keep_what_was_ticked_and_typed(app, grace, cast):
    answer = grace.post(
        "/admin/assign_shift",
        data={"job": "9999", "start_day": "2026-11-01", "start_time": "12:00", "person": [str(cast.ana)]},
    )
    assert answer.status_code == 422
    assert re.search(rf'name="person" value="{cast.ana}" checked', answer.text)
    start = grace.post(
        "/admin/assign_shift/start",
        data={"job": "9999", "start_day": "2026-11-01", f"choice-{cast.ana}": "start", "reason": "Rush"},
    )
    assert start.status_code == 422
    assert re.search(rf'name="person" value="{cast.ana}" checked', start.text)
