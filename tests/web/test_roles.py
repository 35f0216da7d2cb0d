"""Who may open what: every route stands in the table below, and a new one that does not fails here."""

import re
from collections.abc import Iterator
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from flask_app.models import Base, LoginAttempt, Shift, User, committing, db
from flask_app.models.job import Job
from flask_app.timeclock.corrections import ask
from tests.conftest import NOW, PASSWORD
from tests.shop import punch_in

IN, OUT, NO, LOGIN = "in", "out", "no", "login"  # opened; sent to log in; 403; answers on its own terms
# (method, rule): what happens to somebody who is not logged in, a worker, an admin
TABLE = {
    ("GET", "/"): (IN, IN, IN),
    ("POST", "/login"): (LOGIN, LOGIN, LOGIN),
    ("GET", "/register"): (IN, IN, IN),
    ("POST", "/register"): (LOGIN, LOGIN, LOGIN),
    ("POST", "/logout"): (LOGIN, LOGIN, LOGIN),
    ("GET", "/static/<path:filename>"): (IN, IN, IN),
    ("GET", "/favicon.ico"): (IN, IN, IN),
    ("GET", "/manifest.webmanifest"): (IN, IN, IN),
    ("GET", "/offline/<code>"): (IN, IN, IN),
    ("GET", "/healthz"): (IN, IN, IN),
    ("GET", "/readyz"): (IN, IN, IN),
    ("GET", "/version"): (IN, IN, IN),
    ("GET", "/metrics"): (LOGIN, LOGIN, LOGIN),  # by a token; without one there is none
    ("GET", "/dashboard"): (OUT, IN, IN),
    ("GET", "/jobs"): (OUT, IN, IN),
    ("GET", "/jobs/suggest"): (OUT, IN, IN),
    ("GET", "/show/job/<int:job_id>"): (OUT, IN, IN),
    ("GET", "/add/shift/<int:job_id>"): (OUT, IN, IN),
    ("POST", "/create/shift"): (OUT, IN, IN),
    ("POST", "/punch_out/<int:shift_id>"): (OUT, NO, IN),  # the shift is somebody else's
    ("GET", "/my/hours"): (OUT, IN, IN),
    ("GET", "/my/switch"): (OUT, IN, IN),
    ("POST", "/my/switch/<int:shift_id>"): (OUT, NO, NO),  # nobody but whose shift it is
    ("GET", "/new/job"): (OUT, NO, IN),
    ("POST", "/create/job"): (OUT, NO, IN),
    ("GET", "/edit/job/<int:job_id>"): (OUT, NO, IN),
    ("POST", "/update/job/<int:job_id>"): (OUT, NO, IN),
    ("GET", "/manage_users"): (OUT, NO, IN),
    ("GET", "/new/user"): (OUT, NO, IN),
    ("POST", "/create/user"): (OUT, NO, IN),
    ("GET", "/edit/user/<int:user_id>"): (OUT, NO, IN),
    ("POST", "/update/user/<int:user_id>"): (OUT, NO, IN),
    ("POST", "/activate/user/<int:user_id>"): (OUT, NO, IN),
    ("POST", "/deactivate/user/<int:user_id>"): (OUT, NO, IN),
    ("GET", "/employment/user/<int:user_id>"): (OUT, NO, IN),
    ("POST", "/employment/user/<int:user_id>/week"): (OUT, NO, IN),
    ("POST", "/employment/user/<int:user_id>/department"): (OUT, NO, IN),
    ("POST", "/employment/user/<int:user_id>/department/remove"): (OUT, NO, IN),
    ("GET", "/admin/rules/meals"): (OUT, NO, IN),
    ("POST", "/admin/rules/meals"): (OUT, NO, IN),
    ("POST", "/admin/rules/meals/remove"): (OUT, NO, IN),
    ("GET", "/reports/possible"): (OUT, NO, IN),
    ("GET", "/sync"): (OUT, NO, IN),
    ("GET", "/sync/run/<int:run_id>"): (OUT, NO, IN),
    ("POST", "/sync/rehearsal"): (OUT, NO, IN),
    ("POST", "/sync/check"): (OUT, NO, IN),
    ("POST", "/api/dataverse/webhook"): (LOGIN, LOGIN, LOGIN),  # by a key; without one there is none
    ("GET", "/sync/phases"): (OUT, NO, IN),
    ("POST", "/sync/phases/rehearsal"): (OUT, NO, IN),
    ("POST", "/sync/phases/start"): (OUT, NO, IN),
    ("POST", "/sync/phases/stop"): (OUT, NO, IN),
    ("POST", "/sync/phases/try-again"): (OUT, NO, IN),
    ("GET", "/sync/hours"): (OUT, NO, IN),
    ("POST", "/sync/hours/rehearsal"): (OUT, NO, IN),
    ("POST", "/sync/hours/start"): (OUT, NO, IN),
    ("POST", "/sync/hours/stop"): (OUT, NO, IN),
    ("POST", "/sync/hours/try-again"): (OUT, NO, IN),
    ("POST", "/follow/job/<int:job_id>"): (OUT, NO, IN),
    ("POST", "/sync/hold/<int:hold_id>/confirm"): (OUT, NO, IN),
    ("POST", "/sync/hold/<int:hold_id>/dismiss"): (OUT, NO, IN),
    ("POST", "/sync/returned/<int:job_id>/leave"): (OUT, NO, IN),
    ("POST", "/api/process-approved-jobs"): (OUT, NO, IN),
    ("GET", "/account"): (OUT, IN, IN),
    ("POST", "/account/password"): (OUT, IN, IN),
    ("POST", "/language"): (LOGIN, LOGIN, LOGIN),  # the login page has the switch too
    ("GET", "/todays_activity"): (OUT, IN, IN),
    ("POST", "/todays_activity/dismiss/<int:user_id>"): (OUT, NO, IN),
    ("POST", "/todays_activity/expect/<int:user_id>"): (OUT, NO, IN),
    ("GET", "/end_of_day"): (OUT, NO, IN),
    ("POST", "/end_of_day"): (OUT, NO, IN),
    ("GET", "/my/corrections/new"): (OUT, IN, IN),
    ("POST", "/my/corrections/new"): (OUT, IN, IN),
    ("POST", "/my/corrections/<int:correction_id>/withdraw"): (OUT, NO, NO),  # somebody else's request
    ("POST", "/my/shift/<int:shift_id>/confirm"): (OUT, NO, IN),  # somebody else's shift
    ("GET", "/admin/corrections"): (OUT, NO, IN),
    ("POST", "/admin/corrections/<int:correction_id>/approve"): (OUT, NO, IN),
    ("POST", "/admin/corrections/<int:correction_id>/decline"): (OUT, NO, IN),
    ("GET", "/admin/stale_shifts"): (OUT, NO, IN),
    ("POST", "/admin/stale_shifts"): (OUT, NO, IN),
    ("POST", "/admin/stale_shifts/repair"): (OUT, NO, IN),
    ("GET", "/admin/old_shifts"): (OUT, NO, IN),
    ("POST", "/admin/old_shifts"): (OUT, NO, IN),
    ("POST", "/admin/old_shifts/apply"): (OUT, NO, IN),
    ("GET", "/admin/old_shifts/<int:old_id>"): (OUT, NO, IN),
    ("POST", "/admin/old_shifts/<int:old_id>"): (OUT, NO, IN),
    ("POST", "/admin/old_shifts/<int:old_id>/dismiss"): (OUT, NO, IN),
    ("POST", "/admin/old_shifts/<int:old_id>/take_back"): (OUT, NO, IN),
    ("GET", "/admin/import/<kind>"): (OUT, NO, IN),
    ("GET", "/admin/import/<kind>/template.csv"): (OUT, NO, IN),
    ("POST", "/admin/import/<kind>"): (OUT, NO, IN),
    ("POST", "/admin/import/<kind>/apply"): (OUT, NO, IN),
    ("POST", "/office/setup"): (OUT, NO, IN),
    ("GET", "/office/sign"): (OUT, NO, IN),
    ("GET", "/manage_shifts"): (OUT, NO, IN),
    ("GET", "/edit/shift/<int:shift_id>"): (OUT, NO, IN),
    ("POST", "/update/shift/<int:shift_id>"): (OUT, NO, IN),
    ("POST", "/delete/shift/<int:shift_id>"): (OUT, NO, IN),
    ("GET", "/new/shift"): (OUT, NO, IN),
    ("POST", "/new/shift"): (OUT, NO, IN),
    ("GET", "/office"): (OUT, NO, IN),
    ("GET", "/admin/assign_shift"): (OUT, NO, IN),
    ("POST", "/admin/assign_shift"): (OUT, NO, IN),
    ("GET", "/batch_assign_shifts"): (OUT, NO, IN),
    ("POST", "/batch_assign_shifts"): (OUT, NO, IN),
    ("POST", "/admin/assign_shift/start"): (OUT, NO, IN),
    ("GET", "/admin/audit"): (OUT, NO, IN),
    ("GET", "/admin/rules"): (OUT, NO, IN),
    ("POST", "/admin/rules"): (OUT, NO, IN),
    ("POST", "/admin/rules/holiday"): (OUT, NO, IN),
    ("POST", "/admin/rules/holiday/remove"): (OUT, NO, IN),
    ("POST", "/admin/rules/federal"): (OUT, NO, IN),
    ("GET", "/reports"): (OUT, NO, IN),
    ("GET", "/my/timesheet"): (OUT, IN, IN),
    ("GET", "/reports/timesheets"): (OUT, NO, IN),
    ("GET", "/reports/shifts"): (OUT, NO, IN),
    ("GET", "/reports/hours"): (OUT, NO, IN),
    ("GET", "/reports/quarterly"): (OUT, NO, IN),
    ("GET", "/reports/jobs"): (OUT, NO, IN),
    ("GET", "/reports/jobs/<int:job_id>"): (OUT, NO, IN),
    ("GET", "/shift_report"): (OUT, NO, IN),
    ("GET", "/shift_report/<preset>"): (OUT, NO, IN),
    ("GET", "/quarterly_report"): (OUT, NO, IN),
    ("GET", "/quarterly_report/<path:rest>"): (OUT, NO, IN),
    ("POST", "/password/user/<int:user_id>"): (OUT, NO, IN),
    ("POST", "/roster/user/<int:user_id>"): (OUT, NO, IN),
    ("POST", "/my/shift/<int:shift_id>/note"): (OUT, NO, IN),
    ("POST", "/pin/job/<int:job_id>"): (OUT, IN, IN),
    ("POST", "/undo"): (OUT, IN, IN),  # whose offer it is, is in the offer
}


