"""What was typed survives a page that is out of date and a session that has ended."""

import html
import re
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from flask import Flask, g
from flask.testing import FlaskClient
from sqlalchemy import select

from flask_app.models import Base, Job, User, db
from flask_app.models.database import committing
from flask_app.web import drafts
from tests.conftest import NOW, PASSWORD
from tests.shop import punch_in

HERE = {"Sec-Fetch-Site": "same-origin"}
JOB = {
    "im_number": "7001",
    "general_contractor": "Turner",
    "job_scope": "Two\r\nlines <b>",
    "context": "Ask Luis",
}


@pytest.fixture
def guarded(app: Flask, cast: Any) -> Flask:
    app.config["WTF_CSRF_ENABLED"] = True
    return app


def token(page: str) -> str:
    return re.search(r'name="csrf_token" value="([^"]+)"', page)[1]


def enter(browser: FlaskClient, name: str, **more: str) -> Any:
    form = {"email": f"{name}@shop.example", "password": PASSWORD, "csrf_token": token(browser.get("/").text)}
    return browser.post("/login", data={**form, **more}, headers=HERE)


def everything(app: Flask) -> dict[str, list[tuple[object, ...]]]:
    with app.app_context():
        tables = [table for table in Base.metadata.sorted_tables if table.name != "login_attempts"]
        return {table.name: [tuple(row) for row in db.session.execute(select(table))] for table in tables}


def hidden_form(page: str) -> tuple[str, dict[str, str]]:
    """Return where the form that was kept leads, and what a browser would send."""
    form = re.search(r'<form method="post" action="([^"]*)">(.*?)</form>', page.split("<main")[1], re.DOTALL)
    sent = dict(re.findall(r'<input[^>]* name="(\w+)" value="([^"]*)"', form[2]))
    texts = re.findall(r'<textarea name="(\w+)" hidden>\n(.*?)</textarea>', form[2], re.DOTALL)
    return form[1], {**sent, **{name: html.unescape(text) for name, text in texts}}


def test_a_page_that_is_out_of_date_is_drawn_again_with_what_was_typed(guarded):
    grace = guarded.test_client()
    enter(grace, "grace")
    before = everything(guarded)
    answer = grace.post("/create/job", data={**JOB, "csrf_token": "old"}, headers=HERE)
    page = html.unescape(answer.text)
    assert answer.status_code == 422
    assert str(drafts.STALE_PAGE) in page
    assert "Two\r\nlines <b></textarea>" in page
    assert "Ask Luis" in page
    assert everything(guarded) == before
    grace.post("/create/job", data={**JOB, "csrf_token": token(answer.text)}, headers=HERE)
    with guarded.app_context():
        assert Job.numbered("7001").context == "Ask Luis"


def test_a_session_that_ended_and_came_back_brings_the_text_along(guarded):
    grace = guarded.test_client()
    with time_machine.travel(NOW, tick=False):
        enter(grace, "grace")
        old = token(grace.get("/new/job").text)
    with time_machine.travel(NOW + timedelta(days=1), tick=False):
        answer = grace.post("/create/job", data={**JOB, "csrf_token": old}, headers=HERE)
        assert answer.status_code == 401
        assert str(drafts.LOGGED_OUT) in html.unescape(answer.text)
        kept = re.search(r'name="kept" value="([^"]+)"', answer.text)[1]
        wrong = enter(grace, "grace", kept=kept, password="wrong-wrong")
        assert (wrong.status_code, kept in wrong.text) == (401, True)
        address, form = hidden_form(enter(grace, "grace", kept=kept).text)
        shown = grace.post(address, data=form, headers=HERE)
        assert (address, str(drafts.BACK_AGAIN) in html.unescape(shown.text)) == ("/create/job", True)
        assert "Ask Luis" in shown.text
        with guarded.app_context():
            assert Job.numbered("7001") is None
        grace.post("/create/job", data={**JOB, "csrf_token": token(shown.text)}, headers=HERE)
    with guarded.app_context():
        assert Job.numbered("7001").job_scope == "Two\nlines <b>"


def test_nobody_else_sees_what_was_typed_before_the_session_ended(guarded):
    browser = guarded.test_client()
    with time_machine.travel(NOW, tick=False):
        enter(browser, "grace")
        mine = token(browser.get("/new/job").text)
    with time_machine.travel(NOW + timedelta(days=1), tick=False):
        answer = browser.post("/create/job", data={**JOB, "csrf_token": mine}, headers=HERE)
        kept = re.search(r'name="kept" value="([^"]+)"', answer.text)[1]
        other = enter(browser, "ana", kept=kept)
    assert (other.status_code, "Ask Luis" in other.text) == (302, False)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Referer": "https://evil.example/"},
    ],
)
def test_another_sites_form_is_never_drawn(guarded, headers):
    grace = guarded.test_client()
    enter(grace, "grace")
    answer = grace.post("/create/job", data={**JOB, "csrf_token": "old"}, headers=headers)
    assert (answer.status_code, "Ask Luis" in answer.text) == (400, False)
    answer = guarded.test_client().post("/create/job", data=JOB, headers=headers)
    assert "Ask Luis" not in answer.text
    assert 'name="kept"' not in answer.text


