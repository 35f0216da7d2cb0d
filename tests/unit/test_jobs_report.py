"""A job's pace and what the report says of it, by the days and the minutes that count."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from flask_app.models import Holiday, Shift, User, db
from flask_app.reporting.jobs_report import Pace, Work, figures_of, jobs_report, read_pace, read_work
from flask_app.reporting.timesheet import TimeRules
from flask_app.reporting.utilization_report import band, utilization

RULES = TimeRules(ZoneInfo("America/New_York"))
NOW = datetime(2026, 11, 23, 20, 0, tzinfo=UTC)  # Monday, 3 PM
TODAY = date(2026, 11, 23)


@pytest.fixture
def work(app_context, cast, add_job):
    """Add shifts of some minutes that begin at 8 AM of November days; return the job's figures."""
    job = add_job("4512", estimated_hours="100")

    def add(*shifts: tuple[int, int]):
        for day, minutes in shifts:
            start = datetime(2026, 11, day, 13, 0, tzinfo=UTC)
            end = start + timedelta(minutes=minutes)
            db.session.add(Shift(user_id=cast.ana, job_id=job, started_at=start, ended_at=end))
        db.session.flush()
        pace = read_pace(TODAY)
        return figures_of(100, read_work(pace, RULES, now=NOW).get(job, Work()), pace)

    return add


def test_the_pace_is_that_of_the_ten_working_days_before_today(work):
    every_day = [(day, 480) for day in range(2, 24) if day not in (7, 8, 14, 15, 21, 22)]
    figures = work(*every_day)
    assert (figures.lately, figures.days, figures.a_day) == (4800, 10, 480)


def test_holidays_are_no_days_of_the_pace(app_context, cast):
    grace = db.session.get_one(User, cast.grace)
    Holiday.add(date(2026, 11, 11), "Veterans Day", by=grace, now=NOW)
    days = read_pace(TODAY).days
    assert (len(days), days[0], date(2026, 11, 11) in days) == (10, date(2026, 11, 6), False)


def test_a_young_job_is_measured_by_the_days_since_its_first_shift(work):
    figures = work((19, 480), (20, 240), (23, 60))  # Thursday, Friday, and today
    assert (figures.lately, figures.days, figures.a_day) == (720, 2, 360)
    assert figures.done_by == date(2026, 12, 14)  # 6000 - 780 minutes are 14.5 such days: 15 after today


def test_a_job_that_began_today_has_no_pace_yet_but_is_not_asleep(work):
    figures = work((23, 60))
    assert (figures.a_day, figures.done_by, figures.says) == (None, None, "")


def test_a_job_that_nobody_worked_on_for_ten_working_days_says_so(work):
    assert work((6, 60)).says == "No work lately"


@pytest.mark.parametrize(
    ("worked", "says"),
    [(4799, ""), (4800, "Nearly over"), (6000, "Nearly over"), (6001, "Over"), (0, "")],
)
def test_over_is_decided_in_minutes_not_in_rounded_percent(worked, says):
    pace = Pace([TODAY - timedelta(days=1)], [])
    assert figures_of(100, Work(worked, 0, TODAY, TODAY), pace).says == says


@pytest.mark.parametrize(
    ("minutes", "possible", "word"),
    [(1000, 1000, "good"), (100_004, 100_000, "over"), (79_996, 100_000, "fair"), (0, 0, "")],
)
def test_a_band_is_decided_in_minutes_too(minutes, possible, word):
    assert band(minutes, possible) == word
    assert utilization(100_004, 100_000) == 100.0  # as it is shown


def test_the_report_shows_by_how_many_days_it_divides(work):
    work((19, 480), (20, 240))
    (row,) = jobs_report(RULES, now=NOW).sections[0].rows(None, 0)
    assert row.cells[6:9] == (720, 2, 360)
