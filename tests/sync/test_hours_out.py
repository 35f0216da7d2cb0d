"""Hours that go back to Dataverse, over real HTTPS: what is owed, sent, refused and kept."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from flask import Flask
from sqlalchemy import select

from flask_app.dataverse.hours import HoursTable
from flask_app.models import HoursSent, Job, OwedHours, Shift, User, WriteBack, committing, db
from flask_app.models.owed_hours import LEASE, PARKED, SENT
from flask_app.standin import Standin
from flask_app.standin.access import Access
from flask_app.sync.hours_out import Pass, WriteBackRefused, send_owed_hours, start, would_change
from flask_app.timeclock import ledger
from flask_app.timeclock.ledger import Actor
from tests import shop
from tests.conftest import Cast
from tests.connected import connect, counted_statements, sync

MakeApp = Callable[..., Flask]
MORNING = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


@pytest.fixture
def app(make_app: MakeApp, standin: Standin) -> Flask:
    return connect(make_app, standin, settings={"write_back": "hours"})


@pytest.fixture
def job(app: Flask, cast: Cast, standin: Standin) -> str:
    """A job that came from Dataverse; its row's id."""
    row = standin.add(imi_imnumber="4512")
    sync(app)
    return row


def begin(app: Flask, cast: Cast, *, everything: bool = True) -> None:
    with app.app_context():
        organization, _ = would_change()
        start(organization, everything=everything, by=db.session.get_one(User, cast.grace), at=MORNING)


def work(app: Flask, person: int, hours: float, *, number: str = "4512", start_at: datetime = MORNING) -> int:
    """Let somebody punch in and, so many hours later, out; return the shift's id."""
    with app.app_context():
        job = Job.numbered(number)
        assert job is not None
        shift = shop.punch_in(db.session.get_one(User, person), job, start_at)
        shop.punch_out(shift, start_at + timedelta(hours=hours))
        return shift.id


def send(app: Flask, at: datetime = MORNING + 12 * HOUR) -> Pass | None:
    with time_machine.travel(at, tick=False), app.app_context():
        return send_owed_hours(now=at)


def there(standin: Standin, number: str = "4512") -> Any:
    """Return what stands in Dataverse."""
    return next(row["imi_actualhours"] for row in standin.rows() if row["imi_imnumber"] == number)


def writes(standin: Standin) -> list[str]:
    return [
        r.method for r in standin.requests if r.method == "PATCH" or "Multiple" in r.path or "batch" in r.path
    ]


def owed(app: Flask) -> list[OwedHours]:
    with app.app_context():
        return list(db.session.scalars(select(OwedHours).order_by(OwedHours.job_id)))


def lines(app: Flask) -> list[tuple[str, float | None, float | None]]:
    with app.app_context():
        return [(line.outcome, line.before, line.now) for line in reversed(HoursSent.latest())]


def test_a_punch_out_brings_the_total_to_dataverse(
    app: Flask, cast: Cast, job: str, standin: Standin
) -> None:
    begin(app, cast)
    work(app, cast.ana, 2.5)
    work(app, cast.luis, 1)

    done = send(app)

    assert done is not None
    assert (done.sent, done.trouble, there(standin)) == (1, "", 3.5)
    assert lines(app) == [(SENT, None, 3.5)]
    assert send(app) is None


def test_an_open_shift_does_not_count_yet(app: Flask, cast: Cast, job: str, standin: Standin) -> None:
    begin(app, cast)
    with app.app_context():
        found = Job.numbered("4512")
        assert found is not None
        shop.punch_in(db.session.get_one(User, cast.ana), found, MORNING)

    send(app)

    assert there(standin) is None


def test_every_change_of_a_shift_is_owed(app: Flask, cast: Cast, job: str, standin: Standin) -> None:
    standin.add(imi_imnumber="4513")
    sync(app)
    begin(app, cast)
    shift_id, at = work(app, cast.ana, 2), MORNING + 12 * HOUR
    send(app, at)

    def change(**to: Any) -> None:
        with app.app_context():
            by, shift = Actor(db.session.get_one(User, cast.grace)), db.session.get_one(Shift, shift_id)
            values = {"started_at": shift.started_at, "ended_at": shift.ended_at, "job": shift.job, **to}
            committing(lambda: ledger.amend(shift, **values, by=by, at=at, reason="Forgot."))

    change(ended_at=MORNING + 3 * HOUR)
    send(app, at)
    assert there(standin) == 3

    with app.app_context():
        other = Job.numbered("4513")
    change(job=other)
    send(app, at)
    assert (there(standin), there(standin, "4513")) == (0, 3)

    with app.app_context():
        by, shift = Actor(db.session.get_one(User, cast.grace)), db.session.get_one(Shift, shift_id)
        committing(lambda: ledger.delete(shift, by=by, at=at, reason="Twice."))
    send(app, at)
    assert (there(standin), there(standin, "4513")) == (0, 0)


