"""Logging in and out: what is said, how long it holds, and who is out."""

import re
from datetime import timedelta

import pytest
import time_machine
from flask.sessions import SecureCookieSessionInterface
from flask.testing import FlaskClient

from flask_app.clock import utc_now
from flask_app.models import LoginAttempt, User, committing, db
from flask_app.models.login_attempt import PER_ACCOUNT_AND_PLACE, PER_PLACE, Origin
from tests.conftest import NOW, PASSWORD

WRONG = "Wrong email or password."


@pytest.fixture
def browser(app, cast) -> FlaskClient:
    return app.test_client()


def enter(browser, email="ana@shop.example", password=PASSWORD, address="10.0.0.1", **fields):
    form = {"email": email, "password": password, **fields}
    return browser.post("/login", data=form, environ_base={"REMOTE_ADDR": address})


def is_in(browser) -> bool:
    return browser.get("/dashboard").status_code == 200


def test_the_right_password_leads_to_the_dashboard(browser):
    answer = enter(browser, " ANA@Shop.example ")
    assert (answer.status_code, answer.location) == (302, "/dashboard")
    assert is_in(browser)


@pytest.mark.parametrize(
    ("email", "password"),
    [
        ("ana@shop.example", "wrong-password"),
        ("nobody@shop.example", PASSWORD),
        ("", ""),
        ("ana@shop.example", "x" * 73),
        ("ana@shop.example", PASSWORD + "\0"),
        ("ana@shop.example", "木" * 5000),
        ("ana@shop.example\0", PASSWORD),
        ("' OR 1=1 --", "' OR 1=1 --"),
    ],
)
def test_whatever_is_wrong_the_same_words_say_so(browser, email, password):
    answer = enter(browser, email, password)
    assert answer.status_code == 401
    assert WRONG in answer.text
    assert not is_in(browser)


def test_a_form_without_its_fields_is_a_wrong_login(browser):
    answer = browser.post("/login")
    assert (answer.status_code, WRONG in answer.text) == (401, True)


def test_the_e_mail_stays_in_the_form_and_the_password_does_not(browser):
    page = enter(browser, "ana@shop.example", "my-wrong-password").text
    assert 'value="ana@shop.example"' in page
    assert "my-wrong-password" not in page


def test_what_is_typed_is_shown_as_text_not_as_html(browser):
    assert "<script>alert" not in enter(browser, '"><script>alert(1)</script>', "x").text


def test_who_waits_for_approval_is_told_so_but_only_with_the_right_password(browser):
    assert "Waiting for approval" in enter(browser, "zoe@shop.example").text
    assert WRONG in enter(browser, "zoe@shop.example", "wrong").text


def test_who_was_deactivated_is_told_so_but_only_with_the_right_password(browser):
    assert "has been deactivated" in enter(browser, "otis@shop.example").text
    assert WRONG in enter(browser, "otis@shop.example", "wrong").text
    assert not is_in(browser)


def test_tries_on_one_account_are_counted_across_programs(browser, make_app):
    browsers = [browser, make_app().test_client()]
    for n in range(PER_ACCOUNT_AND_PLACE):
        assert enter(browsers[n % 2], password="wrong").status_code == 401
    answer = enter(browsers[1])
    assert answer.status_code == 429
    assert "Too many tries. Wait 15 minutes, or ask the office to reset your password." in answer.text
    assert enter(browsers[0], "luis@shop.example").status_code == 302


def test_nobody_who_guesses_keeps_a_colleague_out_on_the_colleagues_own_phone(app, browser):
    enter(browser)
    for _ in range(PER_ACCOUNT_AND_PLACE + 1):
        refused = enter(app.test_client(), password="wrong")
    assert refused.status_code == 429
    browser.post("/logout")
    assert enter(browser).status_code == 302


