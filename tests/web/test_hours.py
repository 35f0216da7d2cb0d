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


def test_days_and_weeks_are_added_up(app, ana, cast, add_job):
    job_id = add_job("4512")
    for days_back, minutes in ((10, 60), (3, 100), (3, 20), (0, 30)):
        start = NOW - timedelta(days=days_back) + timedelta(hours=2 if minutes == 20 else 0)
        work(app, cast.ana, job_id, start, minutes)
    page = hours(ana, at=NOW + timedelta(hours=4))
    assert totals(page) == [
        "0:30", "0:30",  # today, this week
        "0:30", "0:30", "0:30",  # this week, Monday, its shift
        "2:00", "2:00", "0:20", "1:40",  # last week, Friday, its shifts, the latest first
        "1:00", "1:00", "1:00",  # the week before
    ]  # fmt: skip


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
    page = hours(ana)
    assert totals(page)[:2] == ["0:00", "0:00"]
    assert "Sun 11/22/2026" in page
    assert "on Mon 11/23/2026" in page


def test_last_sundays_shift_is_in_last_week(app, ana, cast, add_job):
    work(app, cast.ana, add_job("4512"), datetime(2026, 11, 22, 15, 0, tzinfo=UTC), 60)
    assert totals(hours(ana))[1] == "0:00"


def test_going_earlier_and_later_loses_no_day_and_shows_none_twice(app, ana, cast, add_job):
    job_id, weeks = add_job("4512"), 12
    for week in reversed(range(weeks)):
        for day in (0, 6):  # Monday and Sunday: the edges
            work(app, cast.ana, job_id, NOW - timedelta(days=7 * week + 7 - day), 10 + week)
    seen, page = [], hours(ana, at=NOW + timedelta(days=6, hours=5))
    while "Earlier" in page and len(seen) < weeks * 2:
        seen += re.findall(r"<h3[^>]*><span>(\w{3} \d\d/\d\d/\d{4})</span>", page)
        address = re.search(r'href="/my/hours(\?to=[^"]+)">[^>]*<[^>]*>?[^<]*(?:<[^>]*>)*\s*Earlier', page)
        page = hours(ana, address[1], at=NOW + timedelta(days=6, hours=5))
    assert len(seen) == len(set(seen)) == weeks * 2


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
    assert "Later" not in hours(ana, "?to=2027-06-01")


def test_the_page_says_on_which_day_a_shift_counts(ana):
    assert "Listed by start day." in hours(ana)


def test_today_grows_only_by_a_shift_that_counts_today(app, make_app, ana, cast, add_job):
    start = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)  # Sunday, 11 PM
    work(app, cast.ana, add_job("4512"), start, None)
    page = hours(ana, at=NOW)
    today, week = re.findall(r'<dd>(<span class="num".*?</span>)', page)
    assert ("data-live" in today, "data-live" in week) == (False, False)
    assert page.count("data-live") == 4  # last week, its Sunday, and how much of each is open
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
    page = page[page.index("Week of") :][:110]
    assert "Week of Mon 11/23/2026 2:50 Includes 0:20 on the clock and 1:30 with an assumed end" in page
