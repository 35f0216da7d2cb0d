"""The time rule in SQL says what the time rule in Python says, whatever the shifts and the settings."""

from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sqlalchemy import insert, select

from flask_app.clock import day_bounds, day_of
from flask_app.models import Job, Shift, User, db
from flask_app.reporting.hours import PersonDay, Selection, read_person_days, timesheet_of
from flask_app.reporting.timesheet import MealRule, TimeRules, Timesheet
from tests.conftest import NOW
from tests.examples import examples

NEW_YORK = ZoneInfo("America/New_York")
BEGIN = datetime(2026, 10, 30, 4, 0, tzinfo=UTC)  # New York's night of 25 hours is two days later
SPAN = 7 * 24 * 3600
meals = st.builds(MealRule, minutes=st.sampled_from([0, 30, 45]), after=st.sampled_from([0, 240]))
rules = st.builds(
    TimeRules,
    zone=st.sampled_from([NEW_YORK, ZoneInfo("Australia/Lord_Howe"), ZoneInfo("UTC")]),
    first_meal=meals,
    meal_changes=st.dictionaries(st.dates(date(2026, 10, 28), date(2026, 11, 6)), meals, max_size=3).map(
        lambda changes: tuple(sorted(changes.items()))
    ),
)
shift_lists = st.lists(
    st.tuples(st.integers(0, SPAN), st.integers(0, 50 * 3600) | st.none(), st.integers(0, 2)), max_size=12
)


@pytest.fixture
def shop(app_context, cast, add_job):
    return (cast.ana, cast.luis, cast.grace), add_job("4512")


def punched(people, job, drawn, begin_of_all=BEGIN) -> list[Shift]:
    """Replace every shift: these overlap freely, the time rule does not mind. One may be open per person."""
    db.session.rollback()
    db.session.execute(Shift.__table__.delete())
    rows, on = [], set()
    for start, length, who in drawn:
        begin = begin_of_all + timedelta(seconds=start)
        end = None if length is None and who not in on else begin + timedelta(seconds=length or 0)
        on |= {who} if end is None else set()
        row = {"created_at": begin, "updated_at": end, "job_id": job, "user_id": people[who], "note": ""}
        rows.append(row)
    if rows:
        db.session.execute(insert(Shift.__table__), rows)
    return list(db.session.scalars(select(Shift).execution_options(populate_existing=True)))


def by_hand(shifts, selection: Selection, rule: TimeRules, now: datetime) -> list[PersonDay]:
    found, people = [], defaultdict(list)
    for shift in shifts:
        people[shift.user_id].append(shift)
    for user_id, mine in sorted(people.items()):
        sheet = Timesheet(mine, rules=rule, now=now, between=(selection.first, selection.last))
        for day in sheet.days:
            found.append(PersonDay(user_id, day.date, len(day.lines), day.minutes, day.meal))
    return found


@examples(25)
@given(drawn=shift_lists, rule=rules, first=st.integers(0, 8), days=st.integers(0, 8))
def test_sql_and_python_agree_on_every_persons_days(shop, drawn, rule, first, days):
    people, job = shop
    begin = date(2026, 10, 29) + timedelta(days=first)
    selection, now = Selection(begin, begin + timedelta(days=days)), BEGIN + timedelta(days=6)
    shifts = punched(people, job, drawn)
    assert read_person_days(selection, rule, now=now) == by_hand(shifts, selection, rule, now)
    ana = db.session.get_one(User, people[0])
    sheet = timesheet_of(ana, selection.first, selection.last, rule, now=now)
    mine = [day for day in by_hand(shifts, selection, rule, now) if day.user_id == ana.id]
    assert [(day.date, day.minutes, day.meal) for day in sheet.days] == [
        (day.day, day.minutes, day.meal) for day in mine
    ]


@cache
def changed_days(name: str) -> list[date]:
    """The days since 2000 that have not 24 hours in a zone."""
    zone, day, found = ZoneInfo(name), date(2000, 1, 1), []
    while day < date(2032, 1, 1):
        begins, ends = day_bounds(day, zone)
        if ends - begins != timedelta(hours=24):
            found.append(day)
        day += timedelta(days=1)
    return found


@examples(25)
@given(name=st.sampled_from(sorted(available_timezones())), nth=st.integers(0, 80), drawn=shift_lists)
@example(name="America/Havana", nth=-1, drawn=[(79200, 3600, 0), (86340, 60, 1), (90000, 7200, 2)])
@example(name="Asia/Beirut", nth=-1, drawn=[(82800, 3600, 0), (86400, 60, 1), (90000, 7200, 2)])
@example(name="America/St_Johns", nth=1, drawn=[(86400 + n * 900, 60, 0) for n in range(9)])  # 0:01 was 23:01
@example(name="Australia/Lord_Howe", nth=-1, drawn=[(86400 + n * 1800, 60, 0) for n in range(8)])
@example(name="Pacific/Apia", nth=3, drawn=[(n * 7200, 60, 0) for n in range(24)])  # a day was left out
def test_sql_and_python_agree_wherever_clocks_are_changed(shop, name, nth, drawn):
    """Each stretch of days around a change, cut anywhere: no minute is lost and none counts twice."""
    zone, days = ZoneInfo(name), changed_days(name)
    if not days:
        return
    day, rule = days[nth % len(days)], TimeRules(zone)
    begin = day_bounds(day - timedelta(days=1), zone)[0]
    now = begin + timedelta(seconds=SPAN)
    people, job = shop
    shifts = punched(people, job, drawn, begin)
    total = 0
    for first, last in ((day - timedelta(days=9), day - timedelta(days=1)), (day, day), (day, now.date())):
        selection = Selection(first + timedelta(days=last == now.date()), last)
        found = read_person_days(selection, rule, now=now)
        assert found == by_hand(shifts, selection, rule, now)
        total += sum(one.shifts for one in found)
    assert total == sum(day_of(shift.started_at, zone) <= now.date() for shift in shifts)


def test_a_selection_of_a_department_or_a_job_has_no_others_hours(shop, cast, add_job):
    people, job = shop
    other = add_job("4513")
    punched(people, job, [(0, 3600, 0), (0, 7200, 1)])
    db.session.add(Shift(user_id=cast.ana, job_id=other, started_at=NOW, ended_at=NOW + timedelta(hours=3)))
    db.session.flush()
    days, rule = (date(2026, 10, 1), date(2026, 11, 30)), TimeRules(NEW_YORK)

    def minutes(**chosen) -> int:
        return sum(day.minutes for day in read_person_days(Selection(*days, **chosen), rule, now=NOW))

    assert minutes() == 60 + 120 + 180
    assert minutes(department="CUT_SHOP") == 60 + 180
    assert minutes(job_id=job) == 60 + 120
    assert minutes(user_id=cast.ana, job_id=other) == 180


def test_recent_jobs_look_no_further_back_than_they_need(app_context, cast, add_job):
    old, new = add_job("1"), add_job("2")
    rows = [(old, 500)] + [(new, n) for n in range(100, 0, -1)]
    for job, back in rows:
        start = NOW - timedelta(hours=back)
        db.session.add(Shift(user_id=cast.ana, job_id=job, started_at=start, ended_at=start))
    db.session.flush()
    assert Shift.recent_jobs(db.session.get_one(User, cast.ana)) == [db.session.get_one(Job, new)]
