"""One time rule: every page, report and file tells the same totals, whatever the shifts and the settings."""

import csv
import io
import re
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import openpyxl
import pytest
import time_machine
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import insert, select

from flask_app.models import Job, Shift, User, db
from flask_app.models.types import plain
from flask_app.reporting.departments import Departments
from flask_app.reporting.hours import Selection, timesheet_of
from flask_app.reporting.hours_report import hours_report
from flask_app.reporting.job_hours import job_totals
from flask_app.reporting.jobs_report import jobs_report
from flask_app.reporting.report import HOURS, TEXT, Column, Report, Row, Section
from flask_app.reporting.shifts_report import Wanted, shifts_report
from flask_app.reporting.timesheet import MealRule, TimeRules, Timesheet
from flask_app.reporting.utilization_report import quarterly_report
from flask_app.web.exports import as_csv, as_xlsx
from tests.examples import examples

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


@examples(12)
@given(drawn=drawn_shifts, rule=rules)
def test_every_report_tells_what_the_timesheet_tells(app_context, shop, drawn, rule):
    people, jobs = shop
    sheet = Timesheet(punched(shop, drawn), rules=rule, now=NOW)
    selection = Selection(FIRST, LAST)
    how: dict[str, Any] = {"now": NOW, "period": ""}
    shifts = shifts_report(Wanted(selection), rule, **how)
    hours = hours_report(selection, rule, **how)
    quarterly = quarterly_report(selection, rule, **how)
    by_job = [job_totals(db.session.get_one(Job, job), Departments.read(), rule, now=NOW) for job in jobs]
    mine = [timesheet_of(db.session.get_one(User, who), FIRST, LAST, rule, now=NOW) for who in people]
    worked = {
        "shifts": {str(label): value for label, _, value in shifts.figures}["Worked"],
        "lines": summed(shifts, "Worked"),
        "hours": {str(label): value for label, _, value in hours.figures}["Worked"],
        "by day": sum(
            summed(hours, str(column.label))
            for column in hours.sections[0].columns
            if column.span is not None
        ),
        "by person": summed(hours, "Worked"),
        "quarterly": total(quarterly, "Total Hours"),
        "job pages": sum(total.minutes for totals in by_job for total in totals),
        "jobs": total(jobs_report(rule, now=NOW), "Worked"),
        "my hours": sum(one.minutes for one in mine),
    }
    assert worked == dict.fromkeys(worked, sheet.minutes)
    if rule.has_meals:
        meals = {
            "shifts": {str(label): value for label, _, value in shifts.figures}["Meal"],
            "lines": summed(shifts, "Meal"),
            "paid lines": sheet.minutes - summed(shifts, "Paid"),
            "hours": total(hours, "Meal"),
            "by person": summed(hours, "Meal"),
            "quarterly": total(quarterly, "Meal"),
            "my hours": sum(one.meal for one in mine),
        }
        assert meals == dict.fromkeys(meals, sheet.meal)


def place(report, label: str) -> int:
    return [str(column.label) for column in report.sections[0].columns].index(label)


def summed(report, label: str) -> int:
    """Add up a column as whoever opens the file does."""
    return sum(row.cells[place(report, label)] or 0 for row in report.sections[0].lines(subtotals=False))


def total(report, label: str) -> int:
    return report.sections[0].totals[place(report, label)]


