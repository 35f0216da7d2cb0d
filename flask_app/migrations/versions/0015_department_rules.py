"""When each department's open shifts are clocked out, and when people are assumed to have left."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "department_rules",
        sa.Column("department", sa.String(40), nullable=False),
        sa.Column("clocks_out", sa.Boolean(), nullable=False),
        sa.Column("clock_out_at", sa.Time(), nullable=False),
        sa.Column("assumed_end", sa.Time(), nullable=False),
        sa.PrimaryKeyConstraint("department", name="pk_department_rules"),
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
    )


def downgrade() -> None:
    op.drop_table("department_rules")
