"""Production phases that go to Dataverse: the rules, whether it is on, what is known of each job's phase."""

import sqlalchemy as sa
from alembic import op

revision = "0039"
down_revision = "0038"
branch_labels = None
depends_on = None


def _exact(length: int) -> sa.String:
    return sa.String(length).with_variant(sa.String(length, collation="utf8mb4_bin"), "mysql", "mariadb")


def upgrade() -> None:
    op.create_table(
        "phase_rules",
        sa.Column("event", sa.String(20), nullable=False),
        sa.Column("phase", sa.Integer(), nullable=False),
        sa.Column("label", sa.String(200), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("percent", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("event", name="pk_phase_rules"),
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
    )
    op.create_table(
        "phase_state",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("organization_id", _exact(36), nullable=True),
        sa.Column("decided_by_id", sa.Integer(), nullable=True),
        sa.Column("decided_at", sa.DateTime(), nullable=True),
        sa.Column("trouble", sa.Text(), nullable=False),
        sa.CheckConstraint("id = 1", name="ck_phase_state_one_row"),
        sa.ForeignKeyConstraint(["decided_by_id"], ["users.id"], name="fk_phase_state_decided_by_id_users"),
        sa.PrimaryKeyConstraint("id", name="pk_phase_state"),
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
    )
    op.create_table(
        "job_phases",
        sa.Column("job_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("row_id", _exact(36), nullable=False),
        sa.Column("expected", sa.Integer(), nullable=True),
        sa.Column("intended", sa.Integer(), nullable=True),
        sa.Column("settled", sa.Integer(), nullable=True),
        sa.Column("by_hand", sa.Boolean(), nullable=False),
        sa.Column("trouble", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_job_phases_job_id_jobs"),
        sa.PrimaryKeyConstraint("job_id", name="pk_job_phases"),
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
    )
    op.create_table(
        "phases_sent",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("job_id", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.Column("outcome", sa.String(20), nullable=False),
        sa.Column("phase_before", sa.Integer(), nullable=True),
        sa.Column("phase_now", sa.Integer(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_phases_sent_job_id_jobs"),
        sa.PrimaryKeyConstraint("id", name="pk_phases_sent"),
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
    )
    op.create_index("ix_phases_sent_job_id", "phases_sent", ["job_id"])


def downgrade() -> None:
    for table in ("phases_sent", "job_phases", "phase_state", "phase_rules"):
        op.drop_table(table)
