"""Jobs follow Dataverse, the shop's own edits stay; reading changes ends where reading everything does."""

import shutil
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sqlalchemy import select

from flask_app import create_app
from flask_app.config import Config
from flask_app.im_number import im_key
from flask_app.models import Job, Shift, SyncRun, User, committing, db
from flask_app.models.errors import RuleViolation
from flask_app.models.sync_run import Leftover, SyncChange
from flask_app.standin import Standin
from flask_app.standin.clock import as_text, from_text
from flask_app.sync.approved_jobs import rehearse, sync_approved_jobs
from flask_app.sync.decision import TAKEN
from tests.conftest import NOW, dataverse_settings
from tests.examples import examples
from tests.shop import punch_in

NOT_APPROVED, APPROVED = 826130002, 826130004


@pytest.fixture
def app(make_app, standin):
    return make_app(dataverse=dataverse_settings(standin))


@pytest.fixture
def sync(app_context):
    """Run a sync and return its result; "login" reads only what has changed."""

    def run(trigger="button"):
        result = sync_approved_jobs(trigger=trigger)
        assert not result.failed, result.message
        db.session.commit()
        db.session.expire_all()
        return result

    return run


def job(im_number="4512"):
    return db.session.scalar(select(Job).where(Job.im_number == im_number))


def edit(found, **form):
    committing(lambda: found.edit(form, at=NOW))


def add(standin, im_number="4512", **columns):
    row = {"imi_gc": "Gilbane", "imi_scopesummary": "Reception desk", "imi_jobnameaddress": ""}
    return standin.add(imi_imnumber=im_number, **{**row, **columns})


both = pytest.mark.parametrize("trigger", ["button", "login"])


@both
def test_a_job_takes_over_what_changes_in_dataverse(sync, standin, trigger):
    row = add(standin)
    sync()
    standin.change(row, imi_gc="Suffolk", imi_jobnameaddress="1 Pier Road")
    result = sync(trigger)
    assert (job().general_contractor, job().job_name_address) == ("Suffolk", "1 Pier Road")
    assert (result.updated, result.message) == (1, "1 job changed in Dataverse.")
    changes = {(c.field, c.old, c.new) for c in db.session.scalars(select(SyncChange))}
    assert changes == {("general_contractor", "Gilbane", "Suffolk"), ("job_name_address", "", "1 Pier Road")}


@both
def test_a_field_edited_in_the_shop_stays_the_shops(sync, standin, trigger):
    row = add(standin)
    sync()
    edit(job(), general_contractor="Gilbane South", job_scope="Reception desk")
    standin.change(row, imi_gc="Suffolk", imi_scopesummary="Wall panels")
    sync(trigger)
    assert job().general_contractor == "Gilbane South"
    assert job().job_scope == "Wall panels"
    assert job().dataverse_says == {"general_contractor": "Suffolk"}


def test_a_field_can_be_handed_back_to_dataverse(sync, standin):
    row = add(standin)
    sync()
    edit(job(), general_contractor="Gilbane South")
    committing(lambda: job().follow_again("general_contractor", at=NOW))
    assert (job().general_contractor, job().dataverse_says) == ("Gilbane", {})
    standin.change(row, imi_gc="Suffolk")
    sync()
    assert job().general_contractor == "Suffolk"
    with pytest.raises(RuleViolation):
        job().follow_again("general_contractor", at=NOW)


@both
def test_a_job_typed_by_hand_is_linked_and_keeps_its_hours_and_words(sync, standin, add_job, cast, trigger):
    add(standin, "4000")
    sync()
    typed = add_job(" 4512", general_contractor="Gilbane (Joe)", job_scope="Reception desk")
    punch_in(db.session.get(User, cast.ana), db.session.get(Job, typed), NOW)
    row = add(standin, imi_jobnameaddress="Pier 4")
    result = sync(trigger)
    linked = db.session.get(Job, typed)
    assert (result.added, result.linked) == (0, 1)
    assert (linked.dataverse_id, linked.general_contractor, linked.job_name_address) == (
        row,
        "Gilbane (Joe)",
        "Pier 4",
    )
    assert linked.dataverse_says == {"general_contractor": "Gilbane"}
    assert Shift.open_of(db.session.get(User, cast.ana)).job_id == typed


