"""What is shown is what counts: typed shifts beside punched ones, whatever the seconds."""

from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from flask_app.clock import to_minute
from flask_app.models import Job, Shift, User, committing, db
from flask_app.models.errors import RuleViolation
from flask_app.reporting.timesheet import TimeRules, Timesheet, worked_minutes
from flask_app.timeclock import ledger
from flask_app.timeclock.ledger import Actor, Unchanged
from tests.conftest import NOW
from tests.examples import examples
from tests.shop import RULES, punch_in, punch_out

BEGIN = (NOW - timedelta(hours=20)).replace(second=0)
seconds = st.integers(0, 8 * 60)  # eight minutes are enough to meet
punches = st.lists(st.tuples(seconds, st.integers(0, 150)), max_size=4)
verbs = st.sampled_from(["add", "amend"])
typed = st.lists(st.tuples(verbs, st.integers(0, 9), st.integers(0, 4)), max_size=8)


@pytest.fixture
def shop(app_context, cast, add_job) -> tuple[User, User, Job]:
    job = db.session.get_one(Job, add_job("4512"))
    return db.session.get_one(User, cast.ana), db.session.get_one(User, cast.grace), job


def instant(second: int):
    return BEGIN + timedelta(seconds=second)


def punch_all(shop, pairs) -> None:
    """Punch one after the other, as a person would: each begins when the one before has ended."""
    ana, _, job = shop
    last = 0
    for pause, length in pairs:
        last += pause
        shift = punch_in(ana, job, instant(last))
        last += length
        punch_out(shift, instant(last))


def type_one(shop, what: str, minute: int, length: int) -> None:
    ana, grace, job = shop
    begin = BEGIN + timedelta(minutes=minute)
    how: dict[str, Any] = {"by": Actor(grace), "at": NOW, "reason": "Asked"}
    end = begin + timedelta(minutes=length)
    mine = shown()
    free = all(end <= start or stop <= begin for start, stop in mine)
    if what == "add":
        if free:  # what the screen shows as free can be typed in, whatever the seconds
            committing(lambda: ledger.add(ana, job, begin, end, **how))
            return
        with pytest.raises(RuleViolation):
            committing(lambda: ledger.add(ana, job, begin, end, **how))
    elif shifts := db.session.scalars(select(Shift).order_by(Shift.id)).all():
        with suppress(RuleViolation):
            committing(lambda: ledger.amend(shifts[minute % len(shifts)], begin, end, job, **how))


def shown():
    rows = db.session.scalars(select(Shift)).all()
    return sorted((to_minute(row.started_at), to_minute(row.ended_at)) for row in rows)


@examples(15)
@given(pairs=punches, changes=typed)
def test_typed_shifts_fit_beside_punched_ones_by_the_minutes_that_are_shown(shop, pairs, changes):
    db.session.execute(Shift.__table__.delete())
    db.session.commit()
    punch_all(shop, pairs)
    for change in changes:
        type_one(shop, *change)
    mine = shown()
    for (_, ended), (started, _) in zip(mine, mine[1:], strict=False):
        assert ended <= started
    shifts = db.session.scalars(select(Shift)).all()
    assert all(shift.started_at <= shift.ended_at for shift in shifts)
    sheet = Timesheet(shifts, rules=TimeRules(RULES.zone), now=NOW)
    assert sheet.minutes == sum(worked_minutes(start, end) for start, end in mine)


@examples(15)
@given(start=st.integers(0, 59), end=st.integers(0, 59), minutes=st.integers(0, 3))
def test_what_a_form_shows_sent_back_untouched_changes_nothing(shop, start, end, minutes):
    ana, grace, job = shop
    db.session.execute(Shift.__table__.delete())
    db.session.commit()
    began, ended = instant(start), instant(max(start, end) + 60 * minutes)
    shift = punch_in(ana, job, began)
    punch_out(shift, ended)
    how: dict[str, Any] = {"by": Actor(grace), "at": NOW, "reason": "Asked"}
    done = committing(lambda: ledger.amend(shift, to_minute(began), to_minute(ended), job, **how))
    assert isinstance(done, Unchanged)
    assert (shift.started_at, shift.ended_at, shift.edited_at) == (began, ended, None)
