"""How many requests and seconds do 10,000 jobs take whose hours are owed to Dataverse?

    python -m tests.bench.hours_drain [--jobs 10000]

The stand-in enforces the service's protection limits (6,000 requests and 1,200 s of execution in 300 s, 52 at
once). Measured are: all of them by UpdateMultiple; all of them again by $batch, as where a table has no
UpdateMultiple; and a tenth of them. After each Dataverse has every total. The stand-in runs in this process,
so the seconds are those of both sides.
"""

import argparse
import logging
import tempfile
from datetime import timedelta
from pathlib import Path
from time import perf_counter

from flask import Flask
from sqlalchemy import insert, select, update

from flask_app.clock import utc_now
from flask_app.models import Job, OwedHours, Shift, User, committing, db
from flask_app.standin import Standin
from flask_app.sync.approved_jobs import sync_approved_jobs
from flask_app.sync.hours_out import hours_table, send_owed_hours, start, would_change
from tests.proof.two_way import connected, hired


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--jobs", type=int, default=10_000)
    options = parser.parse_args()
    logging.getLogger("flask_app").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory() as folder, Standin() as standin:
        for number in range(options.jobs):
            standin.add(imi_imnumber=str(10_000 + number))
        app = connected(f"sqlite:///{Path(folder)}/drain.db", standin)
        with app.app_context():
            _work_on_every_job()
        standin.limits.switch_on()
        drain(app, standin, "UpdateMultiple", options.jobs)
        with app.app_context():
            hours_table()._has_update_many = False
        drain(app, standin, "$batch", options.jobs)
        with app.app_context():
            hours_table()._has_update_many = True
        drain(app, standin, "UpdateMultiple", options.jobs // 10)
        app.extensions["engine"].dispose()


def _work_on_every_job() -> None:
    """Take the jobs over, let an hour be worked on each, and start."""
    sync_approved_jobs(trigger="command")
    admin = committing(lambda: hired("Grace", "ADMINISTRATIVE"))
    begin = utc_now() - timedelta(days=2)
    rows = [
        {"user_id": admin, "job_id": job, "started_at": begin, "ended_at": begin, "created_on": begin}
        for job in db.session.scalars(select(Job.id))
    ]
    names = {column.key for column in Shift.__mapper__.column_attrs}
    db.session.execute(insert(Shift), [{k: v for k, v in row.items() if k in names} for row in rows])
    db.session.commit()
    organization, _ = would_change()
    by = db.session.get_one(User, admin)
    start(organization, everything=False, by=by, at=utc_now())


def drain(app: Flask, standin: Standin, way: str, jobs: int) -> None:
    """Let `jobs` totals change and send until nothing is owed; print what it took."""
    with app.app_context():
        ids = db.session.scalars(select(Job.id).order_by(Job.id).limit(jobs)).all()
        first, longest = db.session.execute(select(Shift.started_at, Shift.ended_at).limit(1)).one()
        longest += timedelta(hours=1)
        db.session.execute(update(Shift).where(Shift.job_id.in_(ids)).values(ended_at=longest))
        OwedHours.owe(ids)
        db.session.commit()
        standin.requests.clear()
        began, passes, sent = perf_counter(), 0, 0
        while committing(lambda: OwedHours.count(now=utc_now())):
            done = send_owed_hours(now=utc_now())
            assert done is not None, "Dataverse wants to be left alone"
            passes, sent = passes + 1, sent + done.sent
        seconds, requests = perf_counter() - began, len(standin.requests)
        refused = sum(one.status == 429 for one in standin.requests)
    assert sent == jobs, (sent, jobs)
    told = sorted(row["imi_actualhours"] for row in standin.rows())
    assert told[-jobs:] == [(longest - first).total_seconds() / 3600] * jobs
    print(
        f"{way}: {jobs:,} jobs, {requests:,} requests ({requests / jobs:.4f} per changed job, {refused} "
        f"refused by the limits), {seconds:.1f} s, {passes} passes"
    )


if __name__ == "__main__":
    main()
