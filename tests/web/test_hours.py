"""Everybody's own hours: totals by day and week, and no one else's."""

import re
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from sqlalchemy import select

from flask_app.models import Job, Shift, User, committing, db
from tests.conftest import NOW, PASSWORD
from tests.connected import words
from tests.shop import punch_in, punch_out


@pytest.fixture
def ana(log_in, cast):
    return log_in("ana")


def work(app, user_id, job_id, start, minutes) -> None:
    with app.app_context():
        worker, job = db.session.get_one(User, user_id), db.session.get_one(Job, job_id)
        shift = punch_in(worker, job, start)
        if minutes is not None:
            punch_out(shift, start + timedelta(minutes=minutes))


def hours(browser, query: str = "", *, at: datetime = NOW) -> str:
    with time_machine.travel(at, tick=False):
        answer = browser.get(f"/my/hours{query}")
    assert answer.status_code == 200
    return answer.text


def totals(page: str) -> list[str]:
    """Every duration on the page, from its top to its end."""
    return re.findall(r">(\d+:\d\d)</(?:span|time)>", page)


def test_a_week_is_shown_day_by_day_under_the_sums_of_this_week_and_month(app, ana, cast, add_job):
    job_id = add_job("4512")
    for days_back, minutes in ((10, 60), (3, 100), (3, 20), (0, 30)):
        start = NOW - timedelta(days=days_back) + timedelta(hours=2 if minutes == 20 else 0)
        work(app, cast.ana, job_id, start, minutes)
    later = NOW + timedelta(hours=4)
    assert totals(hours(ana, at=later)) == [
        "0:30", "3:30",  # this week, this month
        "0:30", "0:30", "0:30",  # Monday, its shift, the week
    ]  # fmt: skip
    page = hours(ana, "?to=2026-11-18", at=later)
    assert totals(page)[2:] == ["2:00", "1:40", "0:20", "2:00"]  # Friday, its shifts, the week
    assert "Fri Nov 20" in page
    assert "Mon 11/16/2026 to Sun 11/22/2026" in page
    assert totals(hours(ana, "?to=2026-11-09", at=later))[2:] == ["1:00"] * 3


def test_the_meal_is_only_where_there_is_one(make_app, app, cast, add_job):
    job_id = add_job("4512")
    work(app, cast.ana, job_id, NOW - timedelta(days=7), 60)
    work(app, cast.ana, job_id, NOW, 60)
    work(app, cast.ana, job_id, NOW + timedelta(days=1), 300)
    browser = make_app(meal_minutes=30, meal_after=240).test_client()
    browser.post("/login", data={"email": "ana@shop.example", "password": PASSWORD})
    page = words(hours(browser, at=NOW + timedelta(days=2)))
    assert "Mon Nov 23 1:00 4512 1:00" in page
    assert "4:30 paid (0:30 meal): 7:02 AM–12:02 PM − 0:30 meal" in page
    last_week = words(hours(browser, "?to=2026-11-16", at=NOW + timedelta(days=2)))
    assert "meal)" not in last_week[last_week.index("Mon 11/16/2026") :]


def test_nobody_elses_hours_are_there(app, ana, cast, add_job):
    work(app, cast.luis, add_job("4512"), NOW, 60)
    page = hours(ana, at=NOW + timedelta(hours=4))
    assert "Nothing for these dates." in page
    assert totals(page) == ["0:00", "0:00"]


def test_an_open_shift_counts_up_to_now(app, ana, cast, add_job):
    work(app, cast.ana, add_job("4512"), NOW, None)
    page = hours(ana, at=NOW + timedelta(minutes=65))
    assert "On the clock" in page
    assert set(totals(page)) == {"1:05"}


def test_a_shift_over_midnight_counts_on_the_day_it_started(app, ana, cast, add_job):
    start = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)  # Sunday, 11 PM
    work(app, cast.ana, add_job("4512"), start, 120)
    assert totals(hours(ana))[0] == "0:00"
    page = hours(ana, "?to=2026-11-22")
    assert "Sun Nov 22" in page
    assert "on Mon 11/23/2026" in page


def test_last_sundays_shift_is_in_last_week(app, ana, cast, add_job):
    work(app, cast.ana, add_job("4512"), datetime(2026, 11, 22, 15, 0, tzinfo=UTC), 60)
    assert totals(hours(ana))[0] == "0:00"
    assert totals(hours(ana, "?to=2026-11-22"))[2:] == ["1:00"] * 3


def test_going_from_week_to_week_loses_no_day_and_shows_none_twice(app, ana, cast, add_job):
    job_id, weeks = add_job("4512"), 12
    for week in reversed(range(weeks)):
        for day in (0, 6):  # Monday and Sunday: the edges
            work(app, cast.ana, job_id, NOW - timedelta(days=7 * week + 7 - day), 10 + week)
    at = NOW + timedelta(days=6, hours=5)
    seen, page = [], hours(ana, at=at)
    for _ in range(weeks):
        address = re.search(r'rel="prev" href="/my/hours(\?to=[^"]+)"', page)
        page = hours(ana, address[1], at=at)
        seen += re.findall(r'<details id="day-([^"]+)"', page)
        assert 'rel="next"' in page
    assert len(seen) == len(set(seen)) == weeks * 2


