"""Where the jobs' documents are in SharePoint."""

import sqlalchemy as sa
from alembic import op

revision = "0038"
down_revision = "0037"
branch_labels = None
depends_on = None


def upgrade() -> None:
    exact = sa.String(36).with_variant(sa.String(36, collation="utf8mb4_bin"), "mysql", "mariadb")
    op.create_table(
        "job_folders",
        sa.Column("job_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("location_id", exact, nullable=False),
        sa.Column("relative", sa.String(400), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("seen_at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_job_folders_job_id_jobs"),
        sa.PrimaryKeyConstraint("job_id", name="pk_job_folders"),
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
    )


def downgrade() -> None:
    op.drop_table("job_folders")
