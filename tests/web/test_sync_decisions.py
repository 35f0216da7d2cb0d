"""What a sync leaves to an admin, on the pages: held back, approved again, swapped numbers, twins."""

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from flask_app.models import Job, Shift, SyncHold, User, committing, db
from flask_app.models.job import ACTIVE, INACTIVE
from flask_app.standin import Standin
from tests.conftest import NOW
from tests.connected import connected_quietly, runs, sync, words
from tests.shop import punch_in

NOT_APPROVED, APPROVED = 826130002, 826130004


@pytest.fixture
def app(make_app: Any, standin: Standin) -> Flask:
    return connected_quietly(make_app, standin)


@pytest.fixture
def grace(log_in: Any, cast: Any) -> FlaskClient:
    return log_in("grace")


@pytest.fixture
def held(app: Flask, standin: Standin, cast: Any) -> list[str]:
    """Fifteen of twenty jobs are not approved any more."""
    ids = [standin.add(imi_imnumber=f"4{n:03}", imi_gc="Gilbane") for n in range(20)]
    sync(app)
    for row_id in ids[:15]:
        standin.change(row_id, imi_submittalstatus=NOT_APPROVED)
    assert sync(app).held == 15
    return ids


def press(browser: FlaskClient, address: str, **form: str) -> str:
    answer = browser.post(address, data=form, follow_redirects=True)
    assert answer.status_code == 200, answer.text
    return words(answer.text)


def job(app: Flask, number: str) -> Job:
    with app.app_context():
        return db.session.scalars(select(Job).where(Job.im_number == number)).one()


def hold(app: Flask) -> SyncHold:
    with app.app_context():
        return db.session.scalars(select(SyncHold).order_by(SyncHold.id.desc())).first()


def test_a_run_says_what_it_held_back_with_the_jobs_and_two_buttons(app, grace, held):
    page = grace.get(f"/sync/run/{runs(app)[0].id}").text
    assert "Held back: not approved any more" in page
    assert "Dataverse says that 15 of 20 jobs are not approved any more." in words(page)
    assert all(f">4{n:03}<" in page for n in range(15))
    assert ">4015<" not in page
    assert f'action="/sync/hold/{hold(app).id}/confirm"' in page
    assert f'action="/sync/hold/{hold(app).id}/dismiss"' in page
    index = grace.get("/sync").text
    assert f'action="/sync/hold/{hold(app).id}/confirm"' in index
    assert f'href="/sync/run/{runs(app)[0].id}">See which jobs' in index


def test_every_page_of_an_admin_says_that_something_waits(app, grace, held, log_in):
    said = "Nothing is done until an admin has checked it."
    page = grace.get("/dashboard").text
    assert (said in words(page), f'href="/sync/run/{runs(app)[0].id}">Look at it' in page) == (True, True)
    assert said not in words(log_in("ana").get("/dashboard").text)
    press(grace, f"/sync/hold/{hold(app).id}/dismiss")
    assert said not in words(grace.get("/dashboard").text)


def test_confirming_asks_again_and_does_what_is_still_so(app, grace, held, standin):
    standin.change(held[0], imi_submittalstatus=APPROVED)
    page = press(grace, f"/sync/hold/{hold(app).id}/confirm")
    assert "14 jobs are not approved in Dataverse any more." in page
    assert (job(app, "4000").upstream_state, job(app, "4001").upstream_state) == ("approved", "not_approved")
    assert "Grace Whitfield confirmed it" in words(grace.get(f"/sync/run/{runs(app)[1].id}").text)
    assert "It is true" not in grace.get("/sync").text


def test_dismissing_leaves_the_jobs_and_can_be_thought_over(app, grace, held):
    page = press(grace, f"/sync/hold/{hold(app).id}/dismiss")
    assert "The jobs stay as they are." in page
    assert "Grace Whitfield dismissed it" in page
    sync(app)
    assert job(app, "4001").upstream_state == "approved"
    assert "15 jobs are not approved" in press(grace, f"/sync/hold/{hold(app).id}/confirm")


def test_what_is_settled_meanwhile_says_so(app, grace, held, standin):
    for row_id in held[:15]:
        standin.change(row_id, imi_submittalstatus=APPROVED)
    sync(app)
    for answer in ("confirm", "dismiss"):
        page = press(grace, f"/sync/hold/{hold(app).id}/{answer}")
        assert "Already settled: Dataverse has answered again since." in page
    assert grace.post("/sync/hold/999/confirm").status_code == 404


def test_confirming_while_dataverse_is_down_waits_for_it(app, grace, held, standin):
    standin.faults.fail(403, times=None)
    press(grace, f"/sync/hold/{hold(app).id}/confirm")
    assert hold(app).state == "confirmed"
    assert "The next sync does what still holds." in words(grace.get("/sync").text)
    standin.faults.clear()
    assert sync(app).gone == 15


