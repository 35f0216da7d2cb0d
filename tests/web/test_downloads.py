"""Downloads are read while everybody goes on punching: a file in the making locks nobody out."""

import json
import subprocess
import sys
from datetime import timedelta

import pytest
from sqlalchemy import insert, select, text

from flask_app.models import Shift, User, committing, db
from flask_app.models.database import PROJECT, make_engine
from tests.conftest import NOW, PASSWORD
from tests.web.test_reports import REPORTS
from tests.web.test_statements import PAGES

LINES = 2500  # several pieces of a download
PATH = "/reports/shifts?from=2026-01-01&to=2026-12-30&format=csv"


@pytest.fixture
def many_shifts(app, cast, add_job):
    rows = []
    job = add_job("4512")
    for n in range(1, LINES + 1):
        begin = NOW - timedelta(hours=n)
        rows.append({"created_at": begin, "updated_at": begin + timedelta(minutes=50), "note": ""})
        rows[-1] |= {"job_id": job, "user_id": cast.ana}
    with app.app_context():
        committing(lambda: db.session.execute(insert(Shift.__table__), rows))
    return job


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