@both
@pytest.mark.parametrize(("typed", "after"), [("Pier 4 (rear)", "Pier 4 (rear)"), ("", "Pier 4")])
def test_a_linked_job_keeps_the_name_that_was_typed_in_if_there_was_one(
    sync, standin, add_job, trigger, typed, after
):
    job_id = add_job("4512", general_contractor="Gilbane", job_scope="Reception desk", job_name_address=typed)
    add(standin, imi_jobnameaddress="Pier 4")
    sync(trigger)
    linked = db.session.get(Job, job_id)
    assert linked.job_name_address == after
    assert linked.dataverse_says == ({"job_name_address": "Pier 4"} if typed else {})


@both
@pytest.mark.parametrize(
    ("what", "upstream_state"),
    [
        (lambda standin, row: standin.change(row, imi_submittalstatus=NOT_APPROVED), "not_approved"),
        (lambda standin, row: standin.change(row, statecode=1), "deactivated"),
        (lambda standin, row: standin.delete(row), "deleted"),
    ],
)
def test_a_job_that_dataverse_has_no_more_stays_and_is_marked(sync, standin, trigger, what, upstream_state):
    row = add(standin)
    add(standin, "4513")
    sync()
    what(standin, row)
    result = sync(trigger)
    assert (result.gone, job().upstream_state, job().is_active) == (1, upstream_state, True)
    assert job().dataverse_since is not None
    assert Job.gone_but_active() == [job()]
    if upstream_state != "deleted":
        standin.change(row, imi_submittalstatus=APPROVED, statecode=0)
        sync(trigger)
        assert (job().upstream_state, job().dataverse_since) == ("approved", None)


def test_a_number_changed_in_dataverse_is_told_and_not_taken_over(sync, standin):
    row = add(standin)
    sync()
    standin.change(row, imi_imnumber="9999")
    sync()
    assert (job("9999"), job().dataverse_says) == (None, {"im_number": "9999"})
    assert [(c.field, c.old, c.new) for c in db.session.scalars(select(SyncChange))] == [
        ("im_number", "4512", "9999")
    ]
    committing(lambda: job().follow_again("im_number", at=NOW))
    assert job("9999").dataverse_id == row


@both
def test_a_second_row_with_the_number_waits_until_the_first_is_gone(sync, standin, trigger):
    first = add(standin)
    sync()
    second = add(standin, " 4512 ", imi_gc="Stiles")
    assert [row.dataverse_id for row in sync(trigger).skipped] == [second]
    assert job().dataverse_id == first
    standin.change(first, statecode=1)
    assert "1 job follows another row of Dataverse now" in sync(trigger).message
    assert (job().dataverse_id, job().general_contractor) == (second, "Stiles")
    assert Leftover.everything() == []


@both
def test_a_row_deleted_and_made_again_with_its_number_is_the_same_job(sync, standin, trigger):
    first = add(standin)
    sync()
    before = job().id
    standin.delete(first)
    second = add(standin, imi_gc="Stiles")
    result = sync(trigger)
    assert (result.added, result.linked, result.gone) == (0, 1, 0)
    assert (job().id, job().dataverse_id, job().general_contractor) == (before, second, "Stiles")
    assert {(c.field, c.new) for c in SyncRun.latest(limit=1)[0].changes} == {
        ("link", second), ("general_contractor", "Stiles"),
    }  # fmt: skip


@both
def test_a_renumbered_row_that_was_made_again_is_found_by_its_number_there(sync, standin, trigger):
    """Here 4512, in Dataverse 9999: the row that is made again is 9999, and no other job is."""
    row = add(standin)
    sync()
    before = job().id
    standin.change(row, imi_imnumber="9999")
    sync()
    standin.delete(row)
    again = add(standin, "9999")
    result = sync(trigger)
    assert (result.added, result.linked, result.gone) == (0, 1, 0)
    assert (job().id, job().dataverse_id, job().dataverse_says) == (before, again, {"im_number": "9999"})


