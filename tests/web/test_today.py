"""Today in the shop: who is in, who left, who is expected, and sending people home."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
import time_machine

from flask_app.models import Audit, Holiday, Job, Shift, User, committing, db
from flask_app.reporting.hours import timesheet_of
from flask_app.reporting.timesheet import MealRule, TimeRules
from flask_app.reporting.today import read_today
from tests.connected import words
from tests.shop import punch_in, punch_out

NEW_YORK = ZoneInfo("America/New_York")
TEN = datetime(2026, 11, 23, 10, 0, tzinfo=NEW_YORK).astimezone(UTC)
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def ten():
    with time_machine.travel(TEN, tick=False) as traveller:
        yield traveller


@pytest.fixture
def punch(app, cast, add_job):
    """Punch somebody in, and out if told when; return the shift's id."""
    job_id = add_job("4512")

    def work(who, start, end=None) -> int:
        with app.app_context():
            person, job = db.session.get_one(User, getattr(cast, who)), db.session.get_one(Job, job_id)
            shift = punch_in(person, job, start)
            if end:
                punch_out(shift, end)
            return shift.id

    return work


def board(app, day=date(2026, 11, 23), *, meal=MealRule()):  # noqa: B008  # a value that never changes
    with app.app_context():
        return read_today(day, TimeRules(NEW_YORK, meal), now=TEN)


def names(people) -> list[str]:
    return [person.name for person in people]


def test_people_stand_where_they_are(app, cast, punch):
    punch("ana", TEN - 3 * HOUR)
    punch("luis", TEN - 4 * HOUR, TEN - HOUR)
    today = board(app)
    assert [(shift.name, shift.im_number) for shift in today.running] == [("Ana Duarte", "4512")]
    assert names(today.left) == ["Luis Romero"]
    assert today.expected == []  # an admin is not expected, nor who waits or is deactivated
    assert {part.code: (part.started, part.ended, part.minutes) for part in today.departments} == {
        "CUT_SHOP": (1, 0, 180), "CNC_SHOP": (1, 1, 180),
    }  # fmt: skip


def test_a_night_shift_is_in_but_its_hours_are_yesterdays(app, cast, punch):
    punch("ana", TEN - 12 * HOUR)  # 10 PM
    today = board(app)
    assert names(today.running) == ["Ana Duarte"]
    assert (today.total("started"), today.total("minutes")) == (0, 0)
    assert names(today.expected) == ["Luis Romero"]


def test_who_left_after_a_night_shift_has_left_today(app, cast, punch):
    punch("ana", TEN - 12 * HOUR, TEN - 4 * HOUR)
    (ana,) = board(app).left
    assert (ana.first_in, ana.last_out) == (None, TEN - 4 * HOUR)


def test_hours_are_those_of_the_timesheet(app, cast, punch):
    punch("ana", TEN - 9 * HOUR, TEN - 4 * HOUR)
    punch("ana", TEN - 3 * HOUR)
    today = board(app, meal=MealRule(30, 240))
    with app.app_context():
        rules = TimeRules(NEW_YORK, MealRule(30, 240))
        ana, day = db.session.get_one(User, cast.ana), date(2026, 11, 23)
        sheet = timesheet_of(ana, day, day, rules, now=TEN)
    assert (today.total("minutes"), today.total("meal")) == (sheet.minutes, sheet.meal) == (480, 30)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, True),
        ({"on_active_roster": False}, False),
        ({"hire_date": date(2026, 11, 24)}, False),
        ({"hire_date": date(2026, 11, 23)}, True),
        ({"leave_date": date(2026, 11, 22)}, False),
        ({"leave_date": date(2026, 11, 23)}, True),
        ({"deleted_date": TEN}, False),
    ],
)
def test_who_is_expected(app, cast, values, expected):
    with app.app_context():
        ana = db.session.get_one(User, cast.ana)
        committing(lambda: [setattr(ana, name, value) for name, value in values.items()])
    assert ("Ana Duarte" in names(board(app).expected)) is expected


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        (date(2026, 11, 20), True),  # a Friday
        (date(2026, 11, 21), False),
        (date(2026, 11, 22), False),
        (date(2026, 11, 26), False),  # Thanksgiving
        (date(2026, 11, 27), True),
    ],
)
def test_nobody_is_expected_on_a_weekend_or_a_holiday(app, cast, day, expected):
    with app.app_context():
        grace = db.session.get_one(User, cast.grace)
        committing(lambda: Holiday.add(date(2026, 11, 26), "Thanksgiving", by=grace, now=TEN))
    assert names(board(app, day).expected) == (["Ana Duarte", "Luis Romero"] if expected else [])


def test_a_week_of_ones_own_says_who_is_expected_from_the_day_on_which_it_holds(app, cast, log_in):
    grace = log_in("grace")
    form = {"from_day": "2026-11-18", "weekday": ["5", "1"]}  # from a Wednesday on: Tuesdays and Saturdays
    assert grace.post(f"/employment/user/{cast.ana}/week", data=form).status_code == 302
    dates = [date(2026, 11, day) for day in (13, 14, 17, 18, 21, 23, 24)]
    expected = [day.day for day in dates if "Ana Duarte" in names(board(app, day).expected)]
    assert expected == [13, 17, 21, 24]
    page = words(grace.get(f"/employment/user/{cast.ana}").text)
    assert "Tue, Sat from Wed 11/18/2026 Mon, Tue, Wed, Thu, Fri before that" in page
    with app.app_context():
        row = Audit.of("user", cast.ana)[0]
        assert row.changes["weekdays"] == ["Mon, Tue, Wed, Thu, Fri", "Tue, Sat"]


