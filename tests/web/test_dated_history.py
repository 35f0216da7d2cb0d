"""History is counted with what was true on its days: department, employment, meal rule."""

import re
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import time_machine
from hypothesis import example, given
from hypothesis import strategies as st
from sqlalchemy import insert, select, update

from flask_app.models import (
    Audit,
    DepartmentStay,
    Employment,
    Job,
    Shift,
    TimeRule,
    User,
    committing,
    db,
)
from flask_app.models.dated import Dated
from flask_app.models.department_stay import BEGINNING
from flask_app.models.errors import ValidationError
from flask_app.models.user import DEPARTMENTS
from flask_app.reporting.departments import Departments
from flask_app.reporting.hours import Selection, hours_by_week, timesheet_of
from flask_app.reporting.hours_report import hours_report
from flask_app.reporting.job_hours import job_totals
from flask_app.reporting.shifts_report import Wanted, shifts_report
from flask_app.reporting.timesheet import MealRule, TimeRules
from flask_app.reporting.utilization_report import quarterly_report
from flask_app.timeclock import people
from tests.conftest import PASSWORD
from tests.connected import words
from tests.examples import examples
from tests.shop import RULES as PUNCH_RULES

NEW_YORK = ZoneInfo("America/New_York")
BEGIN = datetime(2026, 10, 29, 4, 0, tzinfo=UTC)  # clocks are changed three days later
NOW = datetime(2026, 11, 9, 17, 0, tzinfo=UTC)  # a Monday
FIRST, LAST = date(2026, 10, 29), date(2026, 11, 8)
TODAY = date(2026, 11, 9)
SPAN = 10 * 24 * 3600
RULES = TimeRules(NEW_YORK, MealRule(30, 240))
CODES = ["CUT_SHOP", "CNC_SHOP", "PAINT_SHOP"]
moves = st.dictionaries(
    st.dates(FIRST - timedelta(days=3), LAST + timedelta(days=1)), st.sampled_from(CODES), max_size=4
)
drawn_shifts = st.lists(
    st.tuples(st.integers(0, SPAN - 1), st.integers(0, 30 * 3600), st.integers(0, 1)), max_size=9
)


@pytest.fixture
def shop(app_context, cast, add_job):
    return (cast.ana, cast.luis), add_job("4512")


def history(shop, shifts, moved) -> None:
    """Replace all shifts and moves; `moved` are Ana's and Luis's."""
    whom, job = shop
    db.session.rollback()
    for table in (Shift.__table__, DepartmentStay.__table__):
        db.session.execute(table.delete())
    for who, mine in zip(whom, moved, strict=True):
        stays = sorted({BEGINNING: "CUT_SHOP", **mine}.items())
        rows = [{"user_id": who, "from_day": day, "department": code} for day, code in stays]
        db.session.execute(insert(DepartmentStay.__table__), rows)
        db.session.execute(update(User).where(User.id == who).values(department=stays[-1][1]))
    rows = [
        {"created_at": BEGIN + timedelta(seconds=start), "job_id": job, "user_id": whom[who], "note": "",
         "updated_at": BEGIN + timedelta(seconds=start + length)}
        for start, length, who in shifts
    ]  # fmt: skip
    if rows:
        db.session.execute(insert(Shift.__table__), rows)
    db.session.commit()
    db.session.expire_all()


def by_hand(shop, moved) -> tuple[Counter[str], Counter[str]]:
    """Add up worked and meal by department, shift by shift and day by day."""
    worked, meal = Counter[str](), Counter[str]()
    for who, mine in zip(shop[0], moved, strict=True):
        stays = Dated("CUT_SHOP", mine.items())
        for day in timesheet_of(db.session.get_one(User, who), FIRST, LAST, RULES, now=NOW).days:
            worked[stays.on(day.date)] += day.minutes
            meal[stays.on(day.date)] += day.meal
    return +worked, +meal


