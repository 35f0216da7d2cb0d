"""Undo: a punch and its undo leave the shifts as they were, on both databases; never what came after it."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select

from flask_app.models import Audit, Correction, Job, Shift, User, committing, db
from flask_app.timeclock import ledger, people
from flask_app.timeclock.clock_out import BY_ITSELF
from flask_app.timeclock.corrections import ask
from flask_app.timeclock.ledger import Actor, NothingToUndo, TooSoon
from tests.conftest import NOW
from tests.shop import RULES, punch_in, punch_out

HOUR, SECOND = timedelta(hours=1), timedelta(seconds=1)


@pytest.fixture
def shop(app_context, cast, add_job) -> tuple[User, User, Job, Job]:
    """Ana, Grace, a desk and doors."""
    jobs = [add_job("4512"), add_job("4513")]
    ana, grace = (db.session.get_one(User, person) for person in (cast.ana, cast.grace))
    desk, doors = (db.session.get_one(Job, job) for job in jobs)
    return ana, grace, desk, doors


def rows() -> list[tuple[Any, ...]]:
    """Return every shift with all of its columns, as they are in the database."""
    db.session.rollback()
    db.session.expire_all()
    columns = [column for column in Shift.__table__.columns if column.name != "open_for"]
    return [tuple(row) for row in db.session.execute(select(*columns).order_by(Shift.id))]


def undo(person: User, *, at: Any, began: Shift | None = None, ended: Shift | None = None, **how: Any) -> Any:
    how = {"by": Actor(person), "of": NOW, **how}
    ids: dict[str, Any] = {"began": began.id if began else None, "ended": ended.id if ended else None}
    return committing(lambda: ledger.undo(person.id, at=at, **ids, **how))


def test_an_undone_punch_in_was_never_there(shop):
    ana, _, desk, _ = shop
    shift = punch_in(ana, desk, NOW)
    assert undo(ana, at=NOW + SECOND, began=shift).present is None
    assert rows() == []
    last = db.session.scalars(select(Audit).order_by(Audit.id.desc())).first()
    assert (last.action, last.by_id, last.reason, last.is_punch) == ("deleted", ana.id, "Undone.", False)


def test_an_undone_punch_out_goes_on(shop):
    ana, _, desk, _ = shop
    shift = punch_in(ana, desk, NOW - HOUR)
    before = rows()
    punch_out(shift, NOW)
    assert undo(ana, at=NOW + SECOND, ended=shift).present.id == shift.id
    assert rows() == before


def test_an_undone_switch_goes_on_with_the_job_before(shop):
    ana, _, desk, doors = shop
    first = punch_in(ana, desk, NOW - HOUR)
    before = rows()
    second = punch_in(ana, doors, NOW)
    undo(ana, at=NOW + SECOND, began=second, ended=first)
    assert rows() == before


def test_an_end_that_was_assumed_is_assumed_again_since_the_same_instant(shop):
    ana, _, desk, _ = shop
    shift = punch_in(ana, desk, NOW - 8 * HOUR)
    committing(lambda: ledger.assume_end(shift, NOW - HOUR, by=BY_ITSELF, at=NOW - HOUR / 2, reason="Open"))
    before = rows()
    punch_out(shift, NOW)
    assert rows() != before
    undo(ana, at=NOW + SECOND, ended=shift)
    assert rows() == before


CHANGES: dict[str, Callable[..., object]] = {
    "another punch": lambda ana, grace, shift, job: ledger.punch_in(
        ana, job.id, by=Actor(ana), at=NOW, rules=RULES
    ),
    "an admin's correction": lambda ana, grace, shift, job: ledger.amend(
        shift, shift.started_at, NOW - SECOND * 120, job, by=Actor(grace), at=NOW, reason="Left"
    ),
    "a deletion": lambda ana, grace, shift, job: ledger.delete(shift, by=Actor(grace), at=NOW, reason="No"),
    "a request": lambda ana, grace, shift, job: ask(
        ana, "time", shift, shift.started_at - HOUR, NOW, job, note="", at=NOW
    ),
    "a deactivation": lambda ana, grace, shift, job: people.deactivate(ana, by=grace, at=NOW, rules=RULES),
}


@pytest.mark.parametrize("change", CHANGES)
def test_an_undo_is_refused_when_something_else_happened_since(change, shop):
    ana, grace, desk, doors = shop
    shift = punch_in(ana, desk, NOW - HOUR)
    punch_out(shift, NOW)
    committing(lambda: CHANGES[change](ana, grace, shift, doors))
    before = rows()
    with pytest.raises(NothingToUndo, match="Something else happened since"):
        undo(ana, at=NOW + SECOND, ended=shift)
    assert rows() == before


def test_an_undo_is_done_once_and_is_not_undone(shop):
    ana, _, desk, _ = shop
    shift = punch_in(ana, desk, NOW - HOUR)
    punch_out(shift, NOW)
    undo(ana, at=NOW, ended=shift)
    for of in (NOW, NOW + SECOND):
        with pytest.raises(NothingToUndo):
            undo(ana, at=NOW + SECOND, of=of, ended=shift)


def test_nobody_undoes_what_somebody_else_did(shop):
    ana, grace, desk, _ = shop
    shift = punch_in(ana, desk, NOW - HOUR)
    punch_out(shift, NOW)
    with pytest.raises(NothingToUndo):
        undo(ana, at=NOW + SECOND, by=Actor(grace), ended=shift)


def test_a_deactivation_is_undone_with_its_shift_and_its_sessions(shop):
    ana, grace, desk, _ = shop
    punch_in(ana, desk, NOW - HOUR)
    before, epoch = rows(), ana.epoch
    shift = committing(lambda: people.deactivate(ana, by=grace, at=NOW, rules=RULES, last_day=NOW.date()))
    assert not ana.is_active
    committing(lambda: people.undo(ana, of=NOW, by=grace, at=NOW + SECOND, ended=shift.id))
    assert (ana.is_active, ana.leave_date, ana.epoch) == (True, None, epoch)
    assert rows() == before


def test_an_account_that_changed_since_stays(shop):
    ana, grace, _, _ = shop
    committing(lambda: people.set_roster(ana, False, by=grace, at=NOW))
    committing(lambda: people.edit(ana, {"last_name": "Ruiz"}, by=grace, at=NOW + SECOND, today=NOW.date()))
    with pytest.raises(NothingToUndo):
        committing(lambda: people.undo(ana, of=NOW, by=grace, at=NOW + 2 * SECOND))
    assert not db.session.get_one(User, ana.id).on_active_roster


def test_a_punch_out_a_moment_after_the_punch_in_has_to_be_meant(shop):
    ana, _, desk, _ = shop
    shift = punch_in(ana, desk, NOW)
    with pytest.raises(TooSoon, match="You punched in a moment ago"):
        punch_out(shift, NOW + 2 * SECOND, sure=False)
    assert punch_out(shift, NOW + 2 * SECOND, sure=True)
    shift = punch_in(ana, desk, NOW + HOUR)
    assert punch_out(shift, NOW + HOUR + 3 * SECOND, sure=False)


steps = st.lists(st.tuples(st.sampled_from(("desk", "doors", "out")), st.integers(0, 20 * 3600)), max_size=6)


@given(steps, st.sampled_from(("desk", "doors", "out")))
@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
)
def test_a_punch_and_its_undo_leave_every_shift_as_it_was(shop, history, last):
    ana, _, desk, doors = shop
    db.session.execute(delete(Shift))
    db.session.execute(delete(Correction))
    db.session.commit()
    at = NOW
    for what, passed in history:
        at += timedelta(seconds=passed)
        do(ana, {"desk": desk, "doors": doors}.get(what), at)
    before = rows()
    at += HOUR
    done = do(ana, {"desk": desk, "doors": doors}.get(last), at)
    if isinstance(done, ledger.Punched):
        undo(ana, at=at, of=at, began=done.shift, ended=done.ended)
    elif isinstance(done, ledger.PunchedOut):
        undo(ana, at=at, of=at, ended=done.shift)
    assert rows() == before


def do(ana: User, job: Job | None, at: Any) -> object:
    """Punch in on a job, or out of what is open; None if that isn't possible."""
    how = {"by": Actor(ana), "at": at, "rules": RULES}
    try:
        if job:
            return committing(lambda: ledger.punch_in(ana, job.id, **how))
        shift = Shift.open_of(ana)
        return committing(lambda: ledger.punch_out(shift, **how)) if shift else None
    except ledger.AlreadyOn:
        return None