@pytest.mark.parametrize("day", ["", "x", "1999-12-31"])
def test_a_week_needs_the_day_from_which_it_holds(cast, log_in, day):
    answer = log_in("grace").post(f"/employment/user/{cast.ana}/week", data={"from_day": day})
    assert answer.status_code == 422


def test_the_wall_is_told_which_day_it_shows(log_in, cast, ten):
    ten.move_to(datetime(2026, 11, 24, 23, 59, tzinfo=NEW_YORK))
    grace = log_in("grace")
    assert 'data-day="Tue 11/24/2026"' in grace.get("/todays_activity?part=1&wall=1").text
    ten.move_to(datetime(2026, 11, 25, 0, 0, tzinfo=NEW_YORK))
    assert 'data-day="Wed 11/25/2026"' in grace.get("/todays_activity?part=1&wall=1").text


def test_a_dismissal_holds_for_the_day_and_can_be_undone(app, cast, log_in, ten):
    grace = log_in("grace")
    for _ in range(2):
        grace.post(f"/todays_activity/dismiss/{cast.ana}")
    assert (names(board(app).expected), names(board(app).dismissed)) == (["Luis Romero"], ["Ana Duarte"])
    for _ in range(2):
        grace.post(f"/todays_activity/expect/{cast.ana}")
    assert "Ana Duarte" in names(board(app).expected)
    with app.app_context():
        rows = Audit.of("user", cast.ana)
    assert [(row.by_id, row.changes) for row in rows] == [
        (cast.grace, {"not_expected": ["2026-11-23", None]}),
        (cast.grace, {"not_expected": [None, "2026-11-23"]}),
    ]


def test_workers_look_and_admins_act(log_in, cast, punch):
    shift = punch("luis", TEN - HOUR)
    assert f'value="{shift}"' in log_in("grace").get("/todays_activity").text
    text = log_in("ana").get("/todays_activity").text
    assert ("Luis Romero" in text, "<button" in text.split("<main")[1]) == (True, False)


def test_the_wall_has_no_controls(log_in, cast, punch):
    punch("luis", TEN - HOUR)
    text = log_in("grace").get("/todays_activity?wall=1").text
    main = text.split("<main")[1]
    assert 'class="has-tabs wall"' in text
    assert [word for word in ("<button", "<input", "<form", "4512</a>") if word in main] == []
    assert "Luis Romero" in main


def test_a_part_is_only_the_board(log_in, cast, punch):
    punch("luis", TEN - HOUR)
    part = log_in("grace").get("/todays_activity?part=1").text
    assert ("Luis Romero" in part, "<html" in part, "csrf_token" in part) == (True, False, False)


def test_those_named_are_punched_out_and_nobody_else(app, log_in, cast, punch):
    luis, ana, grace = punch("luis", TEN - HOUR), punch("ana", TEN - HOUR), log_in("grace")
    assert "Select who" in grace.post("/end_of_day", follow_redirects=True).text
    page = grace.post("/end_of_day", data={"shift": [ana, ana, "x", "999999"]}, follow_redirects=True)
    assert "Ana Duarte is punched out." in page.text
    page = grace.post("/end_of_day", data={"shift": [luis], "only": ana}, follow_redirects=True)
    assert "Ana Duarte had already left 4512 at 10:00 AM, so nothing was changed." in page.text
    with app.app_context():
        assert db.session.get_one(Shift, luis).is_open
        assert db.session.get_one(Shift, ana).ended_at == TEN
        row = Audit.of("shift", ana)[0]
        assert (row.by_id, row.reason) == (cast.grace, "Punched out by an admin.")


def test_the_end_of_the_day_names_everybody_ticked(log_in, cast, punch):
    punch("luis", TEN - HOUR)
    punch("ana", TEN - HOUR)
    text = log_in("grace").get("/end_of_day").text
    assert text.count('name="shift"') == 2
    assert text.count('" checked') == 2


def test_an_empty_shop_says_so(log_in, cast):
    text = words(log_in("grace").get("/todays_activity").text)
    assert "No one is on the clock." in text
    assert "Yet to clock in 2" in text


def test_who_switched_since_the_page_was_drawn_is_told_as_on_the_clock(
    app, log_in, cast, punch, add_job, ten
):
    old, doors, grace, ana = punch("ana", TEN - 3 * HOUR), add_job("4513"), log_in("grace"), log_in("ana")
    ana.post("/create/shift", data={"job_id": doors})
    ten.move_to(TEN + HOUR)
    page = words(grace.post("/end_of_day", data={"shift": old}, follow_redirects=True).text)
    assert "Ana Duarte had already left 4512 at 10:00 AM, so nothing was changed." in page
    assert "Ana Duarte is on 4513 since 10:00 AM." in page
    with app.app_context():
        assert Shift.open_of(db.session.get_one(User, cast.ana)).job.im_number == "4513"
