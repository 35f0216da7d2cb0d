"""What can be told of a database in a few figures, so that a copy can be compared with it; and its rules."""

from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import Any

from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, text

from flask_app.migrations import triggers
from flask_app.models import Base

Facts = Mapping[str, Any]

_MONTH = {"sqlite": "strftime('%Y-%m', created_at)"}
_LENGTH = {"sqlite": "strftime('%s', updated_at) - strftime('%s', created_at)"}
# What the database itself keeps; each query finds rows that break it.
_RULES = {
    "No two open shifts of one person": "SELECT user_id FROM shifts WHERE updated_at IS NULL"
    " GROUP BY user_id HAVING COUNT(*) > 1",
    "No shift ends before it starts": "SELECT id FROM shifts WHERE updated_at < created_at",
    "Every shift has its person": "SELECT id FROM shifts WHERE user_id NOT IN (SELECT id FROM users)",
    "Every shift has its job": "SELECT id FROM shifts WHERE job_id NOT IN (SELECT id FROM jobs)",
    "One job per IM number": "SELECT im_key FROM jobs GROUP BY im_key HAVING COUNT(*) > 1",
    "One account per e-mail": "SELECT email FROM users GROUP BY email HAVING COUNT(*) > 1",
}


def facts(connection: Connection) -> Facts:
    """Return the schema's revision, rows per table, shifts and seconds worked per month (UTC, by their start,
    closed ones), and a digest of the audit in its order."""
    dialect = connection.dialect.name
    month = _MONTH.get(dialect, "DATE_FORMAT(created_at, '%Y-%m')")
    length = _LENGTH.get(dialect, "TIMESTAMPDIFF(SECOND, created_at, updated_at)")
    found: dict[str, Any] = {"revision": MigrationContext.configure(connection).get_current_revision()}
    for table in Base.metadata.sorted_tables:
        found[f"rows.{table.name}"] = int(connection.scalar(text(f"SELECT COUNT(*) FROM {table.name}")) or 0)  # noqa: S608
    sums = f"SELECT {month} AS m, COUNT(*), SUM({length}) FROM shifts WHERE updated_at IS NOT NULL GROUP BY m"  # noqa: S608
    for name, shifts, seconds in connection.execute(text(sums)):
        found[f"month.{name}"] = f"{shifts} shifts, {int(seconds)} seconds"
    found["audit"] = audit_digest(connection)
    return found


def audit_digest(connection: Connection) -> str:
    """Return a digest of every row of the audit, in order: each row's changes all that come after it."""
    digest = sha256()
    columns = "id, at, by_id, entity, entity_id, person_id, subject, action, changes, reason"
    # Some thousands at a time: MySQL's driver would hold all of them.
    last = 0
    while True:
        query = text(f"SELECT {columns} FROM audit WHERE id > :last ORDER BY id LIMIT 5000")  # noqa: S608
        rows = connection.execute(query, {"last": last}).all()
        for row in rows:
            digest.update(repr([str(value) for value in row]).encode())
        if len(rows) < 5000:
            return digest.hexdigest()
        last = rows[-1][0]


def broken_rules(connection: Connection) -> Iterator[tuple[str, int]]:
    """Yield each rule with how many rows break it; a missing guard of the audit counts as one."""
    for rule, query in _RULES.items():
        count = f"SELECT COUNT(*) FROM ({query}) AS found"  # noqa: S608  # all of them stand above
        yield rule, int(connection.scalar(text(count)) or 0)
    yield "The audit is guarded by its triggers", len(triggers.missing(connection))


def differences(before: Facts, after: Facts) -> list[str]:
    """Return a sentence for each fact of `before` that `after` doesn't have."""
    return [
        f"{name}: {value} before, {after.get(name, 'nothing')} now"
        for name, value in before.items()
        if after.get(name) != value
    ]
