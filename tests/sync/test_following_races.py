"""A sync and an admin at the same moment: neither's work is lost, and nobody is refused for nothing."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event, select

from flask_app.models import Job, User, committing, db
from flask_app.models.errors import ValidationError
from flask_app.standin import Standin
from flask_app.sync import approved_jobs as sync_module
from flask_app.sync import plan
from tests.conftest import NOW, PASSWORD
from tests.connected import PATIENCE, connect, numbers, sync

MakeApp = Callable[..., Flask]


@pytest.fixture
def shop(make_app: MakeApp, standin: Standin) -> Flask:
    return connect(make_app, standin)


@pytest.fixture
def desk(make_app: MakeApp) -> Flask:
    """The admin's application: another process's, with connections of its own."""
    return make_app()


@pytest.fixture
def admin(desk: Flask) -> int:
    """Somebody who can type a job in; the id."""
    form = {
        "first_name": "Grace",
        "last_name": "W",
        "email": "g@shop.example",
        "department": "ADMINISTRATIVE",
    }
    with desk.app_context():
        return committing(lambda: User.create({**form, "password": PASSWORD}, at=NOW, approved=True)).id


def job_of(app: Flask, im_number: str = "4512") -> Job:
    with app.app_context():
        return db.session.scalars(select(Job).where(Job.im_number == im_number)).one()


def edit(app: Flask, **form: str) -> None:
    with app.app_context():
        job = db.session.scalars(select(Job).where(Job.im_number == "4512")).one()
        db.session.commit()
        committing(lambda: job.edit(form, at=NOW))


def type_in(app: Flask, im_number: str) -> None:
    form = {"im_number": im_number, "general_contractor": "By hand", "job_scope": "Desk"}
    with app.app_context():
        committing(lambda: Job.create(form, by=db.session.scalars(select(User)).one(), at=NOW))


@contextmanager
def meanwhile(work: Callable[[], None]) -> Iterator[list[BaseException]]:
    """Do `work` in a thread; its end is waited for, what it raised is told."""
    raised: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001  # told to the test
            raised.append(error)

    thread = Thread(target=run)
    thread.start()
    yield raised
    thread.join(PATIENCE)
    assert not thread.is_alive()


@contextmanager
def after(owner: Any, step: str, work: Callable[[], None]) -> Iterator[list[str]]:
    """Do `work` when the sync has come through `step` for the first time; each time that it does is told."""
    passed: list[str] = []
    real = getattr(owner, step)

    def stopped(*arguments: Any, **named: Any) -> Any:
        result = real(*arguments, **named)
        passed.append(step)
        if len(passed) == 1:
            work()
        return result

    setattr(owner, step, stopped)
    try:
        yield passed
    finally:
        setattr(owner, step, real)


class Lock:
    """Knows when an application asks for what it may have to wait for: SQLite's write lock, a row of jobs."""

    def __init__(self, app: Flask) -> None:
        self._asked = Event()
        event.listen(app.extensions["engine"], "before_cursor_execute", self._note)

    def _note(self, _connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        writes = statement.startswith(("BEGIN IMMEDIATE", "UPDATE jobs", "INSERT INTO jobs"))
        if writes or "FOR UPDATE" in statement:
            self._asked.set()

    def wait(self) -> None:
        assert self._asked.wait(PATIENCE)


# --- an edit while a sync applies


def test_an_edit_between_reading_and_applying_stays_the_shops(
    shop: Flask, desk: Flask, standin: Standin
) -> None:
    row = standin.add(imi_imnumber="4512", imi_gc="Gilbane", imi_scopesummary="Desk")
    sync(shop)
    standin.change(row, imi_gc="Suffolk", imi_scopesummary="Panels")

    with after(sync_module, "read_everything", lambda: edit(desk, general_contractor="Gilbane South")):
        sync(shop)

    job = job_of(shop)
    assert (job.general_contractor, job.job_scope) == ("Gilbane South", "Panels")
    assert job.dataverse_says == {"general_contractor": "Suffolk"}


@pytest.mark.parametrize("step", ["states", "update_jobs"])
def test_an_edit_while_the_sync_holds_the_job_comes_after_it_and_stays_the_shops(
    shop: Flask, desk: Flask, standin: Standin, step: str
) -> None:
    """The sync has decided what the job becomes; the edit must neither vanish nor undo the rest."""
    row = standin.add(imi_imnumber="4512", imi_gc="Gilbane", imi_scopesummary="Desk")
    sync(shop)
    standin.change(row, imi_gc="Suffolk", imi_scopesummary="Panels")
    lock, may_go = Lock(desk), Event()

    def edit_then() -> None:
        may_go.wait(PATIENCE)
        edit(desk, general_contractor="Gilbane South", context="Ask Luis")

    def let_go() -> None:
        may_go.set()
        lock.wait()

    with meanwhile(edit_then) as raised, after(plan, step, let_go):
        assert sync(shop).updated == 1

    job = job_of(shop)
    assert raised == []
    assert (job.general_contractor, job.job_scope, job.context) == ("Gilbane South", "Panels", "Ask Luis")
    assert job.dataverse_says == {"general_contractor": "Suffolk"}


def test_a_sync_waits_for_an_edit_that_has_begun_and_sees_it(
    shop: Flask, desk: Flask, standin: Standin
) -> None:
    row = standin.add(imi_imnumber="4512", imi_gc="Gilbane", imi_scopesummary="Desk")
    sync(shop)
    standin.change(row, imi_gc="Suffolk", imi_scopesummary="Panels")
    lock, may_go = Lock(shop), Event()

    def sync_then() -> None:
        may_go.wait(PATIENCE)
        sync(shop)

    with meanwhile(sync_then) as raised, desk.app_context():
        job = db.session.scalars(select(Job)).one()
        job.edit({"general_contractor": "Gilbane South"}, at=NOW)
        may_go.set()
        lock.wait()
        db.session.commit()

    job = job_of(shop)
    assert raised == []
    assert (job.general_contractor, job.job_scope) == ("Gilbane South", "Panels")
    assert job.dataverse_says == {"general_contractor": "Suffolk"}


def test_edits_and_syncs_one_upon_the_other_lose_nothing(shop: Flask, desk: Flask, standin: Standin) -> None:
    row = standin.add(imi_imnumber="4512", imi_gc="Gilbane", imi_scopesummary="Desk")
    sync(shop)

    def edits() -> None:
        for n in range(20):
            edit(desk, general_contractor=f"Ours {n}", context=f"Note {n}")

    with meanwhile(edits) as raised:
        for n in range(8):
            standin.change(row, imi_gc=f"Theirs {n}", imi_scopesummary=f"Scope {n}")
            sync(shop, trigger="login" if n % 2 else "button")

    job = job_of(shop)
    assert raised == []
    assert (job.general_contractor, job.context, job.job_scope) == ("Ours 19", "Note 19", "Scope 7")
    assert job.dataverse_says == {"general_contractor": "Theirs 7"}


def test_handing_a_field_back_while_a_sync_applies_takes_what_dataverse_says_now(
    shop: Flask, desk: Flask, standin: Standin
) -> None:
    row = standin.add(imi_imnumber="4512", imi_gc="Gilbane")
    sync(shop)
    edit(desk, general_contractor="Gilbane South")
    standin.change(row, imi_gc="Suffolk")
    lock, may_go = Lock(desk), Event()

    def hand_back() -> None:
        may_go.wait(PATIENCE)
        with desk.app_context():
            job = db.session.scalars(select(Job)).one()
            db.session.commit()
            committing(lambda: job.follow_again("general_contractor", at=NOW))

    def let_go() -> None:
        may_go.set()
        lock.wait()

    with meanwhile(hand_back) as raised, after(plan, "states", let_go):
        sync(shop)

    assert raised == []
    assert (job_of(shop).general_contractor, job_of(shop).dataverse_says) == ("Suffolk", {})


# --- the same number typed in


def test_a_number_typed_in_while_dataverse_is_read_is_linked(
    shop: Flask, desk: Flask, standin: Standin, admin: int
) -> None:
    row = standin.add(imi_imnumber="4512", imi_gc="Gilbane")

    with after(sync_module, "read_everything", lambda: type_in(desk, "4512")):
        result = sync(shop)

    job = job_of(shop)
    assert (result.added, result.linked, numbers(shop)) == (0, 1, ["4512"])
    assert (job.dataverse_id, job.general_contractor, job.user_id) == (row, "By hand", admin)


@pytest.mark.parametrize("database_url", ["mariadb"], indirect=True)
def test_a_number_typed_in_after_the_sync_has_decided_is_linked_all_the_same(
    shop: Flask, desk: Flask, standin: Standin, admin: int
) -> None:
    """Its guard is the unique key: the sync decides once more. (SQLite admits no second writer here.)"""
    row, other = standin.add(imi_imnumber="4512", imi_gc="Gilbane"), standin.add(imi_imnumber="4513")

    with after(plan, "decide", lambda: type_in(desk, "4512")) as decided:
        result = sync(shop)

    assert len(decided) == 2
    assert (result.added, result.linked, numbers(shop)) == (1, 1, ["4512", "4513"])
    assert (job_of(shop).dataverse_id, job_of(shop, "4513").dataverse_id) == (row, other)


def test_a_number_typed_in_just_after_the_sync_has_inserted_it_is_refused_in_a_sentence(
    shop: Flask, desk: Flask, standin: Standin, admin: int
) -> None:
    standin.add(imi_imnumber="4512", imi_gc="Gilbane")
    lock, may_go = Lock(desk), Event()

    def type_then() -> None:
        may_go.wait(PATIENCE)
        type_in(desk, "4512")

    def let_go() -> None:
        may_go.set()
        lock.wait()

    with meanwhile(type_then) as raised, after(plan, "insert_jobs", let_go):
        assert sync(shop).added == 1

    [refusal] = raised
    assert isinstance(refusal, ValidationError)
    assert str(refusal) == "There is already a job 4512."
    assert job_of(shop).general_contractor == "Gilbane"