def at(report, label: str) -> int:
    """The place of a column."""
    return [str(column.label) for column in report.sections[0].columns].index(label)


def sums(report, label: str) -> Counter[str]:
    """The column's sums by department, from the lines of people."""
    codes = {words: code for code, words in DEPARTMENTS.items()}
    found = Counter[str]()
    for row in report.sections[0].rows(None, 0):
        if not row.is_group:
            found[codes[row.cells[at(report, "Department")]]] += row.cells[at(report, label)]
    return +found


@examples(10)
@given(shifts=drawn_shifts, ana=moves, luis=moves)
@example(
    shifts=[(4 * 86400, 32400, 0), (5 * 86400, 32400, 0)], ana={date(2026, 11, 3): "PAINT_SHOP"}, luis={}
)
def test_every_sum_by_department_is_of_the_days_on_which_people_were_in_it(shop, shifts, ana, luis):
    history(shop, shifts, (ana, luis))
    worked, meal = by_hand(shop, (ana, luis))
    how: dict[str, Any] = {"now": NOW, "period": ""}
    job = db.session.get_one(Job, shop[1])
    hours = hours_report(Selection(FIRST, LAST), RULES, **how)
    totals = job_totals(job, Departments.read(), RULES, now=NOW)
    by_week = Counter[str]()
    for _, by in hours_by_week(LAST, 3, RULES, now=NOW):
        by_week.update(by)
    told = {
        "hours": sums(hours, "Worked"),
        "quarterly": sums(quarterly_report(Selection(FIRST, LAST), RULES, **how), "Total Hours"),
        "job": +Counter({total.department: total.minutes for total in totals}),
        "weeks": +by_week,
    }
    assert told == dict.fromkeys(told, worked)
    assert sums(hours, "Meal") == meal
    for code in CODES:
        chosen = Selection(FIRST, LAST, department=code)
        figures = {
            str(label): value for label, _, value in shifts_report(Wanted(chosen), RULES, **how).figures
        }
        assert (figures["Worked"], figures["Meal"]) == (worked[code], meal[code])
        lines = shifts_report(Wanted(chosen, sort="department"), RULES, **how)
        mine = +Counter({code: worked[code]})
        assert sums(lines, "Worked") == mine
        assert sums(hours_report(chosen, RULES, **how), "Worked") == mine
        assert sums(quarterly_report(chosen, RULES, **how), "Total Hours") == mine


@examples(10)
@given(shifts=drawn_shifts, ana=moves)
def test_shifts_sorted_by_department_stand_by_the_department_of_their_day(shop, shifts, ana):
    history(shop, shifts, (ana, {}))
    report = shifts_report(Wanted(Selection(FIRST, LAST), sort="department"), RULES, now=NOW, period="")
    codes = {words: code for code, words in DEPARTMENTS.items()}
    shown = [codes[row.cells[at(report, "Department")]] for row in report.sections[0].rows(99, 0)]
    assert shown == sorted(shown)


def person(user_id: int) -> User:
    return db.session.get_one(User, user_id)


def stays_of(user_id: int) -> list[tuple[date, str]]:
    rows = select(DepartmentStay).where(DepartmentStay.user_id == user_id).order_by(DepartmentStay.from_day)
    return [(row.from_day, row.department) for row in db.session.scalars(rows)]


def form_of(user: User, **changes: str) -> dict[str, str]:
    fields = {name: getattr(user, name) for name in ("first_name", "last_name", "email", "department")}
    return {**fields, **changes}


def test_a_change_of_department_in_the_form_holds_from_today_on(app, cast, log_in):
    with time_machine.travel(NOW, tick=False):
        grace = log_in("grace")
        with app.app_context():
            form = form_of(person(cast.ana), sure="yes", department="PAINT_SHOP")
        assert grace.post(f"/update/user/{cast.ana}", data=form).status_code == 302
    with app.app_context():
        assert stays_of(cast.ana) == [(BEGINNING, "CUT_SHOP"), (TODAY, "PAINT_SHOP")]


