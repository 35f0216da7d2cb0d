"""A page asks the database as often with much data as with little, and stays small."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event, insert, select, update

from flask_app.clock import utc_now
from flask_app.models import Job, Shift, User, committing, db
from flask_app.models.database import make_engine
from flask_app.sync.following import insert_jobs
from tests.conftest import synced_job

PAGES = (
    "/dashboard",
    "/jobs?q=4",
    "/show/job/{job}",
    "/my/hours",
    "/manage_users",
    "/edit/job/{job}",
    "/sync",
    "/todays_activity",
    "/end_of_day",
    "/edit/shift/{shift}",
    "/office",
    "/account",
    "/admin/assign_shift",
    "/admin/audit",
    "/admin/corrections",
    "/admin/stale_shifts",
    "/admin/rules",
    "/reports/timesheets",
    "/my/timesheet",
    "/admin/old_shifts",
    "/reports",
    "/reports/shifts?preset=month",
    "/reports/hours?preset=month",
    "/reports/quarterly",
    "/reports/jobs",
    "/reports/jobs/{job}",
)
# One of them, for an admin, asks whether the auto clock-out did what it should (the banner on every page).
MOST = {
    "/dashboard": 12,
    "/jobs?q=4": 8,
    "/my/hours": 7,
    "/manage_users": 4,
    "/show/job/{job}": 10,  # one for whether it is pinned
    "/reports": 8,  # three for what is open or assumed, by departments
    # Meal rules by their days; of whoever moved, the departments by theirs.
    "/reports/shifts?preset=month": 9,
    "/reports/hours?preset=month": 9,
    "/reports/jobs/{job}": 13,
    "/reports/quarterly": 11,  # one for what is open or assumed; working days and employments
    "/todays_activity": 10,
    "/office": 10,  # a count for each thing that may wait
    "/sync": 13,  # four for what waits for an admin, one for the polls
    "/end_of_day": 10,
}  # fmt: skip


@contextmanager
def counted(app: Flask) -> Iterator[list[str]]:
    statements: list[str] = []

    def note(_connection, _cursor, statement, *_rest) -> None:
        if not statement.startswith(("BEGIN", "PRAGMA", "ROLLBACK")):
            statements.append(statement)

    event.listen(app.extensions["engine"], "before_cursor_execute", note)
    yield statements
    event.remove(app.extensions["engine"], "before_cursor_execute", note)


def count(app: Flask, browser: FlaskClient, job: int) -> dict[str, int]:
    counts = {}
    with app.app_context():
        shift = db.session.scalar(select(Shift.id).limit(1))
    for page in PAGES:
        with counted(app) as statements:
            assert browser.get(page.format(job=job, shift=shift)).status_code == 200, page
        counts[page] = len(statements)
    return counts


def fill(jobs: int, people: int, shifts: int) -> None:
    """Jobs from Dataverse, people who are all on the clock, and finished shifts of the last weeks."""
    now = utc_now()
    db.session.execute(insert(User.__table__), [person(n, now) for n in range(people)])
    insert_jobs([synced_job(str(n), job_scope="x" * 255) for n in range(40_000, 40_000 + jobs)], at=now)
    user_ids, job_ids = db.session.scalars(select(User.id)).all(), db.session.scalars(select(Job.id)).all()
    rows = [
        shift(now - timedelta(hours=3 + n % 400), job_ids[n % len(job_ids)], user_ids[n % len(user_ids)])
        for n in range(shifts)
    ]
    rows += [
        {**shift(now, job_ids[n % len(job_ids)], user_id), "updated_at": None}
        for n, user_id in enumerate(user_ids)
    ]
    db.session.execute(insert(Shift.__table__), rows)


def person(n: int, at: datetime) -> dict[str, object]:
    name = {"first_name": f"P{n}", "last_name": "Q", "email": f"p{n}@shop.example", "department": "CUT_SHOP"}
    return {**name, "password": "x", "created_at": at, "approved_at": at, "epoch": 0}


def shift(start: datetime, job_id: int, user_id: int) -> dict[str, object]:
    times = {"created_at": start, "updated_at": start + timedelta(hours=1)}
    return {**times, "job_id": job_id, "user_id": user_id, "note": "Sanding", "punch_key": None}


def test_no_page_needs_more_statements_for_more_data(app, log_in, cast, add_job):
    job, browser = add_job("4"), log_in("grace")
    with app.app_context():
        committing(lambda: fill(jobs=3, people=2, shifts=6))
    few = count(app, browser, job)
    with app.app_context():
        db.session.execute(Shift.__table__.delete())
        db.session.execute(Job.__table__.delete().where(Job.im_number != "4"))
        db.session.execute(User.__table__.delete().where(User.email.like("p%")))
        db.session.commit()
        committing(lambda: fill(jobs=300, people=60, shifts=900))
    many = count(app, browser, job)
    assert many == few
    assert {page: n for page, n in many.items() if n > MOST.get(page, 7)} == {}


def test_a_punch_needs_few_statements(app, log_in, cast, add_job):
    jobs, browser = [add_job("4512"), add_job("4513")], log_in("ana")
    browser.post("/create/shift", data={"job_id": jobs[0]})
    with counted(app) as statements:
        browser.post("/create/shift", data={"job_id": jobs[1]})
    assert len(statements) <= 5, statements


def test_a_punch_out_needs_few_statements(app, log_in, cast, add_job):
    job, browser = add_job("4512"), log_in("ana")
    browser.post("/create/shift", data={"job_id": job})
    with app.app_context():
        number = Shift.open_of(db.session.get_one(User, cast.ana)).id
    with counted(app) as statements:
        browser.post(f"/punch_out/{number}")
    assert len(statements) <= 5, statements


def test_the_login_page_asks_no_database(app, monkeypatch):
    monkeypatch.setitem(app.extensions, "engine", None)
    assert app.test_client().get("/").status_code == 200


def test_the_dashboard_stays_small_with_five_thousand_jobs(app, log_in, cast):
    with app.app_context():
        committing(lambda: fill(jobs=5000, people=60, shifts=500))
    browser = log_in("ana")
    with app.app_context():
        assert Job.board(status=1).total == 5000
    assert len(browser.get("/dashboard").data) < 120_000
    assert len(browser.get("/jobs?q=gilbane").data) < 80_000


def test_a_job_with_very_many_shifts_is_shown_by_pages(app, log_in, cast, add_job):
    job_id = add_job("4")
    with app.app_context():
        start = utc_now() - timedelta(days=40)
        rows = [shift(start, job_id, cast.luis) for _ in range(3000)]
        db.session.execute(insert(Shift.__table__), rows)
        db.session.commit()
    page = log_in("ana").get(f"/show/job/{job_id}")
    assert "3,000" in page.text
    assert len(page.data) < 120_000


def test_a_page_is_shown_while_somebody_else_is_writing(app, log_in, cast, database_url):
    """On SQLite a page that took the write lock would wait ten seconds, and then be an error."""
    browser, engine = log_in("ana"), make_engine(database_url)
    with engine.begin() as writer:
        writer.execute(update(User).values(epoch=User.epoch + 1))
        assert browser.get("/dashboard").status_code == 200
    engine.dispose()
