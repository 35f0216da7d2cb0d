"""The address has gone into the text with the job's name; and a changed state has its present name."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("UPDATE sync_changes SET field = 'upstream_state' WHERE field = 'standing'")
    op.drop_column("jobs", "job_address")


def downgrade() -> None:
    # MySQL takes a default for TEXT only in parentheses, and MariaDB and SQLite take it so too.
    default = sa.text("('')")
    op.add_column("jobs", sa.Column("job_address", sa.Text(), nullable=False, server_default=default))
