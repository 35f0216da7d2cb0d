"""On which weekdays somebody works from a day on. Without a row: Monday to Friday."""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "working_days",
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("from_day", sa.Date(), nullable=False),
        sa.Column("weekdays", sa.SmallInteger(), nullable=False),  # 1 Monday + 2 Tuesday + 4 ... 64 Sunday
        sa.CheckConstraint("weekdays BETWEEN 0 AND 127", name="ck_working_days_weekdays"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_working_days_user_id_users"),
        sa.PrimaryKeyConstraint("user_id", "from_day", name="pk_working_days"),
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
    )


def downgrade() -> None:
    op.drop_table("working_days")
