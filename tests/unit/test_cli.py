"""The operator's commands, and what the program says to a configuration that it can't use."""

import os
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from flask import Flask
from sqlalchemy import inspect

from flask_app.clock import utc_now
from flask_app.config.config import SETTINGS
from flask_app.models import SyncRun, User, committing, db
from flask_app.models.database import PROJECT
from flask_app.models.user import password_matches
from flask_app.standin import Standin
from tests.connected import PATIENCE, connect, ledger, numbers
from tests.servers import free_port

ANA = ["--email", "Ana@Shop.example", "--first-name", "Ana", "--last-name", "Duarte", "--department"]
SECRET = "s3cret-that-nobody-may-see"  # too short to be a SECRET_KEY


def run(app: Flask, *command: str, stdin: str = "") -> Result:
    return app.test_cli_runner().invoke(args=command, input=stdin)


def the_user(app: Flask) -> User:
    with app.app_context():
        [user] = User.everybody()
        return user


# --- create-user


def test_create_user_prints_a_password_that_works(app: Flask) -> None:
    result = run(app, "create-user", *ANA, "ADMINISTRATIVE")

    password = result.output.rpartition("Password: ")[2].strip()
    assert (result.exit_code, the_user(app).is_admin) == (0, True)
    assert "Ana Duarte can log in as ana@shop.example." in result.output
    answer = app.test_client().post("/login", data={"email": "ana@shop.example", "password": password})
    assert answer.location == "/dashboard"


@pytest.mark.parametrize("line", ["dusty-hands-650\n", "dusty-hands-650\r\n", "dusty-hands-650"])
def test_create_user_reads_a_password_and_does_not_print_it(app: Flask, line: str) -> None:
    result = run(app, "create-user", *ANA, "CUT_SHOP", "--password-stdin", stdin=line)

    assert result.exit_code == 0
    assert password_matches(the_user(app).password, "dusty-hands-650")
    assert "dusty-hands-650" not in result.output


@pytest.mark.parametrize(
    ("password", "sentence"),
    [
        ("", "Use at least 8 characters."),
        ("é" * 40, "This password is too long: at most 72 bytes"),
    ],
    ids=["none", "long"],
)
def test_create_user_refuses_a_bad_password_in_a_sentence(app: Flask, password: str, sentence: str) -> None:
    result = run(app, "create-user", *ANA, "CUT_SHOP", "--password-stdin", stdin=password)

    assert (result.exit_code, f"Error: {sentence}" in result.output) == (1, True)
    with app.app_context():
        assert User.everybody() == []


def test_create_user_refuses_a_department_that_does_not_exist_and_names_those_that_do(app: Flask) -> None:
    result = run(app, "create-user", *ANA, "LAUNDRY")

    assert result.exit_code == 2
    assert "PAINT_SHOP" in result.output


def test_create_user_refuses_a_second_account_with_the_same_email(app: Flask) -> None:
    run(app, "create-user", *ANA, "CUT_SHOP")

    result = run(app, "create-user", *ANA, "CUT_SHOP")

    assert result.exit_code == 1
    assert "There is already an account with this email." in result.output
    assert the_user(app).first_name == "Ana"


# --- sync-jobs


@pytest.fixture
def shop(make_app: Callable[..., Flask], standin: Standin) -> Flask:
    standin.add(imi_imnumber="4512")
    return connect(make_app, standin)


def test_sync_jobs_says_what_came_in(shop: Flask) -> None:
    result = run(shop, "sync-jobs")

    assert (result.exit_code, result.output) == (0, "1 new job came in.\n")
    assert (numbers(shop), ledger(shop)) == (["4512"], [("command", "succeeded")])


def test_sync_jobs_lists_what_was_skipped(shop: Flask, standin: Standin) -> None:
    row = standin.add(imi_imnumber=None)

    result = run(shop, "sync-jobs")

    assert result.exit_code == 0
    assert f"Skipped (no number) [{row}]: The IM number is missing.\n" in result.output


def test_sync_jobs_ends_with_1_if_dataverse_fails(shop: Flask, standin: Standin) -> None:
    standin.faults.fail(503, times=None)

    result = run(shop, "sync-jobs")

    assert (result.exit_code, numbers(shop)) == (1, [])
    assert result.output.startswith("Error: ")
    assert "503" in result.output


def test_sync_jobs_ends_with_1_if_another_sync_is_running(shop: Flask) -> None:
    with shop.app_context():
        committing(lambda: SyncRun.take(trigger="schedule", user_id=None, now=utc_now()))

    result = run(shop, "sync-jobs")

    assert result.exit_code == 1
    assert "Error: A sync is running already." in result.output


def test_sync_jobs_ends_with_1_if_it_was_given_up(shop: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SyncRun, "hold", lambda run, **values: False)

    result = run(shop, "sync-jobs")

    assert result.exit_code == 1
    assert "Error: This sync took so long that it was given up." in result.output


