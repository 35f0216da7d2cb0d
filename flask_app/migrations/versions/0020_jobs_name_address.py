"""A job's name and its address become one text, as they are in Dataverse."""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from alembic import op

from flask_app.migrations.resumable import has_column

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

JOINED = "job_name_address"
PARTS = ("job_name", "job_address")

_jobs = sa.table(
    "jobs",
    sa.column("id", sa.Integer),
    sa.column("job_name", sa.Text),
    sa.column("job_address", sa.Text),
    sa.column("dataverse_says", sa.JSON(none_as_null=True)),
)
_changes = sa.table(
    "sync_changes",
    sa.column("id", sa.Integer),
    sa.column("run_id", sa.Integer),
    sa.column("job_id", sa.Integer),
    sa.column("field", sa.String),
    sa.column("old_value", sa.Text),
    sa.column("new_value", sa.Text),
)
_leftovers = sa.table(
    "sync_leftovers",
    sa.column("dataverse_id", sa.String),
    sa.column("row_read", sa.JSON(none_as_null=True)),
)


def upgrade() -> None:
    # Each of these may run twice: MySQL keeps what is done if a later one breaks off. The rename is the last.
    connection = op.get_bind()
    if not has_column(connection, "jobs", "job_name"):
        return
    _join_jobs(connection)
    _join_changes(connection)
    _join_leftovers(connection)
    op.alter_column(
        "jobs", "job_name", new_column_name=JOINED, existing_type=sa.Text(), existing_nullable=False
    )


def downgrade() -> None:
    """Name and address stay together, as the name."""
    op.alter_column(
        "jobs", JOINED, new_column_name="job_name", existing_type=sa.Text(), existing_nullable=False
    )
    connection = op.get_bind()
    for row in connection.execute(sa.select(_jobs).where(_jobs.c.dataverse_says.is_not(None))).all():
        if JOINED in (row.dataverse_says or {}):
            says = {"job_name" if field == JOINED else field: t for field, t in row.dataverse_says.items()}
            _save(connection, _jobs, _jobs.c.id == row.id, dataverse_says=says)
    for row in connection.execute(sa.select(_leftovers)).all():
        if row.row_read and JOINED in row.row_read:
            read = {**row.row_read, "job_name": row.row_read[JOINED], "job_address": ""}
            read.pop(JOINED)
            _save(connection, _leftovers, _leftovers.c.dataverse_id == row.dataverse_id, row_read=read)
    _save(connection, _changes, _changes.c.field == JOINED, field="job_name")


def _joined(name: str, address: str) -> str:
    """Return both, without blanks at their ends; one of them if the other is empty or says the same."""
    name, address = name.strip(), address.strip()
    if not name or not address or name == address:
        return name or address
    return f"{name.rstrip(' ,')}, {address}"


def _join_jobs(connection: sa.Connection) -> None:
    for row in connection.execute(sa.select(_jobs)).all():
        values: dict[str, Any] = {}
        if row.job_address or row.job_name != row.job_name.strip():
            values = {"job_name": _joined(row.job_name, row.job_address), "job_address": ""}
        if row.dataverse_says and row.dataverse_says.keys() & set(PARTS):
            values["dataverse_says"] = _joined_says(row.dataverse_says, row)
        if values:
            _save(connection, _jobs, _jobs.c.id == row.id, **values)


def _joined_says(says: Mapping[str, str], row: Any) -> dict[str, str]:
    """What Dataverse says of one part, with the other part: there it is what the job has."""
    name, address = says.get("job_name", row.job_name), says.get("job_address", row.job_address)
    kept = {field: text for field, text in says.items() if field not in PARTS}
    return {**kept, JOINED: _joined(name, address)}


def _join_changes(connection: sa.Connection) -> None:
    """One line per run and job, whether one part changed or both."""
    query = sa.select(_changes).where(_changes.c.field.in_(PARTS)).order_by(_changes.c.id)
    of_one_job: dict[tuple[int, int], list[Any]] = {}
    for row in connection.execute(query).all():
        of_one_job.setdefault((row.run_id, row.job_id), []).append(row)
    for first, *others in of_one_job.values():
        old = _joined_in_order([first, *others], "old_value")
        new = _joined_in_order([first, *others], "new_value")
        _save(connection, _changes, _changes.c.id == first.id, field=JOINED, old_value=old, new_value=new)
        for other in others:
            connection.execute(sa.delete(_changes).where(_changes.c.id == other.id))


def _joined_in_order(rows: list[Any], value: str) -> str:
    texts = {row.field: getattr(row, value) for row in rows}
    return _joined(texts.get("job_name", ""), texts.get("job_address", ""))


def _join_leftovers(connection: sa.Connection) -> None:
    """The next sync makes its rows anew from these."""
    for row in connection.execute(sa.select(_leftovers)).all():
        if row.row_read and JOINED not in row.row_read:
            read = dict(row.row_read)
            joined = _joined(read.pop("job_name", ""), read.pop("job_address", ""))
            where = _leftovers.c.dataverse_id == row.dataverse_id
            _save(connection, _leftovers, where, row_read={**read, JOINED: joined})


def _save(connection: sa.Connection, table: sa.TableClause, where: Any, **values: Any) -> None:
    connection.execute(sa.update(table).where(where).values(**values))
