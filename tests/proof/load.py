"""Load: a crew punches in within minutes, boards are open, a large sync and an export run: nothing is lost.

    python -m tests.proof.load [--people 200] [--seconds 300]

MariaDB of its own with innodb_flush_log_at_trx_commit=1, gunicorn with two workers as in production, 20
boards that ask every 10 seconds, a sync of 20,000 jobs and a quarter's export in the middle. At the end 20
clients punch without a pause on the same server, beside a bare view with one SELECT and one INSERT.
"""

import argparse
import os
import random
import sys
import tempfile
import threading
from datetime import timedelta
from pathlib import Path
from time import monotonic

import urllib3
from sqlalchemy import text

from flask_app.clock import utc_now
from flask_app.standin import Standin
from tests.bench import punch_load
from tests.proof.mariadb import Database
from tests.proof.phones import Auditor, Phone, logged_in
from tests.proof.shop import dataverse_of, make_shop, serving, workers_and_jobs
from tests.servers import new_database


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--people", type=int, default=200)
    parser.add_argument("--seconds", type=int, default=300)
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as name,
        Database(Path(name, "database")) as database,
        Standin(generate=20_000) as standin,
    ):
        url = new_database(database.url, "load_proof")
        app = make_shop(url, people=options.people * 5 // 4 + 20, jobs=2000, shifts=100_000)
        with serving(url, Path(name), **dataverse_of(standin)) as server:
            problems = rush(app, server, options.people, options.seconds)
        app.extensions["engine"].dispose()
        with punch_load.gunicorn(punch_load.shop(database.url, 5000), 2, 4) as (address, master):
            punch_load.tell(punch_load.measure(address, master, 20, 6))
    print("load average:", *os.getloadavg())
    sys.exit(1 if problems else 0)


def rush(app, server, people: int, seconds: int) -> list[str]:
    auditor, stop = Auditor(), threading.Event()
    workers, jobs = workers_and_jobs(app, people)
    phones = [Phone(app, person, jobs, auditor, n) for n, person in enumerate(workers)]
    dice = random.Random(650)  # noqa: S311  # not a secret
    boards = [threading.Thread(target=watch, args=[app, server.base, workers[n], stop]) for n in range(20)]
    arrivals = sorted((dice.uniform(0, seconds), phone) for phone in phones for _ in range(3))
    helpers = [threading.Thread(target=one_sync_and_export, args=[app, server.base, seconds, stop])]
    for thread in (*boards, *helpers):
        thread.start()
    began = monotonic()
    threads = []
    for when, phone in arrivals:
        stop.wait(max(0.0, began + when - monotonic()))
        thread = threading.Thread(target=phone.punch, args=[server.base])
        thread.start()
        threads.append(thread)
    for thread in threads:
        thread.join()
    stop.set()
    for thread in (*boards, *helpers):
        thread.join()
    return tell(auditor, app, f"{people} people, {len(arrivals)} punches within {seconds} s")


def tell(auditor: Auditor, app, what: str) -> list[str]:
    problems = auditor.audit(app.extensions["engine"])
    half, most, longest = auditor.percentiles()
    outcomes = ", ".join(f"{n:,} {name}" for name, n in sorted(auditor.outcomes().items()))
    print(f"{what}: {outcomes}; median {half:.1f} ms, 99 % {most:.1f} ms, longest {longest:.0f} ms")
    print("  the auditor found nothing wrong" if not problems else "  " + "\n  ".join(problems[:20]))
    return problems


def watch(app, base: str, person: int, stop: threading.Event) -> None:
    """A board on a wall: it asks for its part every ten seconds."""
    cookie, _ = logged_in(app, person)
    pool = urllib3.PoolManager(maxsize=1, retries=False)
    while not stop.wait(10):
        answer = pool.request(
            "GET", f"{base}/todays_activity?part=1&wall=1", headers={"Cookie": f"island_time={cookie}"}
        )
        if answer.status != 200:
            print(f"  a board got {answer.status}")


def one_sync_and_export(app, base: str, seconds: int, stop: threading.Event) -> None:
    stop.wait(seconds / 3)
    cookie, token = logged_in(app, 1)  # the shop's admin
    pool = urllib3.PoolManager(maxsize=1, retries=False)
    headers = {"Cookie": f"island_time={cookie}"}
    began = monotonic()
    answer = pool.request(
        "POST",
        f"{base}/api/process-approved-jobs?wait=60",
        headers={**headers, "X-CSRFToken": token},
        timeout=300,
    )
    with app.extensions["engine"].connect() as connection:
        there = connection.scalar(text("SELECT COUNT(*) FROM jobs WHERE dataverse_id IS NOT NULL"))
    print(f"  sync: {answer.status} after {monotonic() - began:.1f} s, {there:,} jobs are followed")
    last = utc_now().date()
    day, began = last - timedelta(days=90), monotonic()
    answer = pool.request(
        "GET", f"{base}/reports/shifts?format=csv&from={day}&to={last}", headers=headers, timeout=300
    )
    print(f"  export of 90 days: {answer.status}, {len(answer.data):,} bytes, {monotonic() - began:.1f} s")


if __name__ == "__main__":
    main()
