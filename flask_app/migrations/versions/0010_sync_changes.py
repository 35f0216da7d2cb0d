"""The fields that a sync has changed, old and new."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "sync_changes",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("job_id", sa.Integer(), nullable=False),
        sa.Column("im_number", sa.String(50), nullable=False),
        sa.Column("field", sa.String(40), nullable=False),
        sa.Column("old_value", sa.Text(), nullable=False),
        sa.Column("new_value", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["sync_runs.id"], name="fk_sync_changes_run_id_sync_runs"),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_sync_changes_job_id_jobs"),
        sa.PrimaryKeyConstraint("id", name="pk_sync_changes"),
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
    )
    op.create_index("ix_sync_changes_run_id", "sync_changes", ["run_id"])


def downgrade() -> None:
    op.drop_table("sync_changes")
