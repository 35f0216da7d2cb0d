"""The list of the first hour marks itself by looking at the data; the sign leads phones here."""

import pytest

STEPS = ("Jobs", "People", "Sign for the wall", "Working days")


def done(browser) -> dict[str, bool] | None:
    """Return the steps of the list and whether each is done, None if it isn't shown."""
    page = browser.get("/office").text
    if "Set up the shop" not in page:
        return None
    return {step: f"Done</span> {step}<" in page for step in STEPS}


def mark(browser, step):
    assert browser.post("/office/setup", data={"step": step}).location == "/office"


def test_each_step_is_done_when_the_data_shows_it(cast, log_in, add_job):
    browser = log_in("grace")
    assert done(browser) == {"Jobs": False, "People": True, "Sign for the wall": False, "Working days": False}
    add_job("4512")
    browser.post("/admin/rules/holiday", data={"day": "2026-12-25", "name": "Christmas"})
    form = {"first_name": "Bo", "email": "bo@shop.example", "department": "CUT_SHOP"}
    word = {"password": "dusty-hands-650", "confirm_password": "dusty-hands-650"}
    browser.application.test_client().post("/register", data={**form, **word})
    assert done(browser) is None


def test_what_the_data_cannot_show_is_ticked_off(cast, log_in):
    browser = log_in("grace")
    mark(browser, "sign")
    mark(browser, "sign")
    assert done(browser)["Sign for the wall"]


def test_the_list_can_be_hidden_and_shown_again(cast, log_in):
    browser = log_in("grace")
    mark(browser, "hidden")
    assert done(browser) is None
    mark(browser, "show")
    assert done(browser) is not None


def test_another_word_is_no_step(cast, log_in):
    assert log_in("grace").post("/office/setup", data={"step": "x"}).status_code == 400


@pytest.mark.parametrize(("registration", "path"), [("approval", "/register"), ("closed", "/")])
def test_the_sign_names_the_address_and_warns_of_one_that_phones_cannot_reach(
    make_app, cast, log_in, registration, path
):
    app = make_app(registration=registration)
    browser = app.test_client()
    browser.post("/login", data={"email": "grace@shop.example", "password": "dusty-hands-650"})
    page = browser.get("/office/sign", base_url="http://clock.shop.example")
    here = browser.get("/office/sign").text
    assert "This address works on this computer only." in here
    assert f"http://localhost{path}<" in here
    assert "<svg viewBox=" in here
    assert 'class="qr"' in here
    assert page.status_code == 302  # another address has another session
