"""What webhooks have told, how many came, and who we are to Dataverse."""

import sqlalchemy as sa
from alembic import op

revision = "0037"
down_revision = "0036"
branch_labels = None
depends_on = None


def _exact(length: int) -> sa.String:
    return sa.String(length).with_variant(sa.String(length, collation="utf8mb4_bin"), "mysql", "mariadb")


def upgrade() -> None:
    op.create_table(
        "hooked_rows",
        sa.Column("row_id", _exact(36), nullable=False),
        sa.Column("hooks", sa.Integer(), nullable=False),
        sa.Column("since", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("row_id", name="pk_hooked_rows"),
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
    )
    op.create_index("ix_hooked_rows_since", "hooked_rows", ["since"])
    op.create_table(
        "hook_counts",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("received", sa.Integer(), nullable=False),
        sa.Column("joined", sa.Integer(), nullable=False),
        sa.Column("dropped", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("day", name="pk_hook_counts"),
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
    )
    op.add_column("write_back", sa.Column("user_id", _exact(36), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("write_back") as table:
        table.drop_column("user_id")
    op.drop_table("hook_counts")
    op.drop_table("hooked_rows")