@pytest.fixture
def shop(app, cast, add_job) -> Flask:
    """A job, and a shift of Luis that is open on it."""
    job = add_job("4512")
    with app.app_context():
        luis, desk = db.session.get_one(User, cast.luis), db.session.get_one(Job, job)
        shift = punch_in(luis, desk, NOW)
        asked = committing(lambda: _asked(luis, shift, desk))
        app.config["VALUES"] = {
            "correction_id": asked, "preset": "last_week", "rest": "csv",
            "job_id": job, "shift_id": shift.id, "user_id": cast.luis, "run_id": 1, "hold_id": 1,
            "filename": "app.css", "code": "es",
            "old_id": 1, "kind": "people",
        }  # fmt: skip
    return app


def _asked(luis: User, shift: Shift, job: Job) -> int:
    start = NOW - timedelta(hours=1)
    asked = ask(luis, "time", shift, start, NOW, job, note="", at=NOW)
    db.session.flush()
    return asked.id


def routes(app: Flask) -> Iterator[tuple[str, str]]:
    for rule in app.url_map.iter_rules():
        yield from ((method, rule.rule) for method in rule.methods - {"HEAD", "OPTIONS"})


def address(app: Flask, rule: str) -> str:
    return re.sub(r"<(?:\w+:)?(\w+)>", lambda found: str(app.config["VALUES"][found[1]]), rule)


