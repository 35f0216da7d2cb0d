"""The demo as somebody meets it who has just cloned the project: `python server.py` in a copy of it."""

import os
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from flask_app.config.config import SETTINGS
from flask_app.models.database import PROJECT
from tests.connected import PATIENCE, until
from tests.servers import free_port

ACCOUNT = re.compile(r"^  (Admin|Worker) +(\S+@demo\.example) +password +(\S+)$", re.MULTILINE)
DATABASE = "island_time.db"
TIMEOUT = 120  # seconds; nothing on loopback takes that long


@dataclass(frozen=True)
class Demo:
    """A demo that is running: what it printed, and a way to ask it and its database."""

    folder: Path
    address: str
    printed: str

    def log_in(self, role: str) -> requests.Session:
        """Return a browser in which the printed account of `role` is logged in."""
        browser = requests.Session()
        browser.trust_env = False
        email, password = self.account(role)
        answer = self.post(browser, "/", "/login", email=email, password=password)
        assert answer.url == f"{self.address}/dashboard", answer.text
        return browser

    def account(self, role: str) -> tuple[str, str]:
        return next(
            (email, password) for who, email, password in ACCOUNT.findall(self.printed) if who == role
        )

    def get(self, browser: requests.Session, path: str) -> str:
        return browser.get(self.address + path, timeout=TIMEOUT).text

    def post(self, browser: requests.Session, page: str, path: str, **form: str) -> requests.Response:
        """Send the form that stands on `page`, as a browser without JavaScript does."""
        token = re.search(r'name="csrf_token" value="([^"]+)"', self.get(browser, page))
        assert token, page
        headers = {"Accept": "text/html", "Referer": self.address + page}
        form["csrf_token"] = token[1]
        return browser.post(self.address + path, data=form, headers=headers, timeout=TIMEOUT)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.folder / "instance" / "demo" / DATABASE)) as database:
            return database.execute(query).fetchall()


def unconfigured(port: int) -> dict[str, str]:
    return {**os.environ, **dict.fromkeys(SETTINGS, ""), "PORT": str(port), "PYTHONUNBUFFERED": "1"}


@contextmanager
def running_demo(folder: Path) -> Iterator[Demo]:
    """Run `python server.py` in `folder`."""
    port, log = free_port(), folder / f"log-{os.urandom(4).hex()}"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "server.py"], cwd=folder, env=unconfigured(port), stdout=output, stderr=output
        )
        try:
            until(lambda: "stop it with Ctrl-C" in log.read_text() or process.poll() is not None)
            assert process.poll() is None, log.read_text()
            yield Demo(folder, f"http://127.0.0.1:{port}", log.read_text())
        finally:
            process.terminate()
            process.wait(PATIENCE)


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the program without anybody's data, as a fresh clone has it."""
    return copy_program(PROJECT, tmp_path_factory.mktemp("program"))


@pytest.fixture(scope="module")
def demo(program: Path) -> Iterator[Demo]:
    with running_demo(program) as running:
        yield running


def test_it_prints_its_address_and_passwords_and_no_trouble(demo: Demo) -> None:
    assert f"Island Time is on {demo.address}" in demo.printed
    assert [role for role, _, _ in ACCOUNT.findall(demo.printed)] == ["Admin", "Worker"]
    assert "Traceback" not in demo.printed
    assert " WARNING " not in demo.printed


def test_its_jobs_came_over_https_from_the_stand_in(demo: Demo) -> None:
    [(outcome, pages, added)] = demo.rows(
        "SELECT outcome, pages, added FROM sync_runs WHERE trigger_name = 'start'"
    )

    assert (outcome, pages) == ("succeeded", 1)
    assert 100 <= added <= 140  # about 60 % of 200
    assert demo.rows("SELECT DISTINCT source FROM jobs") == [("dataverse",)]


def test_the_shop_has_people_of_every_department_and_two_weeks_of_shifts(demo: Demo) -> None:
    assert demo.rows("SELECT COUNT(DISTINCT department) FROM users") == [(5,)]
    assert demo.rows("SELECT COUNT(*) >= 8 FROM (SELECT DISTINCT date(created_at) FROM shifts)") == [(1,)]
    [(still_open,)] = demo.rows("SELECT COUNT(*) FROM shifts WHERE updated_at IS NULL")
    assert still_open > 0
    assert demo.rows("SELECT COUNT(*) FROM shifts WHERE assumed_at IS NOT NULL") == [(1,)]
    assert demo.rows("SELECT COUNT(*) FROM corrections WHERE state = 'waiting'") == [(1,)]
    [(estimated,)] = demo.rows("SELECT COUNT(*) FROM jobs WHERE estimated_hours > 0")
    assert estimated > 15


def test_the_passwords_let_a_worker_and_an_admin_in(demo: Demo) -> None:
    assert '="/office"' not in demo.get(demo.log_in("Worker"), "/dashboard")
    assert '="/office"' in demo.get(demo.log_in("Admin"), "/dashboard")


def test_every_page_says_demo(demo: Demo) -> None:
    admin = demo.log_in("Admin")

    for path in ("/dashboard", "/my/hours", "/show/job/1", "/manage_users", "/new/job", "/sync", "/nowhere"):
        assert "Demo" in demo.get(admin, path), path
    assert "Demo" in demo.get(requests.Session(), "/")


