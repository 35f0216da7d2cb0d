"""Punching in and out over the addresses and fields that the shop knows."""

import html
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
import time_machine
from flask import Flask
from sqlalchemy import event, select, text

from flask_app.models import Job, Shift, User, committing, db
from flask_app.models.database import make_engine
from flask_app.models.errors import ConcurrentUpdate
from flask_app.timeclock import ledger
from tests import shop as builders
from tests.conftest import NOW

HOUR = timedelta(hours=1)


@pytest.fixture
def desk(add_job) -> int:
    return add_job("4512")


@pytest.fixture
def doors(add_job) -> int:
    return add_job("4513")


@pytest.fixture
def ana(log_in, cast):
    return log_in("ana")


def shifts(app: Flask) -> list[Shift]:
    with app.app_context():
        return list(db.session.scalars(select(Shift).order_by(Shift.id)))


def punch_in(browser, job_id, **fields):
    return browser.post("/create/shift", data={"job_id": job_id, **fields}, follow_redirects=True)


def open_shift(app, user_id, job_id) -> int:
    with app.app_context():
        worker, job = db.session.get_one(User, user_id), db.session.get_one(Job, job_id)
        return builders.punch_in(worker, job, NOW).id


def close(app, job_id):
    with app.app_context():
        committing(lambda: db.session.get_one(Job, job_id).edit({"status": 0}, at=NOW))


def test_a_punch_in_is_confirmed_with_job_and_time(app, ana, desk):
    with time_machine.travel(NOW, tick=False):
        page = punch_in(ana, desk, note="Second coat", punch_key=str(uuid4()))
    assert "You&#39;re on 4512 since 7:02 AM." in page.text
    (shift,) = shifts(app)
    assert (shift.started_at, shift.ended_at, shift.note) == (NOW, None, "Second coat")


def test_a_punch_out_is_confirmed_with_job_and_time(app, ana, cast, desk):
    shift_id = open_shift(app, cast.ana, desk)
    with time_machine.travel(NOW + HOUR, tick=False):
        page = ana.post(f"/punch_out/{shift_id}", follow_redirects=True)
    assert "Punched out of 4512 at 8:02 AM." in page.text
    assert shifts(app)[0].ended_at == NOW + HOUR


def test_a_punch_in_elsewhere_switches(app, ana, desk, doors):
    punch_in(ana, desk)
    page = punch_in(ana, doors)
    assert "You&#39;re on 4513 since" in page.text
    first, second = shifts(app)
    assert first.ended_at == second.started_at
    assert second.ended_at is None


def test_the_servers_clock_decides_whatever_the_form_says(app, ana, desk):
    lies = {"created_at": "2020-01-01", "start_time": "2020-01-01", "at": "x", "timezone": "Asia/Tokyo"}
    with time_machine.travel(NOW, tick=False):
        punch_in(ana, desk, **lies)
    assert shifts(app)[0].started_at == NOW


def test_a_double_tap_punches_once_and_says_the_same_twice(app, ana, desk):
    key = str(uuid4())
    pages = [punch_in(ana, desk, punch_key=key).text for _ in range(2)]
    assert all("You&#39;re on 4512 since" in page for page in pages)
    assert len(shifts(app)) == 1


def test_a_double_tap_on_punch_out_keeps_the_first_time(app, ana, cast, desk):
    shift_id = open_shift(app, cast.ana, desk)
    for passed in (HOUR, 2 * HOUR):
        with time_machine.travel(NOW + passed, tick=False):
            page = ana.post(f"/punch_out/{shift_id}", follow_redirects=True)
        assert "Punched out of 4512 at 8:02 AM." in page.text
    assert shifts(app)[0].ended_at == NOW + HOUR


def test_a_replay_after_the_punch_out_does_not_punch_in_again(app, ana, desk):
    key = str(uuid4())
    punch_in(ana, desk, punch_key=key)
    ana.post(f"/punch_out/{shifts(app)[0].id}", data={"sure": "yes"})
    punch_in(ana, desk, punch_key=key)
    (shift,) = shifts(app)
    assert shift.ended_at is not None


def test_an_old_script_without_a_punch_key_still_cannot_punch_in_twice(app, ana, desk):
    punch_in(ana, desk)
    assert "You&#39;re already on 4512." in punch_in(ana, desk).text
    assert len(shifts(app)) == 1


