"""Tries of a known device are counted apart from those of strangers."""

import sqlalchemy as sa
from alembic import op

revision = "0042"
down_revision = "0041"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("login_attempts", sa.Column("device", sa.String(32), nullable=False, server_default=""))


def downgrade() -> None:
    op.drop_column("login_attempts", "device")
