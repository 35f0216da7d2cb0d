"""The schema's steps: up, down, up again, in agreement with the models, never over somebody else's tables."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, MetaData, inspect, text

from flask_app import migrations
from flask_app.models import Base
from flask_app.models.database import make_engine

REVISIONS = ("0001", "0002", "0003", "0004", "0005", "0006", "0007")
OLD_APPLICATION = (
    "CREATE TABLE users (id INTEGER PRIMARY KEY, first_name VARCHAR(255), email VARCHAR(255))",
    "CREATE TABLE jobs (id INTEGER PRIMARY KEY, im_number VARCHAR(5), user_id INTEGER)",
    "CREATE TABLE shifts (id INTEGER PRIMARY KEY, created_at DATETIME, updated_at DATETIME)",
    "INSERT INTO users VALUES (1, 'Ana', 'ana@shop.example'), (2, 'Ana', 'ana@shop.example')",
    "INSERT INTO jobs VALUES (1, '4512', 1), (2, '4512', 1)",
)
ROWS = (
    "INSERT INTO users (id, first_name, last_name, email, password, department, created_at, epoch)"
    " VALUES (1, 'Ana', 'Duarte', 'ana@shop.example', 'x', 'CUT_SHOP', '2026-11-23 12:00:00', 0)",
    "INSERT INTO login_attempts (account, address, attempted_at) VALUES ('a', 'b', '2026-11-23 12:00:00')",
    "INSERT INTO jobs (id, im_number, im_key, general_contractor, job_scope, job_name_address, context,"
    " status, source, created_at, user_id)"
    " VALUES (1, '4512', '4512', 'G', 'S', 'Annex', '', 1, 'manual', '2026-11-23 12:00:00', 1)",
    "INSERT INTO shifts (created_at, job_id, user_id, note) VALUES ('2026-11-23 12:00:00', 1, 1, '')",
    "INSERT INTO sync_runs (id, trigger_name, user_id, started_at, lease_until, outcome, message, pages,"
    " rows_read, added, already_there, skipped, seconds)"
    " VALUES (1, 'button', 1, '2026-11-23 12:00:00', '2026-11-23 12:03:00', 'running', '', 0, 0, 0, 0, 0, 0)",
    "INSERT INTO sync_skips (run_id, dataverse_id, im_number, reason) VALUES (1, 'x', '', 'no IM number')",
    "INSERT INTO task_runs (task, due_at, claimed_at, outcome)"
    " VALUES ('daily_sync', '2026-11-23 11:00:00', '2026-11-23 11:00:01', '')",
)
# The same rows before a job's name and address became one text.
OLD_ROWS = tuple(
    row.replace("job_name_address", "job_name, job_address").replace("'Annex'", "'Annex', '1 Elm'")
    for row in ROWS
)


@pytest.fixture(params=["sqlite", "mariadb"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """A database without any table."""
    url = f"sqlite:///{tmp_path / 'fresh.db'}"
    if request.param == "mariadb":
        make: Callable[[], str] = request.getfixturevalue("new_mariadb")
        url = make()
    made = make_engine(url)
    yield made
    made.dispose()


def tables(engine: Engine) -> set[str]:
    return set(inspect(engine).get_table_names()) - {"alembic_version", "schema_lock"}


def run(engine: Engine, *statements: str) -> None:
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))


def contents(engine: Engine) -> dict[str, list[tuple[object, ...]]]:
    metadata = MetaData()
    metadata.reflect(engine)
    with engine.connect() as connection:
        return {table.name: _rows(connection, table.name) for table in metadata.sorted_tables}


def _rows(connection: Connection, table: str) -> list[tuple[object, ...]]:
    return [tuple(row) for row in connection.execute(text(f"SELECT * FROM {table} ORDER BY 1"))]  # noqa: S608


def test_up_down_and_up_again_ends_where_the_models_are(engine):
    migrations.upgrade(engine)
    assert tables(engine) == set(Base.metadata.tables)
    migrations.downgrade(engine, "base")
    assert tables(engine) == set()
    assert not migrations.is_current(engine)
    migrations.upgrade(engine)
    migrations.check(engine)
    assert migrations.is_current(engine)


def test_the_check_has_the_name_that_the_models_know_it_by(engine):
    """Alembic's own comparison does not look at checks; a later step has to find it by its name."""
    migrations.upgrade(engine)
    names = {check["name"] for check in inspect(engine).get_check_constraints("shifts")}
    assert "ck_shifts_ends_after_start" in names


