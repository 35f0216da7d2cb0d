"""Every form carries a token; without it nothing changes."""

import re
from collections.abc import Iterator

import pytest
from flask import Flask
from sqlalchemy import select

from flask_app.clock import utc_now
from flask_app.models import Base, Job, User, db
from tests.conftest import PASSWORD
from tests.shop import punch_in

BY_KEY = {"/api/dataverse/webhook"}  # another program posts here, with a key: tests/sync/test_webhook.py
STALE = "This page is out of date, so nothing was saved."


@pytest.fixture
def guarded(app, cast, add_job) -> Flask:
    """The app as it is in production, with a job and an open shift."""
    job = add_job("4512")
    app.config.update(WTF_CSRF_ENABLED=True, JOB=job)
    with app.app_context():
        grace, desk = db.session.get_one(User, cast.grace), db.session.get_one(Job, job)
        app.config["SHIFT"] = punch_in(grace, desk, utc_now()).id
    return app


def token(page: str) -> str:
    return re.search(r'name="csrf_token" value="([^"]+)"', page)[1]


def log_in(app, name="grace"):
    browser = app.test_client()
    form = {"email": f"{name}@shop.example", "password": PASSWORD, "csrf_token": token(browser.get("/").text)}
    assert browser.post("/login", data=form).status_code == 302
    return browser


def everything(app: Flask) -> dict[str, list[tuple[object, ...]]]:
    with app.app_context():
        tables = Base.metadata.sorted_tables
        return {table.name: [tuple(row) for row in db.session.execute(select(table))] for table in tables}


def post_addresses(app: Flask) -> Iterator[str]:
    for rule in app.url_map.iter_rules():
        if "POST" in rule.methods and rule.rule not in BY_KEY:
            yield re.sub(r"<[^>]+>", "1", rule.rule)


def test_no_address_takes_a_post_without_a_token(guarded):
    browser = log_in(guarded)
    before = everything(guarded)
    addresses = list(post_addresses(guarded))
    assert len(addresses) >= 12
    for address in addresses:
        answer = browser.post(address, data={"job_id": "1", "email": "x@y.zz", "status": "0"})
        assert answer.status_code == 400, address
        assert "out of date" in (answer.json["message"] if answer.is_json else answer.text), address
    assert everything(guarded) == before


@pytest.mark.parametrize("forged", ["", "x", "IjEyMyI.x.y", "null"])
def test_a_made_up_token_is_none(guarded, forged):
    answer = log_in(guarded).post("/punch_out/1", data={"csrf_token": forged})
    assert (answer.status_code, STALE in answer.text) == (400, True)


def test_somebody_elses_token_is_none(guarded):
    stolen = token(log_in(guarded, "ana").get("/dashboard").text)
    answer = log_in(guarded).post("/punch_out/1", data={"csrf_token": stolen})
    assert answer.status_code == 400


def test_the_pages_own_token_is_taken(guarded):
    browser = log_in(guarded)
    form = {"csrf_token": token(browser.get("/dashboard").text), "sure": "yes"}
    punch_out = f"/punch_out/{guarded.config['SHIFT']}"
    assert "out of 4512 at" in browser.post(punch_out, data=form, follow_redirects=True).text


def test_every_form_of_every_page_carries_the_token(guarded, cast):
    browser = log_in(guarded)
    job, grace = guarded.config["JOB"], cast.grace
    pages = ("/dashboard", "/jobs", "/new/job", "/manage_users", "/new/user", "/my/hours", "/sync")
    for address in (*pages, f"/show/job/{job}", f"/edit/job/{job}", f"/edit/user/{grace}"):
        page = browser.get(address)
        assert page.status_code == 200, address
        for form in re.findall(r'<form[^>]*method="post".*?</form>', page.text, re.DOTALL):
            assert 'name="csrf_token"' in form, address


def test_over_https_a_form_from_another_site_is_refused(guarded):
    browser, home = log_in(guarded), "https://localhost"
    page = browser.get("/dashboard", base_url=home).text
    form = {"csrf_token": token(page)}
    away = browser.post("/logout", data=form, base_url=home, headers={"Referer": "https://evil.example/"})
    here = browser.post("/logout", data=form, base_url=home, headers={"Referer": f"{home}/dashboard"})
    assert (away.status_code, here.status_code) == (400, 302)


@pytest.mark.parametrize("referer", ["http://[::1", "https://h:99999999/", "https://elsewhere.example/"])
def test_a_referer_that_is_none_of_ours_is_refused_over_https(guarded, referer):
    form = {"email": "grace@shop.example", "password": PASSWORD, "csrf_token": ""}
    browser = guarded.test_client()
    form["csrf_token"] = token(browser.get("/", base_url="https://localhost").text)
    answer = browser.post("/login", data=form, headers={"Referer": referer}, base_url="https://localhost")
    assert answer.status_code == 400