@both
def test_swapped_numbers_and_then_a_table_imported_again_keep_the_hours_with_their_jobs(
    sync, standin, trigger
):
    rows = [add(standin, number, imi_gc=f"First {number}") for number in ("1", "2")]
    sync()
    ids = {number: job(number).id for number in ("1", "2")}
    for row, number in zip(rows, ("2", "1"), strict=True):
        standin.change(row, imi_imnumber=number)
    sync()
    for row in rows:
        standin.delete(row)
    again = {number: add(standin, number, imi_gc=f"First {3 - int(number)}") for number in ("1", "2")}
    assert sync(trigger).linked == 2
    assert {number: job(number).dataverse_id for number in ids} == {"1": again["2"], "2": again["1"]}
    committing(lambda: job("1").follow_again("im_number", at=NOW))
    assert {number: job(number).id for number in ids} == {"1": ids["2"], "2": ids["1"]}


@both
def test_a_job_that_comes_back_says_so_in_the_ledger(sync, standin, trigger):
    row = add(standin)
    sync()
    standin.change(row, imi_submittalstatus=NOT_APPROVED)
    sync()
    standin.change(row, imi_submittalstatus=APPROVED)
    result = sync(trigger)
    assert (result.returned, result.message) == (1, "1 job is approved in Dataverse again.")
    [change] = SyncRun.latest(limit=1)[0].changes
    assert (change.field, change.old, change.new) == ("upstream_state", "not_approved", "approved")


def test_a_row_that_was_mended_in_dataverse_comes_in(sync, standin):
    row = standin.add(imi_imnumber=None, imi_gc="Gilbane")
    assert sync().skipped[0].reason == "The IM number is missing."
    standin.change(row, imi_imnumber="4512")
    assert sync("login").added == 1
    assert Leftover.everything() == []


def test_a_login_reads_only_what_has_changed(sync, standin):
    for number in range(4000, 4030):
        add(standin, str(number), modifiedon="2026-01-01T00:00:00Z")
    row = add(standin, "5000")
    sync()
    standin.change(row, imi_gc="Suffolk")
    sync("login")
    run = SyncRun.latest(limit=1)[0]
    assert (run.is_full, run.updated, run.rows) == (False, 1, 1)


def test_a_row_from_the_future_does_not_hide_later_changes(sync, standin):
    add(standin, "4600", modifiedon="2199-01-01T00:00:00Z")
    row = add(standin)
    sync()
    standin.change(row, imi_gc="Suffolk")
    sync("login")
    assert job().general_contractor == "Suffolk"


def test_a_rehearsal_tells_everything_and_changes_nothing(sync, standin, add_job):
    changed, gone = add(standin), add(standin, "4513")
    sync()
    runs = len(SyncRun.latest())
    db.session.rollback()
    add_job("4514", general_contractor="By hand")
    standin.change(changed, imi_gc="Suffolk")
    standin.delete(gone)
    add(standin, "4514")
    add(standin, "4515")
    plan = rehearse()
    assert [row.im_number for row in plan.new] == ["4515"]
    assert {(c.im_number, c.field, c.new) for c in plan.changes if c.field != "link"} == {
        ("4512", "general_contractor", "Suffolk"),
        ("4513", "upstream_state", "deleted"),
    }
    assert [linked.im_number for linked in plan.decision.linked] == ["4514"]
    db.session.expire_all()
    assert (job().general_contractor, job("4513").upstream_state, job("4515")) == (
        "Gilbane",
        "approved",
        None,
    )
    assert len(SyncRun.latest()) == runs


step = st.one_of(
    st.tuples(
        st.just("add"), st.sampled_from(["1", "2", "１", "a", "A ", None]), st.sampled_from(["x", "y"])
    ),
    st.tuples(st.just("change"), st.integers(0, 9), st.sampled_from(["x", "z"])),
    st.tuples(st.just("number"), st.integers(0, 9), st.sampled_from(["1", "2", "3", None])),
    st.tuples(st.just("status"), st.integers(0, 9), st.sampled_from([APPROVED, NOT_APPROVED])),
    st.tuples(st.just("state"), st.integers(0, 9), st.sampled_from([0, 1])),
    st.tuples(st.just("delete"), st.integers(0, 9), st.none()),
    st.tuples(st.just("swap"), st.integers(0, 9), st.integers(0, 9)),
    st.tuples(st.just("again"), st.integers(0, 9), st.none()),
    st.tuples(st.just("table again"), st.none(), st.none()),
    st.tuples(st.just("close"), st.sampled_from(["1", "2", "a"]), st.none()),
    st.tuples(st.just("follow"), st.sampled_from(["1", "2", "3", "a"]), st.none()),
    st.tuples(st.just("work"), st.sampled_from(["1", "2", "a"]), st.none()),
    st.tuples(st.just("edit"), st.sampled_from(["1", "2", "a"]), st.sampled_from(["x", "shop"])),
    st.tuples(st.just("type"), st.sampled_from(["1", "2", "a"]), st.sampled_from(["x", "shop"])),
    st.tuples(st.just("sync"), st.none(), st.none()),
)


