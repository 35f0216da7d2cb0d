"""Production phases that go to Dataverse, over real HTTPS: forward only, never over what was set by hand."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st

from flask_app.dataverse.phases import PhaseTable
from flask_app.models import Job, JobPhase, PhaseRule, PhaseSent, TaskRun, User, committing, db
from flask_app.models.job_phase import BY_HAND, CLOSED, FIRST_PUNCH, PARKED, SHARE, WRITTEN
from flask_app.models.task_run import LAPSE
from flask_app.standin import Standin
from flask_app.sync.phases_out import (
    PhasePass,
    PhasesRefused,
    is_forward,
    send_phases,
    start_phases,
    target,
    would_move,
)
from flask_app.utils.scheduler_tasks import PHASES, automated_phases
from tests import shop
from tests.conftest import Cast
from tests.connected import connect, sync, words

ENGINEERING, MACHINING, ASSEMBLY, FINISHING, SHIPPED = range(826130000, 826130005)
MORNING = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


@pytest.fixture
def app(make_app: Callable[..., Flask], standin: Standin) -> Flask:
    return connect(make_app, standin, settings={"phase_rules": True, "login_sync_minutes": 0})


@pytest.fixture
def job(app: Flask, cast: Cast, standin: Standin) -> str:
    """A job of Dataverse that is being engineered; its row's id."""
    row = standin.add(imi_imnumber="4512", imi_productionphase=ENGINEERING)
    sync(app)
    return row


def rules() -> list[PhaseRule]:
    return [
        PhaseRule(event=FIRST_PUNCH, phase=MACHINING, label="Machining", position=1),
        PhaseRule(event=SHARE, phase=ASSEMBLY, label="Assembly", position=2, percent=50),
        PhaseRule(event=CLOSED, phase=SHIPPED, label="Shipped", position=4),
    ]


def begin(app: Flask, cast: Cast) -> None:
    with app.app_context():
        organization, _choices, _moves = would_move(rules())
        start_phases(organization, rules(), by=db.session.get_one(User, cast.grace), at=MORNING)


def send(app: Flask) -> PhasePass:
    with app.app_context():
        done = send_phases(now=MORNING)
    assert done is not None
    return done


def punch(app: Flask, cast: Cast, hours: float | None = None) -> None:
    with app.app_context():
        job = Job.numbered("4512")
        assert job is not None
        shift = shop.punch_in(db.session.get_one(User, cast.ana), job, MORNING)
        if hours is not None:
            shop.punch_out(shift, MORNING + timedelta(hours=hours))


def change(app: Flask, **fields: Any) -> None:
    with app.app_context():
        job = Job.numbered("4512")
        assert job is not None
        committing(lambda: job.edit(fields, at=MORNING))


def phase(standin: Standin) -> Any:
    return standin.rows()[0]["imi_productionphase"]


def lines(app: Flask) -> list[tuple[str, int | None, int | None]]:
    with app.app_context():
        return [(line.outcome, line.before, line.now) for line in reversed(PhaseSent.latest())]


def test_the_phase_follows_the_work(app: Flask, cast: Cast, job: str, standin: Standin) -> None:
    begin(app, cast)
    send(app)
    assert phase(standin) == ENGINEERING

    change(app, estimated_hours=10.0)
    punch(app, cast, hours=2)
    send(app)
    assert phase(standin) == MACHINING

    with app.app_context():
        found = Job.numbered("4512")
        assert found is not None
        shift = shop.punch_in(db.session.get_one(User, cast.luis), found, MORNING)
        shop.punch_out(shift, MORNING + timedelta(hours=3))
    send(app)
    assert phase(standin) == ASSEMBLY

    change(app, status=0)
    send(app)
    assert phase(standin) == SHIPPED
    assert lines(app) == [
        (WRITTEN, ENGINEERING, MACHINING), (WRITTEN, MACHINING, ASSEMBLY), (WRITTEN, ASSEMBLY, SHIPPED),
    ]  # fmt: skip
    assert send(app).counts == {}


def test_a_phase_that_was_set_by_hand_is_left_alone(
    app: Flask, cast: Cast, job: str, standin: Standin
) -> None:
    begin(app, cast)
    standin.change(job, imi_productionphase=None)
    punch(app, cast)

    assert send(app).counts == {BY_HAND: 1}
    change(app, status=0)
    send(app)

    assert phase(standin) is None
    assert lines(app) == [(BY_HAND, None, None)]


def test_the_phase_that_the_rules_lead_to_is_by_hand_too_if_somebody_set_it(
    app: Flask, cast: Cast, job: str, standin: Standin
) -> None:
    begin(app, cast)
    standin.change(job, imi_productionphase=MACHINING)
    punch(app, cast, hours=1)

    assert send(app).counts == {BY_HAND: 1}
    change(app, status=0)
    send(app)

    assert phase(standin) == MACHINING


