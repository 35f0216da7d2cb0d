"""What workers ask to have corrected. One waiting request per shift, kept by the database."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "corrections",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("shift_id", sa.Integer(), nullable=True),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("asked_at", sa.DateTime(), nullable=False),
        # What the shift was when it was asked, and what it should be.
        sa.Column("old_started_at", sa.DateTime(), nullable=True),
        sa.Column("old_ended_at", sa.DateTime(), nullable=True),
        sa.Column("old_job_id", sa.Integer(), nullable=True),
        sa.Column("new_started_at", sa.DateTime(), nullable=True),
        sa.Column("new_ended_at", sa.DateTime(), nullable=True),
        sa.Column("new_job_id", sa.Integer(), nullable=True),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("decided_at", sa.DateTime(), nullable=True),
        sa.Column("decided_by_id", sa.Integer(), nullable=True),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column(
            "waiting_for",
            sa.Integer(),
            sa.Computed("CASE WHEN state = 'waiting' THEN shift_id END", persisted=False),
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_corrections_user_id_users"),
        sa.ForeignKeyConstraint(["decided_by_id"], ["users.id"], name="fk_corrections_decided_by_id_users"),
        sa.ForeignKeyConstraint(["old_job_id"], ["jobs.id"], name="fk_corrections_old_job_id_jobs"),
        sa.ForeignKeyConstraint(["new_job_id"], ["jobs.id"], name="fk_corrections_new_job_id_jobs"),
        sa.PrimaryKeyConstraint("id", name="pk_corrections"),
        sa.UniqueConstraint("waiting_for", name="uq_corrections_waiting_for"),
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
    )
    op.create_index("ix_corrections_user_id", "corrections", ["user_id", "asked_at"])
    op.create_index("ix_corrections_state", "corrections", ["state", "asked_at"])


def downgrade() -> None:
    op.drop_table("corrections")