@pytest.mark.parametrize(
    ("fields", "status", "sentence"),
    [
        ({}, 400, "Something in the form is missing."),
        ({"job_id": ""}, 400, "Something in the form is missing."),
        ({"job_id": "desk"}, 400, "Something in the form is missing."),
        ({"job_id": "-1"}, 400, "Something in the form is missing."),
        ({"job_id": "1.5"}, 400, "Something in the form is missing."),
        ({"job_id": "٣"}, 400, "Something in the form is missing."),
        ({"job_id": "1\0"}, 400, "Something in the form is missing."),
        ({"job_id": "99999999999999999999"}, 400, "Something in the form is missing."),
        ({"job_id": "999999999"}, 404, "There is no such job."),
        ({"note": "x" * 501}, 422, "This is too long: at most 500 characters."),
        ({"punch_key": "damaged"}, 422, "The form is damaged. Reload the page and try again."),
        ({"user_id": "luis"}, 400, "Something in the form is missing."),
    ],
)
def test_bad_input_gets_a_clear_sentence_and_changes_nothing(app, ana, desk, fields, status, sentence):
    form = {"job_id": str(desk), **fields} if fields else {}
    answer = ana.post("/create/shift", data=form, follow_redirects=True)
    assert answer.status_code == status
    assert sentence in answer.text
    assert shifts(app) == []


def test_a_closed_job_cannot_be_punched_in_on(app, ana, desk):
    close(app, desk)
    page = punch_in(ana, desk, note="Sanding").text
    assert "Job 4512 is closed." in page
    assert 'value="Sanding"' in page  # what was typed is still there
    assert shifts(app) == []


def test_a_race_lost_too_often_is_told_to_the_worker(app, ana, desk, monkeypatch):
    def raced(*_args, **_values):
        raise ConcurrentUpdate("Another punch was saved at this very moment. Try again.")

    monkeypatch.setattr(ledger, "punch_in", raced)
    answer = punch_in(ana, desk, note="Sanding")
    assert (answer.status_code, 'value="Sanding"' in answer.text) == (422, True)
    assert "Another punch was saved at this very moment." in answer.text


def test_a_worker_cannot_punch_in_somebody_else(app, ana, cast, desk):
    answer = punch_in(ana, desk, user_id=cast.luis)
    assert answer.status_code == 403
    assert "Only admins can punch in someone else." in answer.text
    assert shifts(app) == []


def test_a_worker_may_name_himself(app, ana, cast, desk):
    punch_in(ana, desk, user_id=cast.ana)
    assert [shift.user_id for shift in shifts(app)] == [cast.ana]


def test_a_worker_cannot_end_somebody_elses_shift(app, ana, cast, desk):
    shift_id = open_shift(app, cast.luis, desk)
    answer = ana.post(f"/punch_out/{shift_id}")
    assert answer.status_code == 403
    assert "This is someone else&#39;s shift." in answer.text
    assert shifts(app)[0].ended_at is None


def test_an_admin_punches_anybody_in_and_out(app, log_in, cast, desk):
    grace = log_in("grace")
    assert "Ana Duarte is on 4512 since" in punch_in(grace, desk, user_id=cast.ana).text
    (shift,) = shifts(app)
    assert shift.user_id == cast.ana
    page = grace.post(f"/punch_out/{shift.id}", follow_redirects=True)
    assert "Ana Duarte punched out of 4512 at" in page.text
    assert shifts(app)[0].ended_at is not None


def test_an_admin_without_a_user_id_punches_in_himself(app, log_in, cast, desk):
    punch_in(log_in("grace"), desk, user_id="")
    assert [shift.user_id for shift in shifts(app)] == [cast.grace]


@pytest.mark.parametrize(("who", "sentence"), [("zoe", "isn&#39;t active"), ("otis", "isn&#39;t active")])
def test_an_admin_cannot_punch_in_who_is_not_active(app, log_in, cast, desk, who, sentence):
    assert sentence in punch_in(log_in("grace"), desk, user_id=getattr(cast, who)).text
    assert shifts(app) == []


def test_an_admin_cannot_punch_in_nobody(app, log_in, desk):
    assert punch_in(log_in("grace"), desk, user_id=999_999).status_code == 404


@pytest.mark.parametrize("shift_id", ["999999", "99999999999999999999", "abc", "-1", "%00"])
def test_a_shift_that_does_not_exist_is_a_page_that_says_so(ana, shift_id):
    assert ana.post(f"/punch_out/{shift_id}").status_code == 404


