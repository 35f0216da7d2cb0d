"""From when to when people were employed. The days that are known today are the first employment."""

import sqlalchemy as sa
from alembic import op

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "employments",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("first_day", sa.Date(), nullable=True),  # NULL: since always
        sa.Column("last_day", sa.Date(), nullable=True),  # NULL: it goes on
        sa.Column(
            "open_for",
            sa.Integer(),
            sa.Computed("CASE WHEN last_day IS NULL THEN user_id END", persisted=False),
        ),
        sa.CheckConstraint("last_day >= first_day", name="ck_employments_ends_after_start"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_employments_user_id_users"),
        sa.PrimaryKeyConstraint("id", name="pk_employments"),
        sa.UniqueConstraint("open_for", name="uq_employments_open_for"),
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
    )
    op.create_index("ix_employments_user_id", "employments", ["user_id", "first_day", "last_day"])
    # A last day before the first can only have been written by hand: it is left out.
    op.execute(
        "INSERT INTO employments (user_id, first_day, last_day)"
        " SELECT id, hire_date, CASE WHEN hire_date > leave_date THEN NULL ELSE leave_date END FROM users"
        " WHERE id NOT IN (SELECT user_id FROM employments)"  # it may have broken off after this
    )


def downgrade() -> None:
    op.drop_table("employments")