def met(browser: FlaskClient, method: str, path: str) -> str:
    """Return what `browser` meets there: IN, OUT or NO."""
    with browser.open(path, method=method) as answer:
        location = answer.location or ""
    if answer.status_code == 401 or location == "/" or location.startswith("/?next="):
        return OUT
    return NO if answer.status_code == 403 else IN


def walk(app: Flask, browser: FlaskClient, role: int) -> dict[tuple[str, str], str]:
    """Return where `browser` met something else than the table says."""
    wrong = {}
    for (method, rule), outcomes in TABLE.items():
        if outcomes[role] != LOGIN and (found := met(browser, method, address(app, rule))) != outcomes[role]:
            wrong[method, rule] = found
    return wrong


def test_every_route_stands_in_the_table(app):
    assert set(routes(app)) == set(TABLE)


def test_who_is_not_logged_in_opens_what_the_table_says(shop):
    assert walk(shop, shop.test_client(), 0) == {}


def test_a_worker_opens_what_the_table_says(shop, log_in):
    assert walk(shop, log_in("ana"), 1) == {}


def test_an_admin_opens_what_the_table_says(shop, log_in):
    assert walk(shop, log_in("grace"), 2) == {}


def test_a_deactivated_worker_is_as_good_as_not_logged_in(shop, log_in, cast):
    browser = log_in("ana")
    with shop.app_context():
        committing(lambda: db.session.get_one(User, cast.ana).deactivate(at=NOW))
    assert walk(shop, browser, 0) == {}


