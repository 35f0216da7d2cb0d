"""Punches that don't fit what stands already: too late, twice, from an old page, after an assumed end."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import event, text

from flask_app.models import Audit, Correction, Job, Shift, User, committing, db
from flask_app.models.database import make_engine
from flask_app.models.errors import Busy, RuleViolation
from flask_app.timeclock import ledger
from flask_app.timeclock.clock_out import BY_ITSELF
from flask_app.timeclock.corrections import approve, ask
from flask_app.timeclock.ledger import Actor, JobClosed, Unchanged
from tests.shop import RULES, punch_in, punch_out

ZONE = ZoneInfo("America/New_York")
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


def local(day: int, hour: int, minute: int = 0, second: int = 0) -> datetime:
    return datetime(2026, 11, day, hour, minute, second, tzinfo=ZONE).astimezone(UTC)


SEVEN, EVENING = local(23, 7), local(23, 19)  # a Monday


@pytest.fixture
def shop(app_context, cast, add_job) -> tuple[User, User, Job, Job]:
    """Ana, Grace, a desk and doors."""
    jobs = [add_job("4512"), add_job("4513")]
    ana, grace = (db.session.get_one(User, person) for person in (cast.ana, cast.grace))
    desk, doors = (db.session.get_one(Job, job) for job in jobs)
    return ana, grace, desk, doors


def punched(worker: User, job: Job, at: datetime, **how: Any):
    how = {"by": Actor(worker), "rules": RULES, **how}
    return committing(lambda: ledger.punch_in(worker, job.id, at=at, **how))


def assume(shift: Shift, end: datetime, at: datetime) -> None:
    committing(lambda: ledger.assume_end(shift, end, by=BY_ITSELF, at=at, reason="Open"))


def lengths(worker: User) -> list[tuple[str, datetime, datetime | None, bool]]:
    db.session.expire_all()
    rows = db.session.query(Shift).filter_by(user_id=worker.id).order_by(Shift.id).all()
    return [(row.job.im_number, row.started_at, row.ended_at, row.assumed_at is not None) for row in rows]


def test_a_shift_begins_in_the_minute_in_which_the_one_before_was_punched_out(shop):
    ana, grace, desk, _ = shop
    morning = punch_in(ana, desk, local(23, 7, 2, 40))
    punch_out(morning, local(23, 11, 30, 10))
    how: dict[str, Any] = {"by": Actor(grace), "at": local(24, 7), "reason": "Phone was dead"}
    shift = committing(lambda: ledger.add(ana, desk, local(23, 11, 30), local(23, 15, 30), **how))
    assert shift.ended_at - shift.started_at == 4 * HOUR
    assert morning.ended_at == local(23, 11, 30, 10)


# --- longer than anybody works


@pytest.mark.parametrize("by", ["herself", "an admin"])
def test_a_punch_out_after_days_counts_now_but_is_not_when_the_work_ended(shop, by):
    ana, grace, desk, _ = shop
    shift, tuesday = punch_in(ana, desk, local(21, 7)), local(24, 6, 58)
    assert punch_out(shift, tuesday, by=Actor(ana if by == "herself" else grace))
    assert lengths(ana) == [("4512", local(21, 7), local(21, 15, 30), True)]
    row = Audit.of("shift", shift.id)[0]
    assert (row.at, row.is_punch) == (tuesday, False)
    assert "more than 16 hours after the start" in row.reason


def test_a_switch_after_days_begins_now_and_leaves_the_old_shift_to_be_asked_about(shop):
    ana, _, desk, doors = shop
    punch_in(ana, desk, local(21, 7))
    done = punched(ana, doors, local(24, 6, 58))
    assert lengths(ana) == [
        ("4512", local(21, 7), local(21, 15, 30), True),
        ("4513", local(24, 6, 58), None, False),
    ]
    assert (done.ended.job.im_number, done.was_assumed) == ("4512", False)


def test_the_same_job_can_be_punched_in_on_after_days(shop):
    ana, _, desk, _ = shop
    punch_in(ana, desk, local(21, 7))
    punch_in(ana, desk, local(24, 6, 58))
    assert [end for _, _, end, _ in lengths(ana)] == [local(21, 15, 30), None]


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (local(20, 22), local(21, 6)),  # at night: eight hours
        (local(20, 15, 30), local(20, 23, 30)),  # at the usual end itself
    ],
)
def test_who_began_after_the_usual_end_is_assumed_to_have_worked_eight_hours(shop, start, end):
    ana, _, desk, _ = shop
    punch_out(punch_in(ana, desk, start), local(24, 6, 58))
    assert lengths(ana) == [("4512", start, end, True)]


@pytest.mark.parametrize(("minutes", "assumed"), [(16 * 60, False), (16 * 60 + 1, True)])
def test_the_limit_is_on_the_minute_that_is_shown(shop, minutes, assumed):
    ana, _, desk, _ = shop
    shift = punch_in(ana, desk, SEVEN.replace(second=5))
    punch_out(shift, SEVEN.replace(second=50) + minutes * MINUTE)
    assert (shift.assumed_at is not None) is assumed


# --- an end that was only assumed


def test_a_switch_settles_an_end_that_was_assumed(shop):
    ana, _, desk, doors = shop
    shift = punch_in(ana, desk, SEVEN)
    assume(shift, local(23, 15, 30), local(23, 18))
    done = punched(ana, doors, EVENING)
    punch_out(done.shift, local(23, 23, 30))
    assert lengths(ana) == [("4512", SEVEN, EVENING, False), ("4513", EVENING, local(23, 23, 30), False)]
    assert (done.ended.id, done.was_assumed) == (shift.id, True)
    assert Audit.of("shift", shift.id)[0].changes["assumed"] == ["yes", "no"]


def test_the_next_mornings_punch_leaves_an_assumed_end_to_be_confirmed(shop):
    ana, _, desk, doors = shop
    assume(punch_in(ana, desk, SEVEN), local(23, 15, 30), local(23, 18))
    assert punched(ana, doors, local(24, 6, 58)).ended is None
    assert lengths(ana)[0] == ("4512", SEVEN, local(23, 15, 30), True)


def test_an_end_that_somebody_confirmed_stays(shop):
    ana, _, desk, doors = shop
    shift = punch_in(ana, desk, SEVEN)
    assume(shift, local(23, 15, 30), local(23, 18))
    committing(lambda: ledger.confirm_end(shift, by=Actor(ana), at=local(23, 18, 30)))
    punched(ana, doors, EVENING)
    assert lengths(ana)[0] == ("4512", SEVEN, local(23, 15, 30), False)


def test_a_punch_out_of_a_shift_that_another_followed_changes_nothing(shop):
    ana, _, desk, doors = shop
    shift = punch_in(ana, desk, SEVEN)
    assume(shift, local(23, 15, 30), local(23, 18))
    how: dict[str, Any] = {"by": Actor(ana), "at": local(23, 18), "reason": "Rush"}
    committing(lambda: ledger.add(ana, doors, local(23, 16), local(23, 17), **how))
    assert not punch_out(shift, EVENING)
    assert lengths(ana)[0] == ("4512", SEVEN, local(23, 15, 30), True)


# --- old pages


def test_a_punch_out_from_an_old_page_says_what_one_is_on_now(shop):
    ana, _, desk, doors = shop
    shift = punch_in(ana, desk, SEVEN)
    punch_in(ana, doors, SEVEN + HOUR)
    done = committing(lambda: ledger.punch_out(shift, by=Actor(ana), at=SEVEN + 2 * HOUR, rules=RULES))
    assert isinstance(done, Unchanged)
    assert (done.shift.job.im_number, done.present.job.im_number) == ("4512", "4513")


def test_a_form_sent_again_after_its_shift_ended_says_what_one_is_on_now(shop):
    ana, _, desk, doors = shop
    key = str(uuid4())
    shift = punch_in(ana, desk, SEVEN, key=key)
    punch_in(ana, doors, SEVEN + HOUR)
    done = punched(ana, desk, SEVEN + 2 * HOUR, key=key)
    assert isinstance(done, Unchanged)
    assert (done.shift.id, done.present.job.im_number) == (shift.id, "4513")


WORKS: dict[str, Callable[[Shift, Job, Actor], object]] = {
    "punch out": lambda shift, _, by: ledger.punch_out(shift, by=by, at=EVENING, rules=RULES),
    "amend": lambda shift, job, by: ledger.amend(shift, SEVEN, EVENING, job, by=by, at=EVENING, reason="x"),
    "delete": lambda shift, _, by: ledger.delete(shift, by=by, at=EVENING, reason="x"),
    "assume": lambda shift, _, by: ledger.assume_end(shift, EVENING, by=by, at=EVENING, reason="x"),
    "confirm": lambda shift, _, by: ledger.confirm_end(shift, by=by, at=EVENING),
}


@pytest.mark.parametrize("work", WORKS)
@pytest.mark.parametrize("rolled_back", [False, True])
def test_a_shift_that_went_meanwhile_is_a_sentence_whatever_was_to_be_done(shop, work, rolled_back):
    ana, grace, desk, _ = shop
    shift = punch_in(ana, desk, SEVEN)
    db.session.execute(Shift.__table__.delete())  # elsewhere: this session has not heard of it
    db.session.commit()
    if rolled_back:
        db.session.rollback()
        db.session.expire_all()
    with pytest.raises(RuleViolation, match="deleted meanwhile"):
        committing(lambda: WORKS[work](shift, desk, Actor(grace)))


# --- marks


def test_a_move_now_keeps_the_mark_of_an_edited_shift(shop):
    ana, grace, desk, doors = shop
    how: dict[str, Any] = {"by": Actor(grace), "reason": "Came earlier"}
    shift = committing(lambda: ledger.add(ana, desk, SEVEN, None, at=SEVEN + HOUR, **how))
    done = committing(lambda: ledger.assign(ana, doors, EVENING, at=EVENING, ending=shift, **how))
    assert (shift.ended_at, shift.edited_at) == (EVENING, SEVEN + HOUR)
    assert done.shift.edited_at is None


@pytest.mark.parametrize(("seconds", "marked"), [(0, False), (40, False), (60, True)])
def test_a_begin_in_this_minute_is_as_good_as_punched_whatever_the_second(shop, seconds, marked):
    ana, grace, desk, _ = shop
    at = EVENING + timedelta(seconds=seconds)
    done = committing(lambda: ledger.assign(ana, desk, EVENING, by=Actor(grace), at=at, reason="Rush"))
    assert (done.shift.edited_at is not None) is marked


def test_the_same_key_within_a_second_leaves_one_row(shop):
    ana, grace, desk, _ = shop
    key = str(uuid4())
    for _ in range(2):
        punched(ana, desk, SEVEN, by=Actor(grace), key=key)
    assert [row.action for row in Audit.of("shift", lengths_ids(ana)[0])] == ["added"]


def lengths_ids(worker: User) -> list[int]:
    return [shift.id for shift in db.session.query(Shift).filter_by(user_id=worker.id)]


def test_an_admins_punch_writes_down_the_shift_that_ended_by_it(shop):
    ana, grace, desk, doors = shop
    first = punch_in(ana, desk, SEVEN)
    punched(ana, doors, SEVEN + HOUR, by=Actor(grace))
    row = Audit.of("shift", first.id)[0]
    assert (row.by_id, row.role, row.changes) == (
        grace.id, "admin", {"ended_at": [None, "2026-11-23T13:00:00Z"]},
    )  # fmt: skip


# --- requests about a shift that went on


def request(ana: User, kind: str, shift: Shift, end: datetime | None, job: Job) -> Correction:
    how: dict[str, Any] = {"note": "", "at": local(23, 17)}
    return committing(lambda: ask(ana, kind, shift, shift.started_at, end, job, **how))


@pytest.mark.parametrize("how", ["clock-out", "punch"])
def test_a_request_about_an_open_shift_holds_after_it_has_ended_as_shifts_do(shop, how):
    ana, grace, desk, doors = shop
    shift = punch_in(ana, desk, SEVEN)
    asked = request(ana, "job", shift, None, doors)
    if how == "clock-out":
        assume(shift, local(23, 15, 30), local(23, 18))
    else:
        punch_out(shift, local(23, 15, 30))
    committing(lambda: approve(asked, by=grace, at=EVENING))
    assert lengths(ana) == [("4513", SEVEN, local(23, 15, 30), how == "clock-out")]


@pytest.mark.parametrize("how", ["clock-out", "punch"])
def test_an_end_asked_for_while_the_shift_was_open_can_be_approved_after_it_ended(shop, how):
    ana, grace, desk, _ = shop
    shift = punch_in(ana, desk, SEVEN)
    asked = request(ana, "forgot", shift, local(23, 16), desk)
    if how == "clock-out":
        assume(shift, local(23, 15, 30), local(23, 18))
    else:
        punch_out(shift, local(23, 17, 30))
    committing(lambda: approve(asked, by=grace, at=EVENING))
    assert lengths(ana) == [("4512", SEVEN, local(23, 16), False)]


def test_what_an_admin_changed_since_is_not_overwritten_by_a_request(shop):
    ana, grace, desk, _ = shop
    shift = punch_in(ana, desk, SEVEN)
    asked = request(ana, "forgot", shift, local(23, 16), desk)
    how: dict[str, Any] = {"by": Actor(grace), "at": local(23, 18), "reason": "Camera"}
    committing(lambda: ledger.amend(shift, SEVEN, local(23, 14), desk, **how))
    with pytest.raises(RuleViolation, match="has changed since"):
        committing(lambda: approve(asked, by=grace, at=EVENING))
    assert lengths(ana) == [("4512", SEVEN, local(23, 14), False)]


def test_a_correction_says_so_in_the_changes(shop):
    ana, grace, desk, doors = shop
    shift = punch_in(ana, desk, SEVEN)
    asked = request(ana, "job", shift, None, doors)
    committing(lambda: approve(asked, by=grace, at=EVENING))
    assert (Audit.of("shift", shift.id)[0].role, Audit.of("shift", shift.id)[0].by_id) == (
        "correction", grace.id,
    )  # fmt: skip


# --- a job that is being closed


@contextmanager
def impatience() -> Iterator[None]:
    """Let this test's own connections wait for a lock for a second at most, or on SQLite not at all."""
    engine = db.engine
    is_sqlite = engine.dialect.name == "sqlite"
    setting = "PRAGMA busy_timeout = 0" if is_sqlite else "SET innodb_lock_wait_timeout = 1"

    def hurry(connection, *_rest) -> None:
        connection.cursor().execute(setting)

    event.listen(engine, "checkout", hurry)
    yield
    event.remove(engine, "checkout", hurry)
    db.session.rollback()
    engine.dispose()


@pytest.mark.parametrize("work", ["assign", "punch"])
def test_nobody_begins_on_a_job_while_it_is_being_closed(shop, database_url, work):
    ana, grace, desk, _ = shop
    db.session.rollback()
    holder = make_engine(database_url)
    how: dict[str, Any] = {"by": Actor(grace), "at": EVENING}
    works = {
        "assign": lambda: ledger.assign(ana, desk, EVENING, reason="Rush", **how),
        "punch": lambda: ledger.punch_in(ana, desk.id, rules=RULES, **how),
    }
    with holder.begin() as connection:
        connection.execute(text("UPDATE jobs SET status = 0 WHERE im_number = '4512'"))
        with impatience(), pytest.raises(Busy):
            committing(works[work])
    holder.dispose()
    with pytest.raises(JobClosed):
        committing(works[work])
    assert lengths(ana) == []
