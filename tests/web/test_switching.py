"""A switch that was forgotten or punched too late: asked for in two taps, split once the office approves."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import time_machine

from flask_app.models import Audit, Correction, Job, Shift, User, committing, db
from flask_app.timeclock import ledger
from flask_app.timeclock.ledger import Actor
from tests.connected import words
from tests.shop import punch_in, punch_out

NEW_YORK = ZoneInfo("America/New_York")
SEVEN = datetime(2026, 11, 23, 7, 0, tzinfo=NEW_YORK).astimezone(UTC)
HOUR = timedelta(hours=1)
NOON = SEVEN + 5 * HOUR


@pytest.fixture(autouse=True)
def noon():
    with time_machine.travel(NOON, tick=False) as traveller:
        yield traveller


@pytest.fixture
def jobs(add_job) -> dict[str, int]:
    return {number: add_job(number, general_contractor=f"GC {number}") for number in ("4512", "4513", "4514")}


@pytest.fixture
def running(app, cast, jobs) -> int:
    """Ana has worked on 4512 from seven to nine, and is on 4513 since."""
    with app.app_context():
        ana = db.session.get_one(User, cast.ana)
        punch_in(ana, db.session.get_one(Job, jobs["4512"]), SEVEN)
        return punch_in(ana, db.session.get_one(Job, jobs["4513"]), SEVEN + 2 * HOUR).id


def send(browser, shift_id: int, time: str, job: str, **more: str):
    form = {"since_day": "2026-11-23", "since_time": time, "job_pick": job, **more}
    return browser.post(f"/my/switch/{shift_id}", data=form, follow_redirects=True)


def approve(app, log_in) -> str:
    with app.app_context():
        (one,) = Correction.waiting()
    return words(log_in("grace").post(f"/admin/corrections/{one.id}/approve", follow_redirects=True).text)


def day(app, user_id: int) -> list[tuple[str, str, str]]:
    """Return the person's shifts as (job, from, to) in shop time."""
    with app.app_context():
        shifts = db.session.query(Shift).filter_by(user_id=user_id).order_by(Shift.started_at, Shift.id).all()
        return [(s.job.im_number, shown(s.started_at), shown(s.ended_at)) for s in shifts]


def shown(instant: datetime | None) -> str:
    return f"{instant.astimezone(NEW_YORK):%H:%M}" if instant else "on"


AS_PUNCHED = [("4512", "07:00", "09:00"), ("4513", "09:00", "on")]


def test_two_taps_ask_for_a_switch_that_was_never_punched(app, log_in, cast, running):
    ana = log_in("ana")
    assert "I switched jobs earlier" in ana.get("/dashboard").text
    page = ana.get("/my/switch").text
    assert 'name="since_time" id="since_time" aria-label="When I switched, time" value="12:00"' in page
    assert 'name="job_pick" value="4512"' in page
    assert "Sent to the office." in send(ana, running, "11:00", "4514").text
    assert day(app, cast.ana) == AS_PUNCHED
    queue = words(log_in("grace").get("/admin/corrections").text)
    assert "4513 until 11/23/2026 11:00 AM , then 4514" in queue
    assert "Ana Duarte's hours are corrected." in approve(app, log_in)
    assert day(app, cast.ana) == [AS_PUNCHED[0], ("4513", "09:00", "11:00"), ("4514", "11:00", "on")]
    with app.app_context():
        assert (
            Shift.open_of(db.session.get_one(User, cast.ana)).id == running
        )  # the open page's button still works
        reasons = [row.reason for row in db.session.query(Audit).filter_by(role="correction")]
        assert reasons == ["Requested by Ana Duarte."] * 2


def test_a_switch_that_was_punched_late_moves_both_shifts(app, log_in, cast, running):
    send(log_in("ana"), running, "08:15", "4513")
    assert "Ana Duarte's hours are corrected." in approve(app, log_in)
    assert day(app, cast.ana) == [("4512", "07:00", "08:15"), ("4513", "08:15", "on")]
    assert "Approved by Grace W." in words(log_in("ana").get("/my/hours").text)


