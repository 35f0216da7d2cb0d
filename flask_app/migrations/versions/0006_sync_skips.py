"""The rows that a sync could not take, and why."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "sync_skips",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("dataverse_id", sa.String(36), nullable=False),
        sa.Column("im_number", sa.String(255), nullable=False),
        sa.Column("reason", sa.String(255), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["sync_runs.id"], name="fk_sync_skips_run_id_sync_runs"),
        sa.PrimaryKeyConstraint("id", name="pk_sync_skips"),
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
    )
    op.create_index("ix_sync_skips_run_id", "sync_skips", ["run_id"])


def downgrade() -> None:
    op.drop_table("sync_skips")
