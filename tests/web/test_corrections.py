"""Workers ask for corrections and answer for assumed ends; admins decide, and settle what was left open."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import time_machine

from flask_app.models import Audit, Correction, Job, Shift, User, committing, db
from flask_app.timeclock import ledger
from flask_app.timeclock.clock_out import BY_ITSELF
from flask_app.timeclock.corrections import ASKED_A_DAY
from flask_app.timeclock.ledger import Actor
from tests.connected import words
from tests.shop import punch_in

NEW_YORK = ZoneInfo("America/New_York")
EVENING = datetime(2026, 11, 23, 18, 30, tzinfo=NEW_YORK).astimezone(UTC)
SEVEN = datetime(2026, 11, 23, 7, 0, tzinfo=NEW_YORK).astimezone(UTC)
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def evening():
    with time_machine.travel(EVENING, tick=False) as traveller:
        yield traveller


@pytest.fixture
def assumed(app, cast, add_job) -> int:
    """Ana's shift since 7 AM, whose end at 3:30 PM was assumed."""
    job_id = add_job("4512")
    add_job("4513")
    with app.app_context():
        ana, job = db.session.get_one(User, cast.ana), db.session.get_one(Job, job_id)
        shift = punch_in(ana, job, SEVEN)
        how: dict[str, Any] = {"by": BY_ITSELF, "at": EVENING, "reason": "Open"}
        committing(lambda: ledger.assume_end(shift, SEVEN + 8.5 * HOUR, **how))
        return shift.id


def shift_of(app, shift_id) -> Shift:
    with app.app_context():
        shift = db.session.get_one(Shift, shift_id)
        assert shift.job.im_number
        return shift


def ask(browser, shift_id, **form):
    form = {"kind": "forgot", "end_day": "2026-11-23", "end_time": "17:00", **form}
    return browser.post(f"/my/corrections/new?shift={shift_id}", data=form, follow_redirects=True)


def only_correction(app) -> Correction:
    with app.app_context():
        (one,) = Correction.waiting() or Correction.decided()
        return one


def test_whoever_was_clocked_out_is_asked_on_the_next_visit(log_in, assumed):
    for page in ("/dashboard", "/my/hours"):
        assert "Did you leave at 3:30 PM?" in words(log_in("ana").get(page).text)
        assert "Did you leave" not in log_in("luis").get(page).text


def test_yes_settles_it(app, log_in, assumed):
    ana = log_in("ana")
    page = ana.post(f"/my/shift/{assumed}/confirm", follow_redirects=True)
    assert "Thanks. You left at 3:30 PM." in page.text
    assert "Did you leave" not in page.text
    assert shift_of(app, assumed).assumed_at is None


def test_a_real_punch_out_on_the_same_day_counts_instead(app, log_in, assumed):
    page = log_in("ana").post(f"/punch_out/{assumed}", follow_redirects=True)
    assert "Punched out of 4512 at 6:30 PM." in words(page.text)
    shift = shift_of(app, assumed)
    assert (shift.ended_at, shift.assumed_at) == (EVENING, None)


def test_the_day_after_a_tap_on_an_old_page_changes_nothing(app, log_in, assumed, evening):
    ana = log_in("ana")
    evening.move_to(EVENING + 12 * HOUR)
    page = ana.post(f"/punch_out/{assumed}", follow_redirects=True)
    assert "too late to punch out" in words(page.text)
    assert shift_of(app, assumed).ended_at == SEVEN + 8.5 * HOUR


def test_another_time_is_for_the_office_to_decide(app, log_in, assumed):
    ana, grace = log_in("ana"), log_in("grace")
    assert "Waiting for the office." in ask(ana, assumed, note="Finished the panels").text
    assert shift_of(app, assumed).ended_at == SEVEN + 8.5 * HOUR
    queue = words(grace.get("/admin/corrections").text)
    assert "Ana Duarte I forgot to punch out." in queue
    assert "Finished the panels" in queue
    one = only_correction(app)
    grace.post(f"/admin/corrections/{one.id}/approve")
    shift = shift_of(app, assumed)
    assert (shift.ended_at, shift.assumed_at, shift.edited_at) == (SEVEN + 10 * HOUR, None, EVENING)
    assert "Approved by Grace W." in ana.get("/my/hours").text
    with app.app_context():
        assert Audit.of("shift", assumed)[0].reason == "Requested by Ana Duarte. Finished the panels"


