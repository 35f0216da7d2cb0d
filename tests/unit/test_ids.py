"""An id is given once, whatever was deleted: audit, requests and old pages name rows by it."""

from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, text

from flask_app import migrations
from flask_app.models import Base
from flask_app.models.database import make_engine
from tests.unit.test_migrations import ROWS, contents, engine, run

__all__ = ["engine"]
SHIFT = next(row for row in ROWS if row.startswith("INSERT INTO shifts"))


def made_by(connection: Connection, table: str) -> str:
    return str(connection.scalar(text("SELECT sql FROM sqlite_master WHERE name = :name"), {"name": table}))


def test_a_table_that_others_point_at_never_gives_an_id_twice(engine):  # noqa: F811
    migrations.upgrade(engine)
    pointed_at = {key.column.table.name for t in Base.metadata.tables.values() for key in t.foreign_keys}
    pointed_at |= {"shifts", "corrections", "audit"}  # the audit, requests and addresses name their rows
    if engine.dialect.name == "sqlite":
        with engine.connect() as connection:
            reusing = {name for name in pointed_at if "AUTOINCREMENT" not in made_by(connection, name)}
        assert reusing == set()
    run(engine, *ROWS)
    run(engine, "DELETE FROM shifts", SHIFT)
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT id FROM shifts")) == 2


@pytest.fixture
def steps() -> tuple[str, str]:
    """The revision before the tables are made anew, and the one that does it."""
    (path,) = Path(migrations.__file__).parent.glob("versions/*_ids_once.py")
    number = int(path.name[:4])
    return f"{number - 1:04}", f"{number:04}"


def test_making_the_tables_anew_loses_nothing_and_gives_no_id_that_is_spoken_of(tmp_path, steps):
    made, (before_it, it) = make_engine(f"sqlite:///{tmp_path / 'old.db'}"), steps
    migrations.upgrade(made, before_it)
    written = (
        "INSERT INTO audit (at, entity, entity_id, person_id, subject, action, changes, reason, is_punch)"
        " VALUES ('2026-11-23 12:00:00', 'shift', 7, 1, 'Ana on 4512', 'deleted', '{}', 'Twice', 0)"
    )
    run(made, *ROWS, written)
    before, schema = contents(made), beside_tables(made)
    migrations.upgrade(made, it)
    after = contents(made)
    assert {name: rows for name, rows in after.items() if rows != before.get(name)} == {
        "alembic_version": [(it,)]
    }
    assert beside_tables(made) == schema
    run(made, "DELETE FROM shifts", SHIFT)
    with made.connect() as connection:
        assert connection.scalar(text("SELECT max(id) FROM shifts")) == 8
        assert connection.execute(text("PRAGMA foreign_key_check")).all() == []
    made.dispose()


def beside_tables(engine: Engine) -> set[tuple[str, ...]]:  # noqa: F811
    """Return the indexes and triggers, as they were made."""
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT type, name, sql FROM sqlite_master WHERE type != 'table'"))
        return {tuple(map(str, row)) for row in rows}
