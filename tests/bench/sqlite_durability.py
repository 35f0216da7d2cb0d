"""What it costs that SQLite's punches survive a power cut: `python -m tests.bench.sqlite_durability`.

One process punches with synchronous=FULL (as the program does: a commit waits for the disk) and with NORMAL
(the last punches may be lost with the power), in turns. --folder: a folder on the disk in question.
"""

import argparse
import tempfile
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from statistics import median
from time import perf_counter

from flask import Flask
from sqlalchemy import event

from flask_app.clock import utc_now
from flask_app.models import User, committing, db
from flask_app.timeclock import ledger
from flask_app.timeclock.ledger import Actor, PunchRules
from tests.proof.shop import NEW_YORK, make_shop, workers_and_jobs

ROUNDS, PUNCHES = 5, 100


def punches_a_second(app: Flask, people: Sequence[int], jobs: Sequence[int], number: int) -> float:
    rules, begun = PunchRules(NEW_YORK, timedelta(hours=16)), utc_now() + timedelta(minutes=number)
    with app.app_context():
        started = perf_counter()
        for n in range(PUNCHES):
            person = db.session.get_one(User, people[n % len(people)])
            job, at = jobs[(n + number) % len(jobs)], begun + timedelta(seconds=n // len(people))
            committing(lambda p=person, j=job, t=at: ledger.punch_in(p, j, by=Actor(p), at=t, rules=rules))
        return PUNCHES / (perf_counter() - started)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--folder", default=None, help="where to put the database; usual: the temporary folder"
    )
    options = parser.parse_args()
    found: dict[str, list[float]] = {"FULL": [], "NORMAL": []}
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        app = make_shop(f"sqlite:///{Path(folder) / 'shop.db'}", people=30, jobs=40, shifts=500)
        people, jobs = workers_and_jobs(app, 20)
        engine, mode = app.extensions["engine"], ["FULL"]
        event.listen(engine, "connect", lambda new, _: new.execute(f"PRAGMA synchronous={mode[0]}"))
        for number in range(2 * ROUNDS):
            mode[0] = "FULL" if number % 2 else "NORMAL"
            engine.dispose()
            found[mode[0]].append(punches_a_second(app, people, jobs, number))
        engine.dispose()
    for name, rates in found.items():
        print(f"synchronous={name:7} {median(rates):7.0f} punches a second (median of {ROUNDS} x {PUNCHES})")


if __name__ == "__main__":
    main()
