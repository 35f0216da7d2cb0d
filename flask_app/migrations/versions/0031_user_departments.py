"""Who was in which department from which day on. What is known today held always."""

import sqlalchemy as sa
from alembic import op

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "user_departments",
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("from_day", sa.Date(), nullable=False),  # 1970-01-01: from the beginning
        sa.Column("department", sa.String(40), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_user_departments_user_id_users"),
        sa.PrimaryKeyConstraint("user_id", "from_day", name="pk_user_departments"),
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
    )
    op.execute(
        "INSERT INTO user_departments (user_id, from_day, department)"
        " SELECT id, '1970-01-01', department FROM users"
        " WHERE id NOT IN (SELECT user_id FROM user_departments)"  # it may have broken off after this
    )


def downgrade() -> None:
    op.drop_table("user_departments")
