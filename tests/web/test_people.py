"""The admins' list of people: add, edit, activate, deactivate."""

import re
from datetime import date

import pytest
from sqlalchemy import select

from flask_app.models import Audit, Job, Shift, User, committing, db
from flask_app.models.audit import Wanted
from flask_app.models.errors import ValidationError
from flask_app.models.login_attempt import PER_ACCOUNT_AND_PLACE
from flask_app.models.user import bcrypt, hash_password
from flask_app.timeclock import people
from tests.conftest import NOW, PASSWORD
from tests.shop import punch_in

FORM = {
    "first_name": "Mei",
    "last_name": "Tan",
    "email": "mei@shop.example",
    "department": "CNC_SHOP",
    "password": PASSWORD,
}
ANA = {"first_name": "Ana", "last_name": "Duarte", "email": "ana@shop.example", "department": "CUT_SHOP"}


@pytest.fixture
def grace(log_in, cast):
    return log_in("grace")


def person(app, email: str) -> User | None:
    with app.app_context():
        return User.by_email(email)


def enter(app, email: str, password: str = PASSWORD) -> int:
    return app.test_client().post("/login", data={"email": email, "password": password}).status_code


def test_a_person_who_is_added_can_log_in_at_once(app, grace):
    page = grace.post("/create/user", data=FORM, follow_redirects=True)
    assert "Mei Tan can log in now." in page.text
    assert enter(app, "mei@shop.example") == 302


def test_an_admin_may_add_an_admin(app, grace):
    grace.post("/create/user", data={**FORM, "department": "ADMINISTRATIVE"})
    assert person(app, "mei@shop.example").is_admin


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"email": "ana@shop.example"}, "There is already an account with this email."),
        ({"department": "BOSS"}, "Choose a department."),
        ({"password": ""}, "Use at least 8 characters."),
        ({"password": "ä" * 37}, "This password is too long: at most 72 bytes"),
        ({"first_name": "\0"}, "Enter the first name."),
    ],
)
def test_a_form_that_cannot_be_taken_says_why_and_adds_nobody(app, grace, changes, sentence):
    answer = grace.post("/create/user", data={**FORM, **changes})
    assert (answer.status_code, sentence in answer.text) == (422, True)
    assert person(app, "mei@shop.example") is None


def test_an_edit_without_a_password_keeps_the_old_one_and_the_session(app, grace, cast, log_in):
    ana = log_in("ana")
    grace.post(f"/update/user/{cast.ana}", data={**ANA, "last_name": "Duarte-Lima", "password": ""})
    assert person(app, "ana@shop.example").last_name == "Duarte-Lima"
    assert ana.get("/dashboard").status_code == 200


def one_time_password(page: str) -> str:
    """What the page shows to be told."""
    return re.search(r'<p class="figure">([a-z]+-[a-z]+-[a-z]+-[0-9]{4})</p>', page)[1]


def test_a_password_from_an_admin_works_once_and_leads_to_a_new_one(app, grace, cast, log_in):
    ana = log_in("ana")
    answer = grace.post(f"/password/user/{cast.ana}", data={"sure": "yes"})
    given = one_time_password(answer.text)
    assert given not in str(answer.headers)
    assert ana.get("/dashboard").status_code == 302
    assert enter(app, "ana@shop.example") == 401
    ana.post("/login", data={"email": "ana@shop.example", "password": given})
    for method, path in (("GET", "/dashboard"), ("POST", "/create/shift"), ("GET", "/my/hours")):
        assert ana.open(path, method=method).location == "/account"
    form = {"old_password": given, "password": "brand-new-board", "confirm_password": "brand-new-board"}
    assert ana.post("/account/password", data=form).location == "/account"
    assert ana.get("/dashboard").status_code == 200
    assert (enter(app, "ana@shop.example", given), enter(app, "ana@shop.example", "brand-new-board")) == (
        401,
        302,
    )


def test_no_password_is_ever_written_down(app, grace, cast):
    given = one_time_password(grace.post(f"/password/user/{cast.ana}", data={"sure": "yes"}).text)
    with app.app_context():
        row = Audit.of("user", cast.ana)[0]
    assert (row.changes, row.by.first_name) == ({"password": ["set", "set anew"]}, "Grace")
    assert given not in grace.get("/admin/audit").text + grace.get(f"/edit/user/{cast.ana}").text


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"old_password": "wrong-wrong"}, "not your current password"),
        ({"password": "short", "confirm_password": "short"}, "at least 8"),
        ({"confirm_password": "another-board"}, "match"),
        ({"password": PASSWORD, "confirm_password": PASSWORD}, "before"),
    ],
)
def test_ones_own_password_changes_only_if_all_is_right(app, log_in, cast, changes, says):
    ana = log_in("ana")
    form = {"old_password": PASSWORD, "password": "brand-new-board", "confirm_password": "brand-new-board"}
    answer = ana.post("/account/password", data={**form, **changes})
    assert (answer.status_code, says in answer.text) == (422, True)
    assert enter(app, "ana@shop.example") == 302


