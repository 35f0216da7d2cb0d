"""What became of each row of the old program's database."""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "adopted_rows",
        sa.Column("old_table", sa.String(20), nullable=False),
        sa.Column("old_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("outcome", sa.String(20), nullable=False),
        sa.Column("rules", sa.String(255), nullable=False),
        sa.Column("new_id", sa.Integer(), nullable=True),
        sa.Column("digest", sa.String(24), nullable=False),
        sa.Column("source", sa.JSON(), nullable=True),
        sa.Column("settled_at", sa.DateTime(), nullable=True),
        sa.Column("settled_by_id", sa.Integer(), nullable=True),
        sa.Column("settled_how", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["settled_by_id"], ["users.id"], name="fk_adopted_rows_settled_by_id_users"),
        sa.PrimaryKeyConstraint("old_table", "old_id", name="pk_adopted_rows"),
        mysql_charset="utf8mb4",
    )
    op.create_index("ix_adopted_rows_waiting", "adopted_rows", ["outcome", "settled_at"])


def downgrade() -> None:
    op.drop_table("adopted_rows")
