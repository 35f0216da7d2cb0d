"""Who changed what, when and why. The database itself refuses to change or delete such a row."""

import sqlalchemy as sa
from alembic import op

from flask_app.migrations import triggers

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "audit",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.Column("by_id", sa.Integer(), nullable=True),
        sa.Column("entity", sa.String(20), nullable=False),
        sa.Column("entity_id", sa.Integer(), nullable=True),
        sa.Column("person_id", sa.Integer(), nullable=True),
        sa.Column("subject", sa.String(255), nullable=False),
        sa.Column("action", sa.String(20), nullable=False),
        sa.Column("changes", sa.JSON(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["by_id"], ["users.id"], name="fk_audit_by_id_users"),
        sa.ForeignKeyConstraint(["person_id"], ["users.id"], name="fk_audit_person_id_users"),
        sa.PrimaryKeyConstraint("id", name="pk_audit"),
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
    )
    op.create_index("ix_audit_at", "audit", ["at"])
    op.create_index("ix_audit_entity", "audit", ["entity", "entity_id"])
    triggers.add_or_warn(op.get_bind())


def downgrade() -> None:
    op.drop_table("audit")  # its triggers go with it