def move(browser, who: int, department: str, day: str):
    form = {"department": department, "from_day": day, "sure": "yes"}
    return browser.post(f"/employment/user/{who}/department", data=form)


def test_a_move_can_be_dated_back_and_taken_back(app, cast, log_in):
    with time_machine.travel(NOW, tick=False):
        grace = log_in("grace")
        assert move(grace, cast.ana, "PAINT_SHOP", "2026-11-02").status_code == 302
        assert move(grace, cast.ana, "CNC_SHOP", "2026-10-05").status_code == 302  # before it
        with app.app_context():
            assert person(cast.ana).department == "PAINT_SHOP"
            expected = [(BEGINNING, "CUT_SHOP"), (date(2026, 10, 5), "CNC_SHOP")]
            assert stays_of(cast.ana) == [*expected, (date(2026, 11, 2), "PAINT_SHOP")]
        page = words(grace.get(f"/employment/user/{cast.ana}").text)
        assert "Paint shop from Mon 11/02/2026 Undo the move of Mon 11/02/2026" in page
        assert (
            "CNC shop from Mon 10/05/2026 Undo the move of Mon 10/05/2026 Hours from Mon 10/05/2026" in page
        )
        grace.post(f"/employment/user/{cast.ana}/department/remove", data={"day": "2026-11-02"})
    with app.app_context():
        assert person(cast.ana).department == "CNC_SHOP"
        assert stays_of(cast.ana) == expected
        rows = Audit.of("user", cast.ana)
        assert [row.changes.get("moved") for row in rows[:3]] == [
            ["Paint shop from 11/02/2026", None],
            [None, "CNC shop from 10/05/2026"],
            [None, "Paint shop from 11/02/2026"],
        ]
        assert rows[2].changes["department"] == ["CUT_SHOP", "PAINT_SHOP"]


@pytest.mark.parametrize(
    ("department", "day"),
    [
        ("PAINT_SHOP", "2026-11-10"),
        ("PAINT_SHOP", ""),
        ("X", "2026-11-02"),
        ("PAINT_SHOP", "1969-12-31"),
    ],
)
def test_a_move_that_cannot_be_is_refused_with_what_was_typed(app, cast, log_in, department, day):
    with time_machine.travel(NOW, tick=False):
        answer = move(log_in("grace"), cast.ana, department, day)
    assert answer.status_code == 422
    with app.app_context():
        assert stays_of(cast.ana) == [(BEGINNING, "CUT_SHOP")]


def test_the_only_admin_is_not_moved_away(app, cast, log_in):
    with time_machine.travel(NOW, tick=False):
        answer = move(log_in("grace"), cast.grace, "CUT_SHOP", "2026-11-02")
    assert (answer.status_code, "is the only admin" in answer.text) == (422, True)
    with app.app_context():
        assert stays_of(cast.grace) == [(BEGINNING, "ADMINISTRATIVE")]


def test_moving_to_where_somebody_is_writes_no_move(app_context, cast):
    ana, grace = person(cast.ana), person(cast.grace)
    for code in ("PAINT_SHOP", "CUT_SHOP"):
        committing(lambda code=code: people.move(ana, code, TODAY, by=grace, at=NOW, today=TODAY))
    assert stays_of(cast.ana) == [(BEGINNING, "CUT_SHOP")]


def possible(user_id: int, first: date = FIRST, last: date = LAST) -> int | None:
    report = quarterly_report(Selection(first, last), RULES, now=NOW, period="")
    place = at(report, "Possible Hours")
    found = [row.cells[place] for row in report.sections[0].rows(None, 0) if row.ids.get("person") == user_id]
    return found[0] if found else None


def employ(user_id: int, **days: date | None) -> None:
    ana = person(user_id)
    committing(lambda: [setattr(ana, name, day) for name, day in days.items()])


