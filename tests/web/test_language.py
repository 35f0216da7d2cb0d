"""Which language a person is answered in: their choice, this device's, or the browser's."""

import re

import pytest
from flask import render_template_string

from flask_app.models import User, db
from flask_app.words import language

SPANISH = {"Accept-Language": "es-MX,es;q=0.9,en;q=0.5"}


def spoken(answer) -> str:
    """The language of a page as the page says it."""
    return re.search(r'<html lang="(\w+)"', answer.text)[1]


@pytest.mark.parametrize(
    ("wanted", "code"),
    [("", "en"), ("es-MX,es;q=0.9,en;q=0.5", "es"), ("en-US,en;q=0.9,es;q=0.8", "en"), ("fr-FR", "en"),
     ("fr, es;q=0.4", "es"), ("*", "en"), (";;q=x,,", "en")],
)  # fmt: skip
def test_before_the_login_the_browser_decides(app, cast, wanted, code):
    answer = app.test_client().get("/", headers={"Accept-Language": wanted})
    assert spoken(answer) == answer.headers["Content-Language"] == code
    assert {"Accept-Language", "Cookie"} <= {*answer.vary}


def test_the_login_page_has_a_switch_that_this_device_keeps(app, cast):
    browser = app.test_client()
    assert 'value="es" lang="es">Español</button>' in browser.get("/").text
    answer = browser.post("/language", data={"language": "es", "back": "/register"})
    assert answer.location == "/register"
    assert re.search("Max-Age=31536000.*HttpOnly.*SameSite=Lax", answer.headers["Set-Cookie"])
    assert spoken(browser.get("/")) == "es"
    assert 'value="en" lang="en">English</button>' in browser.get("/").text


def test_a_switch_leads_to_no_other_site(app, cast):
    answer = app.test_client().post(
        "/language", data={"language": "es", "back": "https://elsewhere.example/"}
    )
    assert answer.location == "/"


@pytest.mark.parametrize("code", ["", "fr", "es; Path=/x", "en\r\nX: y"])
def test_a_language_that_is_none_of_ours_is_refused(app, cast, code):
    answer = app.test_client().post("/language", data={"language": code})
    assert (answer.status_code, answer.headers.get("Set-Cookie")) == (400, None)
    assert spoken(app.test_client().get("/", headers={"Cookie": f"language={code[:2]}"})) == "en"


def test_a_persons_choice_holds_on_all_their_devices(app, log_in, cast):
    phone, desk = log_in("ana"), log_in("ana")
    phone.post("/language", data={"language": "es", "back": "/account"})
    assert spoken(desk.get("/account")) == spoken(phone.get("/dashboard")) == "es"
    with app.app_context():
        assert db.session.get_one(User, cast.ana).language == "es"
    desk.post("/language", data={"language": "en"})
    assert spoken(phone.get("/account", headers=SPANISH)) == "en"


def test_who_has_chosen_nothing_is_answered_as_the_browser_asks(log_in, cast):
    assert spoken(log_in("ana").get("/dashboard", headers=SPANISH)) == "es"


def test_an_error_page_is_in_the_language_of_who_meets_it(log_in, cast):
    ana = log_in("ana")
    ana.post("/language", data={"language": "es"})
    assert spoken(ana.get("/nowhere")) == "es"
    assert spoken(ana.get("/office")) == "es"


def test_a_thread_forgets_the_language_of_a_request_that_is_over(app, cast):
    app.test_client().get("/", headers=SPANISH)
    assert language() == "en"


def test_who_has_to_choose_a_password_may_choose_a_language(app, log_in, cast):
    ana = log_in("ana")
    log_in("grace").post(f"/password/user/{cast.ana}", data={"sure": "yes"})
    with app.app_context():
        assert db.session.get_one(User, cast.ana).must_change_password
    assert ana.post("/language", data={"language": "es"}).status_code == 302


def test_values_are_escaped_in_a_sentence_that_has_tags_of_its_own(app):
    sentences = (
        '_("On <b>%(job)s</b>", job=job)',
        'ngettext("%(n)s <i>%(job)s</i>", "%(n)s x", 1, job=job)',
        '_("100 %")',
    )
    page = " ".join(f"{{{{ {sentence} }}}}" for sentence in sentences)
    with app.test_request_context():
        text = render_template_string(page, job="<4512>")
    assert text == "On <b>&lt;4512&gt;</b> 1 <i>&lt;4512&gt;</i> 100 %"
