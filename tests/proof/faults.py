"""Faults while people punch: nothing acknowledged is lost or doubled, and it is well again by itself.

    python -m tests.proof.faults [--phones 20] [--seconds 12]

Each fault strikes a third into its load. Printed are the outcomes, and how long after the fault the first
punch was acknowledged again. The disk that fills up is a small tmpfs (needs root); where it can't be had,
that fault is left out by name.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

from flask import Flask
from sqlalchemy import text

from flask_app.standin import Standin
from tests.proof.load import tell
from tests.proof.mariadb import Database
from tests.proof.phones import Auditor, Phone, post_as
from tests.proof.shop import (
    Server,
    dataverse_of,
    make_shop,
    serving,
    wait_until,
    workers_and_jobs,
)
from tests.servers import new_database


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--phones", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=12)
    options = parser.parse_args()
    problems: list[str] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with Database(folder / "database") as database, Standin(generate=2000) as standin:
            url = new_database(database.url, "faults")
            app = make_shop(url, people=60, jobs=200, shifts=2000)
            with serving(url, folder, POLL_MINUTES="0", **dataverse_of(standin)) as server:
                for what, strike in strikes(server, database, standin, app):
                    problems += under_load(app, server, options, what, strike)
            problems += host_that_dies_in_a_sync(app, url, folder, standin)
            problems += a_host_whose_clock_is_an_hour_behind(app, url, folder, options)
            app.extensions["engine"].dispose()
        problems += a_disk_that_fills_up(folder, options)
    sys.exit(1 if problems else 0)


def strikes(
    server: Server, database: Database, standin: Standin, app: Flask
) -> Iterator[tuple[str, Callable[[], None]]]:
    """Yield each fault of a running shop: its name, and what does it and undoes it."""

    def restart() -> None:
        database.kill()
        threading.Event().wait(1)
        database.start()

    def freeze() -> None:
        database.freeze()
        threading.Event().wait(8)
        database.thaw()

    def dataverse_hangs() -> None:
        standin.faults.hang(seconds=3, times=2)
        post_as(app, 1, server.base, "/api/process-approved-jobs?wait=1")

    def dataverse_lies() -> None:
        standin.faults.cut_json(times=1)
        post_as(app, 1, server.base, "/api/process-approved-jobs?wait=10")
        standin.faults.clear()

    def dataverse_flaps() -> None:
        for _ in range(3):
            standin.faults.fail(503, times=1)
            standin.faults.drop(times=1)
            post_as(app, 1, server.base, "/api/process-approved-jobs?wait=5")
        standin.faults.clear()

    yield "kill -9 of a worker", server.kill_a_worker
    yield "kill -9 and restart of the database", restart
    yield "the database frozen for 8 s", freeze
    yield "Dataverse hangs", dataverse_hangs
    yield "Dataverse comes and goes", dataverse_flaps
    yield "Dataverse lies", dataverse_lies


def under_load(
    app: Flask, server: Server, options: argparse.Namespace, what: str, strike: Callable[[], None]
) -> list[str]:
    """Let phones punch without a pause, strike, and audit what they were told."""
    auditor, stop, well = Auditor(), threading.Event(), []
    workers, jobs = workers_and_jobs(app, options.phones)
    phones = [Phone(app, person, jobs, auditor, n) for n, person in enumerate(workers)]
    struck: list[float] = []

    def punch(phone: Phone) -> None:
        while not stop.is_set():
            taken = phone.punch(server.base)
            if taken and struck and not well:
                well.append(monotonic() - struck[0])
            stop.wait(0.02 if taken else 0.2)

    threads = [threading.Thread(target=punch, args=[phone]) for phone in phones]
    for thread in threads:
        thread.start()
    stop.wait(options.seconds / 3)
    strike()
    struck.append(monotonic())
    stop.wait(options.seconds * 2 / 3)
    stop.set()
    for thread in threads:
        thread.join()
    problems = tell(auditor, app, what)
    print(
        f"  the first punch after it was acknowledged {well[0]:.1f} s later" if well else "  NOT WELL AGAIN"
    )
    return problems + ([] if well else [f"{what}: no punch was taken afterwards"])


def host_that_dies_in_a_sync(app: Flask, url: str, folder: Path, standin: Standin) -> list[str]:
    """kill -9 of everything in the middle of a sync; another host's sync works once the lease has run out."""
    standin.faults.hang(seconds=20, times=1)
    with serving(url, folder, POLL_MINUTES="0", **dataverse_of(standin)) as server:
        thread = threading.Thread(
            target=post_as, args=[app, 1, server.base, "/api/process-approved-jobs?wait=20"]
        )
        thread.start()
        wait_until(lambda: _runs(app, "running") == 1, 20, "the sync runs")
        server.kill()
        thread.join()
    standin.faults.clear()
    with app.extensions["engine"].begin() as connection:  # as if the lease's five minutes had passed
        connection.execute(text("UPDATE sync_runs SET lease_until = started_at WHERE finished_at IS NULL"))
    with serving(url, folder, POLL_MINUTES="0", **dataverse_of(standin)) as server:
        status = post_as(app, 1, server.base, "/api/process-approved-jobs?wait=60")
    given_up, running = _runs(app, "abandoned"), _runs(app, "running")
    print(f"a host that dies in a sync: its run is given up ({given_up}), the next one answers {status}")
    return [] if given_up == 1 and not running and status in (200, 202, 302) else ["a dead host's sync stays"]


def _runs(app: Flask, outcome: str) -> int:
    with app.extensions["engine"].connect() as connection:
        query = text("SELECT COUNT(*) FROM sync_runs WHERE outcome = :outcome")
        return int(connection.scalar(query, {"outcome": outcome}) or 0)


def a_host_whose_clock_is_an_hour_behind(
    app: Flask, url: str, folder: Path, options: argparse.Namespace
) -> list[str]:
    """Punches go to a right host and to one an hour behind: that one refuses what would go back in time."""
    auditor = Auditor()
    workers, jobs = workers_and_jobs(app, options.phones)
    phones = [Phone(app, person, jobs, auditor, n) for n, person in enumerate(workers)]
    with (
        serving(url, folder, workers=1) as right,
        serving(url, folder, workers=1, program="tests.proof.an_hour_behind:app") as wrong,
    ):
        for base in (right.base, wrong.base, right.base):
            for phone in phones:
                phone.punch(base)
    return tell(auditor, app, "a host whose clock is an hour behind")


@contextmanager
def small_disk(folder: Path) -> Iterator[Path | None]:
    """Mount a disk of a few megabytes; None where that is not allowed."""
    place = folder / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode:
        yield None
        return
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def a_disk_that_fills_up(folder: Path, options: argparse.Namespace) -> list[str]:
    """SQLite on a disk that something else fills; there is room again later."""
    with small_disk(folder) as disk:
        if disk is None:
            print("a full disk: left out, no small disk can be mounted here")
            return []
        url = f"sqlite:///{disk}/shop.db"
        app = make_shop(url, people=30, jobs=50, shifts=500)
        ballast = disk / "ballast"

        def fill() -> None:
            with ballast.open("wb", buffering=0) as file:
                try:
                    while True:
                        file.write(b"x" * 4096)
                except OSError:
                    pass
            threading.Event().wait(2)
            ballast.unlink()

        with serving(url, folder, workers=1) as server:
            problems = under_load(app, server, options, "SQLite's disk full for 2 s", fill)
        app.extensions["engine"].dispose()
    return problems


if __name__ == "__main__":
    main()
