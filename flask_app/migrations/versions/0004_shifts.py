"""Shifts. The database itself keeps: one open shift per person, no end before the start."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "shifts",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("updated_at", sa.DateTime(), nullable=True),
        sa.Column("job_id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("punch_key", sa.String(36), nullable=True),
        # Virtual, not stored: SQLite cannot add a stored column to a table with rows.
        sa.Column(
            "open_for",
            sa.Integer(),
            sa.Computed("CASE WHEN updated_at IS NULL THEN user_id END", persisted=False),
        ),
        sa.CheckConstraint(
            "updated_at IS NULL OR updated_at >= created_at",
            name=op.f("ck_shifts_ends_after_start"),  # op.f: the naming convention is not applied again
        ),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_shifts_job_id_jobs"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_shifts_user_id_users"),
        sa.PrimaryKeyConstraint("id", name="pk_shifts"),
        sa.UniqueConstraint("open_for", name="uq_shifts_open_for"),
        sa.UniqueConstraint("punch_key", name="uq_shifts_punch_key"),
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
    )
    op.create_index("ix_shifts_job_id_created_at", "shifts", ["job_id", "created_at"])
    op.create_index("ix_shifts_user_id_created_at", "shifts", ["user_id", "created_at"])


def downgrade() -> None:
    op.drop_table("shifts")
