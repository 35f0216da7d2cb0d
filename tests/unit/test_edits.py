"""Hours changed after the fact: every rule, every mark, and an audit that nobody can rewrite."""

from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from flask_app.models import Audit, Job, Shift, User, committing, db
from flask_app.models.errors import RuleViolation, ValidationError
from flask_app.timeclock import ledger
from flask_app.timeclock.clock_out import BY_ITSELF
from flask_app.timeclock.ledger import Actor, Changed, Overlaps
from flask_app.timeclock.shift_rows import CHANGED_MEANWHILE
from tests.conftest import NOW
from tests.examples import examples
from tests.shop import punch_in, punch_out

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
MORNING = NOW - 26 * HOUR  # yesterday, 5:02 AM


@pytest.fixture
def shop(app_context, cast, add_job):
    """Ana, Grace and a job."""
    job = db.session.get_one(Job, add_job("4512"))
    return db.session.get_one(User, cast.ana), db.session.get_one(User, cast.grace), job


def add(shop, start, end, **more) -> Shift:
    ana, grace, job = shop
    how: dict[str, Any] = {"by": Actor(grace), "at": NOW, "reason": "Forgot", **more}
    return committing(lambda: ledger.add(ana, job, start, end, **how))


def change(shop, shift, start, end, **more) -> bool:
    _, grace, job = shop
    how: dict[str, Any] = {"by": Actor(grace), "at": NOW, "reason": "Asked", **more}
    return isinstance(committing(lambda: ledger.amend(shift, start, end, job, **how)), Changed)


def test_a_shift_that_is_added_is_marked_and_written_down(shop):
    shift = add(shop, MORNING, MORNING + 8 * HOUR)
    assert (shift.edited_at, shift.assumed_at) == (NOW, None)
    (row,) = Audit.of("shift", shift.id)
    assert (row.action, row.by.first_name, row.reason) == ("added", "Grace", "Forgot")
    assert row.subject == "Ana Duarte on 4512"
    assert row.changes["ended_at"] == [None, "2026-11-22T18:02:00Z"]


def test_a_change_says_from_what_to_what(shop):
    shift = add(shop, MORNING, MORNING + 8 * HOUR)
    assert change(shop, shift, MORNING, MORNING + 9 * HOUR)
    row = Audit.of("shift", shift.id)[0]
    assert row.changes == {"ended_at": ["2026-11-22T18:02:00Z", "2026-11-22T19:02:00Z"]}
    assert not change(shop, shift, MORNING, MORNING + 9 * HOUR, reason="")
    assert len(Audit.of("shift", shift.id)) == 2


def assume(shift, end, at=NOW) -> bool:
    work = lambda: ledger.assume_end(shift, end, by=BY_ITSELF, at=at, reason="Open")  # noqa: E731
    return isinstance(committing(work), Changed)


def confirm(shift, by) -> bool:
    return isinstance(committing(lambda: ledger.confirm_end(shift, by=Actor(by), at=NOW)), Changed)


@pytest.mark.parametrize(
    ("start", "end", "field", "says"),
    [
        (MORNING, MORNING - MINUTE, "ended_at", "before the start"),
        (NOW + HOUR, None, "started_at", "in the future"),
        (MORNING, NOW + HOUR, "ended_at", "in the future"),
        (NOW - 49 * HOUR, NOW - 24 * HOUR, "ended_at", "24 hours"),
    ],
)
def test_times_that_cannot_be_are_refused_with_a_sentence(shop, start, end, field, says):
    with pytest.raises(ValidationError) as refused:
        add(shop, start, end)
    assert says in refused.value.problems[field]
    assert db.session.scalars(select(Shift)).all() == []
    assert db.session.scalars(select(Audit).where(Audit.entity == "shift")).all() == []


@pytest.mark.parametrize("reason", ["", "   ", "x" * 501])
def test_hours_are_not_changed_without_a_reason(shop, reason):
    shift = add(shop, MORNING, MORNING + HOUR)
    for work in (
        lambda: change(shop, shift, MORNING, MORNING + 2 * HOUR, reason=reason),
        lambda: add(shop, NOW - HOUR, NOW, reason=reason),
        lambda: committing(lambda: ledger.delete(shift, by=Actor(shop[1]), at=NOW, reason=reason)),
    ):
        with pytest.raises(ValidationError) as refused:
            work()
        assert "reason" in refused.value.problems
    assert db.session.get_one(Shift, shift.id).ended_at == MORNING + HOUR


