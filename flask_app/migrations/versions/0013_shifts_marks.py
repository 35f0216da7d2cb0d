"""Shifts say whether somebody changed them and whether their end is only assumed; reports read them by time."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("shifts", sa.Column("edited_at", sa.DateTime(), nullable=True))
    op.add_column("shifts", sa.Column("assumed_at", sa.DateTime(), nullable=True))
    op.create_index("ix_shifts_assumed_at", "shifts", ["assumed_at"])
    op.create_index("ix_shifts_edited_at", "shifts", ["edited_at"])
    # Holds all that a sum of hours needs, so that a report reads no row of the table.
    op.create_index("ix_shifts_created_at", "shifts", ["created_at", "user_id", "job_id", "updated_at"])


def downgrade() -> None:
    op.drop_index("ix_shifts_created_at", "shifts")
    op.drop_index("ix_shifts_edited_at", "shifts")
    op.drop_index("ix_shifts_assumed_at", "shifts")
    op.drop_column("shifts", "assumed_at")
    op.drop_column("shifts", "edited_at")
