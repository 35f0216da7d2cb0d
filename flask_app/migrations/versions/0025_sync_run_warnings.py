"""What a sync found amiss with Dataverse's table although it could work."""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("sync_runs", sa.Column("warnings", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("sync_runs", "warnings")
