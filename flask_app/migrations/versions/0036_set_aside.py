"""What could be made of an old row that was set aside: its person, its job, its two instants."""

import sqlalchemy as sa
from alembic import op

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("adopted_rows", sa.Column("person_id", sa.Integer(), nullable=True))
    op.add_column("adopted_rows", sa.Column("job_id", sa.Integer(), nullable=True))
    op.add_column("adopted_rows", sa.Column("started_at", sa.DateTime(), nullable=True))
    op.add_column("adopted_rows", sa.Column("ended_at", sa.DateTime(), nullable=True))


def downgrade() -> None:
    op.drop_column("adopted_rows", "ended_at")
    op.drop_column("adopted_rows", "started_at")
    op.drop_column("adopted_rows", "job_id")
    op.drop_column("adopted_rows", "person_id")