@pytest.fixture
def closed_and_back(app: Flask, standin: Standin, cast: Any) -> int:
    """A job that the shop closed when it was approved no more, and that is approved again."""
    row = standin.add(imi_imnumber="4512", imi_gc="Gilbane")
    sync(app)
    standin.change(row, imi_submittalstatus=NOT_APPROVED)
    sync(app)
    with app.app_context():
        found = db.session.scalars(select(Job)).one()
        committing(lambda: found.edit({"status": INACTIVE}, at=NOW))
    standin.change(row, imi_submittalstatus=APPROVED)
    assert "1 job is approved in Dataverse again." in sync(app).message
    return found.id


def test_a_closed_job_that_is_approved_again_is_opened_with_one_tap(app, grace, closed_and_back):
    run = grace.get(f"/sync/run/{runs(app)[0].id}").text
    assert "It is approved in Dataverse again." in run
    page = grace.get("/sync").text
    assert "Approved again, but closed here" in page
    press(grace, f"/update/job/{closed_and_back}", status="1", next="/sync")
    assert job(app, "4512").status == ACTIVE
    assert "Approved again" not in grace.get("/sync").text
    press(grace, f"/update/job/{closed_and_back}", sure="yes", status="0", next="/sync")
    assert "Approved again" not in grace.get("/sync").text  # that was decided here


def test_a_closed_job_that_is_approved_again_can_be_left_closed(app, grace, closed_and_back):
    assert "Job 4512 stays closed." in press(grace, f"/sync/returned/{closed_and_back}/leave")
    assert "Approved again" not in grace.get("/sync").text
    assert job(app, "4512").status == INACTIVE


def test_a_job_that_was_closed_while_approved_is_not_listed(app, grace, standin):
    standin.add(imi_imnumber="4512")
    sync(app)
    press(grace, f"/update/job/{job(app, '4512').id}", sure="yes", status="0")
    sync(app)
    assert "Approved again" not in grace.get("/sync").text


def test_a_swap_is_told_and_both_sides_follow_with_one_tap_and_keep_their_hours(app, grace, standin, cast):
    one, other = (standin.add(imi_imnumber=number, imi_gc=f"Job {number}") for number in ("4512", "4513"))
    sync(app)
    with app.app_context():
        ana = db.session.get_one(User, cast.ana)
        punch_in(ana, db.session.scalars(select(Job).where(Job.im_number == "4512")).one(), NOW)
    standin.change(one, imi_imnumber="4513")
    standin.change(other, imi_imnumber="4512")
    sync(app)
    run = words(grace.get(f"/sync/run/{runs(app)[0].id}").text)
    assert "Its number in Dataverse is 4513 now. A sync leaves it 4512 here." in run
    assert "Job 4513 becomes 4512 at the same time." in run
    assert "In Dataverse it is 4513." in words(grace.get("/sync").text)
    page = press(grace, f"/follow/job/{job(app, '4512').id}", field="im_number", next="/sync")
    assert "Job 4512 is 4513 now. Job 4513 is 4512 now." in page
    assert (job(app, "4513").dataverse_id, job(app, "4512").dataverse_id) == (one, other)
    was_4512 = job(app, "4513").id
    with app.app_context():
        assert db.session.scalars(select(Shift.job_id)).one() == was_4512
    assert sync(app).message.startswith("Nothing new")
    assert "Another number in Dataverse" not in grace.get("/sync").text


def test_a_row_whose_number_a_renamed_job_still_has_here_says_so_and_comes_in_after_one_tap(
    app, grace, standin
):
    row = standin.add(imi_imnumber="4512", imi_gc="First")
    sync(app)
    standin.change(row, imi_imnumber="4600")
    standin.add(imi_imnumber="4512", imi_gc="Second")
    [skip] = sync(app).skipped
    assert skip.reason == "Job 4512 has the number 4600 in Dataverse. Let it follow, and this row comes in."
    press(grace, f"/follow/job/{job(app, '4512').id}", field="im_number")
    assert sync(app, trigger="login").added == 1
    assert (job(app, "4600").general_contractor, job(app, "4512").general_contractor) == ("First", "Second")


def test_a_number_that_is_in_the_way_is_named_instead_of_a_button(app, grace, standin, add_job):
    row = standin.add(imi_imnumber="4512")
    sync(app)
    add_job("4600")
    standin.change(row, imi_imnumber="4600")
    sync(app)
    assert "Job 4600 has that number here. Give it another one first." in words(grace.get("/sync").text)


def test_jobs_with_one_number_are_listed_until_they_have_two(app, grace, add_job):
    first, second = (
        add_job("4512", general_contractor="Gilbane"),
        add_job("4600", general_contractor="Suffolk"),
    )
    with app.app_context():
        twin = db.session.get_one(Job, second)
        twin.im_number = "45 12"
        twin.im_key = f"4512 #{second}"
        db.session.commit()
    page = grace.get("/sync").text
    assert "One number, two jobs" in page
    assert f'href="/edit/job/{first}"' in page
    form = {"im_number": "4513", "general_contractor": "Suffolk", "job_scope": "Reception desk"}
    press(grace, f"/update/job/{second}", **form)
    assert "One number, two jobs" not in grace.get("/sync").text
