"""Jobs, one per IM number."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def exact(length: int) -> sa.String:
    """Text that compares byte by byte on every engine."""
    return sa.String(length).with_variant(sa.String(length, collation="utf8mb4_bin"), "mysql", "mariadb")


def upgrade() -> None:
    op.create_table(
        "jobs",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("im_number", sa.String(50), nullable=False),
        sa.Column("im_key", exact(50), nullable=False),
        sa.Column("general_contractor", sa.Text(), nullable=False),
        sa.Column("job_scope", sa.Text(), nullable=False),
        sa.Column("job_name", sa.Text(), nullable=False),
        sa.Column("job_address", sa.Text(), nullable=False),
        sa.Column("estimated_hours", sa.Numeric(8, 2, asdecimal=False), nullable=True),
        sa.Column("context", sa.Text(), nullable=False),
        sa.Column("status", sa.SmallInteger(), nullable=False),
        sa.Column("source", sa.String(20), nullable=False),
        sa.Column("dataverse_id", exact(36), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("updated_at", sa.DateTime(), nullable=True),
        sa.Column("user_id", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_jobs_user_id_users"),
        sa.PrimaryKeyConstraint("id", name="pk_jobs"),
        sa.UniqueConstraint("im_key", name="uq_jobs_im_key"),
        sa.UniqueConstraint("dataverse_id", name="uq_jobs_dataverse_id"),
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
    )
    op.create_index("ix_jobs_status", "jobs", ["status"])


def downgrade() -> None:
    op.drop_table("jobs")
