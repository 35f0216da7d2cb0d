"""What an operator is told when the database can't be used: in a command, at the start, and by /readyz."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
from sqlalchemy import create_engine, event, text
from sqlalchemy.exc import TimeoutError

from flask_app import create_app
from flask_app.models.database import make_engine
from flask_app.models.outage import outage_sentence

SECRET = "hunter2-hunter2"


@pytest.fixture
def server(mariadb_server):
    engine = create_engine(mariadb_server, connect_args={"ssl_disabled": True}, isolation_level="AUTOCOMMIT")
    yield engine
    engine.dispose()


@pytest.fixture
def command(make_app, config):
    """Run a command on a database, and return the one line that it prints."""

    def run(url: str, *arguments: str) -> str:
        app = create_app(replace(config, database_url=url))
        result = app.test_cli_runner().invoke(args=list(arguments))
        app.extensions["engine"].dispose()
        assert result.exit_code == 1, result.output
        assert SECRET not in result.output
        [line] = result.output.splitlines()
        return line

    return run


COMMANDS = (["db", "upgrade"], ["sync-jobs"], ["verify"], ["backup"], ["db", "triggers"])


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_ordinary_mistakes_are_one_line_in_every_command(command, server, arguments):
    host = f"{server.url.host}:{server.url.port}"
    with server.connect() as connection:
        connection.execute(text("DROP USER IF EXISTS 'stranger'@'127.0.0.1'"))
        connection.execute(text(f"CREATE USER 'stranger'@'127.0.0.1' IDENTIFIED BY '{SECRET}'"))
    told = [
        command(f"mysql+pymysql://stranger:wrong@{host}/man_hours", *arguments),
        command(f"mysql+pymysql://stranger:{SECRET}@{host}/man_hours", *arguments),
        command(f"mysql+pymysql://root@{host}/no_such_database", *arguments),
        command(f"mysql+pymysql://root:{SECRET}@127.0.0.1:1/man_hours", *arguments),
    ]
    assert told == [
        f"Error: The database at {host} refuses the user stranger or its password: see DATABASE_URL.",
        "Error: The database's user may not use man_hours. Let an administrator grant it the rights.",
        f"Error: There is no database no_such_database at {host}. CREATE DATABASE no_such_database "
        "CHARACTER SET utf8mb4; makes one.",
        "Error: There is no database server at 127.0.0.1:1, or it doesn't answer: see DATABASE_URL.",
    ]


def test_a_file_that_is_no_database_is_one_line(command, tmp_path):
    (tmp_path / "notes.db").write_text("These are notes, and no database at all. " * 40)
    line = command(f"sqlite:///{tmp_path}/notes.db", "db", "upgrade")
    assert line == "Error: The file that DATABASE_URL names is no SQLite database."


def test_a_revision_that_does_not_exist_is_one_line(app):
    result = app.test_cli_runner().invoke(args=["db", "downgrade", "9999", "--yes"])
    assert (result.exit_code, result.output.count("\n")) == (1, 1)
    assert "9999" in result.output


def ready(app):
    answer = app.test_client().get("/readyz")
    return answer.status_code, answer.json.get("message")


def test_ready_means_that_this_versions_tables_are_there(app):
    engine = app.extensions["engine"]
    assert ready(app) == (200, None)
    for version, said in (
        ("0001", "behind this version"),
        ("9999", "ahead of this version, or another program's"),
    ):
        with engine.begin() as connection:
            kept = connection.scalar(text("SELECT version_num FROM alembic_version"))
            connection.execute(text("UPDATE alembic_version SET version_num = :v"), {"v": version})
        try:
            assert ready(app) == (503, f"The database's schema is {said}.")
        finally:
            with engine.begin() as connection:
                connection.execute(text("UPDATE alembic_version SET version_num = :v"), {"v": kept})


@pytest.mark.parametrize("database_url", ["mariadb"], indirect=True)
def test_a_server_that_takes_no_writes_is_not_ready(app):
    engine = app.extensions["engine"]

    def read_only(connection, _record):
        with connection.cursor() as cursor:
            cursor.execute("SET SESSION TRANSACTION READ ONLY")

    as_if = make_engine(engine.url.render_as_string(hide_password=False))
    event.listen(as_if, "connect", read_only)
    app.extensions["engine"] = as_if
    try:
        status, message = ready(app)
        assert (status, "READ ONLY" in message) == (503, True)
    finally:
        app.extensions["engine"] = engine
        as_if.dispose()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("name", "answer", "said"),
    [
        ("disk_usage", SimpleNamespace(free=1000), "The disk is full."),
        ("_is_writable", False, "The database's file or its folder is read-only."),
    ],
)
def test_a_full_disk_or_a_read_only_file_is_not_ready(app, monkeypatch, name, answer, said):
    monkeypatch.setattr(f"flask_app.models.outage.{name}", lambda *_: answer)
    assert ready(app) == (503, said)


def test_no_free_connection_has_its_sentence(app):
    sentence = outage_sentence(TimeoutError("QueuePool limit"), app.extensions["engine"].url)
    assert sentence == "Every connection to the database is in use, and none came free in time."
