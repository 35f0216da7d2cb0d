"""Making one's own account: with approval, openly, not at all; and never as an admin."""

import pytest
from sqlalchemy import func, select

from flask_app.models import User, db
from tests.conftest import PASSWORD

FORM = {
    "first_name": "Mei",
    "last_name": "Tan",
    "email": "mei@shop.example",
    "department": "CNC_SHOP",
    "password": PASSWORD,
    "confirm_password": PASSWORD,
}
ENTER = {"email": "mei@shop.example", "password": PASSWORD}


def sign_up(app, **changes):
    return app.test_client().post("/register", data={**FORM, **changes}, follow_redirects=True)


def people(app) -> int:
    with app.app_context():
        return db.session.scalar(select(func.count(User.id))) or 0


def test_under_approval_an_account_waits_until_an_admin_activates_it(app, cast, log_in):
    assert "Waiting for approval" in sign_up(app).text
    browser = app.test_client()
    assert browser.post("/login", data=ENTER).status_code == 401
    with app.app_context():
        mei = User.by_email("mei@shop.example").id
    log_in("grace").post(f"/activate/user/{mei}")
    assert browser.post("/login", data=ENTER).status_code == 302


def test_open_registration_lets_in_at_once(make_app):
    app = make_app(registration="open")
    assert "Your account is ready. Log in." in sign_up(app).text
    assert app.test_client().post("/login", data=ENTER).status_code == 302


def test_closed_registration_takes_nobody_and_says_whom_to_ask(make_app):
    app = make_app(registration="closed")
    assert (
        "Only the office creates accounts" in app.test_client().get("/register", follow_redirects=True).text
    )
    assert "Only the office creates accounts" in sign_up(app).text
    assert "/register" not in app.test_client().get("/").text
    assert people(app) == 0


@pytest.mark.parametrize("registration", ["approval", "open"])
@pytest.mark.parametrize("department", ["ADMINISTRATIVE", "administrative", " ADMINISTRATIVE ", "BOSS", ""])
def test_nobody_registers_as_an_admin_however_the_form_is_edited(make_app, registration, department):
    app = make_app(registration=registration)
    answer = sign_up(app, department=department)
    assert answer.status_code == 422
    assert "Choose one of these departments." in answer.text
    assert people(app) == 0


def test_administrative_is_not_offered(app):
    assert "ADMINISTRATIVE" not in app.test_client().get("/register").text


def test_fields_that_are_not_in_the_form_are_not_taken(app):
    sign_up(app, approved_at="2026-01-01", epoch="9", id="1000", is_admin="1")
    with app.app_context():
        mei = User.by_email("mei@shop.example")
        assert (mei.is_active, mei.is_admin, mei.epoch, mei.id != 1000) == (False, False, 0, True)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"first_name": ""}, "Enter the first name."),
        ({"last_name": "x" * 101}, "The last name is too long: at most 100 characters."),
        ({"email": "mei"}, "This doesn&#39;t look like an email address."),
        ({"email": "ana@shop.example"}, "There is already an account with this email."),
        ({"password": "short", "confirm_password": "short"}, "Use at least 8 characters."),
        ({"password": "x" * 73, "confirm_password": "x" * 73}, "This password is too long: at most 72 bytes"),
        ({"confirm_password": "another-one"}, "The passwords don&#39;t match."),
        ({"confirm_password": ""}, "The passwords don&#39;t match."),
    ],
)
def test_a_form_that_cannot_be_taken_says_why_keeps_what_was_typed_and_adds_nobody(
    app, cast, changes, sentence
):
    before = people(app)
    answer = sign_up(app, **changes)
    assert answer.status_code == 422
    assert sentence in answer.text
    assert 'value="Tan"' in answer.text or "last_name" in changes
    assert PASSWORD not in answer.text
    assert people(app) == before


def test_an_empty_form_names_every_field(app):
    page = app.test_client().post("/register").text
    assert "Choose one of these departments." in page
    assert people(app) == 0


def test_a_name_in_any_script_is_kept_and_shown_as_text(app, cast, log_in):
    sign_up(app, first_name="Zoë <b>", last_name="木村")
    page = log_in("grace").get("/manage_users").text
    assert "Zoë &lt;b&gt; 木村" in page


def test_so_many_accounts_from_one_place_are_too_many_and_the_form_keeps_its_text(app, monkeypatch):
    monkeypatch.setattr("flask_app.models.login_attempt.REGISTRATIONS_PER_PLACE", 2)
    for n in range(2):
        assert "Waiting for approval" in sign_up(app, email=f"{n}@shop.example").text
    refused = sign_up(app)
    assert refused.status_code == 429
    assert "Too many new accounts from here. Wait 15 minutes, or ask the office." in refused.text
    assert 'value="mei@shop.example"' in refused.text
    assert people(app) == 2