def test_sync_jobs_without_a_dataverse_says_how_to_connect_it(app: Flask) -> None:
    result = run(app, "sync-jobs")

    assert result.exit_code == 1
    assert "Error: Dataverse is not connected." in result.output


# --- db


def tables(app: Flask) -> set[str]:
    with app.app_context(), db.engine.connect() as connection:
        return set(inspect(connection).get_table_names()) - {"alembic_version"}


def test_the_database_goes_down_and_up_again(app: Flask) -> None:
    before = tables(app)
    try:
        down = run(app, "db", "downgrade", "base", "--yes")
        assert (down.exit_code, tables(app)) == (0, set())
    finally:
        up = run(app, "db", "upgrade")

    assert (up.exit_code, up.output) == (0, "The database is up to date.\n")
    assert tables(app) == before


def test_nothing_goes_down_without_a_yes(app: Flask) -> None:
    result = run(app, "db", "downgrade", "base", stdin="n\n")

    assert result.exit_code == 1
    assert "jobs" in tables(app)


def test_upgrade_refuses_a_database_of_somebody_else(app: Flask) -> None:
    run(app, "db", "downgrade", "base", "--yes")
    with app.app_context(), db.engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE alembic_version")
        connection.exec_driver_sql("CREATE TABLE jobs (id INTEGER)")
    try:
        result = run(app, "db", "upgrade")
    finally:
        with app.app_context(), db.engine.begin() as connection:
            connection.exec_driver_sql("DROP TABLE jobs")
        run(app, "db", "upgrade")

    assert result.exit_code == 1
    assert "It has been left alone." in result.output


@pytest.mark.parametrize("command", [["create-user", *ANA, "CUT_SHOP"], ["sync-jobs"]], ids=lambda c: c[0])
def test_a_database_without_tables_is_told_in_a_sentence(shop: Flask, command: list[str]) -> None:
    run(shop, "db", "downgrade", "base", "--yes")
    try:
        result = run(shop, *command)
    finally:
        run(shop, "db", "upgrade")

    assert result.exit_code == 1
    assert "flask --app server db upgrade" in result.output


def test_a_database_that_cannot_be_reached_is_told_in_a_sentence() -> None:
    url = f"mysql+pymysql://clock:{SECRET}@127.0.0.1:{free_port()}/man_hours"

    ended = start(*STARTS["flask"], DATABASE_URL=url, SECRET_KEY="k" * 32)

    assert ended.returncode == 1
    assert ended.stderr.startswith("Error: There is no database server at 127.0.0.1:")
    assert SECRET not in ended.stdout + ended.stderr


# --- a configuration that can't be used


def start(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the program to its end with these settings and no others."""
    clean = {name: value for name, value in os.environ.items() if name != "FLASK_RUN_FROM_CLI"}
    return subprocess.run(
        [sys.executable, *command],
        cwd=PROJECT,
        env={**clean, **dict.fromkeys(SETTINGS, ""), **environment},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )


STARTS = {
    "python server.py": ["server.py"],
    "flask": ["-m", "flask", "--app", "server", "sync-jobs"],
    "gunicorn": ["-m", "gunicorn", "-w", "1", "--no-control-socket", "-b", "127.0.0.1:0", "server:app"],
}


@pytest.mark.parametrize("how", STARTS)
def test_a_bad_configuration_is_refused_with_every_problem_and_no_secret(how: str) -> None:
    bad = {"PORT": "many", "SYNC_TIME": "dawn", "SECRET_KEY": SECRET, "DATAVERSE_CLIENT_SECRET": SECRET}

    ended = start(*STARTS[how], **bad)

    said = ended.stdout + ended.stderr
    assert ended.returncode == 3
    for name in ("PORT", "SYNC_TIME", "SECRET_KEY", "DATAVERSE_BASE_URL", "DATAVERSE_TENANT_ID"):
        assert f"  - {name} " in said
    assert SECRET not in said
    assert "Traceback" not in said


def test_gunicorn_without_a_configuration_ends_and_says_what_is_missing() -> None:
    ended = start(*STARTS["gunicorn"])

    assert ended.returncode == 3
    assert "Nothing is configured. Set DATABASE_URL and SECRET_KEY" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_the_program_refuses_a_database_of_somebody_else(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "old.db") as old:
        old.execute("CREATE TABLE users (id INTEGER)")
    old.close()

    ended = start(
        "server.py",
        DATABASE_URL=f"sqlite:///{tmp_path / 'old.db'}",
        SECRET_KEY="k" * 32,
        PORT=str(free_port()),
    )

    assert ended.returncode == 3
    assert "It has been left alone. Point DATABASE_URL at an empty database." in ended.stderr


def test_a_port_that_is_taken_is_told_before_anything_is_touched(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        url = f"sqlite:///{tmp_path / 'new.db'}"
        ended = start("server.py", DATABASE_URL=url, SECRET_KEY="k" * 32, PORT=port)

    assert ended.returncode == 3
    assert f"Can't listen on 127.0.0.1:{port}: Address already in use." in ended.stderr
    assert not (tmp_path / "new.db").exists()
