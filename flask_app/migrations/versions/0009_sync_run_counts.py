"""What a sync run read, waited for and changed."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("sync_runs", sa.Column("is_full", sa.Boolean(), nullable=False, server_default=sa.true()))
    op.add_column("sync_runs", sa.Column("watermark", sa.DateTime(), nullable=True))
    op.add_column("sync_runs", sa.Column("requests", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("sync_runs", sa.Column("retries", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("sync_runs", sa.Column("waited", sa.Double(), nullable=False, server_default="0"))
    op.add_column("sync_runs", sa.Column("updated", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("sync_runs", sa.Column("linked", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("sync_runs", sa.Column("gone", sa.Integer(), nullable=False, server_default="0"))


def downgrade() -> None:
    op.drop_column("sync_runs", "gone")
    op.drop_column("sync_runs", "linked")
    op.drop_column("sync_runs", "updated")
    op.drop_column("sync_runs", "waited")
    op.drop_column("sync_runs", "retries")
    op.drop_column("sync_runs", "requests")
    op.drop_column("sync_runs", "watermark")
    op.drop_column("sync_runs", "is_full")