@pytest.mark.parametrize(
    ("start", "end", "overlaps"),
    [
        (-2, 0, False),  # touches the start
        (4, 5, False),  # touches the end
        (-1, 1, True),
        (1, 2, True),
        (3, 9, True),
        (-1, 9, True),
        (2, 2, True),  # of no length, but in the middle
        (4, 4, False),
        (-1, None, True),  # goes on until now
        (4, None, False),
    ],
)
def test_two_shifts_of_one_person_do_not_overlap(shop, start, end, overlaps):
    first = add(shop, MORNING, MORNING + 4 * HOUR)
    times = (MORNING + start * HOUR, None if end is None else MORNING + end * HOUR)
    if overlaps:
        with pytest.raises(Overlaps) as refused:
            add(shop, *times)
        assert refused.value.other.id == first.id
    else:
        assert add(shop, *times).id


def test_a_second_open_shift_is_refused(shop):
    add(shop, NOW - HOUR, None)
    with pytest.raises(Overlaps):
        add(shop, NOW - MINUTE, None)


def test_whoever_saw_an_older_version_changes_nothing(shop):
    shift = add(shop, MORNING, MORNING + HOUR)
    seen = shift.version
    change(shop, shift, MORNING, MORNING + 2 * HOUR, seen=seen)
    with pytest.raises(RuleViolation, match=str(CHANGED_MEANWHILE)):
        change(shop, shift, MORNING, MORNING + 3 * HOUR, seen=seen)
    assert db.session.get_one(Shift, shift.id).ended_at == MORNING + 2 * HOUR


def test_another_note_leaves_no_mark_but_a_row(shop):
    ana, _, job = shop
    shift = punch_in(ana, job, MORNING)
    punch_out(shift, MORNING + HOUR)
    change(shop, shift, MORNING, MORNING + HOUR, note="Sanding")
    assert shift.edited_at is None
    assert Audit.of("shift", shift.id)[0].changes == {"note": [None, "Sanding"]}


def test_a_deleted_shift_is_gone_but_not_what_it_was(shop):
    shift = add(shop, MORNING, MORNING + HOUR)
    committing(lambda: ledger.delete(shift, by=Actor(shop[1]), at=NOW, reason="Twice"))
    assert db.session.get(Shift, shift.id) is None
    row = Audit.of("shift", shift.id)[0]
    assert (row.action, row.reason, row.changes["job"]) == ("deleted", "Twice", ["4512", None])
    with pytest.raises(RuleViolation, match="deleted meanwhile"):
        committing(lambda: ledger.delete(shift, by=Actor(shop[1]), at=NOW, reason="Again"))


def test_an_assumed_end_is_marked_until_somebody_confirms_it(shop):
    ana, grace, job = shop
    shift = punch_in(ana, job, MORNING)
    assert assume(shift, MORNING + 8 * HOUR)
    assert (shift.ended_at, shift.assumed_at, shift.edited_at) == (MORNING + 8 * HOUR, NOW, None)
    assert not assume(shift, MORNING + 9 * HOUR)
    assert confirm(shift, ana)
    assert shift.assumed_at is None
    assert not confirm(shift, grace)
    by = [row.by and row.by.first_name for row in Audit.of("shift", shift.id)]
    assert by == ["Ana", None, "Ana"]  # the clock did the second by itself


def test_an_end_before_the_start_is_never_assumed(shop):
    ana, _, job = shop
    shift = punch_in(ana, job, NOW)
    assert not assume(shift, NOW - HOUR)
    assert shift.is_open


def test_a_real_punch_replaces_an_assumed_end_on_the_same_day_only(shop):
    ana, _, job = shop
    shift = punch_in(ana, job, NOW - 11 * HOUR)
    assume(shift, NOW - 3 * HOUR, NOW - HOUR)
    assert punch_out(shift, NOW)
    assert (shift.ended_at, shift.assumed_at) == (NOW, None)
    assert not punch_out(shift, NOW + HOUR)
    old = punch_in(ana, job, NOW + HOUR)
    assume(old, NOW + 2 * HOUR, NOW + 3 * HOUR)
    assert not punch_out(old, NOW + 18 * HOUR)
    assert (old.ended_at, old.assumed_at) == (NOW + 2 * HOUR, NOW + 3 * HOUR)