def test_a_declined_request_tells_why_and_changes_nothing(app, log_in, assumed):
    ana, grace = log_in("ana"), log_in("grace")
    ask(ana, assumed)
    form = {"answer": "The door says 3:30."}
    grace.post(f"/admin/corrections/{only_correction(app).id}/decline", data=form)
    assert "Declined by Grace W.: The door says 3:30." in words(ana.get("/my/hours").text)
    assert shift_of(app, assumed).ended_at == SEVEN + 8.5 * HOUR


def test_a_request_is_decided_once(app, log_in, assumed):
    ask(log_in("ana"), assumed)
    one, grace = only_correction(app), log_in("grace")
    grace.post(f"/admin/corrections/{one.id}/decline")
    page = grace.post(f"/admin/corrections/{one.id}/approve", follow_redirects=True)
    assert "already decided" in page.text
    assert shift_of(app, assumed).ended_at == SEVEN + 8.5 * HOUR


def test_a_request_about_a_shift_that_changed_or_went_is_not_approved_blindly(app, log_in, assumed, cast):
    ask(log_in("ana"), assumed)
    one, grace = only_correction(app), log_in("grace")
    form = {"job": "4512", "start_day": "2026-11-23", "start_time": "07:00", "end_day": "2026-11-23",
            "end_time": "16:00", "reason": "Camera", "seen": shift_of(app, assumed).version}  # fmt: skip
    grace.post(f"/update/shift/{assumed}", data=form)
    page = grace.post(f"/admin/corrections/{one.id}/approve", follow_redirects=True)
    assert "has changed since this request" in page.text
    with app.app_context():
        shift, by = db.session.get_one(Shift, assumed), db.session.get_one(User, cast.grace)
        assert shift.ended_at == SEVEN + 9 * HOUR
        committing(lambda: ledger.delete(shift, by=Actor(by), at=EVENING, reason="Twice"))
    page = grace.post(f"/admin/corrections/{one.id}/approve", follow_redirects=True)
    assert "deleted meanwhile" in page.text


def test_one_request_waits_per_shift_and_may_be_taken_back(app, log_in, assumed):
    ana = log_in("ana")
    ask(ana, assumed)
    answer = ask(ana, assumed, end_time="17:30")
    assert (answer.status_code, "already have a request for this shift" in answer.text) == (422, True)
    page = ana.post(f"/my/corrections/{only_correction(app).id}/withdraw", follow_redirects=True)
    assert "Taken back." in page.text
    assert ask(ana, assumed, end_time="17:30").status_code == 200


@pytest.mark.parametrize(
    ("form", "says"),
    [
        ({"end_time": "19:00"}, "in the future"),
        ({"end_time": "06:00"}, "before the start"),
        ({"end_time": ""}, "Enter the time."),
        ({"end_day": "", "end_time": ""}, "Enter when the shift ended."),
        ({"end_time": "15:30"}, "already like that"),
        ({"kind": "job", "job": "9999"}, "There is no job 9999."),
        ({"kind": "nonsense"}, "Choose what is wrong."),
        ({"note": "x" * 301}, "too long"),
    ],
)
def test_a_request_that_makes_no_sense_is_refused_beside_its_field(app, log_in, assumed, form, says):
    answer = ask(log_in("ana"), assumed, **form)
    assert (answer.status_code, says in words(answer.text)) == (422, True)
    with app.app_context():
        assert Correction.waiting() == []


def test_a_wrong_job_and_a_missing_shift_are_put_right(app, log_in, assumed, cast):
    ana, grace = log_in("ana"), log_in("grace")
    ask(ana, assumed, kind="job", job="4513")
    grace.post(f"/admin/corrections/{only_correction(app).id}/approve")
    assert shift_of(app, assumed).job.im_number == "4513"
    form = {"job": "4512", "start_day": "2026-11-20", "start_time": "07:00", "end_day": "2026-11-20"}
    assert ana.post("/my/corrections/new", data={**form, "end_time": "15:00"}).status_code == 302
    grace.post(f"/admin/corrections/{only_correction(app).id}/approve")
    with app.app_context():
        shifts = db.session.query(Shift).filter_by(user_id=cast.ana).order_by(Shift.started_at).all()
        assert [shift.ended_at - shift.started_at for shift in shifts] == [8 * HOUR, 8.5 * HOUR]
        assert shifts[0].edited_at == EVENING


def test_more_requests_in_a_day_than_anybody_needs_are_refused_and_the_text_is_kept(
    app, log_in, assumed, evening
):
    browser = log_in("ana")
    for n in range(ASKED_A_DAY):
        assert ask(browser, assumed, note=f"Number {n}").status_code == 200
        browser.post(f"/my/corrections/{only_correction(app).id}/withdraw")
    refused = ask(browser, assumed, note="One more")
    assert (refused.status_code, "a lot of requests today" in refused.text) == (422, True)
    assert "One more" in refused.text
    evening.shift(timedelta(days=1))
    assert "Sent to the office" in ask(browser, assumed, note="The next day").text