@examples(12)
@given(drawn=drawn_shifts, rule=rules, assumed=st.sets(st.integers(0, 8)))
def test_every_sum_tells_how_much_of_it_is_open_or_assumed(app_context, shop, drawn, rule, assumed):
    shifts = punched(shop, drawn)
    for n in assumed & set(range(len(shifts))):
        shifts[n].assumed_at = NOW if shifts[n].ended_at else None
    db.session.commit()
    selection = Selection(FIRST, LAST)
    how: dict[str, Any] = {"now": NOW, "period": ""}
    for label, is_so in (
        ("Of it on the clock", lambda shift: shift.ended_at is None),
        ("Of it assumed", lambda shift: shift.assumed_at is not None),
    ):
        right = Timesheet([shift for shift in shifts if is_so(shift)], rules=rule, now=NOW).minutes
        for report in (
            shifts_report(Wanted(selection), rule, **how),
            hours_report(selection, rule, **how),
            quarterly_report(selection, rule, **how),
            jobs_report(rule, now=NOW),
        ):
            figures = {str(name): value for name, _, value in report.figures}
            assert figures.get(label, 0) == right, report.title
            if report.title != "Shifts":  # whose lines have their marks
                assert summed(report, label) == total(report, label) == right


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
        lines, with_sums = (csv_of(grace, f"{path}{more}") for more in ("", "&subtotals=1"))
        book, book_with_sums = (workbook(grace, f"{path}{more}") for more in ("", "&subtotals=1"))
        page = grace.get(path).text
    assert sum(minutes(line[column]) for line in lines) == sheet.minutes
    assert round(sum(float(line[f"{column} (decimal)"]) for line in lines) * 60) == sheet.minutes
    assert minutes(with_sums[-1][column]) == sheet.minutes
    assert re.search(f">{with_sums[-1][column]}(</a>)?<(/td|small)", page)
    cells = cells_of(book, column)
    assert sum(seconds(cell.value) for cell in cells) == 60 * sheet.minutes
    assert round(sum(cell.value for cell in cells_of(book, f"{column} (decimal)")) * 60) == sheet.minutes
    assert seconds(cells_of(book_with_sums, column)[-1].value) == 60 * sheet.minutes
    assert {cell.number_format for cell in cells} == {"[h]:mm"}
    assert book.worksheets[0].freeze_panes == "B2"


def csv_of(browser, path: str) -> list[dict[str, str]]:
    text = browser.get(f"{path}&format=csv").data.decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text), strict=True))


def cells_of(book, label: str) -> list:
    head, *rows = book.worksheets[0].iter_rows()
    at = [cell.value for cell in head].index(label)
    return [row[at] for row in rows]


def seconds(shown) -> float:
    """What a cell in [h]:mm means, as openpyxl reads it."""
    return shown.total_seconds() if isinstance(shown, timedelta) else 0


def test_the_lines_of_a_csv_read_back_are_those_of_the_workbook(app, shop, log_in):
    with app.app_context():
        shifts = punched(shop, FEW)
        shifts[0].assumed_at = shifts[1].edited_at = NOW
        db.session.commit()
    path = f"/reports/shifts?from={FIRST}&to={LAST}"
    with time_machine.travel(NOW, tick=False):
        grace = log_in("grace")
        lines, book = csv_of(grace, path), workbook(grace, path)
    head, *rows = ([cell.value for cell in row] for row in book.worksheets[0].iter_rows())
    read = [dict(zip(head, row, strict=True)) for row in rows]
    assert [line["Flags"] for line in lines] == ["On the clock", "", "Edited", "Assumed end"]
    for line, row in zip(lines, read, strict=True):
        assert line["Start"] == f"{row['Start']:%m/%d/%Y %I:%M %p}"
        assert line["Day"] == f"{row['Day']:%m/%d/%Y}"
        assert minutes(line["Worked"]) * 60 == seconds(row["Worked"])
        assert float(line["Worked (decimal)"]) == pytest.approx(row["Worked (decimal)"], abs=0.0001)
        texts = ("Employee", "Department", "Job", "Flags", "Note")
        assert [line[name] for name in texts] == [row[name] or "" for name in texts]


