"""The rows of Dataverse that could not become jobs."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def exact(length: int) -> sa.String:
    """Text that compares byte by byte on every engine."""
    return sa.String(length).with_variant(sa.String(length, collation="utf8mb4_bin"), "mysql", "mariadb")


def upgrade() -> None:
    op.create_table(
        "sync_leftovers",
        sa.Column("dataverse_id", exact(36), nullable=False),
        sa.Column("im_number", sa.String(255), nullable=False),
        sa.Column("reason", sa.String(255), nullable=False),
        sa.Column("row_read", sa.JSON(), nullable=True),
        sa.PrimaryKeyConstraint("dataverse_id", name="pk_sync_leftovers"),
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
    )


def downgrade() -> None:
    op.drop_table("sync_leftovers")