def test_upgrading_twice_changes_nothing(engine):
    migrations.upgrade(engine)
    run(engine, *ROWS)
    before = contents_of_ours(engine)
    migrations.upgrade(engine)
    assert contents_of_ours(engine) == before


def contents_of_ours(engine: Engine) -> dict[str, list[tuple[object, ...]]]:
    with engine.connect() as connection:
        return {name: _rows(connection, name) for name in Base.metadata.tables}


def test_every_step_goes_down_and_up_with_rows_in_the_tables(engine):
    migrations.upgrade(engine)
    run(engine, *ROWS)
    for before in ("0006", "0005", "0004", "0003", "0002", "0001", "base"):
        migrations.downgrade(engine, before)
        left = tables(engine)
        with engine.connect() as connection:
            assert all(len(_rows(connection, name)) == 1 for name in left)
        assert len(left) == (0 if before == "base" else int(before))
    for step in REVISIONS:
        migrations.upgrade(engine, step)
    run(engine, *OLD_ROWS)
    migrations.upgrade(engine)


def test_the_old_applications_database_is_refused_and_left_as_it_was(engine):
    run(engine, *OLD_APPLICATION)
    before = contents(engine)
    with pytest.raises(migrations.ForeignDatabase, match="has been left alone"):
        migrations.upgrade(engine)
    assert contents(engine) == before


@pytest.mark.parametrize("stranger", ["users", "jobs", "shifts"])
def test_one_foreign_table_is_enough_to_refuse(engine, stranger):
    run(engine, f"CREATE TABLE {stranger} (id INTEGER PRIMARY KEY)")
    with pytest.raises(migrations.ForeignDatabase):
        migrations.upgrade(engine)
    assert tables(engine) == {stranger}


def test_a_database_that_another_program_migrates_is_refused(engine):
    run(
        engine,
        *OLD_APPLICATION,
        "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)",
        "INSERT INTO alembic_version VALUES ('a1b2c3d4e5f6')",
    )
    with pytest.raises(migrations.ForeignDatabase):
        migrations.upgrade(engine)


def test_tables_of_other_programs_with_other_names_are_no_obstacle(engine):
    run(engine, "CREATE TABLE payroll (id INTEGER PRIMARY KEY)", "INSERT INTO payroll VALUES (7)")
    migrations.upgrade(engine)
    migrations.downgrade(engine, "base")
    with engine.connect() as connection:
        assert _rows(connection, "payroll") == [(7,)]


def test_an_empty_database_is_not_current(engine):
    assert not migrations.is_current(engine)


@pytest.mark.parametrize(
    ("name", "address", "joined"),
    [
        ("Annex", "1 Elm", "Annex, 1 Elm"),
        (" Annex, ", " 1 Elm\n", "Annex, 1 Elm"),
        ("", " 1 Elm", "1 Elm"),
        ("Annex ", "", "Annex"),
        ("1 Elm", "1 Elm", "1 Elm"),
        ("Été 日本", "é" * 3000, "Été 日本, " + "é" * 3000),
        ("", "", ""),
    ],
)
def test_name_and_address_of_a_job_become_one_text(engine, name, address, joined):
    migrations.upgrade(engine, "0019")
    run(engine, *OLD_ROWS)
    change = text("UPDATE jobs SET job_name = :name, job_address = :address")
    with engine.begin() as connection:
        connection.execute(change, {"name": name, "address": address})
    migrations.upgrade(engine)
    assert column(engine, "SELECT job_name_address FROM jobs") == [joined]
    migrations.downgrade(engine, "0019")
    assert column(engine, "SELECT job_name FROM jobs") == [joined]
    assert column(engine, "SELECT job_address FROM jobs") == [""]


def column(engine: Engine, query: str) -> list[Any]:
    with engine.connect() as connection:
        return [row[0] for row in connection.execute(text(query))]