def test_an_admin_who_becomes_a_worker_is_none_any_more(shop, log_in, cast):
    browser = log_in("grace")
    form = {"first_name": "G", "last_name": "W", "email": "g@shop.example", "department": "ADMINISTRATIVE"}
    with shop.app_context():
        committing(lambda: User.create({**form, "password": PASSWORD}, at=NOW, approved=True))
        grace = db.session.get_one(User, cast.grace)
        committing(lambda: grace.edit({**form, "email": grace.email, "department": "CUT_SHOP"}, at=NOW))
    assert walk(shop, browser, 0) == {}


def everything(app: Flask) -> dict[str, list[tuple[object, ...]]]:
    with app.app_context():
        tables = [table for table in Base.metadata.sorted_tables if table.name != LoginAttempt.__tablename__]
        return {table.name: [tuple(row) for row in db.session.execute(select(table))] for table in tables}


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_looking_changes_nothing(shop, log_in, method):
    browsers = [shop.test_client(), log_in("ana"), log_in("grace")]
    before = everything(shop)
    for _, rule in TABLE:
        for browser in browsers:
            browser.open(address(shop, rule), method=method).close()
    assert everything(shop) == before


def test_a_worker_who_posts_what_only_admins_may_changes_nothing(shop, log_in):
    browser = log_in("ana")
    before = everything(shop)
    form = {"im_number": "9999", "general_contractor": "x", "job_scope": "x", "status": "0",
            "first_name": "x", "last_name": "x", "email": "x@y.zz", "department": "ADMINISTRATIVE",
            "password": "xxxxxxxx"}  # fmt: skip
    for (method, rule), outcomes in TABLE.items():
        if method == "POST" and outcomes[1] == NO:
            assert browser.post(address(shop, rule), data=form).status_code == 403
    assert everything(shop) == before


def test_a_script_is_answered_with_a_status_not_with_a_login_page(shop, log_in):
    for browser, status in ((shop.test_client(), 401), (log_in("ana"), 403)):
        answer = browser.post("/api/process-approved-jobs")
        assert answer.status_code == status
        assert answer.json["message"]


def test_a_worker_sees_no_button_that_only_admins_may_press(shop, log_in):
    for page in ("/dashboard", f"/show/job/{shop.config['VALUES']['job_id']}", "/my/hours"):
        text = log_in("ana").get(page).text
        links = (
            "/manage_users",
            "/new/job",
            "/edit/job",
            "/edit/shift",
            '="/office"',
            '="/reports"',
            '="/sync"',
        )
        assert not [word for word in links if word in text]