BY_HAND = ("edit", "type", "close", "follow", "work")
COLUMNS = {
    "change": "imi_gc", "number": "imi_imnumber", "status": "imi_submittalstatus", "state": "statecode",
}  # fmt: skip


@contextmanager
def hours_between_steps():
    """Let an hour of Dataverse's time pass at each step, or every change would be within the overlap."""
    began, steps = datetime.now(UTC) - timedelta(days=2), []
    ticking = SimpleNamespace(
        utc_now=lambda: began + len(steps) * timedelta(hours=1), as_text=as_text, from_text=from_text
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("flask_app.standin.table.clock", ticking)
        yield lambda: steps.append(None)


def perform(action, which, value, standin, apps):
    rows = sorted(row["imi_jobid"] for row in standin.rows())
    row = rows[which % len(rows)] if isinstance(which, int) and rows else None
    if action in BY_HAND:
        for app in apps:
            with app.app_context():
                _by_hand(action, which, value)
    elif action == "sync":
        for app, trigger in zip(apps, ("button", "login"), strict=True):
            with app.app_context():
                sync_and_look(trigger, standin)
    elif action == "add":
        standin.add(imi_imnumber=which, imi_gc=value)
    elif action == "table again":
        make_again(standin, rows)
    elif row:
        in_dataverse(action, row, value, standin, rows)


def in_dataverse(action, row, value, standin, rows):
    if action == "delete":
        standin.delete(row)
    elif action == "again":
        make_again(standin, [row])
    elif action == "swap":
        numbers = {r["imi_jobid"]: r["imi_imnumber"] for r in standin.rows()}
        other = rows[value % len(rows)]
        standin.change(row, imi_imnumber=numbers[other])
        standin.change(other, imi_imnumber=numbers[row])
    else:
        standin.change(row, **{COLUMNS[action]: value})


def make_again(standin, rows):
    """Delete rows, and add the same with new ids."""
    for old in standin.rows():
        if old["imi_jobid"] in rows:
            standin.delete(old["imi_jobid"])
            standin.add(**{name: old[name] for name in COLUMNS.values()})


def sync_and_look(trigger, standin):
    """Sync, and see that it kept the shop's promises."""
    before, hours = followed_jobs(), worked()
    assert not sync_approved_jobs(trigger=trigger).failed
    db.session.expire_all()
    rows = {row["imi_jobid"]: row for row in standin.rows()}
    approved = {
        row_id
        for row_id, row in rows.items()
        if row["imi_submittalstatus"] == APPROVED and row["statecode"] == 0
    }
    after = followed_jobs()
    assert worked() == hours  # no hours move
    assert after.keys() <= approved  # nothing is called approved that is not,
    assert before.keys() & approved <= after.keys()  # nothing not approved that is,
    assert all(after[row_id] == before[row_id] for row_id in before.keys() & after.keys())  # and no job moves
    deleted = db.session.scalars(select(Job.dataverse_id).where(Job.upstream_state == "deleted"))
    assert not set(deleted) & rows.keys()
    left = {leftover.dataverse_id: leftover for leftover in Leftover.everything()}
    assert approved <= after.keys() | left.keys()  # each has a job, or is told
    for row_id in left.keys() - after.keys():
        look_at_reason(left[row_id], rows, after)


def look_at_reason(left, rows, followed):
    """What is said of a row that can't come in is true."""
    holder = Job.exactly(left.im_number) if left.row else None
    if left.reason == TAKEN:
        assert holder.id in followed.values()
    elif left.row:
        there = rows[holder.dataverse_id]["imi_imnumber"] if holder.dataverse_id in rows else None
        assert left.reason.startswith(f"Job {holder.im_number} has the number ")
        assert there is None or im_key(there) != im_key(left.im_number)


def followed_jobs():
    """Which job each approved row has."""
    query = select(Job.dataverse_id, Job.id).where(Job.upstream_state == "approved")
    return dict(db.session.execute(query).all())


def worked():
    return db.session.execute(select(Shift.id, Shift.job_id).order_by(Shift.id)).all()


def _by_hand(action, im_number, contractor):
    found = db.session.scalar(select(Job).where(Job.im_key == im_number.upper()))
    if action == "close" and found:
        committing(lambda: found.edit({"status": 0}, at=NOW))
    elif action == "follow" and found:
        with suppress(RuleViolation):
            committing(lambda: found.follow_again("im_number", at=NOW))
    elif action == "work" and found:
        db.session.add(Shift(user_id=1, job_id=found.id, started_at=NOW, ended_at=NOW, note=""))
        db.session.commit()
    elif action == "edit" and found:
        committing(lambda: found.edit({"general_contractor": contractor}, at=NOW))
    elif action == "type" and not found:
        form = {"im_number": im_number, "general_contractor": contractor, "job_scope": "Typed"}
        user = db.session.scalar(select(User))
        committing(lambda: Job.create(form, by=user, at=NOW))


def state_of(app):
    with app.app_context():
        jobs = {
            (j.im_number, j.general_contractor, j.job_scope, j.dataverse_id, j.upstream_state, j.fingerprint,
             tuple(sorted(j.dataverse_says.items())), j.status, j.returned_at is not None)
            for j in db.session.scalars(select(Job))
        }  # fmt: skip
        left = {(row.dataverse_id, row.im_number, row.reason) for row in Leftover.everything()}
        db.session.rollback()
        return jobs, left


SYNC = ("sync", None, None)
# Two rows with one number: whichever has the job, the other one takes it over when the first goes away.
ONE_WAITS = [("add", "1", "x"), ("add", "1", "y"), ("add", "2", "x"), SYNC] + [
    step for row in range(3) for step in (("state", row, 1), SYNC, ("state", row, 0), SYNC)
]
TWO = [("add", "1", "x"), ("add", "2", "y"), SYNC, ("work", "1", None), ("work", "2", None)]
SWAPPED = [*TWO, ("swap", 0, 1), SYNC]


@examples(10)
@example(history=ONE_WAITS)
@example(history=[*SWAPPED, ("follow", "1", None), SYNC, ("table again", None, None)])
@example(history=[*SWAPPED, ("table again", None, None), SYNC, ("follow", "2", None)])
@example(history=[*TWO, ("number", 0, "3"), ("number", 1, "3"), SYNC, ("again", 0, None), ("add", "2", "x")])
@example(history=[*TWO, ("close", "1", None), ("status", 0, NOT_APPROVED), SYNC, ("status", 0, APPROVED)])
@given(history=st.lists(step, min_size=3, max_size=14))
def test_reading_changes_ends_where_reading_everything_does(history, sqlite_template, tmp_path_factory):
    folder = tmp_path_factory.mktemp("histories")
    apps = []
    with Standin() as standin, hours_between_steps() as an_hour_passes:
        for name in ("full", "changes"):
            shutil.copy(sqlite_template, folder / f"{name}.db")
            config = Config(
                database_url=f"sqlite:///{folder / name}.db", secret_key="k" * 32, bcrypt_rounds=4
            )
            app = create_app(replace(config, dataverse=dataverse_settings(standin)))
            form = {"first_name": "Ana", "last_name": "D", "email": "a@b.cd", "department": "CUT_SHOP"}
            with app.app_context():
                committing(
                    lambda form=form: User.create({**form, "password": "p" * 9}, at=NOW, approved=True)
                )
            apps.append(app)
        for action in [*history, SYNC, SYNC]:
            an_hour_passes()
            what, which, value = action
            perform(what, which, value, standin, apps)
            if action[0] == "sync":
                assert state_of(apps[0]) == state_of(apps[1])
    for app in apps:
        app.extensions["engine"].dispose()


def test_a_row_that_is_known_to_be_in_anothers_way_is_told_once_and_by_the_full_runs_only(sync, standin):
    standin.add(imi_imnumber="4512")
    standin.add(imi_imnumber="4512")
    assert [len(kept_skips(sync(trigger))) for trigger in ("login", "login", "button", "login")] == [
        1,
        0,
        1,
        0,
    ]


def kept_skips(result):
    return db.session.get(SyncRun, result.run_id).skips