def test_the_sync_button_brings_three_new_jobs(demo: Demo) -> None:
    [(before,)] = demo.rows("SELECT COUNT(*) FROM jobs")

    answer = demo.post(demo.log_in("Admin"), "/sync", "/api/process-approved-jobs?wait=60")

    assert re.search(r"\b3 new jobs came in\.", answer.text)
    assert demo.rows("SELECT COUNT(*) FROM jobs") == [(before + 3,)]


def test_the_commands_reach_the_running_demo(demo: Demo) -> None:
    [(before,)] = demo.rows("SELECT COUNT(*) FROM sync_runs WHERE trigger_name = 'command'")

    ended = flask(demo.folder, "sync-jobs")

    assert (ended.returncode, ended.stderr) == (0, "")
    assert demo.rows("SELECT COUNT(*) FROM sync_runs WHERE trigger_name = 'command'") == [(before + 1,)]


def flask(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "flask", "--app", "server", *command],
        cwd=folder, env=unconfigured(free_port()), capture_output=True, text=True, timeout=PATIENCE,
    )  # fmt: skip


def test_what_is_secret_is_readable_by_its_owner_only(demo: Demo) -> None:
    secret = [
        path for path in (demo.folder / "instance" / "demo").iterdir() if path.suffix in (".env", ".key")
    ]

    assert "settings.env" in {path.name for path in secret}
    assert {path.stat().st_mode & 0o077 for path in secret} == {0}


def test_the_webhook_s_key_tells_nothing_of_the_secret_key(demo: Demo) -> None:
    note = (demo.folder / "instance" / "demo" / "settings.env").read_text()
    keys = re.findall(r"^(?:SECRET_KEY|DATAVERSE_WEBHOOK_KEY)=(\w{64})$", note, re.MULTILINE)
    assert len(set(keys)) == 2
    assert keys[0][:24] not in keys[1]


def test_a_second_demo_on_the_same_port_leaves_the_first_one_alone(demo: Demo) -> None:
    port = int(demo.address.rpartition(":")[2])

    second = subprocess.run(
        [sys.executable, "server.py"],
        cwd=demo.folder, env=unconfigured(port), capture_output=True, text=True, timeout=PATIENCE,
    )  # fmt: skip

    assert second.returncode == 3
    assert "Address already in use" in second.stderr
    demo.log_in("Admin")


def test_a_second_demo_in_the_same_folder_leaves_the_first_ones_passwords_alone(demo: Demo) -> None:
    second = subprocess.run(
        [sys.executable, "server.py"],
        cwd=demo.folder, env=unconfigured(free_port()), capture_output=True, text=True, timeout=PATIENCE,
    )  # fmt: skip

    assert (second.returncode, second.stdout) == (3, "")
    assert "A demo is running in this folder already." in second.stderr
    demo.log_in("Admin")


@pytest.fixture
def stopped(demo: Demo, program: Path, tmp_path: Path) -> Path:
    """A copy of the demo as it is now, that nobody runs."""
    copy = copy_program(program, tmp_path)
    old, new = demo.folder / "instance" / "demo", copy / "instance" / "demo"
    new.mkdir(parents=True)
    for name in ("settings.env", "imi_jobs.json"):
        shutil.copy(old / name, new)
    with closing(sqlite3.connect(old / DATABASE)) as here, closing(sqlite3.connect(new / DATABASE)) as there:
        here.backup(there)
    return copy


def copy_program(program: Path, folder: Path) -> Path:
    copy = folder / "clone"  # coverage knows by this name what it is a copy of
    copy.mkdir()
    shutil.copy(program / "server.py", copy)
    shutil.copytree(program / "flask_app", copy / "flask_app", ignore=shutil.ignore_patterns("__pycache__"))
    return copy


def test_a_second_start_keeps_the_shop_and_makes_new_passwords(demo: Demo, stopped: Path) -> None:
    counts = "SELECT (SELECT COUNT(*) FROM users), (SELECT COUNT(*) FROM shifts)"
    gone = "SELECT COUNT(*) FROM jobs WHERE dataverse_standing <> 'approved'"

    with running_demo(stopped) as second:
        assert second.rows(counts) == demo.rows(counts)
        assert second.rows(gone) == [(0,)]  # what the first demo had approved is approved still
        assert second.account("Admin")[1] != demo.account("Admin")[1]
        answer = second.post(second.log_in("Admin"), "/sync", "/api/process-approved-jobs?wait=60")
        assert re.search(r"\b3 new jobs came in\.", answer.text)


def test_a_demo_that_was_killed_in_its_sync_starts_again(stopped: Path) -> None:
    with closing(sqlite3.connect(stopped / "instance" / "demo" / DATABASE)) as database:
        database.execute(
            "UPDATE sync_runs SET finished_at = NULL, lease_until = datetime('now', '+4 minutes')"
            " WHERE trigger_name = 'start'"
        )
        database.commit()

    with running_demo(stopped) as second:
        assert "A sync is running already." in second.printed
        second.log_in("Admin")


def test_without_a_demo_the_commands_say_how_to_make_one(tmp_path: Path, program: Path) -> None:
    ended = flask(copy_program(program, tmp_path), "sync-jobs")

    assert ended.returncode == 3
    assert "There is no demo yet: start it with `python server.py`" in ended.stderr
