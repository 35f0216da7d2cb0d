"""The meal rule with the day from which it holds. `db upgrade` and the start write the first one."""

import sqlalchemy as sa
from alembic import op

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "time_rules",
        sa.Column("from_day", sa.Date(), nullable=False),  # 1970-01-01: from the beginning
        sa.Column("meal_minutes", sa.SmallInteger(), nullable=False),
        sa.Column("meal_after", sa.SmallInteger(), nullable=False),  # minutes
        sa.CheckConstraint(
            "meal_minutes BETWEEN 0 AND 240 AND meal_after BETWEEN 0 AND 1440", name="ck_time_rules_minutes"
        ),
        sa.PrimaryKeyConstraint("from_day", name="pk_time_rules"),
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
    )


def downgrade() -> None:
    op.drop_table("time_rules")
