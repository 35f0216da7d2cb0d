"""Downloads are read while everybody goes on punching: a file in the making locks nobody out."""

import json
import subprocess
import sys
from datetime import date, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import insert, select, text

from flask_app.models import Shift, User, committing, db
from flask_app.models.database import PROJECT, make_engine
from flask_app.reporting.hours import Selection
from flask_app.reporting.shifts_report import Wanted, shifts_report
from flask_app.reporting.timesheet import MealRule, TimeRules
from tests.conftest import NOW, PASSWORD
from tests.web.test_reports import REPORTS
from tests.web.test_statements import PAGES

LINES = 2500  # several pieces of a download
PATH = "/reports/shifts?from=2026-01-01&to=2026-12-30&format=csv"


@pytest.fixture
def many_shifts(app, cast, add_job):
    job = add_job("4512")
    put_in(app, cast.ana, job, LINES)
    return job


def put_in(app, who: int, job: int, count: int) -> None:
    rows = []
    for n in range(1, count + 1):
        begin = NOW - timedelta(hours=n)
        rows.append({"created_at": begin, "updated_at": begin + timedelta(minutes=50), "note": ""})
        rows[-1] |= {"job_id": job, "user_id": who}
    with app.app_context():
        committing(lambda: db.session.execute(insert(Shift.__table__), rows))


def test_a_punch_gets_through_while_another_process_is_in_the_middle_of_a_download(
    app, database_url, cast, many_shifts, log_in
):
    """On SQLite a reader that takes the write lock would keep the whole shop waiting for one slow phone."""
    wish = {"url": database_url, "email": "grace@shop.example", "password": PASSWORD, "path": PATH}
    command = [sys.executable, "-m", "tests.web.downloader"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, cwd=PROJECT) as downloader:
        tell(downloader, json.dumps(wish))
        assert downloader.stdout.readline() == "half\n"
        try:
            assert_nothing_is_locked(database_url)
            answer = log_in("luis").post("/create/shift", data={"job_id": many_shifts})
            assert answer.status_code == 302
        finally:
            tell(downloader, "go on")
        lines = int(downloader.stdout.readline())
    assert lines > LINES
    with app.app_context():
        assert Shift.open_of(db.session.get_one(User, cast.luis)) is not None


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # where one writer shuts out the others
def test_no_page_and_no_file_waits_for_a_writer(app, database_url, cast, many_shifts, log_in):
    grace = log_in("grace")
    with app.app_context():
        shift = db.session.scalar(select(Shift.id).limit(1))
    files = [f"/reports/{report}?format={form}" for report in REPORTS for form in ("csv", "xlsx", "print")]
    engine = make_engine(database_url)
    with engine.connect() as writer:
        writer.execute(text("UPDATE users SET epoch = epoch"))
        for page in (*PAGES, *files, "/healthz", "/"):
            answer = grace.get(page.format(job=many_shifts, shift=shift), buffered=True)
            assert answer.status_code in (200, 302), page
    engine.dispose()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # which counts its steps
def test_ten_times_the_shifts_are_ten_times_the_work(app, cast, add_job):
    job = add_job("4512")
    put_in(app, cast.ana, job, 300)
    few = steps(app)
    put_in(app, cast.luis, job, 3000)
    assert steps(app) < 15 * few


def steps(app) -> int:
    """Return in how many steps, of a hundred each, the database gives all shifts with their meals."""
    rule, taken = TimeRules(ZoneInfo("America/New_York"), MealRule(30, 240)), []
    selection = Selection(date(2026, 1, 1), date(2026, 12, 30))
    with app.app_context():
        connection = db.session.connection().connection.dbapi_connection
        connection.set_progress_handler(lambda: taken.append(1), 100)
        report = shifts_report(Wanted(selection), rule, now=NOW, period="", sums=False)
        assert any(row.cells[-2] for row in report.sections[0].lines(subtotals=False))
        connection.set_progress_handler(None, 0)
    return len(taken)


def assert_nothing_is_locked(url: str) -> None:
    """Write at once or fail at once, where the program itself would try for a while."""
    engine = make_engine(url)
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            connection.connection.execute("PRAGMA busy_timeout = 0")
        connection.execute(text("UPDATE users SET epoch = epoch"))
        connection.commit()
    engine.dispose()


def tell(process: subprocess.Popen[str], words: str) -> None:
    process.stdin.write(words + "\n")
    process.stdin.flush()