def test_whoever_comes_back_keeps_the_earlier_employment(app_context, cast):
    grace, ana = person(cast.grace), person(cast.ana)
    employ(cast.ana, hire_date=date(2026, 10, 1))
    committing(
        lambda: people.deactivate(ana, by=grace, at=NOW, rules=PUNCH_RULES, last_day=date(2026, 10, 30))
    )
    committing(lambda: people.activate(ana, by=grace, at=NOW, today=date(2026, 11, 5)))
    assert Employment.of(ana) == [(date(2026, 10, 1), date(2026, 10, 30)), (date(2026, 11, 5), None)]
    assert (ana.hire_date, ana.leave_date, ana.is_active) == (date(2026, 11, 5), None, True)
    assert possible(cast.ana) == 4 * 390  # Thursday and Friday, then Thursday and Friday
    assert possible(cast.ana, date(2026, 10, 1), date(2026, 10, 31)) == 22 * 390


def test_whoever_is_activated_again_before_the_last_day_goes_on(app_context, cast):
    grace, ana = person(cast.grace), person(cast.ana)
    committing(lambda: people.deactivate(ana, by=grace, at=NOW, rules=PUNCH_RULES, last_day=TODAY))
    committing(lambda: people.activate(ana, by=grace, at=NOW, today=TODAY))
    assert Employment.of(ana) == [(None, None)]


def test_a_first_day_after_the_last_is_another_employment_and_two_never_overlap(app_context, cast):
    employ(cast.ana, hire_date=date(2026, 1, 5), leave_date=date(2026, 3, 31))
    employ(cast.ana, hire_date=date(2026, 5, 4), leave_date=None)
    employ(cast.ana, hire_date=date(2026, 4, 1))
    spans = [(date(2026, 1, 5), date(2026, 3, 31)), (date(2026, 4, 1), None)]
    assert Employment.of(person(cast.ana)) == spans
    for day in (date(2026, 3, 31), None):
        with pytest.raises(ValidationError, match="ended 03/31/2026"):
            employ(cast.ana, hire_date=day)
        db.session.rollback()
    assert Employment.of(person(cast.ana)) == spans


def test_a_deactivation_proposes_a_last_day_and_takes_it(app, cast, log_in, add_job):
    job = add_job("4512")
    with app.app_context():
        start = datetime(2026, 11, 5, 13, 0, tzinfo=UTC)
        committing(
            lambda: db.session.add(Shift(user_id=cast.ana, job_id=job, started_at=start, ended_at=start))
        )
    with time_machine.travel(NOW, tick=False):
        grace = log_in("grace")
        assert 'name="last_day"' in grace.get(f"/edit/user/{cast.ana}").text
        assert 'value="2026-11-05"' in grace.get(f"/edit/user/{cast.ana}").text
        grace.post(f"/deactivate/user/{cast.ana}", data={"sure": "yes", "last_day": ""})
        with app.app_context():
            assert person(cast.ana).is_active
        grace.post(f"/deactivate/user/{cast.ana}", data={"sure": "yes", "last_day": "2026-11-05"})
        grace.post(f"/deactivate/user/{cast.luis}", data={"sure": "yes"})
    with app.app_context():
        assert (person(cast.ana).leave_date, person(cast.ana).is_active) == (date(2026, 11, 5), False)
        assert person(cast.luis).leave_date == TODAY
        assert Employment.of(person(cast.luis)) == [(None, TODAY)]


def test_possible_hours_end_with_a_deactivation_that_said_no_last_day(app_context, cast, add_job):
    start = datetime(2026, 10, 29, 13, 0, tzinfo=UTC)
    db.session.add(Shift(user_id=cast.ana, job_id=add_job("4512"), started_at=start, ended_at=start))
    ana = person(cast.ana)
    committing(lambda: ana.deactivate(at=datetime(2026, 11, 3, 17, 0, tzinfo=UTC)))
    assert ana.leave_date is None
    assert possible(cast.ana) == 4 * 390  # 10/29, 10/30, 11/02, 11/03


