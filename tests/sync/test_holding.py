"""What is too much to be believed, over real HTTP: held back, confirmed, dismissed, cleared again."""

from collections.abc import Callable

import pytest
from flask import Flask
from sqlalchemy import select

from flask_app.models import Audit, Job, SyncHold, SyncRun, User, committing, db
from flask_app.models.errors import RuleViolation
from flask_app.models.sync_hold import APPLIED, CLEARED, CONFIRMED, DISMISSED, OPEN
from flask_app.models.sync_run import POLL
from flask_app.standin import Standin
from flask_app.sync.approved_jobs import rehearse
from tests.conftest import NOW
from tests.connected import PATIENCE, connect, runs, sync
from tests.sync.sync_processes import decide_at_once, press, processes

NOT_APPROVED, APPROVED = 826130002, 826130004
HELD = "An admin has to look at it."


@pytest.fixture
def shop(make_app: Callable[..., Flask], standin: Standin, app: Flask, cast) -> Flask:
    """The shop's 60 jobs: N0 to N59."""
    app = connect(make_app, standin)
    for n in range(60):
        standin.add(imi_imnumber=f"N{n}", imi_gc=f"Contractor {n}")
    assert sync(app).added == 60
    return app


@pytest.fixture
def ids(standin: Standin, shop: Flask) -> list[str]:
    rows = {row["imi_imnumber"]: row["imi_jobid"] for row in standin.rows()}
    return [rows[f"N{n}"] for n in range(60)]


def jobs(app: Flask) -> dict[str, tuple[str, str]]:
    with app.app_context():
        rows = db.session.execute(select(Job.im_number, Job.general_contractor, Job.upstream_state))
        return {number: (contractor, state) for number, contractor, state in rows}


def gone(app: Flask) -> int:
    return sum(state != "approved" for _, state in jobs(app).values())


def holds(app: Flask) -> list[tuple[str, str, int]]:
    with app.app_context():
        found = db.session.scalars(select(SyncHold).order_by(SyncHold.id))
        return [(hold.kind, hold.state, len(hold.job_ids)) for hold in found]


def decide(app: Flask, state: str, cast) -> None:
    with app.app_context():
        hold, grace = SyncHold.current()[0], db.session.get_one(User, cast.grace)
        committing(lambda: hold.decide(state, by=grace, at=NOW))


def lose(standin: Standin, ids: list[str]) -> None:
    for row_id in ids:
        standin.change(row_id, imi_submittalstatus=NOT_APPROVED)


def take_back(standin: Standin, ids: list[str]) -> None:
    for row_id in ids:
        standin.change(row_id, imi_submittalstatus=APPROVED)


@pytest.mark.parametrize("trigger", ["button", "login"])
@pytest.mark.parametrize("how", ["not approved", "deleted"])
def test_more_than_a_fifth_gone_is_held_and_the_rest_of_the_run_is_done(shop, standin, ids, trigger, how):
    lose(standin, ids[:13]) if how == "not approved" else [standin.delete(row_id) for row_id in ids[:13]]
    standin.change(ids[20], imi_gc="Suffolk")
    standin.add(imi_imnumber="N60")
    result = sync(shop, trigger=trigger)
    assert (result.gone, result.held, result.added, result.updated) == (0, 13, 1, 1)
    assert "Dataverse says that 13 of 60 jobs are not approved any more." in result.message
    assert HELD in result.message
    assert (gone(shop), jobs(shop)["N20"][0], "N60" in jobs(shop)) == (0, "Suffolk", True)
    assert holds(shop) == [("gone", OPEN, 13)]


def test_a_fifth_is_believed(shop, standin, ids):
    lose(standin, ids[:12])
    result = sync(shop)
    assert (result.gone, result.held, holds(shop)) == (12, 0, [])


def test_nine_are_believed_however_few_there_are(make_app, standin, app, cast):
    shop = connect(make_app, standin)
    ids = [standin.add(imi_imnumber=f"N{n}") for n in range(10)]
    sync(shop)
    lose(standin, ids[:9])
    assert (sync(shop).gone, holds(shop)) == (9, [])
    lose(standin, ids[9:])
    assert (sync(shop).gone, gone(shop)) == (1, 10)