@examples(8)
@given(drawn=drawn_shifts, rule=rules, note=st.text(max_size=20), sort=st.sampled_from(["-start", "person"]))
def test_files_read_back_are_the_table_that_the_page_shows(app, shop, drawn, rule, note, sort):
    with app.test_request_context():
        for shift in punched(shop, drawn)[:1]:
            shift.note = plain(note)
        db.session.commit()
        selection = Selection(FIRST, LAST)
        how: dict[str, Any] = {"now": NOW, "period": "p"}
        for report in (
            shifts_report(Wanted(selection, sort=sort), rule, **how),
            hours_report(selection, rule, **how),
            quarterly_report(selection, rule, **how),
            jobs_report(rule, now=NOW),
        ):
            lines = list(
                csv.DictReader(io.StringIO(as_csv(report, "f").get_data(as_text=True)[1:]), strict=True)
            )
            rows = list(report.sections[0].lines(subtotals=False))
            book = openpyxl.load_workbook(io.BytesIO(as_xlsx(report, "f").data))
            head, *sheet = book.worksheets[0].iter_rows(values_only=True)
            assert len(lines) == len(rows) == len(sheet)
            for line, row, cells in zip(lines, rows, sheet, strict=True):
                shown = dict(zip(head, cells, strict=True))
                for column, cell in zip(report.sections[0].columns, row.cells, strict=True):
                    if column.kind == HOURS and cell is not None:
                        assert minutes(line[str(column.label)]) == cell
                        assert round(60 * float(line[f"{column.label} (decimal)"])) == cell
                        assert round(60 * shown[f"{column.label} (decimal)"]) == cell
                        assert seconds(shown[str(column.label)]) == 60 * cell
                    elif column.kind == TEXT:
                        text = line[str(column.label)]
                        assert (text[1:] if text != cell and text[:1] == "'" else text) == (cell or "")
                        assert (shown[str(column.label)] or "") == (cell or "")


def test_a_file_says_whose_payroll_number_it_is_about_which_days_and_what_it_was_narrowed_to(
    app, shop, log_in, cast
):
    with app.app_context():
        punched(shop, FEW)
        db.session.get_one(User, cast.ana).employee_number = "007"
        db.session.commit()
    narrowed = f"person={cast.ana}&department=CUT_SHOP"
    with time_machine.travel(NOW, tick=False):
        grace = log_in("grace")
        numbers = csv_of(grace, f"/reports/quarterly?from={FIRST}&to={LAST}")
        assert {line["Employee"]: line["Employee number"] for line in numbers}["Ana Duarte"] == "007"
        for report, more in (("shifts", "&job=4512"), ("hours", "")):
            path = f"/reports/{report}?from={FIRST}&to={LAST}&{narrowed}{more}"
            lines, book = csv_of(grace, path), workbook(grace, path)
            file = grace.get(f"{path}&format=csv", buffered=True)
            assert {line["Employee number"] for line in lines} == {"007"}
            assert {line["Period"] for line in lines} == {"Mon 10/26/2026 – Tue 11/10/2026"}
            job = "; Job: 4512" if more else ""
            assert {line["Filters"] for line in lines} == {f"Employee: Ana Duarte; Department: Cut shop{job}"}
            about = {row[0]: row[1] for row in book["About"].iter_rows(values_only=True)}
            assert (about["Period"], about["Employee"]) == ("Mon 10/26/2026 – Tue 11/10/2026", "Ana Duarte")
            assert about["Made"] == NOW.astimezone(NEW_YORK).replace(tzinfo=None, second=0)
            name = f"{report} {FIRST} to {LAST} Ana Duarte Cut shop{' 4512' if more else ''}.csv"
            assert f'filename="{name}"' in file.headers["Content-Disposition"]


@pytest.mark.parametrize("name", ["..\\x/y", 'a"b', "José", "x\ny"])
def test_the_name_of_a_file_is_one_that_every_system_takes(app, shop, log_in, cast, name):
    with app.app_context():
        db.session.get_one(User, cast.ana).first_name = name
        db.session.commit()
    with log_in("grace").get(f"/reports/shifts?person={cast.ana}&format=xlsx") as file:
        shown = file.headers["Content-Disposition"]
    assert [sign for sign in ("/", "\\", "\n", 'a"') if sign in shown] == []


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
    assert (cells[6].value, cells[6].is_date) == (BEGIN.astimezone(NEW_YORK).replace(tzinfo=None), True)


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
    page = re.sub(
        r'<input[^>]* name="next"[^>]*>', "", answer.text
    )  # the switch of the language comes back here
    assert [word for word in ("javascript:", "_scheme", "#x", "endpoint=") if word in answer.text] == []