def test_a_line_for_each_department_shares_the_possible_hours(app_context, cast, add_job):
    grace, ana = person(cast.grace), person(cast.ana)
    committing(lambda: people.move(ana, "PAINT_SHOP", date(2026, 11, 4), by=grace, at=NOW, today=TODAY))
    report = quarterly_report(Selection(FIRST, LAST), RULES, now=NOW, period="")
    rows = [row.cells for row in report.sections[0].rows(None, 0) if row.ids.get("person") == cast.ana]
    place = at(report, "Department"), at(report, "Possible Hours")
    assert [(cells[place[0]], cells[place[1]]) for cells in rows] == [
        ("Cut shop", 4 * 390),
        ("Paint shop", 3 * 390),
    ]


@pytest.fixture
def meals(app, make_app, cast, add_job):
    """Ana works 9 to 5 on two days; a shop whose environment says 30 minutes after 4 hours."""
    job = add_job("4512")
    with app.app_context():
        for day in (3, 5):
            start = datetime(2026, 11, day, 14, 0, tzinfo=UTC)
            shift = Shift(user_id=cast.ana, job_id=job, started_at=start, ended_at=start + timedelta(hours=8))
            db.session.add(shift)
        db.session.commit()

    def browser(name: str = "grace", **changes):
        client = make_app(**{"meal_minutes": 30, "meal_after": 240, **changes}).test_client()
        client.post("/login", data={"email": f"{name}@shop.example", "password": PASSWORD})
        return client

    return browser


def paid(browser) -> list[str]:
    """What each day pays, as My hours shows it, the latest first."""
    page = browser.get("/my/hours?to=2026-11-08").text
    return re.findall(r">([0-9:]+) paid \([^)]*\):", page)[::-1]


def test_another_meal_rule_leaves_the_days_before_it_alone(meals):
    with time_machine.travel(NOW, tick=False):
        ana, grace = meals("ana"), meals()
        assert paid(ana) == ["7:30", "7:30"]
        form = {"minutes": "60", "after": "6", "from_day": "2026-11-05"}
        assert grace.post("/admin/rules/meals", data=form).status_code == 302
        assert paid(ana) == ["7:00", "7:30"]  # the latest day first
        page = words(grace.get("/admin/rules/meals").text)
        assert "After 6 hours, up to 60 min From Thu 11/05/2026" in page
        assert "After 4 hours, up to 30 min Before that" in page
        figures = words(grace.get("/reports/hours?from=2026-11-02&to=2026-11-08").text)
        assert "Meal 1:30 Paid 14:30" in figures
        grace.post("/admin/rules/meals/remove", data={"day": "2026-11-05"})
        assert paid(ana) == ["7:30", "7:30"]


def test_the_environment_gives_the_first_rule_only(app, meals):
    with time_machine.travel(NOW, tick=False):
        with app.app_context():
            assert committing(lambda: TimeRule.begin(30, 240))
            assert not committing(lambda: TimeRule.begin(0, 0))
        assert paid(meals("ana", meal_minutes=0)) == ["7:30", "7:30"]


@pytest.mark.parametrize(
    "change", [{"minutes": "241"}, {"minutes": "-1"}, {"after": "25"}, {"from_day": ""}, {"minutes": "x"}]
)
def test_a_meal_rule_that_makes_no_sense_is_refused_with_what_was_typed(app, meals, change):
    form = {"minutes": "60", "after": "6", "from_day": "2026-11-05", **change}
    with time_machine.travel(NOW, tick=False):
        answer = meals().post("/admin/rules/meals", data=form)
    assert answer.status_code == 422
    with app.app_context():
        assert TimeRule.all() == []