def test_the_same_again_does_not_pile_up_and_a_good_answer_clears_it(shop, standin, ids):
    lose(standin, ids[:20])
    for trigger in ("button", "login", POLL, POLL, POLL, "schedule"):
        assert sync(shop, trigger=trigger).held == 20
    assert holds(shop) == [("gone", OPEN, 20)]
    assert {run.is_full for run in runs(shop)} == {True}  # only everything tells
    lose(standin, ids[20:25])
    assert sync(shop).held == 25
    take_back(standin, ids[:25])
    result = sync(shop, trigger="login")
    assert (result.held, result.gone, holds(shop), gone(shop)) == (0, 0, [("gone", CLEARED, 25)], 0)
    lose(standin, ids[:30])
    assert sync(shop).held == 30
    assert holds(shop) == [("gone", CLEARED, 25), ("gone", OPEN, 30)]


def test_what_was_confirmed_is_decided_again_and_only_what_is_still_so_is_done(shop, standin, ids, cast):
    lose(standin, ids[:20])
    sync(shop)
    decide(shop, CONFIRMED, cast)
    take_back(standin, ids[:5])  # meanwhile
    result = sync(shop)
    assert (result.gone, result.held, gone(shop)) == (15, 0, 15)
    assert jobs(shop)["N0"][1] == "approved"
    assert holds(shop) == [("gone", APPLIED, 20)]


def test_a_confirmation_is_not_for_others_that_went_since(shop, standin, ids, cast):
    lose(standin, ids[:15])
    sync(shop)
    decide(shop, CONFIRMED, cast)
    lose(standin, ids[15:40])
    result = sync(shop)
    assert (result.gone, result.held, gone(shop)) == (15, 25, 15)
    assert holds(shop) == [("gone", APPLIED, 15), ("gone", OPEN, 25)]


def test_a_confirmation_outlives_a_sync_that_fails(shop, standin, ids, cast):
    lose(standin, ids[:15])
    sync(shop)
    decide(shop, CONFIRMED, cast)
    standin.faults.fail(403, times=None)
    assert sync(shop).failed
    assert holds(shop) == [("gone", CONFIRMED, 15)]
    standin.faults.clear()
    assert sync(shop, trigger="login").gone == 15


def test_what_was_dismissed_stays_as_it_is_and_others_are_followed(shop, standin, ids, cast):
    lose(standin, ids[:15])
    sync(shop)
    decide(shop, DISMISSED, cast)
    lose(standin, ids[15:17])
    result = sync(shop, trigger="login")
    assert (result.gone, result.held) == (2, 0)
    assert "An admin has dismissed that: they stay as they are." in result.message
    assert holds(shop) == [("gone", DISMISSED, 15)]
    lose(standin, ids[17:40])
    assert sync(shop).held == 15 + 23  # so many more have to be looked at
    assert holds(shop) == [("gone", OPEN, 38)]
    take_back(standin, ids[:40])
    sync(shop)
    assert (holds(shop), gone(shop)) == ([("gone", CLEARED, 38)], 0)


@pytest.mark.parametrize("trigger", ["button", "login"])
def test_contractors_that_go_blank_on_many_rows_are_kept_and_told(shop, standin, ids, trigger):
    for row_id in ids[:14]:
        standin.change(row_id, imi_gc=None, imi_scopesummary="Wall panels")
    result = sync(shop, trigger=trigger)
    assert result.held == 14
    assert "Dataverse has no general contractor any more for 14 of 60 jobs." in result.message
    assert jobs(shop)["N3"][0] == "Contractor 3"
    with shop.app_context():
        assert db.session.scalar(select(Job.job_scope).where(Job.im_number == "N3")) == "Wall panels"
    assert sync(shop, trigger="login").held == 14
    for row_id in ids[:14]:
        standin.change(row_id, imi_gc="Suffolk")
    assert sync(shop).updated == 14
    assert holds(shop) == [("general_contractor", CLEARED, 14)]


def test_blank_contractors_that_were_confirmed_are_blank(shop, standin, ids, cast):
    for row_id in ids[:14]:
        standin.change(row_id, imi_gc="")
    sync(shop)
    decide(shop, CONFIRMED, cast)
    result = sync(shop)
    assert (result.held, result.updated, jobs(shop)["N3"][0]) == (0, 14, "Unknown")
    assert sync(shop).message.startswith("Nothing new")


