"""SQLite gives the id of the last row again once that row is gone, unless its table says AUTOINCREMENT.

MySQL and MariaDB never give an id twice. SQLite can't change a table that is there, so it is made anew.
"""

import re

from sqlalchemy import Connection, text

_ID = re.compile(r"\bid INTEGER NOT NULL")
_KEY = re.compile(r",\s*(CONSTRAINT (\w+) )?PRIMARY KEY \(id\)")


def never_reuse(connection: Connection, *tables: str) -> None:
    """Let these tables give every id once only; on other engines nothing is to be done."""
    if connection.dialect.name != "sqlite":
        return
    # What points at a row is missing it for a moment, and has it again before the end.
    connection.exec_driver_sql("PRAGMA defer_foreign_keys = ON")
    for table in tables:
        _make_anew(connection, table)


def keep_free(connection: Connection, table: str, query: str) -> None:
    """Give no id up to the one that `query` returns: of rows that are gone, but still spoken of."""
    if connection.dialect.name != "sqlite":
        return
    highest = connection.scalar(text(query)) or 0
    known = connection.scalar(text("SELECT seq FROM sqlite_sequence WHERE name = :name"), {"name": table})
    if known is None:
        statement = "INSERT INTO sqlite_sequence (name, seq) VALUES (:name, :seq)"
    else:
        statement = "UPDATE sqlite_sequence SET seq = :seq WHERE name = :name"
    connection.execute(text(statement), {"name": table, "seq": max(highest, known or 0)})


def _make_anew(connection: Connection, table: str) -> None:
    made = {"table": table}
    found = connection.execute(
        text("SELECT type, sql FROM sqlite_master WHERE tbl_name = :table AND sql IS NOT NULL"), made
    ).all()
    create = next(sql for kind, sql in found if kind == "table")
    if "AUTOINCREMENT" in create:
        return
    info = connection.execute(text(f"PRAGMA table_xinfo({table})")).all()
    columns = ", ".join(f'"{row.name}"' for row in info if row.hidden == 0)  # the others are computed
    connection.exec_driver_sql(f"CREATE TEMP TABLE kept AS SELECT {columns} FROM main.{table}")  # noqa: S608
    connection.exec_driver_sql(f"DROP TABLE {table}")
    connection.exec_driver_sql(_with_autoincrement(create))
    connection.exec_driver_sql(
        f"INSERT INTO {table} ({columns}) SELECT {columns} FROM temp.kept ORDER BY id"  # noqa: S608
    )
    connection.exec_driver_sql("DROP TABLE temp.kept")
    for statement in (sql for kind, sql in found if kind != "table"):
        connection.exec_driver_sql(statement)


def _with_autoincrement(create: str) -> str:
    key = _KEY.search(create)
    if key is None or not _ID.search(create):
        raise ValueError(f"this table has no id that SQLite counts: {create}")
    create = _KEY.sub("", create, count=1)
    return _ID.sub(f"id INTEGER NOT NULL {key[1] or ''}PRIMARY KEY AUTOINCREMENT", create, count=1)