def test_nobody_asks_about_or_confirms_somebody_elses_shift(log_in, assumed):
    luis, grace = log_in("luis"), log_in("grace")
    assert luis.get(f"/my/corrections/new?shift={assumed}").status_code == 403
    assert luis.post(f"/my/shift/{assumed}/confirm").status_code == 403
    assert grace.post(f"/my/corrections/new?shift={assumed}", data={"kind": "forgot"}).status_code == 403


def test_an_admins_own_hours_are_for_another_admin_if_there_is_one(app, log_in, assumed, cast):
    with app.app_context():
        committing(lambda: setattr(db.session.get_one(User, cast.ana), "department", "ADMINISTRATIVE"))
    ana = log_in("ana")
    ask(ana, assumed)
    page = ana.post(f"/admin/corrections/{only_correction(app).id}/approve", follow_redirects=True)
    assert "Another admin has to decide" in page.text
    log_in("grace").post(f"/admin/corrections/{only_correction(app).id}/approve")
    assert shift_of(app, assumed).ended_at == SEVEN + 10 * HOUR


@pytest.fixture
def left_open(app, cast, add_job) -> int:
    """Luis's shift, open since Saturday."""
    job_id = add_job("4600")
    with app.app_context():
        luis, job = db.session.get_one(User, cast.luis), db.session.get_one(Job, job_id)
        return punch_in(luis, job, SEVEN - 48 * HOUR).id


def test_what_is_to_be_settled_is_listed_and_counted(log_in, assumed, left_open):
    grace = log_in("grace")
    page = words(grace.get("/admin/stale_shifts").text)
    assert "Left open 1" in page
    assert "Assumed, not confirmed 1" in page
    assert "Missing punch-outs 2" in words(grace.get("/office").text)


def test_a_batch_is_shown_before_it_is_done(app, log_in, assumed, left_open):
    grace = log_in("grace")
    form = {"shift": [left_open, assumed], "how": "time", "at": "15:00"}
    page = grace.post("/admin/stale_shifts", data=form).text
    assert "Ends 11/21/2026 3:00 PM" in words(page)
    assert shift_of(app, left_open).is_open
    named = re.findall(r'name="shift" value="([^"]+)"', page)
    done = {"shift": named, "how": "time", "at": "15:00", "reason": "Door log"}
    assert (
        "Fixed 2 shifts." in grace.post("/admin/stale_shifts/repair", data=done, follow_redirects=True).text
    )
    assert shift_of(app, left_open).ended_at == SEVEN - 40 * HOUR
    assert shift_of(app, assumed).assumed_at is None


def test_what_changed_since_the_preview_is_left_alone_and_named(app, log_in, left_open):
    grace = log_in("grace")
    page = grace.post("/admin/stale_shifts", data={"shift": left_open, "how": "assumed"}).text
    named = re.findall(r'name="shift" value="([^"]+)"', page)
    log_in("luis").post(f"/punch_out/{left_open}")
    done = {"shift": named, "how": "assumed", "reason": "Door log"}
    page = grace.post("/admin/stale_shifts/repair", data=done, follow_redirects=True)
    assert "Luis Romero: This shift was changed a moment ago" in words(page.text)
    shift = shift_of(app, left_open)  # the punch came too late to be its end
    assert (shift.ended_at, shift.assumed_at) == (SEVEN - 39.5 * HOUR, EVENING)


def test_a_batch_needs_a_reason_and_an_open_shift_has_nothing_to_confirm(app, log_in, left_open):
    grace = log_in("grace")
    page = grace.post("/admin/stale_shifts", data={"shift": left_open, "how": "confirm"}).text
    assert "no assumed end to confirm" in words(page)
    page = grace.post("/admin/stale_shifts", data={"shift": left_open, "how": "assumed"}).text
    named = re.findall(r'name="shift" value="([^"]+)"', page)
    grace.post("/admin/stale_shifts/repair", data={"shift": named, "how": "assumed", "reason": ""})
    assert shift_of(app, left_open).is_open