def test_a_device_that_was_forged_or_belongs_to_somebody_else_is_a_strangers(app, browser):
    enter(browser, "luis@shop.example")
    forger = app.test_client()
    forger.set_cookie("device", "WyJhIiwiYiJd.forged", path="/login")
    for guesser in (browser, forger):
        for _ in range(PER_ACCOUNT_AND_PLACE // 2):
            assert enter(guesser, password="wrong").status_code == 401
    assert [enter(guesser).status_code for guesser in (browser, forger)] == [429, 429]


def test_a_device_is_remembered_in_a_cookie_that_scripts_cannot_read_and_that_only_the_login_gets(browser):
    [cookie] = [line for line in enter(browser).headers.getlist("Set-Cookie") if line.startswith("device=")]
    assert {"HttpOnly", "SameSite=Lax", "Path=/login"} <= set(cookie.split("; "))


def test_tries_from_one_address_are_counted_across_programs_and_accounts(browser, make_app):
    other = make_app()
    browsers = [browser, other.test_client()]
    with other.app_context():
        tries = [Origin.of(str(n), "10.0.0.1") for n in range(PER_PLACE - 1)]
        committing(lambda: [LoginAttempt.record(origin, at=utc_now()) for origin in tries])
    assert enter(browsers[0], "nobody@shop.example").status_code == 401
    assert enter(browsers[1]).status_code == 429
    assert enter(browsers[0], address="10.0.0.2").status_code == 302


def test_a_crew_that_logs_in_from_one_address_is_not_held_up(browser):
    for _ in range(30):
        assert enter(browser).status_code == 302


def test_a_wait_ends_by_itself(browser):
    with time_machine.travel(NOW, tick=False):
        for _ in range(PER_ACCOUNT_AND_PLACE + 1):
            answer = enter(browser, password="wrong")
        assert answer.status_code == 429
    with time_machine.travel(NOW + timedelta(minutes=15), tick=False):
        assert enter(browser).status_code == 302


def test_a_new_password_from_an_admin_ends_the_wait_as_the_message_says(browser, cast, log_in):
    for _ in range(PER_ACCOUNT_AND_PLACE + 1):
        enter(browser, password="wrong")
    page = log_in("grace").post(f"/password/user/{cast.ana}", data={"sure": "yes"}).text
    given = re.search(r"[a-z]+-[a-z]+-[a-z]+-[0-9]{4}", page)[0]
    assert enter(browser, password=given).status_code == 302


def test_a_login_begins_a_session_with_nothing_of_the_one_before(browser):
    with browser.session_transaction() as before:
        before.update(user_id=1, planted="by somebody else")
    enter(browser)
    with browser.session_transaction() as after:
        assert "planted" not in after


def test_a_cookie_that_was_forged_or_damaged_is_nobodys(app, cast):
    browser = app.test_client()
    enter(browser)
    cookie = browser.get_cookie("island_time").value
    for forged in (cookie[:-2], "x" + cookie[1:], "", "x.y.z", cookie.rpartition(".")[0]):
        browser.set_cookie("island_time", forged)
        assert not is_in(browser)


def test_a_cookie_signed_with_another_key_is_nobodys(browser, make_app):
    stranger = make_app(secret_key="z" * 32).test_client()
    enter(stranger)
    browser.set_cookie("island_time", stranger.get_cookie("island_time").value)
    assert not is_in(browser)


def visits(browser, *after: timedelta) -> list[bool]:
    found = []
    for passed in after:
        with time_machine.travel(NOW + passed, tick=False):
            found.append(is_in(browser))
    return found


def entered_at_noon(app, email: str) -> FlaskClient:
    browser = app.test_client()
    with time_machine.travel(NOW, tick=False):
        enter(browser, email)
    return browser


@pytest.mark.parametrize(
    ("email", "idle"), [("ana@shop.example", timedelta(days=7)), ("grace@shop.example", timedelta(hours=12))]
)
def test_a_session_ends_when_it_has_lain_idle(app, cast, email, idle):
    assert visits(entered_at_noon(app, email), idle) == [True]
    assert visits(entered_at_noon(app, email), idle + timedelta(seconds=1)) == [False]


def test_a_session_in_use_lives_on_past_its_idle_end(app, cast):
    days = [timedelta(days=day) for day in range(1, 30, 5)]
    assert visits(entered_at_noon(app, "ana@shop.example"), *days) == [True] * 6


def test_a_session_in_use_ends_after_thirty_days(app, cast):
    days = [timedelta(days=day) for day in (6, 12, 18, 24, 30)]
    assert visits(entered_at_noon(app, "ana@shop.example"), *days, timedelta(days=30, seconds=1)) == [
        True, True, True, True, True, False,
    ]  # fmt: skip


def test_a_host_whose_clock_is_a_little_behind_knows_who_has_just_logged_in(app, cast):
    assert visits(entered_at_noon(app, "ana@shop.example"), timedelta(seconds=-5)) == [True]


def change(app, user_id, work):
    with app.app_context():
        committing(lambda: work(db.session.get_one(User, user_id)))


def test_a_deactivated_person_is_out_on_the_next_request(app, browser, cast, add_job):
    enter(browser)
    change(app, cast.ana, lambda ana: ana.deactivate(at=NOW))
    answer = browser.get("/dashboard")
    assert (answer.status_code, answer.location) == (302, "/?next=/dashboard")
    assert browser.post("/create/shift", data={"job_id": add_job()}).location == "/"


def test_a_session_stays_ended_when_the_person_is_let_in_again(app, browser, cast):
    enter(browser)
    change(app, cast.ana, lambda ana: (ana.deactivate(at=NOW), ana.activate(at=NOW)))
    assert not is_in(browser)


def test_a_new_password_ends_the_sessions_of_the_old_one(app, browser, cast):
    enter(browser)
    change(app, cast.ana, lambda ana: ana.set_password("another-board-9", at=NOW))
    assert not is_in(browser)


def test_logging_out_ends_the_session_and_is_no_link(browser):
    enter(browser)
    assert browser.get("/logout").status_code == 405
    assert is_in(browser)
    page = browser.post("/logout", follow_redirects=True)
    assert "logged out" in page.text
    assert not is_in(browser)


def test_who_was_sent_to_the_login_goes_on_to_the_page_that_was_asked_for(browser):
    answer = browser.get("/my/hours?to=2026-11-22")
    assert answer.location == "/?next=/my/hours?to%3D2026-11-22"
    page = browser.get(answer.location)
    assert 'value="/my/hours?to=2026-11-22"' in page.text
    assert enter(browser, next="/my/hours?to=2026-11-22").location == "/my/hours?to=2026-11-22"


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/", "//evil.example", "///evil.example", "\\\\evil.example", "/\\evil.example",
        "/\t/evil.example", "http:evil.example", "javascript:alert(1)", "//[", "/\\[", "evil", "",
        "/dashboard\r\nSet-Cookie: a=b", " //evil.example", "/\x00/evil.example", "////evil.example",
    ],
)  # fmt: skip
def test_a_login_leads_to_no_other_site(browser, target):
    answer = enter(browser, next=target)
    assert (answer.status_code, answer.location) == (302, "/dashboard")
    assert browser.get("/", query_string={"next": target}).location == "/dashboard"


def test_who_is_logged_in_sees_no_login_page(browser):
    enter(browser)
    assert browser.get("/").location == "/dashboard"


def test_a_head_request_says_where_to_log_in_and_flashes_nothing(browser):
    assert browser.head("/dashboard").location == "/?next=/dashboard"
    assert "nothing was saved" not in browser.get("/").text


def test_a_form_sent_after_the_session_ended_says_that_nothing_was_saved(browser, cast, add_job):
    page = browser.post("/create/shift", data={"job_id": add_job()}, follow_redirects=True)
    assert "nothing was saved. Log in and try again." in page.text


def test_a_message_that_the_last_release_has_left_in_a_cookie_is_still_shown(app, cast, log_in):
    browser = log_in("ana")
    with browser.session_transaction() as cookie:
        left = {**cookie, "_flashes": [("success", "Punched out of 4512.")]}
    written = SecureCookieSessionInterface().get_signing_serializer(app).dumps(left)
    browser.set_cookie("island_time", written)
    assert "Punched out of 4512." in browser.get("/dashboard").text