def test_the_sums_are_those_of_what_is_above_them(app, ana, cast, add_job):
    job_id = add_job("4512")
    for days_back, minutes in ((5, 61), (5, 32), (4, 487), (1, 3)):
        start = NOW - timedelta(days=days_back) + timedelta(hours=2 if minutes == 32 else 0)
        work(app, cast.ana, job_id, start, minutes)
    page = hours(ana, "?to=2026-11-20")
    days = re.findall(r'<summary class="split">.*?<span class="num">(\d+:\d\d)</span></summary>', page)
    total = re.search(r'<strong class="num">Total</strong> <span class="num">(\d+:\d\d)</span>', page)[1]
    assert days == ["1:33", "8:07", "0:03"]
    assert total == "9:43"


def test_a_day_with_an_open_request_is_marked(app, ana, cast, add_job):
    work(app, cast.ana, add_job("4512"), NOW, 60)
    asked = {"job": "4512", "start_day": "2026-11-24", "start_time": "07:00", "end_day": "2026-11-24"}
    with time_machine.travel(NOW + timedelta(days=2), tick=False):
        ana.post("/my/corrections/new", data={**asked, "end_time": "08:00"})
    page = words(hours(ana, at=NOW + timedelta(days=2)))
    assert "Tue Nov 24 Request open 0:00" in page
    assert "Mon Nov 23 1:00" in page


@pytest.mark.parametrize("day", ["2026-03-08", "2026-11-01"])
def test_the_days_on_which_the_clocks_change_can_be_shown(app, ana, cast, add_job, day):
    start = datetime.fromisoformat(f"{day}T00:30-0{5 if '03' in day[5:7] else 4}:00").astimezone(UTC)
    work(app, cast.ana, add_job("4512"), start, 300)
    assert "5:00" in totals(hours(ana, f"?to={day}"))


@pytest.mark.parametrize(
    "to", ["x", "2026-02-30", "26-11-23", "2026-11-23T00:00", "1999-12-31", "9999-12-31", "0001-01-01"]
)
def test_a_date_that_is_none_is_a_clear_sentence(ana, to):
    answer = ana.get(f"/my/hours?to={to}")
    assert answer.status_code == 400
    assert "can&#39;t be read" in answer.text or "too far away" in answer.text


@pytest.mark.parametrize("to", ["2000-01-01", "2999-12-31", ""])
def test_the_edges_of_the_calendar_can_be_asked_for(ana, to):
    hours(ana, f"?to={to}")


def test_hours_that_are_still_to_come_cannot_be_asked_for(ana):
    page = hours(ana, "?to=2027-06-01")
    assert 'rel="next"' not in page
    assert "Mon 11/23/2026 to Sun 11/29/2026" in page


def test_the_page_says_on_which_day_a_shift_counts(ana):
    assert "Listed by start day." in hours(ana)


def test_today_grows_only_by_a_shift_that_counts_today(app, make_app, ana, cast, add_job):
    start = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)  # Sunday, 11 PM
    work(app, cast.ana, add_job("4512"), start, None)
    page = hours(ana, at=NOW)
    week, month = re.findall(r'<dd>(<span class="num".*?</span>)', page)
    assert ("data-live" in week, "data-live" in month) == (False, True)
    assert page.count("data-live") == 2  # the month, and how much of it is open
    with time_machine.travel(NOW, tick=False):
        board = ana.get("/dashboard").text
    assert re.search(r'Today so far: <a href="/my/hours"><span class="num">0:00</span>', board)


def test_meal_and_paid_grow_with_the_day_and_the_week(make_app, app, cast, add_job):
    job_id = add_job("4512")
    for days_back, minutes in ((1, 300), (0, None)):
        work(app, cast.ana, job_id, NOW - timedelta(days=days_back) + timedelta(days=1), minutes)
    browser = make_app(meal_minutes=30, meal_after=240).test_client()
    browser.post("/login", data={"email": "ana@shop.example", "password": PASSWORD})
    page = hours(browser, at=NOW + timedelta(days=1, minutes=250))
    grows = 'data-day="250" data-meal="30" data-after="240"'
    assert f'<span data-rest-meal="0" {grows}>0:10</span>' in page  # the day
    assert f'<span data-rest-paid="270" {grows}>8:30</span>' in page  # the week: 4:30 and 4:00


def test_a_week_says_how_much_of_it_is_open_or_assumed(app, ana, cast, add_job):
    job_id = add_job("4512")
    work(app, cast.ana, job_id, NOW, 60)
    work(app, cast.ana, job_id, NOW + timedelta(hours=2), 90)
    work(app, cast.ana, job_id, NOW + timedelta(hours=4), None)
    with app.app_context():
        shift = db.session.scalars(select(Shift).order_by(Shift.started_at)).all()[1]
        committing(lambda: setattr(shift, "assumed_at", NOW))
    page = words(hours(ana, at=NOW + timedelta(hours=4, minutes=20)))
    assert "Total 2:50 Includes 0:20 on the clock and 1:30 with an assumed end" in page
    assert "Mon Nov 23 On the clock Assumed end 2:50" in page
