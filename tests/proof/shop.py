"""A whole shop for the proofs: a database, people and jobs, gunicorn with the production settings."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Any
from zoneinfo import ZoneInfo

import urllib3
from flask import Flask
from sqlalchemy import select, text

from flask_app import create_app, migrations
from flask_app.config import Config
from flask_app.models import Job, User, db
from flask_app.models.database import PROJECT
from flask_app.standin import Standin
from tests.bench.busy_shop import fill
from tests.servers import free_port

KEY = "proof-of-oak-650-proof-of-oak-650"
NEW_YORK = ZoneInfo("America/New_York")


def make_shop(url: str, *, people: int, jobs: int, shifts: int) -> Flask:
    """Create the tables and fill them; return an application on them, for the phones and the auditor."""
    app = create_app(Config(database_url=url, secret_key=KEY))
    migrations.upgrade(app.extensions["engine"])
    with app.extensions["engine"].connect() as connection:
        fill(connection, zone=NEW_YORK, people=people, jobs=jobs, shifts=shifts)
        connection.execute(text("DELETE FROM shifts WHERE updated_at IS NULL"))
        connection.commit()
    return app


def workers_and_jobs(app: Flask, people: int, jobs: int = 40) -> tuple[Sequence[int], Sequence[int]]:
    """Return the numbers of people who punch, and of open jobs."""
    with app.app_context():
        query = select(User.id).where(User.department != "ADMINISTRATIVE").order_by(User.id).limit(people)
        open_jobs = select(Job.id).where(Job.status == 1).order_by(Job.id).limit(jobs)
        return db.session.scalars(query).all(), db.session.scalars(open_jobs).all()


class Server:
    """gunicorn as in production; it can be killed and started again on the same port."""

    def __init__(
        self, url: str, folder: Path, *, workers: int = 2, program: str = "server:app", **settings: Any
    ) -> None:
        self.port = free_port()
        self.base = f"http://127.0.0.1:{self.port}"
        self.log = folder / f"gunicorn-{self.port}.log"
        self._settings = {
            "PATH": os.environ["PATH"], "DATABASE_URL": url, "SECRET_KEY": KEY,
            "BIND": f"127.0.0.1:{self.port}",
            "WEB_WORKERS": str(workers), "PYTHONDONTWRITEBYTECODE": "1", **settings,
        }  # fmt: skip
        self._program = program
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        log = self.log.open("ab")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", "-c", "deploy/gunicorn.conf.py", self._program],
            cwd=PROJECT, env=self._settings, stdout=log, stderr=log,
        )  # fmt: skip
        log.close()
        wait_until(lambda: self.answers("/healthz"), 60, "gunicorn answers")

    def answers(self, path: str) -> bool:
        try:
            return urllib3.request("GET", self.base + path, timeout=3, retries=False).status == 200
        except urllib3.exceptions.HTTPError:
            return False

    def worker_ids(self) -> list[int]:
        assert self._process is not None
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text()
        return [int(pid) for pid in children.split()]

    def kill_a_worker(self) -> None:
        os.kill(self.worker_ids()[0], signal.SIGKILL)

    def kill(self) -> None:
        """End all of it at once, as a host does that loses its power."""
        assert self._process is not None
        for pid in (self._process.pid, *self.worker_ids()):
            os.kill(pid, signal.SIGKILL)
        self._process.wait()

    def stop(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            self._process.wait(timeout=60)


@contextmanager
def serving(url: str, folder: Path, *, workers: int = 2, **settings: Any) -> Iterator[Server]:
    server = Server(url, folder, workers=workers, **settings)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def dataverse_of(standin: Standin) -> dict[str, Any]:
    """Return the settings that point at a stand-in."""
    return {
        "DATAVERSE_BASE_URL": standin.base_url, "DATAVERSE_TENANT_ID": standin.tenant_id,
        "DATAVERSE_CLIENT_ID": standin.client_id, "DATAVERSE_CLIENT_SECRET": standin.client_secret,
        "DATAVERSE_AUTHORITY": standin.authority, "DATAVERSE_CA_BUNDLE": str(standin.ca_bundle),
    }  # fmt: skip


def wait_until(holds, seconds: float, what: str) -> None:
    for _ in range(int(seconds * 10)):
        if holds():
            return
        Event().wait(0.1)
    raise AssertionError(f"not within {seconds} s: {what}")
