"""Hours that go back to Dataverse: what is owed per job, what was sent, and whether it is on."""

import sqlalchemy as sa
from alembic import op

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None


def _exact(length: int) -> sa.String:
    return sa.String(length).with_variant(sa.String(length, collation="utf8mb4_bin"), "mysql", "mariadb")


def upgrade() -> None:
    op.create_table(
        "owed_hours",
        sa.Column("job_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("sent_version", sa.Integer(), nullable=False),
        sa.Column("sent_minutes", sa.Integer(), nullable=False),
        sa.Column("sent_to", _exact(36), nullable=True),
        sa.Column("sent_at", sa.DateTime(), nullable=True),
        sa.Column("parked_version", sa.Integer(), nullable=True),
        sa.Column("trouble", sa.Text(), nullable=False),
        sa.Column("lease", _exact(32), nullable=True),
        sa.Column("leased_until", sa.DateTime(), nullable=True),
        sa.Column("look_at", sa.DateTime(), nullable=True),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_owed_hours_job_id_jobs"),
        sa.PrimaryKeyConstraint("job_id", name="pk_owed_hours"),
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
    )
    op.create_index("ix_owed_hours_lease", "owed_hours", ["lease"])
    op.create_table(
        "hours_sent",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("job_id", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.Column("outcome", sa.String(20), nullable=False),
        sa.Column("hours_before", sa.Double(), nullable=True),
        sa.Column("hours_now", sa.Double(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_hours_sent_job_id_jobs"),
        sa.PrimaryKeyConstraint("id", name="pk_hours_sent"),
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
    )
    op.create_index("ix_hours_sent_job", "hours_sent", ["job_id", "id"])
    op.create_index("ix_hours_sent_at", "hours_sent", ["at"])
    op.create_table(
        "write_back",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("organization_id", _exact(36), nullable=True),
        sa.Column("decided_by_id", sa.Integer(), nullable=True),
        sa.Column("decided_at", sa.DateTime(), nullable=True),
        sa.Column("passed_at", sa.DateTime(), nullable=True),
        sa.Column("checked_at", sa.DateTime(), nullable=True),
        sa.Column("rest_until", sa.DateTime(), nullable=True),
        sa.Column("trouble", sa.Text(), nullable=False),
        sa.CheckConstraint("id = 1", name="ck_write_back_one_row"),
        sa.ForeignKeyConstraint(["decided_by_id"], ["users.id"], name="fk_write_back_decided_by_id_users"),
        sa.PrimaryKeyConstraint("id", name="pk_write_back"),
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
    )


def downgrade() -> None:
    op.drop_table("write_back")
    op.drop_table("hours_sent")
    op.drop_table("owed_hours")
