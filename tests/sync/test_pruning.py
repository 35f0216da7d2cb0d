"""What is forgotten after a time, and what is kept for ever."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from flask import Flask
from sqlalchemy import func, select

from flask_app.models import HookCount, HoursSent, Job, PhaseSent, SyncRun, SyncSkip, TaskRun, committing, db
from flask_app.models.sync_run import SUCCEEDED, SyncChange
from flask_app.standin import Standin
from flask_app.sync import pruning
from flask_app.sync.pruning import KEPT, PRUNING, prune
from flask_app.utils.scheduler_tasks import automated_job_sync
from tests.connected import connect, sync

NOW = datetime(2026, 11, 23, 11, tzinfo=UTC)  # 6 AM in New York
DAY = timedelta(days=1)
FORGOTTEN = (HookCount, HoursSent, PhaseSent, SyncSkip, TaskRun)


@pytest.fixture
def app(make_app: Callable[..., Flask], standin: Standin) -> Flask:
    app = connect(make_app, standin, settings={"login_sync_minutes": 0})
    standin.add(imi_imnumber="4512")
    with time_machine.travel(NOW - 5 * DAY):
        sync(app)
    return app


def fill(app: Flask, at: datetime, *, lines: int = 1) -> None:
    """Write lines of every kind as of a moment."""
    with app.app_context():
        [job] = db.session.scalars(select(Job))

        def write() -> None:
            run = SyncRun(
                trigger="schedule", started_at=at, finished_at=at, lease_until=at, outcome=SUCCEEDED
            )
            task = TaskRun(task="daily_sync", due_at=at, claimed_at=at, finished_at=at)
            db.session.add_all([run, task, HookCount(day=at.date(), received=1, joined=0, dropped=0)])
            db.session.flush()
            change = {"job_id": job.id, "im_number": "4512", "field": "job_scope", "old": "a", "new": "b"}
            db.session.add(SyncChange(run_id=run.id, **change))
            for _line in range(lines):
                db.session.add(SyncSkip(run_id=run.id, dataverse_id="x", im_number="", reason=""))
                db.session.add(HoursSent(job_id=job.id, at=at, outcome="sent"))
                db.session.add(PhaseSent(job_id=job.id, at=at, outcome="written"))

        committing(write)


def count(app: Flask, table: type) -> int:
    with app.app_context():
        return db.session.scalar(select(func.count()).select_from(table)) or 0


def test_what_is_older_than_a_year_and_a_bit_is_forgotten_and_the_records_are_kept(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pruning, "_AT_ONCE", 2)
    fill(app, NOW - KEPT - DAY, lines=5)
    fill(app, NOW - KEPT + DAY)
    with app.app_context():
        assert prune(now=NOW) == 2 + 3 * 5

    assert [count(app, table) for table in FORGOTTEN] == [1, 1, 1, 1, 1]
    assert (count(app, SyncRun), count(app, SyncChange)) == (3, 2)


def test_it_is_done_once_a_day(app: Flask) -> None:
    fill(app, NOW - KEPT - DAY)
    for minutes in (0, 10):
        with time_machine.travel(NOW + timedelta(minutes=minutes)):
            automated_job_sync(app)

    with app.app_context():
        task = TaskRun.last(PRUNING)
        assert task is not None
        assert (task.due_at, task.attempts, task.outcome) == (NOW, 1, "Old lines forgotten: 5.")
    assert [count(app, table) for table in FORGOTTEN] == [0, 0, 0, 0, 2]  # this one, and the daily sync