@pytest.mark.parametrize(("counts", "first"), [(False, None), (True, 3.5)])
def test_an_assumed_end_counts_when_it_is_confirmed_or_if_the_shop_says_so(
    make_app: MakeApp, cast: Cast, standin: Standin, counts: bool, first: float | None
) -> None:
    app = connect(make_app, standin, settings={"write_back": "hours", "writes_assumed_hours": counts})
    standin.add(imi_imnumber="4512")
    sync(app)
    begin(app, cast)
    at = MORNING + 12 * HOUR
    with app.app_context():
        found = Job.numbered("4512")
        assert found is not None
        shift = shop.punch_in(db.session.get_one(User, cast.ana), found, MORNING)
        clock = Actor(None)
        committing(
            lambda: ledger.assume_end(shift, MORNING + 3.5 * HOUR, by=clock, at=at, reason="Left open.")
        )
    send(app, at)
    assert there(standin) == first

    with app.app_context():
        shift = db.session.get_one(Shift, shift.id)
        committing(lambda: ledger.confirm_end(shift, by=Actor(db.session.get_one(User, cast.ana)), at=at))
    send(app, at)
    assert there(standin) == 3.5


def test_nothing_is_written_before_an_admin_has_started_it(
    app: Flask, cast: Cast, job: str, standin: Standin
) -> None:
    work(app, cast.ana, 2)

    assert send(app) is None
    assert writes(standin) == []


def test_from_now_on_leaves_what_was_there_before(app: Flask, cast: Cast, job: str, standin: Standin) -> None:
    standin.change(job, imi_actualhours=40.0)
    standin.add(imi_imnumber="4513")
    sync(app)
    work(app, cast.ana, 2)
    begin(app, cast, everything=False)
    assert send(app) is None
    assert there(standin) == 40

    work(app, cast.luis, 1.25, number="4513")
    send(app)
    assert (there(standin), there(standin, "4513")) == (40, 1.25)

    work(app, cast.luis, 1, start_at=MORNING + 3 * HOUR)
    send(app)
    assert there(standin) == 3
    assert lines(app)[-1] == (SENT, 40, 3)  # what was overwritten


def test_the_rehearsal_tells_what_would_change_and_writes_nothing(
    app: Flask, cast: Cast, job: str, standin: Standin
) -> None:
    standin.change(job, imi_actualhours=1.0)
    standin.add(imi_imnumber="4513")
    sync(app)
    work(app, cast.ana, 2)

    with app.app_context():
        _, changes = would_change()

    assert [(one.job.im_number, one.before, one.now) for one in changes] == [("4512", 1.0, 2.0)]
    assert writes(standin) == []


def test_a_value_that_is_right_already_is_not_written(
    app: Flask, cast: Cast, job: str, standin: Standin
) -> None:
    standin.change(job, imi_actualhours=2.0)
    begin(app, cast)
    work(app, cast.ana, 2)

    done = send(app)

    assert done is not None
    assert (done.same, done.sent, writes(standin), lines(app)) == (1, 0, [], [])


def test_hours_are_rounded_to_what_the_column_keeps(
    app: Flask, cast: Cast, job: str, standin: Standin
) -> None:
    begin(app, cast)
    work(app, cast.ana, 65 / 60)

    send(app)

    assert there(standin) == 1.08
    assert send(app) is None


def test_a_job_that_is_linked_later_is_owed_then(
    app: Flask, cast: Cast, add_job: Callable[..., int], standin: Standin
) -> None:
    begin(app, cast)
    add_job("4512")
    work(app, cast.ana, 2)
    assert send(app) is None

    standin.add(imi_imnumber="4512")
    sync(app)
    send(app)

    assert there(standin) == 2


