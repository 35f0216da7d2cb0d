"""A job's hours are summed from one index, without reading the shifts themselves."""

from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # First the new one: the foreign key on job_id needs an index at every moment.
    op.create_index("ix_shifts_job_id_worked", "shifts", ["job_id", "created_at", "updated_at", "user_id"])
    op.drop_index("ix_shifts_job_id_created_at", "shifts")


def downgrade() -> None:
    op.create_index("ix_shifts_job_id_created_at", "shifts", ["job_id", "created_at"])
    op.drop_index("ix_shifts_job_id_worked", "shifts")