def test_a_phase_that_is_set_back_by_hand_after_a_write_stays_there(
    app: Flask, cast: Cast, job: str, standin: Standin
) -> None:
    begin(app, cast)
    punch(app, cast, hours=1)
    send(app)
    standin.change(job, imi_productionphase=ENGINEERING)
    change(app, status=0)

    assert send(app).counts == {BY_HAND: 1}
    assert phase(standin) == ENGINEERING


def test_it_never_goes_back(app: Flask, cast: Cast, job: str, standin: Standin) -> None:
    standin.change(job, imi_productionphase=FINISHING)
    begin(app, cast)
    punch(app, cast)

    send(app)
    assert phase(standin) == FINISHING

    change(app, status=0)
    send(app)
    assert phase(standin) == SHIPPED


def test_a_row_that_changes_while_it_is_decided_is_read_again(
    app: Flask, cast: Cast, job: str, standin: Standin, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(app, cast)
    punch(app, cast)
    write = PhaseTable.write

    def meanwhile(table: Any, *what: Any) -> None:
        standin.change(job, imi_gc="Marlowe Brothers")
        write(table, *what)

    with monkeypatch.context() as changed:
        changed.setattr(PhaseTable, "write", meanwhile)
        assert send(app).counts == {}
    assert phase(standin) == ENGINEERING

    send(app)
    assert phase(standin) == MACHINING


def test_a_program_that_was_killed_after_the_write_knows_its_own_phase_again(
    app: Flask, cast: Cast, job: str, standin: Standin, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(app, cast)
    punch(app, cast, hours=1)
    write = PhaseTable.write

    def then_killed(table: Any, *what: Any) -> None:
        write(table, *what)
        raise SystemExit

    with monkeypatch.context() as killed:
        killed.setattr(PhaseTable, "write", then_killed)
        with pytest.raises(SystemExit):
            send(app)
    change(app, status=0)  # the rules lead further before the next pass

    send(app)

    assert phase(standin) == SHIPPED
    assert [line[0] for line in lines(app)] == [WRITTEN]


def test_what_dataverse_refuses_waits_until_it_is_tried_again(
    app: Flask, cast: Cast, job: str, standin: Standin
) -> None:
    begin(app, cast)
    punch(app, cast)
    standin.access.write = False
    assert send(app).counts == {PARKED: 1}
    assert send(app).counts == {}
    with app.app_context():
        assert "prvWrite" in JobPhase.parked()[0].trouble

    standin.access.write = True
    with app.app_context():
        assert committing(JobPhase.try_again) == 1
    send(app)
    assert phase(standin) == MACHINING


def test_a_row_that_dataverse_does_not_show_is_parked_and_not_asked_about_again(
    app: Flask, cast: Cast, job: str, standin: Standin
) -> None:
    begin(app, cast)
    standin.delete(job)
    punch(app, cast)

    assert send(app).counts == {PARKED: 1}
    standin.requests.clear()
    assert send(app).counts == {}
    assert standin.requests == []
    with app.app_context():
        assert "no such row" in JobPhase.parked()[0].trouble


def test_a_pass_ends_in_time_and_the_next_one_goes_on(
    app: Flask, cast: Cast, job: str, standin: Standin, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(app, cast)
    punch(app, cast)
    with monkeypatch.context() as late:
        late.setattr("flask_app.sync.phases_out.ENOUGH", 1e6)
        assert (send(app).counts, phase(standin)) == ({}, ENGINEERING)

    send(app)
    assert phase(standin) == MACHINING


def look(app: Flask, at: datetime) -> None:
    """Let a scheduler look for phases to write at this moment."""
    with time_machine.travel(at, tick=False):
        automated_phases(app)


def test_a_pass_leaves_another_one_alone_that_is_still_under_way(
    app: Flask, cast: Cast, job: str, standin: Standin
) -> None:
    begin(app, cast)
    punch(app, cast)
    with app.app_context():
        before = TaskRun.claim(PHASES, due_at=MORNING, now=MORNING)
    assert before is not None
    look(app, MORNING + timedelta(minutes=3))
    assert phase(standin) == ENGINEERING

    with app.app_context():
        committing(lambda: before.finish("", now=MORNING + timedelta(minutes=4)))
    look(app, MORNING + timedelta(minutes=4))
    assert phase(standin) == MACHINING


def test_a_pass_that_was_killed_does_not_stop_the_others_for_ever(
    app: Flask, cast: Cast, job: str, standin: Standin
) -> None:
    begin(app, cast)
    punch(app, cast)
    with app.app_context():
        assert TaskRun.claim(PHASES, due_at=MORNING, now=MORNING) is not None
    look(app, MORNING + LAPSE)
    assert phase(standin) == MACHINING


def test_a_rest_that_dataverse_asks_for_is_kept(app: Flask, cast: Cast, job: str, standin: Standin) -> None:
    begin(app, cast)
    punch(app, cast)
    standin.faults.throttle(seconds=3600, times=None)
    look(app, MORNING)
    standin.faults.clear()
    standin.requests.clear()
    for minutes in (3, 30, 59):
        look(app, MORNING + timedelta(minutes=minutes))
    assert standin.requests == []

    look(app, MORNING + timedelta(minutes=63))
    assert phase(standin) == MACHINING


def test_an_outage_is_told_and_made_up_for(app: Flask, cast: Cast, job: str, standin: Standin) -> None:
    begin(app, cast)
    punch(app, cast)
    standin.faults.fail(503, times=None)
    assert "HTTP 503" in send(app).trouble

    standin.faults.clear()
    send(app)
    assert phase(standin) == MACHINING


def test_another_organization_is_refused_at_the_start(app: Flask, cast: Cast, job: str) -> None:
    with app.app_context():
        grace = db.session.get_one(User, cast.grace)
        with pytest.raises(PhasesRefused, match="another organization"):
            start_phases("elsewhere", rules(), by=grace, at=MORNING)


def test_a_job_that_is_linked_later_starts_from_what_stands_there(
    app: Flask, cast: Cast, job: str, standin: Standin
) -> None:
    begin(app, cast)
    standin.delete(job)
    standin.add(imi_imnumber="4512", imi_productionphase=None)
    sync(app)
    punch(app, cast)

    send(app)

    assert phase(standin) == MACHINING


def test_what_stood_there_at_linking_counts_not_what_was_set_before_the_first_punch(
    app: Flask, cast: Cast, job: str, standin: Standin
) -> None:
    begin(app, cast)
    standin.delete(job)
    again = standin.add(imi_imnumber="4512", imi_productionphase=None)
    sync(app)
    send(app)
    standin.change(again, imi_productionphase=ENGINEERING)
    punch(app, cast)

    assert send(app).counts == {BY_HAND: 1}
    assert phase(standin) == ENGINEERING


def test_an_admin_makes_the_rules_sees_what_would_change_and_starts(
    app: Flask, cast: Cast, job: str, standin: Standin, log_in: Callable[[str], FlaskClient]
) -> None:
    punch(app, cast)
    browser = log_in("grace")
    assert "Machining" in browser.get("/sync/phases").text
    nothing = browser.post("/sync/phases/rehearsal", data={"first_punch": ""})
    assert (nothing.status_code, "at least one event" in nothing.text) == (422, True)
    assert browser.post("/sync/phases/rehearsal", data={"first_punch": "7"}).status_code == 422
    chosen = {"first_punch": str(MACHINING), "share": str(ASSEMBLY), "percent": "50", "closed": ""}
    page = browser.post("/sync/phases/rehearsal", data=chosen).text
    assert "4512 Harbor & Pine Builders Engineering → Machining" in words(page)
    assert phase(standin) == ENGINEERING

    organization = page.partition('name="organization" value="')[2].partition('"')[0]
    form = {**chosen, "organization": organization}
    assert "from now on" in words(browser.post("/sync/phases/start", data=form, follow_redirects=True).text)
    send(app)

    assert phase(standin) == MACHINING
    assert "Engineering → Machining" in words(browser.get("/sync/phases").text)
    assert "Stopped" in words(browser.post("/sync/phases/stop", follow_redirects=True).text)
    with app.app_context():
        assert send_phases(now=MORNING) is None


@given(
    minutes=st.integers(-1, 3000),
    estimate=st.sampled_from([None, 0.0, 1.0, 40.0]),
    active=st.booleans(),
    before=st.sampled_from([None, ENGINEERING, MACHINING, ASSEMBLY, FINISHING, SHIPPED, 1]),
)
def test_a_rule_never_leads_back(
    minutes: int, estimate: float | None, active: bool, before: int | None
) -> None:
    order = {value: number for number, value in enumerate(range(ENGINEERING, SHIPPED + 1))}
    wanted = target(Job(estimated_hours=estimate, status=int(active)), minutes, rules())

    assert wanted == (
        SHIPPED if not active
        else ASSEMBLY if estimate and minutes >= estimate * 30
        else MACHINING if minutes >= 0
        else None
    )  # fmt: skip
    if wanted is not None and before is not None and is_forward(before, wanted, order):
        assert before < wanted
