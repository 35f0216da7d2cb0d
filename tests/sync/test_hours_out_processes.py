"""Senders of hours as real processes: killed with kill -9 at any point, and several at the same moment."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from flask import Flask

from flask_app.config import Config
from flask_app.models import Job, OwedHours, User, db
from flask_app.models.owed_hours import LEASE
from flask_app.standin import Standin
from flask_app.sync.hours_out import send_owed_hours, start, would_change
from tests import shop
from tests.conftest import Cast
from tests.connected import PATIENCE, connect, sync
from tests.sync.sender_processes import POINTS, send_and_stop, send_at_once
from tests.sync.sync_processes import processes

MORNING = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
NIGHT = MORNING + timedelta(hours=12)
SENDERS, JOBS = 4, 24


@pytest.fixture
def app(make_app: Callable[..., Flask], standin: Standin, cast: Cast) -> Flask:
    """The program with JOBS jobs of Dataverse, each worked on for an hour, started."""
    app = connect(make_app, standin, settings={"write_back": "hours"})
    for number in range(5000, 5000 + JOBS):
        standin.add(imi_imnumber=str(number))
    sync(app)
    with app.app_context():
        organization, _ = would_change()
        start(organization, everything=True, by=db.session.get_one(User, cast.grace), at=MORNING)
    work(app, cast, hours=0.25)
    return app


@pytest.fixture
def elsewhere(app: Flask) -> Config:
    """Return the settings with which another process makes the same application."""
    settings: Config = app.extensions["settings"]
    return settings


def work(app: Flask, cast: Cast, hours: float, start_at: datetime = MORNING - timedelta(hours=9)) -> None:
    with app.app_context():
        ana = db.session.get_one(User, cast.ana)
        for number in range(JOBS):
            job = Job.numbered(str(5000 + number))
            assert job is not None
            begin = start_at + number * timedelta(hours=0.25)
            shop.punch_out(shop.punch_in(ana, job, begin), begin + timedelta(hours=hours))


def send(app: Flask, at: datetime) -> None:
    with time_machine.travel(at, tick=False), app.app_context():
        send_owed_hours(now=at)


def there(standin: Standin) -> set[float | None]:
    return {row["imi_actualhours"] for row in standin.rows()}


@pytest.mark.parametrize("point", POINTS)
def test_a_sender_that_is_killed_loses_nothing_and_leaves_nothing_older(
    app: Flask, cast: Cast, standin: Standin, elsewhere: Config, point: str
) -> None:
    reached = processes.Event()
    sender = processes.Process(target=send_and_stop, args=(elsewhere, point, NIGHT, reached), daemon=True)
    sender.start()
    assert reached.wait(PATIENCE)
    sender.kill()  # SIGKILL
    sender.join(PATIENCE)
    work(app, cast, hours=0.2, start_at=MORNING)  # and meanwhile the totals have changed

    send(app, NIGHT + LEASE + timedelta(minutes=1))
    assert there(standin) == {0.45}

    send(app, NIGHT + 3 * LEASE)  # it looks once more at what the dead one may have sent late
    with app.app_context():
        assert OwedHours.count(now=NIGHT + 3 * LEASE) == 0
    assert there(standin) == {0.45}


def test_senders_at_the_same_moment_write_each_row_once(
    app: Flask, cast: Cast, standin: Standin, elsewhere: Config
) -> None:
    standin.requests.clear()
    barrier, answers = processes.Barrier(SENDERS), processes.Queue()
    sending = [
        processes.Process(target=send_at_once, args=(elsewhere, NIGHT, barrier, answers), daemon=True)
        for _ in range(SENDERS)
    ]
    for sender in sending:
        sender.start()
    told = [answers.get(timeout=PATIENCE) for _ in sending]
    for sender in sending:
        sender.join(PATIENCE)

    assert [trouble for _, trouble in told] == [""] * SENDERS
    assert sum(sent for sent, _ in told) == JOBS
    bodies = [
        str(one.body) for one in standin.requests if "Multiple" in one.path or one.path.endswith("$batch")
    ]
    written = {row["imi_jobid"]: sum(row["imi_jobid"] in body for body in bodies) for row in standin.rows()}
    assert set(written.values()) == {1}
    assert there(standin) == {0.25}