@pytest.mark.parametrize("kept", ["", "x", "x.y.z", "é", "W10.x.y"])
def test_a_made_up_form_is_none(guarded, kept):
    assert enter(guarded.test_client(), "grace", kept=kept).status_code == 302


def test_no_view_changes_anything_while_it_is_only_drawn_again(guarded, add_job):
    job = add_job("4512")
    grace = guarded.test_client()
    enter(grace, "grace")
    before = everything(guarded)
    drawn = [
        re.sub(r"<[^>]+>", str(job), rule.rule)
        for rule in guarded.url_map.iter_rules()
        if getattr(guarded.view_functions[rule.endpoint], "draws_again", False) and "POST" in rule.methods
    ]
    assert len(drawn) >= 8
    for address in drawn:
        form = {**JOB, "department": "CUT_SHOP", "email": "grace@shop.example", "password": PASSWORD}
        grace.post(address, data={**form, "csrf_token": "old"}, headers=HERE)
    assert everything(guarded) == before


@pytest.mark.usefixtures("cast")
def test_nothing_can_be_committed_while_a_form_is_only_drawn_again(app):
    with app.test_request_context("/"):
        g.draw_again = "Look again."
        with pytest.raises(RuntimeError, match="only drawn again"):
            committing(lambda: None)


def test_a_password_is_never_kept(guarded):
    browser = guarded.test_client()
    form = {"first_name": "Mei", "email": "mei@shop.example", "department": "CUT_SHOP", "password": PASSWORD}
    answer = browser.post("/register", data={**form, "confirm_password": PASSWORD}, headers=HERE)
    assert str(drafts.STALE_PAGE) in html.unescape(answer.text)
    assert 'value="Mei"' in answer.text
    assert PASSWORD not in answer.text
    page = enter(browser, "ana", password="wrong-wrong").text
    assert "wrong-wrong" not in page


WORKERS_FORMS = [
    ("/create/shift", {"job_id": "{other}", "note": "Lift & <b>"}),
    ("/my/shift/{shift}/note", {"note": "Lift & <b>"}),
    ("/my/corrections/new", {"job": "4513", "start_day": "2026-11-20", "start_time": "07:10",
                             "note": "Lift & <b>"}),
    ("/my/corrections/new?shift={shift}", {"kind": "time", "start_time": "06:55", "start_day": "2026-11-23",
                                           "note": "Lift & <b>"}),
    ("/my/switch/{shift}", {"since_day": "2026-11-23", "since_time": "07:45", "job_pick": "4513",
                            "note": "Lift & <b>"}),
]  # fmt: skip


@pytest.fixture
def worked(guarded, cast, add_job) -> dict[str, int]:
    """What the addresses of a worker's forms name: Ana's running shift, and another job."""
    job, other = add_job("4512"), add_job("4513")
    with guarded.app_context():
        shift = punch_in(db.session.get_one(User, cast.ana), db.session.get_one(Job, job), NOW)
        return {"shift": shift.id, "other": other}


def typed(page: str) -> str:
    """Return the page's words and values as they were typed."""
    return html.unescape(page)


@pytest.mark.parametrize(("address", "form"), WORKERS_FORMS, ids=[one[0] for one in WORKERS_FORMS])
def test_every_form_of_a_worker_comes_back_with_its_text(guarded, worked, address, form):
    path = address.format(**worked)
    sent = {name: text.format(**worked) for name, text in form.items()}
    texts = [text for name, text in sent.items() if name not in ("job_id", "kind")]
    ana = guarded.test_client()
    with time_machine.travel(NOW + timedelta(hours=1), tick=False):
        enter(ana, "ana")
        before = everything(guarded)
        stale = ana.post(path, data={**sent, "csrf_token": "old"}, headers=HERE)
        assert str(drafts.STALE_PAGE) in typed(stale.text)
        assert [text for text in texts if text not in typed(stale.text)] == []
    with time_machine.travel(NOW + timedelta(days=100), tick=False):
        answer = ana.post(path, data={**sent, "csrf_token": token(stale.text)}, headers=HERE)
        assert answer.status_code == 401
        kept = re.search(r'name="kept" value="([^"]+)"', answer.text)[1]
        where, again = hidden_form(enter(ana, "ana", kept=kept).text)
        shown = ana.post(html.unescape(where), data=again, headers=HERE)
    assert str(drafts.BACK_AGAIN) in typed(shown.text)
    assert [text for text in texts if text not in typed(shown.text)] == []
    assert everything(guarded) == before