def test_a_batch_without_a_reason_is_shown_again_with_all_that_was_ticked(app, log_in, left_open):
    grace = log_in("grace")
    page = grace.post("/admin/stale_shifts", data={"shift": left_open, "how": "time", "at": "15:00"}).text
    form = {"shift": re.findall(r'name="shift" value="([^"]+)"', page), "how": "time", "at": "15:00"}
    again = grace.post("/admin/stale_shifts/repair", data={**form, "reason": " "})
    assert (again.status_code, "Enter a reason." in again.text) == (422, True)
    assert re.findall(r'name="shift" value="([^"]+)"', again.text) == form["shift"]
    assert 'name="at" value="15:00"' in again.text
    grace.post("/admin/stale_shifts/repair", data={**form, "reason": "Door log"})
    assert shift_of(app, left_open).ended_at == SEVEN - 40 * HOUR


def test_what_the_preview_promises_is_done_also_where_the_end_stays(app, log_in, assumed):
    grace = log_in("grace")
    page = grace.post("/admin/stale_shifts", data={"shift": assumed, "how": "assumed"}).text
    assert "Fix 1 shift" in page
    form = {"shift": re.findall(r'name="shift" value="([^"]+)"', page), "how": "assumed", "reason": "Camera"}
    done = grace.post("/admin/stale_shifts/repair", data=form, follow_redirects=True)
    assert "Fixed 1 shift." in done.text
    assert shift_of(app, assumed).assumed_at is None


def test_the_preview_promises_nothing_about_an_admins_own_hours(app, log_in, cast, left_open):
    with app.app_context():
        committing(lambda: setattr(db.session.get_one(User, cast.luis), "department", "ADMINISTRATIVE"))
    page = log_in("luis").post("/admin/stale_shifts", data={"shift": left_open, "how": "assumed"})
    assert "Another admin has to decide about your own hours." in page.text
    assert "Fix 1 shift" not in page.text


@pytest.mark.parametrize("shift", ["-1", "-99999999999999999999999", "99999999999999999999999"])
def test_a_number_that_no_shift_has_is_a_page_that_says_so(log_in, assumed, shift):
    assert log_in("ana").get(f"/my/corrections/new?shift={shift}").status_code in (200, 404)
    assert log_in("grace").post("/end_of_day", data={"shift": shift}).status_code == 302
    assert log_in("grace").get(f"/admin/audit?before={shift}&person={shift}&by={shift}").status_code == 200


def test_a_shift_that_is_there_is_not_asked_for_as_missing(app, log_in, assumed):
    answer = ask(
        log_in("ana"), assumed, kind="missing", job="4512", start_day="2026-11-20", start_time="07:00"
    )
    assert answer.status_code == 422
    with app.app_context():
        assert Correction.waiting() == []


def test_an_admins_deletion_of_the_own_shift_waits_in_the_queue(app, cast, add_job, log_in):
    job_id = add_job("4512")
    with app.app_context():
        ana, job = db.session.get_one(User, cast.ana), db.session.get_one(Job, job_id)
        committing(lambda: setattr(ana, "department", "ADMINISTRATIVE"))
        shift = punch_in(ana, job, SEVEN).id
    mine, grace = log_in("ana"), log_in("grace")
    queue = mine.post(f"/delete/shift/{shift}", data={"reason": "Punched twice"}, follow_redirects=True).text
    assert "These are your own hours" in queue
    assert "This shift should be deleted." in words(queue)
    assert "Requested: Deleted" in words(mine.get("/my/hours").text)
    assert mine.get(f"/edit/shift/{shift}").status_code == 200
    answer = grace.post(re.search(r'action="([^"]*/approve)"', queue)[1], follow_redirects=True)
    assert "Approved by Grace" in words(answer.text)
    assert grace.get(f"/edit/shift/{shift}").status_code == 404


def test_an_edited_shift_tells_its_person_who_changed_what_when_and_why(app, log_in, cast, assumed):
    grace = log_in("grace")
    form = {"end_day": "2026-11-23", "end_time": "16:10", "reason": "forgot to punch out"}
    grace.post(f"/update/shift/{assumed}", data=form)
    page = words(log_in("ana").get("/my/hours").text)
    assert (
        "Edited Grace Whitfield changed this on Mon Nov 23 at 6:30 PM: out 3:30 PM → 4:10 PM. "
        "Reason: forgot to punch out"
    ) in page


def test_an_approved_request_is_told_as_one_in_the_persons_language(app, log_in, cast, assumed):
    ask(log_in("ana"), assumed, end_time="16:10")
    log_in("grace").post(f"/admin/corrections/{only_correction(app).id}/approve")
    with app.app_context():
        committing(lambda: setattr(db.session.get_one(User, cast.ana), "language", "es"))
    page = words(log_in("ana").get("/my/hours").text)
    assert "aprobó su solicitud el lun 23 nov a las 6:30 PM: " in page