def test_a_closed_job_stays_right(app: Flask, cast: Cast, job: str, standin: Standin) -> None:
    begin(app, cast)
    shift_id = work(app, cast.ana, 2)
    with app.app_context():
        found = Job.numbered("4512")
        assert found is not None
        committing(lambda: found.edit({"status": 0}, at=MORNING))
        by, shift = Actor(db.session.get_one(User, cast.grace)), db.session.get_one(Shift, shift_id)
        at = MORNING + 12 * HOUR
        committing(lambda: ledger.delete(shift, by=by, at=at, reason="Not here."))
    work_there = there(standin)

    send(app)

    assert (work_there, there(standin)) == (None, None)


def test_many_jobs_go_in_few_requests(app: Flask, cast: Cast, standin: Standin) -> None:
    for number in range(5000, 5010):
        standin.add(imi_imnumber=str(number))
    sync(app)
    begin(app, cast)
    for hour, number in enumerate(range(5000, 5010)):
        work(app, cast.ana, 1, number=str(number), start_at=MORNING + hour * HOUR)
    standin.requests.clear()

    done = send(app)

    assert done is not None
    assert done.sent == 10
    assert [request.path.rpartition("/")[2] for request in standin.requests] == [
        "WhoAmI", "imi_jobs", "Microsoft.Dynamics.CRM.UpdateMultiple",
    ]  # fmt: skip