def test_what_dataverse_says_of_name_and_address_is_joined_too(engine):
    migrations.upgrade(engine, "0019")
    run(
        engine,
        *OLD_ROWS,
        """UPDATE jobs SET dataverse_says = '{"job_address": "2 Oak", "job_scope": "Desk"}'""",
        "INSERT INTO sync_changes (run_id, job_id, im_number, field, old_value, new_value) VALUES"
        " (1, 1, '4512', 'job_address', '', '1 Elm'), (1, 1, '4512', 'job_name', 'Shed', 'Annex'),"
        " (1, 1, '4512', 'standing', 'approved', 'deleted')",
        """INSERT INTO sync_leftovers VALUES ('x', '4513', 'taken',"""
        """ '{"im_number": "4513", "job_name": "Pier", "job_address": "3 Ash"}'), ('y', '', 'blank', NULL)""",
    )
    migrations.upgrade(engine)
    says, read = (
        json.loads(column(engine, query)[0])
        for query in ("SELECT dataverse_says FROM jobs", "SELECT row_read FROM sync_leftovers")
    )
    assert says == {"job_scope": "Desk", "job_name_address": "Annex, 2 Oak"}
    assert read == {"im_number": "4513", "job_name_address": "Pier, 3 Ash"}
    with engine.connect() as connection:
        found = connection.execute(text("SELECT field, old_value, new_value FROM sync_changes")).all()
    assert [tuple(row) for row in found] == [
        ("job_name_address", "Shed", "Annex, 1 Elm"),
        ("upstream_state", "approved", "deleted"),
    ]
    migrations.downgrade(engine, "0019")
    assert json.loads(column(engine, "SELECT row_read FROM sync_leftovers")[0])["job_name"] == "Pier, 3 Ash"
    assert json.loads(column(engine, "SELECT dataverse_says FROM jobs")[0])["job_name"] == "Annex, 2 Oak"


def test_people_who_are_there_already_get_their_keys_and_are_told_apart(engine):
    migrations.upgrade(engine, "0021")
    person = (
        "INSERT INTO users (id, first_name, last_name, email, password, department, created_at, epoch) VALUES"
        " ({0}, '{1}', '{2}', 'p{0}@shop.example', 'x', '{3}', '2026-11-23 12:00:00', 0)"
    )
    rows = [(1, "José", "Núñez", "CUT_SHOP"), (2, "jose", "nunez", "PAINT_SHOP")]
    rows += [(3, "Ana", "Ek", "CUT_SHOP")]
    run(engine, *(person.format(*row) for row in rows))
    migrations.upgrade(engine)
    with engine.connect() as connection:
        query = text("SELECT name_key, told_apart_by, employee_number FROM users ORDER BY id")
        assert [tuple(row) for row in connection.execute(query)] == [
            ("jose nunez", "CUT_SHOP", None), ("jose nunez", "PAINT_SHOP", None), ("ana ek", "", None),
        ]  # fmt: skip


def add_job_of_0021(engine: Engine, job_id: int, number: str, key: str, state: str, status: int) -> None:
    statement = text(
        "INSERT INTO jobs (id, im_number, im_key, dataverse_standing, status, general_contractor, job_scope,"
        " job_name_address, context, source, created_at)"
        " VALUES (:id, :number, :key, :state, :status, 'G', 'S', '', '', 'manual', '2026-11-23 12:00:00')"
    )
    values = {"id": job_id, "number": number, "key": key, "state": state, "status": status}
    with engine.begin() as connection:
        connection.execute(statement, values)


def keys(engine: Engine) -> dict[int, tuple[str, str]]:
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT id, im_key, im_order FROM jobs")).all()
    return {job_id: (key, order) for job_id, key, order in rows}


def test_jobs_that_are_one_by_the_new_rule_for_numbers_stay_two_and_one_of_them_keeps_the_number(engine):
    migrations.upgrade(engine, "0021")
    add_job_of_0021(engine, 1, "45 12", "45 12", "", 0)
    add_job_of_0021(engine, 2, "4512", "4512", "", 1)
    add_job_of_0021(engine, 3, "４５１２", "４５１２", "approved", 0)
    add_job_of_0021(engine, 4, "2458 (4391)", "2458 (4391)", "", 1)
    add_job_of_0021(engine, 5, "a9", "A9", "", 1)
    before = keys_before(engine)
    migrations.upgrade(engine)
    assert keys(engine) == {
        1: ("4512 #1", "044512"),
        2: ("4512 #2", "044512"),
        3: ("4512", "044512"),
        4: ("2458(4391)", "042458(044391)"),
        5: ("A9", "A019"),
    }
    migrations.downgrade(engine, "0021")
    assert keys_before(engine) == before


def keys_before(engine: Engine) -> list[tuple[object, ...]]:
    with engine.connect() as connection:
        return [
            tuple(row)
            for row in connection.execute(text("SELECT id, im_number, im_key FROM jobs ORDER BY id"))
        ]
