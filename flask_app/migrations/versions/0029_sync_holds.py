"""What a sync holds back until an admin has looked; jobs that are approved again although the shop has closed them."""

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("jobs", sa.Column("returned_at", sa.DateTime(), nullable=True))
    op.add_column("sync_runs", sa.Column("returned", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("sync_runs", sa.Column("held", sa.Integer(), nullable=False, server_default="0"))
    op.create_table(
        "sync_holds",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("first_run_id", sa.Integer(), nullable=False),
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("job_ids", sa.JSON(), nullable=False),
        sa.Column("out_of", sa.Integer(), nullable=False),
        sa.Column("since", sa.DateTime(), nullable=False),
        sa.Column("decided_by_id", sa.Integer(), nullable=True),
        sa.Column("decided_at", sa.DateTime(), nullable=True),
        sa.Column(
            "current_kind",
            sa.String(40),
            sa.Computed(
                "CASE WHEN state IN ('open', 'confirmed', 'dismissed') THEN kind END", persisted=False
            ),
            nullable=True,
        ),
        sa.ForeignKeyConstraint(
            ["first_run_id"], ["sync_runs.id"], name="fk_sync_holds_first_run_id_sync_runs"
        ),
        sa.ForeignKeyConstraint(["run_id"], ["sync_runs.id"], name="fk_sync_holds_run_id_sync_runs"),
        sa.ForeignKeyConstraint(["decided_by_id"], ["users.id"], name="fk_sync_holds_decided_by_id_users"),
        sa.PrimaryKeyConstraint("id", name="pk_sync_holds"),
        sa.UniqueConstraint("current_kind", name="uq_sync_holds_current_kind"),
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
    )
    op.create_index("ix_sync_holds_run_id", "sync_holds", ["run_id"])


def downgrade() -> None:
    op.drop_table("sync_holds")
    op.drop_column("sync_runs", "held")
    op.drop_column("sync_runs", "returned")
    op.drop_column("jobs", "returned_at")