def test_one_refused_row_does_not_keep_the_others_from_being_written(
    app: Flask, cast: Cast, job: str, standin: Standin, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = standin.add(imi_imnumber="4513")
    sync(app)
    begin(app, cast)
    work(app, cast.ana, 2)
    work(app, cast.luis, 3, number="4513")
    present = HoursTable.present

    def and_then_deleted(table: Any, ids: Any, statistics: Any = None) -> Any:
        found = present(table, ids, statistics)
        if any(row["imi_imnumber"] == "4513" for row in standin.rows()):
            standin.delete(gone)
        return found

    monkeypatch.setattr(HoursTable, "present", and_then_deleted)

    done = send(app)

    assert done is not None
    assert (done.sent, done.parked, there(standin)) == (1, 1, 2)
    with app.app_context():
        [parked] = OwedHours.parked()
        assert (parked.job.im_number, "Does Not Exist" in parked.trouble) == ("4513", True)
    assert send(app) is None  # it is not asked again and again


def test_what_was_parked_is_tried_again_when_asked_to(
    app: Flask, cast: Cast, job: str, standin: Standin
) -> None:
    begin(app, cast)
    standin.delete(job)
    work(app, cast.ana, 2)
    assert getattr(send(app), "parked", None) == 1

    with app.app_context():
        assert committing(OwedHours.try_again) == 1
    assert getattr(send(app), "parked", None) == 1


@pytest.mark.parametrize("fault", [503, 429])
def test_an_outage_keeps_what_is_owed(app: Flask, cast: Cast, job: str, standin: Standin, fault: int) -> None:
    begin(app, cast)
    work(app, cast.ana, 2)
    standin.faults.fail(fault, times=None, retry_after=90)

    done = send(app)
    assert done is not None
    assert (done.sent, f"HTTP {fault}" in done.trouble) == (0, True)

    standin.faults.clear()
    at = MORNING + 12 * HOUR
    assert send(app, at + MINUTE) is None  # Dataverse wants to be left alone
    send(app, at + LEASE + MINUTE)
    assert there(standin) == 2


def test_without_the_right_to_write_the_rows_are_parked_with_the_privilege_s_name(
    app: Flask, cast: Cast, job: str, standin: Standin
) -> None:
    begin(app, cast)
    work(app, cast.ana, 2)
    standin.access.write = False

    done = send(app)

    assert done is not None
    assert done.parked == 1
    with app.app_context():
        assert "prvWrite" in OwedHours.parked()[0].trouble
    assert there(standin) is None


def test_another_organization_is_not_written_to(app: Flask, cast: Cast, job: str, standin: Standin) -> None:
    begin(app, cast)
    work(app, cast.ana, 2)
    with app.app_context():
        row = WriteBack.current()
        row.organization_id = "11111111-1111-1111-1111-111111111111"
        db.session.commit()

    done = send(app)

    assert done is not None
    assert "another organization" in done.trouble
    assert writes(standin) == []


def test_another_organization_than_the_one_that_was_seen_is_not_started(
    app: Flask, cast: Cast, job: str
) -> None:
    with app.app_context():
        grace = db.session.get_one(User, cast.grace)
        with pytest.raises(WriteBackRefused, match="another organization"):
            start("11111111-1111-1111-1111-111111111111", everything=True, by=grace, at=MORNING)


def test_without_the_metadata_nothing_is_written(make_app: MakeApp, cast: Cast) -> None:
    with Standin(access=Access(metadata=False)) as standin:
        app = connect(make_app, standin, settings={"write_back": "hours"})
        standin.add(imi_imnumber="4512")
        sync(app)
        with app.app_context(), pytest.raises(WriteBackRefused, match="prvRead"):
            would_change()


def test_a_table_without_the_column_is_told(make_app: MakeApp, cast: Cast) -> None:
    with Standin(without=["imi_actualhours"]) as standin:
        app = connect(make_app, standin, settings={"write_back": "hours"})
        with app.app_context(), pytest.raises(WriteBackRefused, match="no column imi_actualhours"):
            would_change()


def test_stopped_it_writes_nothing_and_forgets_nothing(
    app: Flask, cast: Cast, job: str, standin: Standin
) -> None:
    begin(app, cast)
    with app.app_context():
        committing(lambda: WriteBack.stop(by=db.session.get_one(User, cast.grace), at=MORNING))
    work(app, cast.ana, 2)
    assert send(app) is None
    assert there(standin) is None

    begin(app, cast)
    send(app)
    assert there(standin) == 2


def test_hours_that_changed_while_it_was_off_are_noticed(
    make_app: MakeApp, app: Flask, cast: Cast, job: str, standin: Standin
) -> None:
    begin(app, cast)
    work(app, cast.ana, 2)
    send(app)
    without = connect(make_app, standin)  # another program on this database, that owes nothing
    work(without, cast.luis, 1)

    send(app, MORNING + 48 * HOUR)

    assert there(standin) == 3


def test_a_total_that_changes_while_it_is_sent_is_sent_again(
    app: Flask, cast: Cast, job: str, standin: Standin, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(app, cast)
    work(app, cast.ana, 2)
    write, more = HoursTable.write, [1.0]

    def meanwhile(table: Any, hours: Any, statistics: Any = None) -> Any:
        if more:
            work(app, cast.luis, more.pop())
        return write(table, hours, statistics)

    monkeypatch.setattr(HoursTable, "write", meanwhile)

    send(app)

    assert there(standin) == 3
    assert [(line[1], line[2]) for line in lines(app)] == [(None, 2), (2, 3)]


def test_a_sender_that_was_killed_leaves_its_rows_to_the_next_one(
    app: Flask, cast: Cast, job: str, standin: Standin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And a request of it that comes through late is noticed: the row is looked at once more."""
    begin(app, cast)
    work(app, cast.ana, 2)
    at = MORNING + 12 * HOUR
    with monkeypatch.context() as killed:
        killed.setattr(HoursTable, "write", lambda *_: (_ for _ in ()).throw(SystemExit))
        killed.setattr(OwedHours, "release", lambda *_args, **_named: None)
        with pytest.raises(SystemExit):
            send(app, at)

    assert send(app, at + MINUTE) is None or there(standin) is None
    work(app, cast.luis, 1)
    send(app, at + LEASE + MINUTE)
    assert there(standin) == 3

    standin.change(job, imi_actualhours=2.0)  # the dead one's request arrives
    send(app, at + 2 * LEASE + 3 * MINUTE)
    assert there(standin) == 3
    assert send(app, at + 2 * LEASE + 4 * MINUTE) is None


def test_a_punch_costs_no_statement_more_while_it_is_off(
    make_app: MakeApp, app: Flask, cast: Cast, job: str
) -> None:
    off = make_app()
    with counted_statements(off) as statements:
        work(off, cast.ana, 1)

    assert not [statement for statement in statements if "owed_hours" in statement]


def test_parked_is_a_word_of_the_ledger(app: Flask, cast: Cast, job: str, standin: Standin) -> None:
    begin(app, cast)
    standin.delete(job)
    work(app, cast.ana, 2)
    send(app)

    assert [line[0] for line in lines(app)] == [PARKED]
