"""An id is given once, on SQLite too; REPLACE INTO doesn't get past the audit's guard there."""

from alembic import op

from flask_app.migrations import sqlite_ids, triggers

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None

_GONE = {  # rows that were deleted before ids were kept, but are spoken of
    "users": "SELECT max(person_id) FROM audit",
    "jobs": "SELECT max(entity_id) FROM audit WHERE entity = 'job'",
    "shifts": "SELECT max(id) FROM (SELECT max(entity_id) AS id FROM audit WHERE entity = 'shift'"
    " UNION ALL SELECT max(shift_id) FROM corrections)",
}


def upgrade() -> None:
    connection = op.get_bind()
    sqlite_ids.never_reuse(
        connection, "users", "jobs", "shifts", "corrections", "audit", "sync_runs", "sync_changes"
    )
    for table, query in _GONE.items():
        sqlite_ids.keep_free(connection, table, query)
    triggers.add_or_warn(connection)


def downgrade() -> None:
    """A table that gives its ids once needs nothing to be undone; the guard goes with the audit."""