def test_a_punch_returns_to_the_page_it_came_from_but_to_no_other_site(ana, desk, doors):
    answer = ana.post("/create/shift", data={"job_id": desk, "next": f"/show/job/{desk}"})
    assert answer.location == f"/show/job/{desk}"
    answer = ana.post("/create/shift", data={"job_id": doors, "next": "//evil.example"})
    assert answer.location == "/dashboard"


def test_the_forms_on_the_pages_carry_a_key_of_their_own_each_time(ana, desk):
    pages = [ana.get(f"/show/job/{desk}").text for _ in range(2)]
    keys = [page.partition('name="punch_key" value="')[2][:36] for page in pages]
    assert len({*keys, ""}) == 3


def test_the_old_address_of_the_punch_in_form_leads_to_the_job(ana, desk):
    assert ana.get(f"/add/shift/{desk}").location == f"/show/job/{desk}"


def test_a_note_is_shown_as_text_not_as_html(ana, desk):
    punch_in(ana, desk, note="<img src=x onerror=alert(1)>")
    page = ana.get(f"/show/job/{desk}").text
    assert "&lt;img src=x" in page
    assert "<img src=x" not in page


def test_a_punch_at_the_hour_that_comes_twice_is_worth_what_it_lasted(app, ana, cast, desk):
    first = datetime(2026, 11, 1, 5, 30, tzinfo=UTC)  # 1:30 AM, for the first time
    with time_machine.travel(first, tick=False):
        punch_in(ana, desk)
    with time_machine.travel(first + HOUR, tick=False):
        ana.post(f"/punch_out/{shifts(app)[0].id}")
        page = ana.get("/my/hours").text
    assert "1:00</span>" in page


def test_a_tap_on_an_old_page_says_what_one_is_on_now(app, ana, cast, desk, doors):
    shift_id = open_shift(app, cast.ana, desk)
    with time_machine.travel(NOW + HOUR, tick=False):
        punch_in(ana, doors)
        page = html.unescape(ana.post(f"/punch_out/{shift_id}", follow_redirects=True).text)
    assert "You already left 4512 at 8:02 AM, so nothing was changed. You're on 4513 since 8:02 AM." in page
    assert [shift.ended_at for shift in shifts(app)] == [NOW + HOUR, None]


def test_a_form_sent_again_after_a_switch_says_what_one_is_on_now(app, ana, desk, doors):
    key = str(uuid4())
    for passed, job, fields in ((0, desk, {"punch_key": key}), (1, doors, {}), (2, desk, {"punch_key": key})):
        with time_machine.travel(NOW + passed * HOUR, tick=False):
            page = html.unescape(punch_in(ana, job, **fields).text)
    assert (
        "This punch was already counted: 4512 from 7:02 AM to 8:02 AM. You're on 4513 since 8:02 AM." in page
    )
    assert len(shifts(app)) == 2


def test_a_punch_after_days_asks_when_the_shift_ended(app, ana, cast, desk):
    shift_id = open_shift(app, cast.ana, desk)
    with time_machine.travel(NOW + 72 * HOUR, tick=False):
        page = html.unescape(ana.post(f"/punch_out/{shift_id}", follow_redirects=True).text)
    assert "open for very long. We used 11/23/2026 3:30 PM. Tell us when you left." in page
    assert "Did you leave" in page


def test_a_punch_that_others_keep_waiting_says_so_and_changes_nothing(app, ana, cast, desk, database_url):
    holder, engine = make_engine(database_url), app.extensions["engine"]
    is_sqlite = engine.dialect.name == "sqlite"
    impatient = "PRAGMA busy_timeout = 0" if is_sqlite else "SET innodb_lock_wait_timeout = 1"

    def hurry(connection, *_rest) -> None:
        connection.cursor().execute(impatient)

    event.listen(engine, "checkout", hurry)
    with holder.begin() as connection:
        connection.execute(text("UPDATE users SET epoch = epoch WHERE id = :id"), {"id": cast.ana})
        page = punch_in(ana, desk)
    event.remove(engine, "checkout", hurry)
    engine.dispose()
    holder.dispose()
    assert page.status_code == 200
    assert "Someone is changing these hours right now. Try again." in page.text
    assert shifts(app) == []