def test_a_new_password_of_ones_own_ends_every_other_session(log_in, cast):
    here, elsewhere = log_in("ana"), log_in("ana")
    form = {"old_password": PASSWORD, "password": "brand-new-board", "confirm_password": "brand-new-board"}
    here.post("/account/password", data=form)
    assert here.get("/dashboard").status_code == 200
    assert elsewhere.get("/dashboard").status_code == 302


def test_an_admins_reset_is_not_undone_by_a_change_that_was_under_way(app, cast):
    with app.app_context():
        ana, grace = (db.session.get_one(User, who) for who in (cast.ana, cast.grace))
        checked = ana.password
        given, own = people.readable_password(), hash_password("brand-new-board")
        hashed = hash_password(given)
        committing(lambda: people.give_new_password(ana, hashed, by=grace, at=NOW))
        with pytest.raises(ValidationError, match="changed a moment ago"):
            committing(lambda: people.change_own_password(ana, own, checked=checked, at=NOW))
    assert (enter(app, "ana@shop.example", given), enter(app, "ana@shop.example", "brand-new-board")) == (
        302,
        401,
    )


def test_guessing_the_old_password_is_slowed_down_like_a_login(log_in, cast):
    ana = log_in("ana")
    form = {"old_password": "wrong", "password": "brand-new-board", "confirm_password": "brand-new-board"}
    answers = [ana.post("/account/password", data=form).status_code for _ in range(PER_ACCOUNT_AND_PLACE + 1)]
    assert answers == [422] * PER_ACCOUNT_AND_PLACE + [429]


def test_roster_and_days_of_work_are_kept_and_written_down(app, grace, cast):
    form = {**ANA, "on_active_roster": "", "hire_date": "2026-01-05", "leave_date": "2026-12-31"}
    grace.post(f"/update/user/{cast.ana}", data={**form, "sure": "yes"})
    ana = person(app, "ana@shop.example")
    assert (ana.on_active_roster, ana.hire_date, ana.leave_date) == (
        False,
        date(2026, 1, 5),
        date(2026, 12, 31),
    )
    grace.post(f"/roster/user/{cast.ana}", data={"on": "yes"})
    assert person(app, "ana@shop.example").on_active_roster
    with app.app_context():
        latest, first = Audit.of("user", cast.ana)[:2]
    assert latest.changes == {"on_active_roster": ["no", "yes"]}
    assert first.changes["leave_date"] == [None, "2026-12-31"]


def test_a_last_day_before_the_first_is_refused(app, grace, cast):
    form = {**ANA, "hire_date": "2026-01-05", "leave_date": "2026-01-04"}
    answer = grace.post(f"/update/user/{cast.ana}", data=form)
    assert (answer.status_code, "before the first" in answer.text) == (422, True)
    assert person(app, "ana@shop.example").hire_date is None


def test_a_form_without_the_roster_leaves_it_alone(app, grace, cast):
    grace.post(f"/update/user/{cast.ana}", data={**ANA, "last_name": "Lima"})
    ana = person(app, "ana@shop.example")
    assert (ana.last_name, ana.on_active_roster) == ("Lima", True)


def test_a_worker_who_becomes_an_admin_logs_in_again_as_one(grace, cast, log_in):
    ana = log_in("ana")
    grace.post(f"/update/user/{cast.ana}", data={**ANA, "sure": "yes", "department": "ADMINISTRATIVE"})
    assert ana.get("/manage_users").status_code == 302
    assert log_in("ana").get("/manage_users").status_code == 200


def test_activating_lets_in_who_waited(app, grace, cast):
    page = grace.post(f"/activate/user/{cast.zoe}", follow_redirects=True)
    assert "Zoe Lindqvist can log in now." in page.text
    assert enter(app, "zoe@shop.example") == 302


def test_deactivating_keeps_out_and_punches_out(app, grace, cast, add_job):
    job_id = add_job("4512")
    with app.app_context():
        luis, job = db.session.get_one(User, cast.luis), db.session.get_one(Job, job_id)
        punch_in(luis, job, NOW)
    form = {"last_day": "2026-11-20", "sure": "yes"}
    page = grace.post(f"/deactivate/user/{cast.luis}", data=form, follow_redirects=True)
    assert "Luis Romero is deactivated and was punched out of 4512." in page.text
    with app.app_context():
        entity = {row.entity: row for row in Audit.search(Wanted(person_id=cast.luis), limit=9)}
    assert entity["user"].changes == {"active": ["yes", "no"], "leave_date": [None, "2026-11-20"]}
    assert "deactivated" in entity["shift"].reason
    assert enter(app, "luis@shop.example") == 401
    with app.app_context():
        assert db.session.scalars(select(Shift)).one().ended_at is not None


