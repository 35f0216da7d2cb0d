"""What logs people out, removes or deactivates asks first, and says what will happen."""

import re
from html import unescape

import pytest
from flask import Flask
from flask.testing import FlaskClient

from flask_app.models import Job, User, db
from tests.conftest import NOW
from tests.connected import words
from tests.shop import punch_in

HARMFUL = re.compile(r"deactivate|remove|delete|password|roster|logout|dismiss|stop|withdraw|take_back")
# Harmful by their name, and yet without a page that asks: why not.
ASKED_ON_THEIR_PAGE = {
    "users.logout": "logs out nobody else, and nothing is lost by it",
    "account.change": "asks for the present password, and says that it logs out everywhere else",
    "shift_office.delete": "asks for a reason, below what will happen",
    "rules.remove_holiday": "a first tap opens what will happen (the macro ask_first)",
    "meals.remove": "a first tap opens what will happen (the macro ask_first)",
    "employment.remove_move": "a first tap opens what will happen (the macro ask_first)",
    "today.dismiss": "is for one day, with Undo",
    "corrections.withdraw": "is one's own request, which can be sent again",
    "old_shifts.dismiss": "asks for a reason, and can be taken back",
    "old_shifts.take_back": "only lets the row wait again",
    "hours_out.stop": "changes nothing that is there, and can be started again",
    "phases_out.stop": "changes nothing that is there, and can be started again",
    "sync_decisions.dismiss": "leaves everything as it is",
}
ASK = {"users.deactivate", "users.new_password", "users.roster", "users.update", "employment.department",
       "jobs.update"}  # fmt: skip


def test_every_action_that_harms_asks_first_or_says_why_not(app: Flask) -> None:
    posts = {rule.endpoint: rule.rule for rule in app.url_map.iter_rules() if "POST" in (rule.methods or ())}
    asking = {name for name in posts if getattr(app.view_functions[name], "asks_first", False)}
    assert asking == ASK
    harmful = {name for name, rule in posts.items() if HARMFUL.search(f"{name} {rule}")}
    assert sorted(harmful - asking) == sorted(ASKED_ON_THEIR_PAGE)


@pytest.fixture
def grace(log_in) -> FlaskClient:
    return log_in("grace")


@pytest.fixture
def job(app, cast, add_job) -> int:
    """A job on which Ana is."""
    job_id = add_job("4512")
    with app.app_context():
        punch_in(db.session.get_one(User, cast.ana), db.session.get_one(Job, job_id), NOW)
    return job_id


def state(app: Flask, user_id: int, job_id: int) -> tuple[object, ...]:
    with app.app_context():
        ana, job = db.session.get_one(User, user_id), db.session.get_one(Job, job_id)
        return ana.is_active, ana.on_active_roster, ana.department, ana.epoch, ana.password, job.status


ACTIONS = [
    ("/deactivate/user/{ana}", {"last_day": "2026-11-20"}, "is on 4512 since 11/23/2026 7:02 AM: that shift"),
    ("/password/user/{ana}", {}, "Ana Duarte is logged out everywhere. The old password stops working"),
    ("/roster/user/{ana}", {"on": "no"}, "Ana Duarte is not expected on Today any more"),
    ("/update/user/{ana}", {"department": "PAINT_SHOP"}, "is logged out everywhere and has to log in again"),
    ("/update/user/{ana}", {"on_active_roster": ""}, "Ana Duarte is not expected on Today any more"),
    ("/employment/user/{ana}/department", {"department": "PAINT_SHOP", "from_day": "2026-11-02"},
     "is logged out everywhere and has to log in again"),
    ("/update/job/{job}", {"status": "0", "next": "/sync"}, "1 person is on it now and stays on the clock."),
]  # fmt: skip


@pytest.mark.parametrize(("address", "form", "says"), ACTIONS, ids=[f"{one[0]} {one[1]}" for one in ACTIONS])
def test_nothing_happens_before_the_answer_and_the_answer_does_it(app, cast, grace, job, address, form, says):
    path, before = address.format(ana=cast.ana, job=job), state(app, cast.ana, job)
    answer = grace.post(path, data=form, headers={"Referer": "http://localhost/office"})
    assert state(app, cast.ana, job) == before
    assert says in words(answer.text)
    assert 'href="/office">Cancel' in answer.text
    kept = re.findall(r'<textarea name="([^"]+)" hidden>\n([^<]*)</textarea>', answer.text)
    assert {name: unescape(text) for name, text in kept} == form
    assert f'action="{path}"' in answer.text
    grace.post(path, data={**dict(kept), "sure": "yes"})
    assert state(app, cast.ana, job) != before


@pytest.mark.parametrize(
    ("address", "form"),
    [
        ("/roster/user/{ana}", {"on": "yes"}),
        ("/update/user/{ana}", {"employee_number": "117"}),
        ("/update/user/{ana}", {"department": "NONE"}),
        ("/update/job/{job}", {"estimated_hours": "40"}),
        ("/update/job/{job}", {"status": "0", "estimated_hours": "many"}),
    ],
)
def test_what_does_no_harm_or_cannot_be_is_not_asked_about(cast, grace, job, address, form):
    answer = grace.post(address.format(ana=cast.ana, job=job), data=form)
    assert 'name="sure"' not in answer.text
