"""Undo on the pages: offered once, for a minute, to whoever did it."""

import html
import re
from datetime import timedelta

import pytest
import time_machine
from flask import Flask, session
from flask.testing import FlaskClient
from sqlalchemy import select

from flask_app.models import Dismissal, Job, Shift, User, db
from flask_app.web import undo as web_undo
from tests.conftest import NOW
from tests.shop import punch_in

SECOND = timedelta(seconds=1)


@pytest.fixture
def desk(add_job) -> int:
    return add_job("4512")


@pytest.fixture
def ana(cast, log_in) -> FlaskClient:
    return log_in("ana")


def offered(page: str) -> str | None:
    """Return the offer that a page makes, as its button would send it."""
    found = re.search(r'name="undo" value="([^"]+)"', page)
    return html.unescape(found[1]) if found else None


def open_shifts(app: Flask) -> list[int]:
    with app.app_context():
        return list(db.session.scalars(select(Shift.id).where(Shift.open_for > 0)))


def punch(browser: FlaskClient, job: int) -> str:
    return browser.post("/create/shift", data={"job_id": job}, follow_redirects=True).text


def undo(browser: FlaskClient, offer: str | None) -> str:
    return html.unescape(browser.post("/undo", data={"undo": offer}, follow_redirects=True).text)


def test_a_punch_in_can_be_undone_from_the_next_page_and_from_no_later_one(app, ana, desk):
    with time_machine.travel(NOW, tick=False):
        offer = offered(punch(ana, desk))
        assert offer
        assert offered(ana.get("/dashboard").text) is None
    with time_machine.travel(NOW + 9 * SECOND, tick=False):
        page = undo(ana, offer)
    assert "Undone. You're not on the clock now." in page
    assert open_shifts(app) == []


def test_a_punch_out_is_undone(app, cast, ana, desk):
    with app.app_context():
        shift = punch_in(db.session.get_one(User, cast.ana), db.session.get_one(Job, desk), NOW).id
    with time_machine.travel(NOW + 3600 * SECOND, tick=False):
        page = ana.post(f"/punch_out/{shift}", follow_redirects=True).text
        assert "Undone." in undo(ana, offered(page))
    assert open_shifts(app) == [shift]


def test_an_offer_is_over_after_a_minute(app, ana, desk):
    with time_machine.travel(NOW, tick=False):
        offer = offered(punch(ana, desk))
    with time_machine.travel(NOW + 61 * SECOND, tick=False):
        assert "too late to undo" in undo(ana, offer)
    assert len(open_shifts(app)) == 1


def test_an_offer_is_no_good_in_other_hands_or_forged(app, ana, log_in, desk):
    with time_machine.travel(NOW, tick=False):
        offer = offered(punch(ana, desk))
        for browser, sent in (
            (log_in("luis"), offer),
            (ana, f"{offer}x"),
            (ana, ""),
            (log_in("grace"), offer),
        ):
            assert "There is nothing to undo." in undo(browser, sent)
    assert len(open_shifts(app)) == 1


def test_a_second_tap_right_after_the_punch_in_is_asked_about(app, ana, desk):
    with time_machine.travel(NOW, tick=False):
        punch(ana, desk)
        (shift,) = open_shifts(app)
        page = ana.post(f"/punch_out/{shift}", follow_redirects=True).text
        assert "You punched in a moment ago. Punch out?" in page
        assert open_shifts(app) == [shift]
        assert 'name="sure" value="yes"' in page
        ana.post(f"/punch_out/{shift}", data={"sure": "yes"})
    assert open_shifts(app) == []


def test_an_admins_punch_outs_are_undone_together_except_of_who_punched_since(app, cast, log_in, add_job):
    jobs, grace, shifts = [add_job("4512"), add_job("4513")], log_in("grace"), []
    with app.app_context():
        for person in (cast.ana, cast.luis):
            worker, job = db.session.get_one(User, person), db.session.get_one(Job, jobs[0])
            shifts.append(punch_in(worker, job, NOW).id)
    with time_machine.travel(NOW + 600 * SECOND, tick=False):
        offer = offered(grace.post("/end_of_day", data={"shift": shifts}, follow_redirects=True).text)
        assert open_shifts(app) == []
    with time_machine.travel(NOW + 610 * SECOND, tick=False):
        punch(log_in("luis"), jobs[1])
        page = undo(grace, offer)
    assert "Undone: 1 person is on the clock again." in page
    assert "Luis Romero: Something else happened since" in page
    assert shifts[0] in open_shifts(app)
    assert shifts[1] not in open_shifts(app)


@pytest.mark.parametrize(
    ("address", "form"),
    [
        ("/todays_activity/dismiss/{}", {}),
        ("/roster/user/{}", {"on": "no", "sure": "yes"}),
        ("/deactivate/user/{}", {"sure": "yes"}),
    ],
)
def test_a_dismissal_the_roster_and_a_deactivation_are_undone(app, cast, log_in, address, form):
    grace = log_in("grace")
    with time_machine.travel(NOW, tick=False):
        before = state(app, cast.ana)
        offer = offered(grace.post(address.format(cast.ana), data=form, follow_redirects=True).text)
        assert state(app, cast.ana) != before
        assert "Undone for Ana" in undo(grace, offer)
    assert state(app, cast.ana) == before


def state(app: Flask, person: int) -> tuple[object, ...]:
    with app.app_context():
        ana = db.session.get_one(User, person)
        days = tuple(db.session.scalars(select(Dismissal.day)))
        return ana.is_active, ana.on_active_roster, ana.leave_date, ana.epoch, days


def test_five_hundred_punch_outs_are_undone_by_what_fits_in_a_cookie(app):
    with app.test_request_context():
        shifts = [800_000 + n * n % 9973 for n in range(500)]
        offer = web_undo.Offer(by=12, at=1_795_000_000, ended=sorted(shifts))
        web_undo.says("Punched out 500 people.", undo=offer)

        cookie = app.session_interface.get_signing_serializer(app).dumps(dict(session))
    assert len(cookie) < 3800
