"""Jobs that people have pinned to the top of their board."""

import sqlalchemy as sa
from alembic import op

revision = "0041"
down_revision = "0040"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "pinned_jobs",
        sa.Column("user_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("job_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("pinned_at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_pinned_jobs_user_id_users"),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_pinned_jobs_job_id_jobs"),
        sa.PrimaryKeyConstraint("user_id", "job_id", name="pk_pinned_jobs"),
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
    )


def downgrade() -> None:
    op.drop_table("pinned_jobs")
