"""Possible hours: the shop's working days, a person's own week, and the days of employment."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from flask_app.models import User, WorkingWeek, db
from flask_app.models.working_week import weekdays_of
from flask_app.reporting.hours import Selection
from flask_app.reporting.timesheet import TimeRules
from flask_app.reporting.utilization_report import quarterly_report

RULES = TimeRules(ZoneInfo("America/New_York"))
NOW = datetime(2026, 11, 30, 20, 0, tzinfo=UTC)
NOVEMBER = Selection(date(2026, 11, 1), date(2026, 11, 30))


def possible(name: str) -> int:
    report = quarterly_report(NOVEMBER, RULES, now=NOW, period="")
    (cells,) = [row.cells for row in report.sections[0].rows(None, 0) if row.cells[0] == name]
    return cells[[str(column.label) for column in report.sections[0].columns].index("Possible Hours")]


def test_without_a_week_of_their_own_people_could_have_worked_monday_to_friday(app_context, cast):
    assert possible("Ana Duarte") == 21 * 390


def test_a_week_of_ones_own_counts_from_the_day_on_which_it_holds(app_context, cast):
    ana = db.session.get_one(User, cast.ana)
    WorkingWeek.set(ana, weekdays_of([0, 5]), date(2026, 11, 16), by=None, at=NOW)
    assert possible("Ana Duarte") == (10 + 3 + 2) * 390  # two weeks; Mondays 16, 23, 30; Saturdays 21, 28
    assert possible("Luis Romero") == 21 * 390
