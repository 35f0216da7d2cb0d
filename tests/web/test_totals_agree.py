"""One time rule: every page, report and file tells the same totals, whatever the shifts and the settings."""

import csv
import io
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import openpyxl
import pytest
import time_machine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert, select

from flask_app.models import Job, Shift, User, db
from flask_app.reporting.hours import Selection, timesheet_of
from flask_app.reporting.hours_report import hours_report
from flask_app.reporting.jobs_report import jobs_report
from flask_app.reporting.report import Column, Report, Row, Section
from flask_app.reporting.shifts_report import Wanted, shifts_report
from flask_app.reporting.timesheet import MealRule, TimeRules, Timesheet
from flask_app.reporting.utilization_report import quarterly_report
from flask_app.web.exports import as_csv

NEW_YORK = ZoneInfo("America/New_York")
BEGIN = datetime(2026, 10, 29, 4, 0, tzinfo=UTC)  # the night of 25 hours comes three days later
NOW = datetime(2026, 11, 9, 17, 0, 30, tzinfo=UTC)
FIRST, LAST = date(2026, 10, 26), date(2026, 11, 10)
SPAN = 10 * 24 * 3600
lengths, either = st.integers(0, 30 * 3600) | st.none(), st.integers(0, 1)
drawn_shifts = st.lists(st.tuples(st.integers(0, SPAN), lengths, either, either), max_size=9)
rules = st.builds(
    TimeRules,
    zone=st.just(NEW_YORK),
    first_meal=st.sampled_from([MealRule(), MealRule(30, 240)]),
    meal_changes=st.sampled_from([(), ((date(2026, 11, 2), MealRule(45, 300)),)]),
)


@pytest.fixture
def shop(cast, add_job):
    return (cast.ana, cast.luis), (add_job("4512"), add_job("4513"))


def punched(shop, drawn) -> list[Shift]:
    people, jobs = shop
    db.session.rollback()
    db.session.execute(Shift.__table__.delete())
    on, rows = set(), []
    for start, length, who, what in drawn:
        begin = BEGIN + timedelta(seconds=start)
        end = None if length is None and who not in on else begin + timedelta(seconds=length or 0)
        on |= {who} if end is None else set()
        row = {"created_at": begin, "updated_at": end, "note": ""}
        rows.append({**row, "job_id": jobs[what], "user_id": people[who]})
    if rows:
        db.session.execute(insert(Shift.__table__), rows)
    db.session.commit()
    return list(db.session.scalars(select(Shift).execution_options(populate_existing=True)))


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(drawn=drawn_shifts, rule=rules)
def test_every_report_tells_what_the_timesheet_tells(app_context, shop, drawn, rule):
    people, jobs = shop
    sheet = Timesheet(punched(shop, drawn), rules=rule, now=NOW)
    selection, how = Selection(FIRST, LAST), {"now": NOW, "period": ""}
    shifts = shifts_report(Wanted(selection), rule, **how)
    hours = hours_report(selection, rule, **how)
    quarterly = quarterly_report(selection, rule, **how)
    by_job = [Shift.job_totals(db.session.get_one(Job, job), now=NOW) for job in jobs]
    mine = [timesheet_of(db.session.get_one(User, who), FIRST, LAST, rule, now=NOW) for who in people]
    worked = {
        "shifts": {label: value for label, _, value in shifts.figures}["Worked"],
        "lines": sum(row.cells[7] for row in shifts.sections[0].rows(None, 0)),
        "hours": {label: value for label, _, value in hours.figures}["Worked"],
        "by day": by_day(hours, 3 if rule.has_meals else 1),
        "quarterly": quarterly.sections[0].totals[3],
        "job pages": sum(total.minutes for totals in by_job for total in totals),
        "jobs": jobs_report(rule, now=NOW).sections[0].totals[3],
        "my hours": sum(one.minutes for one in mine),
    }
    assert worked == dict.fromkeys(worked, sheet.minutes)
    if rule.has_meals:
        meals = {
            "shifts": {label: value for label, _, value in shifts.figures}["Meal"],
            "hours": hours.sections[0].totals[-2],
            "quarterly": quarterly.sections[0].totals[6],
            "my hours": sum(one.meal for one in mine),
        }
        assert meals == dict.fromkeys(meals, sheet.meal)