def test_one_contractor_taken_out_is_taken_out(shop, standin, ids):
    standin.change(ids[3], imi_gc=None)
    assert (sync(shop, trigger="login").updated, jobs(shop)["N3"][0]) == (1, "Unknown")


@pytest.mark.parametrize("trigger", ["button", "login"])
def test_the_only_contractor_that_goes_blank_may_be_hidden_and_is_kept(make_app, standin, app, cast, trigger):
    """Of few rows nobody knows whether column security hides the column: it is null on every row."""
    shop = connect(make_app, standin)
    row = standin.add(imi_imnumber="4512", imi_gc="Gilbane")
    standin.add(imi_imnumber="4513", imi_gc=None)
    sync(shop)
    standin.change(row, imi_gc=None)
    result = sync(shop, trigger=trigger)
    assert (result.held, jobs(shop)["4512"][0]) == (1, "Gilbane")
    decide(shop, CONFIRMED, cast)
    assert (sync(shop).held, jobs(shop)["4512"][0]) == (0, "Unknown")


def test_a_rehearsal_tells_what_would_be_held_and_holds_nothing(shop, standin, ids):
    lose(standin, ids[:15])
    with shop.app_context():
        plan = rehearse()
        assert HELD in plan.summary()
    assert holds(shop) == []


def test_a_whole_table_made_again_is_no_loss(shop, standin, ids):
    """A re-import with new ids: every row deleted, every number there again."""
    for n, row_id in enumerate(ids):
        standin.delete(row_id)
        standin.add(imi_imnumber=f"N{n}", imi_gc=f"Contractor {n}")
    result = sync(shop, trigger="login")
    assert (result.linked, result.gone, result.held, result.added) == (60, 0, 0, 0)
    assert result.message.startswith("60 jobs follow other rows of Dataverse now")
    assert gone(shop) == 0
    assert len(jobs(shop)) == 60


def test_what_is_settled_cannot_be_decided_and_what_is_decided_is_written_down(shop, standin, ids, cast):
    lose(standin, ids[:15])
    sync(shop)
    with shop.app_context():
        hold = SyncHold.current()[0]
    decide(shop, CONFIRMED, cast)
    with shop.app_context():
        row = Audit.of("setting", hold.id)[0]
        assert (row.by_id, row.changes) == (cast.grace, {"state": [OPEN, CONFIRMED]})
    sync(shop)
    with shop.app_context():
        grace = db.session.get_one(User, cast.grace)
        hold = db.session.get_one(SyncHold, hold.id)
        with pytest.raises(RuleViolation, match="Already settled"):
            committing(lambda: hold.decide(DISMISSED, by=grace, at=NOW))
        assert SyncRun.latest(limit=1)[0].held == 0


def test_processes_that_sync_at_once_apply_a_confirmation_once(shop, standin, ids, cast):
    lose(standin, ids[:20])
    sync(shop)
    decide(shop, CONFIRMED, cast)
    start, answers = processes.Barrier(3), processes.Queue()
    config = shop.extensions["settings"]
    pressing = [processes.Process(target=press, args=(config, start, answers), daemon=True) for _ in range(3)]
    for process in pressing:
        process.start()
    for process in pressing:
        process.join(PATIENCE)
    assert (holds(shop), gone(shop)) == ([("gone", APPLIED, 20)], 20)
    assert sum(run.gone for run in runs(shop)) == 20


def test_two_admins_who_decide_at_once_are_one_after_the_other(shop, standin, ids, cast):
    """Each decision is a row of the audit that goes on from the one before: none is lost."""
    lose(standin, ids[:20])
    sync(shop)
    rounds, barrier, answers = 20, processes.Barrier(2), processes.Queue()
    config = shop.extensions["settings"]
    deciding = [
        processes.Process(
            target=decide_at_once, args=(config, cast.grace, state, rounds, barrier, answers), daemon=True
        )
        for state in (CONFIRMED, DISMISSED)
    ]
    for process in deciding:
        process.start()
    for process in deciding:
        process.join(PATIENCE)
    with shop.app_context():
        [hold] = SyncHold.current()
        steps = [row.changes["state"] for row in reversed(Audit.of("setting", hold.id))]
    assert steps[0][0] == OPEN
    assert all(before[1] == after[0] for before, after in zip(steps, steps[1:], strict=False))
    assert steps[-1][1] == hold.state
