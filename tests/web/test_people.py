"""The admins' list of people: add, edit, activate, deactivate."""

import pytest
from sqlalchemy import select

from flask_app.models import Job, Shift, User, committing, db
from flask_app.models.user import password_matches
from tests.conftest import NOW, PASSWORD

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
        ({"email": "ana@shop.example"}, "There is already an account with this e-mail."),
        ({"department": "BOSS"}, "Choose a department."),
        ({"password": ""}, "A password needs at least 8 characters."),
        ({"password": "ä" * 37}, "This password is too long: at most 72 bytes"),
        ({"first_name": "\0"}, "The first name is missing."),
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


def test_a_new_password_is_the_only_one_from_then_on(app, grace, cast, log_in):
    ana = log_in("ana")
    grace.post(f"/update/user/{cast.ana}", data={**ANA, "password": "brand-new-board"})
    assert ana.get("/dashboard").status_code == 302
    assert enter(app, "ana@shop.example") == 401
    assert enter(app, "ana@shop.example", "brand-new-board") == 302


def test_an_edit_with_a_bad_password_saves_nothing_of_it(app, grace, cast):
    answer = grace.post(f"/update/user/{cast.ana}", data={**ANA, "last_name": "Lima", "password": "short"})
    assert answer.status_code == 422
    ana = person(app, "ana@shop.example")
    assert (ana.last_name, password_matches(ana.password, PASSWORD)) == ("Duarte", True)


def test_an_admin_who_changes_the_own_password_stays_logged_in_here_and_nowhere_else(grace, cast, log_in):
    elsewhere = log_in("grace")
    form = {"first_name": "Grace", "last_name": "Whitfield", "email": "grace@shop.example"}
    form |= {"department": "ADMINISTRATIVE", "password": "brand-new-board"}
    assert grace.post(f"/update/user/{cast.grace}", data=form, follow_redirects=True).status_code == 200
    assert elsewhere.get("/dashboard").status_code == 302


def test_a_worker_who_becomes_an_admin_logs_in_again_as_one(grace, cast, log_in):
    ana = log_in("ana")
    grace.post(f"/update/user/{cast.ana}", data={**ANA, "department": "ADMINISTRATIVE"})
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
        committing(lambda: Shift.start(luis, job, at=NOW))
    page = grace.post(f"/deactivate/user/{cast.luis}", follow_redirects=True)
    assert "Luis Romero is deactivated and was punched out of 4512." in page.text
    assert enter(app, "luis@shop.example") == 401
    with app.app_context():
        assert db.session.scalars(select(Shift)).one().ended_at is not None


def test_the_only_admin_cannot_be_deactivated_nor_lose_the_department(app, grace, cast):
    page = grace.post(f"/deactivate/user/{cast.grace}", follow_redirects=True)
    assert "Grace Whitfield is the only admin." in page.text
    form = {"first_name": "Grace", "last_name": "W", "email": "grace@shop.example", "department": "CUT_SHOP"}
    answer = grace.post(f"/update/user/{cast.grace}", data=form)
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