def by_day(report, sums: int) -> int:
    """Add up the days of each person; the last `sums` columns are their sums."""
    rows = [row for row in report.sections[0].rows(None, 0) if not row.is_group]
    return sum(cell or 0 for row in rows for cell in row.cells[2:-sums])


FEW = [(0, 9 * 3600, 0, 0), (86400, 3 * 3600 + 40, 0, 1), (86400, 5 * 3600, 1, 0), (SPAN, None, 1, 1)]


def workbook(browser, path: str):
    with browser.get(f"{path}&format=xlsx") as answer:
        return openpyxl.load_workbook(io.BytesIO(answer.data))


def minutes(text: str) -> int:
    hours, _, rest = text.partition(":")
    return int(hours) * 60 + int(rest)


@pytest.mark.parametrize("report", ["shifts", "hours", "quarterly", "jobs"])
def test_a_file_has_what_its_page_says(app, shop, log_in, report):
    with app.app_context():
        sheet = Timesheet(punched(shop, FEW), rules=TimeRules(NEW_YORK), now=NOW)
    column = {"shifts": "Worked", "hours": "Worked", "quarterly": "Total Hours", "jobs": "Worked"}[report]
    path = f"/reports/{report}?from={FIRST}&to={LAST}"
    with time_machine.travel(NOW, tick=False):
        grace = log_in("grace")
        text = grace.get(f"{path}&format=csv").data.decode("utf-8-sig")
        book = workbook(grace, path)
        page = grace.get(path).text
    lines = list(csv.DictReader(io.StringIO(text)))
    whole = lines.pop()
    plain = [line for line in lines if "together" not in next(iter(line.values()))]
    assert minutes(whole[column]) == sum(minutes(line[column]) for line in plain) == sheet.minutes
    assert f"{whole[column]}</td>" in page
    rows = list(book.worksheets[0].iter_rows())
    at = [cell.value for cell in rows[0]].index(column)
    shown = rows[-1][at]
    assert (shown.value.total_seconds() if isinstance(shown.value, timedelta) else None) == 60 * sheet.minutes
    assert shown.number_format == "[h]:mm"
    assert book.worksheets[0].freeze_panes == "B2"


def test_a_file_is_harmless_in_a_spreadsheet(app, shop, log_in, cast):
    with app.app_context():
        shifts = punched(shop, FEW[:1])
        ana, job = db.session.get_one(User, cast.ana), db.session.get_one(Job, shifts[0].job_id)
        ana.first_name, job.general_contractor = "=HYPERLINK(1)", " @SUM(A1)"
        db.session.get_one(Shift, shifts[0].id).note = "+1"
        db.session.commit()
    path = f"/reports/shifts?from={FIRST}&to={LAST}"
    with time_machine.travel(NOW, tick=False):
        grace = log_in("grace")
        data = grace.get(f"{path}&format=csv").data  # to its end before the next: it streams
        book = workbook(grace, path)
    assert data.startswith(b"\xef\xbb\xbf")
    line = list(csv.reader(io.StringIO(data.decode("utf-8-sig"))))[1]
    assert [cell for cell in line if cell.startswith("'")] == ["'=HYPERLINK(1) Duarte", "' @SUM(A1)", "'+1"]
    cells = book.worksheets[0][2]
    assert {cell.data_type for cell in cells if isinstance(cell.value, str)} == {"s"}
    assert cells[1].value == "=HYPERLINK(1) Duarte"
    assert (cells[5].value, cells[5].is_date) == (BEGIN.astimezone(NEW_YORK).replace(tzinfo=None), True)


def test_a_file_that_breaks_off_never_looks_whole(app, shop):
    def rows(_limit, _offset):
        yield Row(("Ana",))
        raise ConnectionError("the database went away")

    report = Report("Shifts", "", [Section("Shifts", [Column("Employee")], 2, rows)])
    with app.test_request_context(), pytest.raises(ConnectionError):
        as_csv(report, "shifts").get_data()


@pytest.mark.parametrize("page", ["/reports/shifts", "/reports/hours", "/reports/quarterly", "/reports/jobs"])
def test_an_address_puts_nothing_of_its_own_into_the_links(shop, log_in, page):
    hostile = "?endpoint=x&_scheme=javascript&_external=1&_anchor=x&values=1&sort=worked"
    answer = log_in("grace").get(page + hostile)
    assert answer.status_code == 200
    assert [word for word in ("javascript:", "_scheme", "#x", "endpoint=") if word in answer.text] == []