def test_what_an_admin_punches_for_others_is_written_down(shop, add_job):
    ana, grace, job = shop
    db.session.rollback()
    other, by = db.session.get_one(Job, add_job("4513")), Actor(grace)
    first = punch_in(ana, job, NOW, by=by)
    second = punch_in(ana, other, NOW + HOUR, by=by)
    assert punch_out(second, NOW + 2 * HOUR, by=by)
    assert not punch_out(second, NOW + 3 * HOUR, by=by)
    for shift in (first, second):
        rows = Audit.of("shift", shift.id)
        assert [(row.action, row.role, row.by_id) for row in rows] == [
            ("changed", "admin", grace.id),
            ("added", "admin", grace.id),
        ]
        assert not any(row.is_punch for row in rows)


def test_a_punch_of_ones_own_has_its_rows_too(shop):
    ana, _, job = shop
    shift = punch_in(ana, job, NOW)
    punch_out(shift, NOW + HOUR)
    last, first = Audit.of("shift", shift.id)
    assert first.changes == {"started_at": [None, "2026-11-23T12:02:00Z"], "job": [None, "4512"]}
    assert last.changes == {"ended_at": [None, "2026-11-23T13:02:00Z"]}
    for row in (first, last):
        assert (row.by_id, row.role, row.source, row.is_punch, row.reason) == (
            ana.id,
            "person",
            "web",
            True,
            "",
        )


WRITTEN = "(id, at, entity, subject, action, reason, is_punch)"
OVER = "SELECT id, at, entity, subject, action, 'x', is_punch FROM audit LIMIT 1"
OVERWRITING = (
    "UPDATE audit SET reason = 'x'",
    "DELETE FROM audit",
    f"REPLACE INTO audit {WRITTEN} {OVER}",
)


@pytest.mark.parametrize("statement", OVERWRITING)
def test_the_database_itself_keeps_the_audit_as_it_is(shop, statement):
    shift = add(shop, MORNING, MORNING + HOUR)
    with pytest.raises(DBAPIError, match="stays as it is"):
        db.session.execute(text(statement))
    db.session.rollback()
    assert Audit.of("shift", shift.id)[0].reason == "Forgot"


def test_a_change_that_is_rolled_back_leaves_no_row(shop):
    shift = add(shop, MORNING, MORNING + HOUR)

    def breaks_off() -> None:
        how: dict[str, Any] = {"by": Actor(shop[1]), "at": NOW, "reason": "Asked"}
        ledger.amend(shift, MORNING, MORNING + 2 * HOUR, shop[2], **how)
        raise RuntimeError("the lights went out")

    with pytest.raises(RuntimeError):
        committing(breaks_off)
    assert len(Audit.of("shift", shift.id)) == 1


verbs, hours = st.sampled_from(["add", "amend", "delete"]), st.integers(0, 40)
steps = st.lists(st.tuples(verbs, hours, st.integers(0, 9), st.integers(0, 5)), max_size=10)


def do(shop, mine, what, start, length, which) -> None:
    begin = NOW - 48 * HOUR + start * HOUR
    if what == "add":
        mine.append(add(shop, begin, begin + length * HOUR))
    elif mine and what == "amend":
        change(shop, mine[which % len(mine)], begin, begin + length * HOUR)
    elif mine:
        gone = mine.pop(which % len(mine))
        committing(lambda: ledger.delete(gone, by=Actor(shop[1]), at=NOW, reason="Not so"))


@examples(15)
@given(steps=steps)
def test_whatever_is_done_nobody_is_in_two_places_and_the_audit_tells_it_all(shop, steps):
    db.session.execute(Shift.__table__.delete())
    db.session.commit()
    mine = []
    for step in steps:
        with suppress(ValidationError):
            do(shop, mine, *step)
    kept = db.session.scalars(select(Shift).order_by(Shift.started_at, Shift.ended_at)).all()
    for one, other in zip(kept, kept[1:], strict=False):
        assert one.ended_at <= other.started_at
    for shift in kept:
        told = {}
        for row in reversed(Audit.of("shift", shift.id)):
            told |= {field: pair[1] for field, pair in row.changes.items()}
        assert told["started_at"] == shift.started_at.strftime("%Y-%m-%dT%H:%M:%SZ")
        assert told["ended_at"] == shift.ended_at.strftime("%Y-%m-%dT%H:%M:%SZ")
