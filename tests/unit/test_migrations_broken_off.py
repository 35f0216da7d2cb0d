"""Upgrades that are killed, run twice at once, or lack a right; databases that lost a table."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, create_engine, event, inspect, text

from flask_app import migrations
from flask_app.migrations import rights, triggers
from flask_app.migrations.lock import UpgradeRunning, alone
from flask_app.models.database import PROJECT, make_engine
from tests.unit.test_migrations import OLD_ROWS, _rows, run


class Killed(Exception):
    """The process is gone: its connection ends without a commit."""


@pytest.fixture
def engine(new_mariadb: Callable[[], str]) -> Iterator[Engine]:
    made = make_engine(new_mariadb())
    yield made
    made.dispose()


@contextmanager
def killed_after(engine: Engine, statements: int) -> Iterator[None]:
    """End whatever runs on `engine` after so many statements that change something."""
    left = statements

    def count(_connection: Connection, _cursor: Any, statement: str, *_: Any) -> None:
        nonlocal left
        if statement.lstrip().split(maxsplit=1)[0].upper() not in ("SELECT", "SHOW", "SET", "DESCRIBE"):
            left -= 1
            if left == 0:
                raise Killed

    event.listen(engine, "after_cursor_execute", count)
    try:
        yield
    finally:
        event.remove(engine, "after_cursor_execute", count)


def upgrade_that_is_killed_again_and_again(engine: Engine, revision: str) -> int:
    """Kill an upgrade after one, two, three... of its statements, and go on each time; return how often."""
    kills, statements = 0, 1
    while True:
        with suppress(Killed), killed_after(engine, statements):
            migrations.run_steps(engine, revision)
            return kills
        kills += 1
        statements = statements % 6 + 1


def schema_of(engine: Engine) -> dict[str, Any]:
    look = inspect(engine)
    names = set(look.get_table_names()) - {"schema_lock"}
    return {
        name: (
            [(c["name"], str(c["type"]), c["nullable"], str(c["default"])) for c in look.get_columns(name)],
            sorted(str(i["name"]) for i in look.get_indexes(name)),
            sorted(str(k["name"]) for k in look.get_foreign_keys(name)),
            sorted(str(k["name"]) for k in look.get_check_constraints(name)),
        )
        for name in names
    }


def rows_of(engine: Engine) -> dict[str, list[Any]]:
    with engine.connect() as connection:
        names = ("users", "jobs", "shifts", "sync_changes", "sync_leftovers", "audit", "alembic_version")
        return {name: _rows(connection, name) for name in names}


def test_an_upgrade_that_is_killed_at_any_statement_goes_on_where_it_was(engine, new_mariadb):
    whole = make_engine(new_mariadb())
    for one, upgrade in ((whole, migrations.upgrade), (engine, upgrade_that_is_killed_again_and_again)):
        upgrade(one, "0019")
        run(one, *OLD_ROWS)
        upgrade(one, "head")
    migrations.check(engine)
    assert schema_of(engine) == schema_of(whole)
    assert rows_of(engine) == rows_of(whole)
    with engine.connect() as connection:
        assert triggers.missing(connection) == []
    whole.dispose()


def test_two_upgrades_at_once_are_one(engine):
    command = [sys.executable, "-m", "flask", "--app", "server", "db", "upgrade"]
    url = engine.url.render_as_string(hide_password=False)
    settings = {"DATABASE_URL": url, "SECRET_KEY": "k" * 32, "PATH": "/usr/bin:/bin"}
    both = [
        subprocess.Popen(command, env=settings, cwd=PROJECT, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    said = [process.communicate(timeout=120)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    migrations.check(engine)


def test_a_second_upgrade_says_who_is_at_work(engine):
    with alone(engine, wait=1), pytest.raises(UpgradeRunning, match="is at work on this database .*process"):
        migrations.upgrade(engine, wait=1)
    migrations.upgrade(engine, wait=1)


def test_the_lock_of_a_killed_upgrade_is_taken_over_when_its_lease_has_run_out(engine):
    with alone(engine, wait=1):
        pass
    run(engine, "INSERT INTO schema_lock VALUES (1, 'dead', UTC_TIMESTAMP() - INTERVAL 1 SECOND)")
    migrations.upgrade(engine, wait=1)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT * FROM schema_lock")).all() == []


@pytest.fixture
def clerk(engine: Engine) -> Iterator[Callable[[str], Engine]]:
    """A database user with some rights on the empty database, on an engine of its own."""
    made: list[Engine] = []
    server = create_engine(
        engine.url.set(database=""), connect_args={"ssl_disabled": True}, isolation_level="AUTOCOMMIT"
    )
    name = f"clerk_{engine.url.database}"[:40]

    def hire(granted: str) -> Engine:
        with server.connect() as connection:
            connection.execute(text(f"CREATE USER '{name}'@'127.0.0.1' IDENTIFIED BY 'x'"))
            connection.execute(text(f"GRANT {granted} ON {engine.url.database}.* TO '{name}'@'127.0.0.1'"))
        made.append(make_engine(engine.url.set(username=name, password="x").render_as_string(False)))
        return made[-1]

    yield hire
    for one in made:
        one.dispose()
    with server.connect() as connection:
        connection.execute(text(f"DROP USER IF EXISTS '{name}'@'127.0.0.1'"))
    server.dispose()


@pytest.mark.parametrize("lacking", ["CREATE", "ALTER", "INDEX", "TRIGGER", "DROP", "DELETE"])
def test_a_missing_right_is_found_before_the_first_change(engine, clerk, lacking):
    everything = ["CREATE", "DROP", "ALTER", "INDEX", "REFERENCES", "TRIGGER"]
    everything += ["INSERT", "SELECT", "UPDATE", "DELETE"]
    limited = clerk(", ".join(right for right in everything if right != lacking))
    with pytest.raises(rights.RightMissing, match=r"Nothing was changed.*GRANT ALL PRIVILEGES ON `island"):
        migrations.upgrade(limited)
    names = set(inspect(engine).get_table_names())
    assert names - {"schema_lock"} <= (
        set() if lacking != "DROP" else {"island_time_probe", "island_time_probe_child"}
    )


def test_a_database_that_lost_a_table_is_not_up_to_date(app):
    engine = app.extensions["engine"]
    assert migrations.is_current(engine)
    run(engine, "DROP TABLE holidays", "ALTER TABLE jobs RENAME COLUMN context TO kontext")
    try:
        assert migrations.state(engine) is migrations.SchemaState.DAMAGED
        assert migrations.missing_parts(engine) == ["holidays", "jobs.context"]
        result = app.test_cli_runner().invoke(args=["db", "upgrade"])
        assert result.exit_code == 1
        assert "holidays, jobs.context" in result.output
    finally:
        run(
            engine,
            "ALTER TABLE jobs RENAME COLUMN kontext TO context",
            "CREATE TABLE holidays (day DATE NOT NULL PRIMARY KEY, name VARCHAR(100) NOT NULL)",
        )


def test_triggers_are_added_by_a_command_of_their_own(app):
    engine = app.extensions["engine"]
    run(engine, "DROP TRIGGER audit_no_delete")
    result = app.test_cli_runner().invoke(args=["db", "triggers"])
    assert result.output == "Added: the guard against DELETE.\n"
    assert app.test_cli_runner().invoke(args=["db", "triggers"]).output == "The audit is guarded already.\n"