def test_a_shift_that_has_ended_since_as_shifts_do_is_split_all_the_same(app, log_in, cast, running, noon):
    send(log_in("ana"), running, "11:00", "4514")
    noon.shift(4 * HOUR)
    with app.app_context():
        punch_out(db.session.get_one(Shift, running), NOON + 3 * HOUR)
    approve(app, log_in)
    assert day(app, cast.ana)[1:] == [("4513", "09:00", "11:00"), ("4514", "11:00", "15:00")]


@pytest.mark.parametrize(("time", "job"), [("11:00", "4514"), ("08:15", "4513")])
@pytest.mark.parametrize("change", ["amended", "deleted", "moved"])
def test_it_is_refused_with_a_sentence_if_something_else_happened_since(
    app, log_in, cast, jobs, running, time, job, change
):
    send(log_in("ana"), running, time, job)
    with app.app_context():
        shift, grace = db.session.get_one(Shift, running), db.session.get_one(User, cast.grace)
        how: dict[str, Any] = {"by": Actor(grace), "at": NOON, "reason": "Talked to Ana"}
        if change == "deleted":
            committing(lambda: ledger.delete(shift, **how))
        else:
            start = SEVEN + (3 if change == "amended" else 2) * HOUR
            to = db.session.get_one(Job, jobs["4512" if change == "moved" else "4513"])
            committing(lambda: ledger.amend(shift, start, None, to, **how))
    before = day(app, cast.ana)
    said = approve(app, log_in)
    assert ("has changed since" if change != "deleted" else "was deleted meanwhile") in said
    assert day(app, cast.ana) == before


def test_a_switch_is_refused_if_the_shift_before_it_has_changed_since(app, log_in, cast, running):
    send(log_in("ana"), running, "08:15", "4513")
    with app.app_context():
        first, grace = (
            Shift.just_before(db.session.get_one(Shift, running)),
            db.session.get_one(User, cast.grace),
        )
        how: dict[str, Any] = {"by": Actor(grace), "at": NOON, "reason": "Talked to Ana"}
        committing(lambda: ledger.amend(first, SEVEN, SEVEN + HOUR, first.job, **how))
    assert "The shift before it has changed since this request." in approve(app, log_in)
    assert day(app, cast.ana) == [("4512", "07:00", "08:00"), ("4513", "09:00", "on")]


@pytest.mark.parametrize(
    ("time", "job", "says"),
    [
        ("12:30", "4514", "This time is in the future."),
        ("08:30", "4514", "You punched in on 4513 after that. Enter a later time."),
        ("09:30", "4513", "You're on 4513 since then. Enter an earlier time."),
        ("06:30", "4513", "You punched in on 4512 after that. Enter a later time."),
        ("", "4514", "Enter the time."),
        ("11:00", "", "Choose a job"),
    ],
)
def test_what_cannot_have_been_is_told_beside_its_field_with_all_that_was_typed(
    app, log_in, running, time, job, says
):
    answer = send(log_in("ana"), running, time, job, note="I moved at the horn")
    assert answer.status_code == 422
    assert says in words(answer.text)
    assert 'value="I moved at the horn"' in answer.text
    with app.app_context():
        assert Correction.waiting() == []


def test_the_same_form_sent_twice_asks_once(app, log_in, running):
    ana = log_in("ana")
    for _ in range(2):
        send(ana, running, "11:00", "4514")
    with app.app_context():
        assert len(Correction.waiting()) == 1


def test_who_is_off_the_clock_is_told_so(log_in, cast):
    assert "You&#39;re not on the clock." in log_in("ana").get("/my/switch", follow_redirects=True).text


def test_an_admin_is_sent_to_the_shift_itself(log_in, running):
    assert log_in("grace").post(f"/my/switch/{running}", data={}).status_code == 403