def test_the_only_admin_cannot_be_deactivated_nor_lose_the_department(app, grace, cast):
    page = grace.post(f"/deactivate/user/{cast.grace}", data={"sure": "yes"}, follow_redirects=True)
    assert "Grace Whitfield is the only admin." in page.text
    form = {"first_name": "Grace", "last_name": "W", "email": "grace@shop.example", "department": "CUT_SHOP"}
    answer = grace.post(f"/update/user/{cast.grace}", data={**form, "sure": "yes"})
    assert (answer.status_code, "is the only admin" in answer.text) == (422, True)
    assert grace.get("/manage_users").status_code == 200


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("user_id", ["0", "999999", "99999999999999999999", "-1", "me"])
def test_a_person_who_does_not_exist_is_a_page_that_says_so(grace, method, user_id):
    addresses = (
        ["/edit/user/"] if method == "GET" else ["/update/user/", "/activate/user/", "/deactivate/user/"]
    )
    for address in addresses:
        assert grace.open(address + user_id, method=method, data=FORM).status_code == 404


def test_no_page_shows_a_password_or_its_hash(app, grace, cast):
    pages = [grace.get(address).text for address in ("/manage_users", f"/edit/user/{cast.ana}")]
    assert not [page for page in pages if "$2b$" in page or PASSWORD in page]


def test_an_employee_number_is_kept_shown_and_written_down(app, grace, cast):
    form = {**ANA, "employee_number": "E-104"}
    page = grace.post(f"/update/user/{cast.ana}", data=form, follow_redirects=True)
    assert "E-104" in page.text
    assert 'value="E-104"' in grace.get(f"/edit/user/{cast.ana}").text
    assert "Employee number" in grace.get(f"/admin/audit?person={cast.ana}").text
    again = grace.post("/create/user", data={**FORM, "employee_number": "E-104"})
    assert (again.status_code, "Someone else has this employee number." in again.text) == (422, True)


def test_nobody_gives_oneself_an_employee_number(app, cast):
    form = {**FORM, "confirm_password": PASSWORD, "employee_number": "E-1"}
    app.test_client().post("/register", data=form)
    assert person(app, FORM["email"]).employee_number is None


def test_namesakes_are_told_apart_on_every_page_that_lists_them(app, grace, cast, add_job):
    grace.post("/create/user", data={**FORM, "first_name": "Ana", "last_name": "Duarte"})
    job_id = add_job()
    with app.app_context():
        job = db.session.get_one(Job, job_id)
        for ana in db.session.scalars(select(User).where(User.first_name == "Ana")).all():
            punch_in(ana, job, NOW)
    day = "from=2026-11-23&to=2026-11-23"
    pages = ("/manage_users", "/todays_activity", "/end_of_day", f"/reports/shifts?{day}",
             f"/reports/hours?{day}", "/reports/quarterly", "/admin/audit", "/new/shift",
             "/admin/assign_shift", "/admin/stale_shifts")  # fmt: skip
    for page in pages:
        text = grace.get(page).text
        assert ("Ana Duarte (Cut shop)" in text, "Ana Duarte (CNC shop)" in text) == (True, True), page
    file = grace.get("/reports/hours?from=2026-11-23&to=2026-11-23&format=csv").text
    assert "Ana Duarte (Cut shop)" in file


def test_a_change_is_found_by_a_name_without_its_accents(app, grace):
    grace.post("/create/user", data={**FORM, "first_name": "José", "last_name": "Núñez"})
    page = grace.get("/admin/audit?q=jose+nunez").text
    assert "José Núñez" in re.sub("<select.*?</select>", "", page, flags=re.DOTALL)


def test_no_password_is_hashed_while_anything_is_locked(app, log_in, cast, monkeypatch):
    """Bcrypt takes a third of a second; on SQLite whoever may write keeps everybody else waiting."""
    hashed, hash_it = [], bcrypt.generate_password_hash

    def watched(*args):
        hashed.append(db.session.in_transaction())
        return hash_it(*args)

    monkeypatch.setattr(bcrypt, "generate_password_hash", watched)
    name = {"first_name": "Mei", "last_name": "Tan", "department": "CUT_SHOP", "password": PASSWORD}
    grace, ana = log_in("grace"), log_in("ana")
    grace.post("/create/user", data={**name, "email": "mei@shop.example"})
    grace.post(f"/password/user/{cast.luis}", data={"sure": "yes"})
    again = {"confirm_password": PASSWORD}
    app.test_client().post("/register", data={**name, **again, "email": "tan@shop.example"})
    new = {"old_password": PASSWORD, "password": "another-board-9", "confirm_password": "another-board-9"}
    ana.post("/account/password", data=new)
    assert hashed == [False] * 4
