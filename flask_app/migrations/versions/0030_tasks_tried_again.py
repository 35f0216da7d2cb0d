"""A timed task is done when it has worked; a sync may have to rest; polls that found nothing share a line."""

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("task_runs", sa.Column("next_try_at", sa.DateTime(), nullable=True))
    op.add_column("task_runs", sa.Column("attempts", sa.Integer(), nullable=False, server_default="1"))
    op.add_column("task_runs", sa.Column("failed_at", sa.DateTime(), nullable=True))
    op.add_column("sync_runs", sa.Column("rest_until", sa.DateTime(), nullable=True))
    op.add_column("sync_runs", sa.Column("polls", sa.Integer(), nullable=False, server_default="1"))
    op.add_column("sync_runs", sa.Column("polls_since", sa.DateTime(), nullable=True))


def downgrade() -> None:
    op.drop_column("sync_runs", "polls_since")
    op.drop_column("sync_runs", "polls")
    op.drop_column("sync_runs", "rest_until")
    op.drop_column("task_runs", "failed_at")
    op.drop_column("task_runs", "attempts")
    op.drop_column("task_runs", "next_try_at")
