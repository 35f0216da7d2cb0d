"""An admin's own hours, typed: another admin decides, if there is one."""

from datetime import timedelta
from typing import Any

import pytest

from flask_app.models import Audit, Correction, Job, Shift, User, committing, db
from flask_app.models.errors import RuleViolation
from flask_app.timeclock import ledger
from flask_app.timeclock.corrections import add_or_ask, amend_or_ask, approve, delete_or_ask
from flask_app.timeclock.ledger import Actor, Changed
from flask_app.timeclock.shift_rows import OwnHours
from tests.conftest import NOW
from tests.shop import punch_in

HOUR = timedelta(hours=1)


@pytest.fixture
def shop(app_context, cast, add_job) -> tuple[User, User, Job]:
    """Ana, who is an admin too, Grace, and a job."""
    job = db.session.get_one(Job, add_job("4512"))
    ana, grace = (db.session.get_one(User, person) for person in (cast.ana, cast.grace))
    committing(lambda: setattr(ana, "department", "ADMINISTRATIVE"))
    return ana, grace, job


def alone(grace: User) -> None:
    committing(lambda: grace.deactivate(at=NOW))


def how(by: User) -> dict[str, Any]:
    return {"by": Actor(by), "at": NOW, "reason": "Came earlier"}


def test_an_admins_own_change_waits_for_another_admin(shop):
    ana, grace, job = shop
    shift = punch_in(ana, job, NOW - HOUR)
    asked = committing(lambda: amend_or_ask(shift, NOW - 2 * HOUR, None, job, note="Desk", **how(ana)))
    assert isinstance(asked, Correction)
    assert (shift.started_at, shift.edited_at, shift.note) == (NOW - HOUR, None, "Desk")
    committing(lambda: approve(asked, by=grace, at=NOW))
    assert (shift.started_at, shift.edited_at) == (NOW - 2 * HOUR, NOW)


def test_an_admins_own_missing_shift_waits_too(shop):
    ana, grace, job = shop
    asked = committing(lambda: add_or_ask(ana, job, NOW - 2 * HOUR, NOW - HOUR, **how(ana)))
    assert isinstance(asked, Correction)
    assert db.session.query(Shift).count() == 0
    committing(lambda: approve(asked, by=grace, at=NOW))
    assert db.session.query(Shift).one().ended_at == NOW - HOUR


def test_an_admins_own_shift_is_deleted_by_another_admin(shop):
    ana, grace, job = shop
    shift = punch_in(ana, job, NOW - HOUR)
    asked, again = (committing(lambda: delete_or_ask(shift, **how(ana))) for _ in range(2))
    assert isinstance(asked, Correction)
    assert asked is again
    assert Correction.waiting() == [asked]
    with pytest.raises(RuleViolation, match="Another admin"):
        committing(lambda: approve(asked, by=ana, at=NOW))
    committing(lambda: approve(asked, by=grace, at=NOW))
    assert db.session.query(Shift).count() == 0
    assert Audit.of("shift", shift.id)[0].action == "deleted"


def test_a_shift_that_changed_since_is_not_deleted_by_an_old_request(shop):
    ana, grace, job = shop
    shift = punch_in(ana, job, NOW - HOUR)
    asked = committing(lambda: delete_or_ask(shift, **how(ana)))
    assert isinstance(asked, Correction)
    committing(lambda: ledger.amend(shift, NOW - 2 * HOUR, None, job, **how(grace)))
    with pytest.raises(RuleViolation, match="has changed since"):
        committing(lambda: approve(asked, by=grace, at=NOW))
    assert db.session.query(Shift).count() == 1


def test_the_only_admin_deletes_the_own_shift_at_once(shop):
    ana, grace, job = shop
    alone(grace)
    shift = punch_in(ana, job, NOW - HOUR)
    assert committing(lambda: delete_or_ask(shift, **how(ana))) is shift
    assert db.session.query(Shift).count() == 0


def test_nothing_typed_about_ones_own_hours_gets_past_the_ledger(shop):
    ana, _, job = shop
    shift = punch_in(ana, job, NOW - HOUR)
    works = (
        lambda: ledger.add(ana, job, NOW - 3 * HOUR, NOW - 2 * HOUR, **how(ana)),
        lambda: ledger.amend(shift, NOW - 2 * HOUR, None, job, **how(ana)),
        lambda: ledger.delete(shift, **how(ana)),
        lambda: ledger.assign(ana, job, NOW - HOUR / 2, ending=shift, **how(ana)),
    )
    for work in works:
        with pytest.raises(OwnHours, match="Another admin"):
            committing(work)
    assert shift.started_at == NOW - HOUR
    assert shift.is_open


def test_the_only_admin_is_not_kept_from_anything(shop):
    ana, grace, job = shop
    alone(grace)
    shift = punch_in(ana, job, NOW - HOUR)
    done = committing(lambda: amend_or_ask(shift, NOW - 2 * HOUR, None, job, **how(ana)))
    assert isinstance(done, Changed)


def test_an_admins_own_punches_count_at_once(shop):
    ana, _, job = shop
    done = committing(lambda: ledger.assign(ana, job, NOW, **how(ana)))
    assert done.shift.is_open
