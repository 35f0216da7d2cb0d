"""Jobs follow their rows in Dataverse."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("jobs", sa.Column("dataverse_standing", sa.String(20), nullable=False, server_default=""))
    op.add_column("jobs", sa.Column("dataverse_since", sa.DateTime(), nullable=True))
    op.add_column(
        "jobs", sa.Column("dataverse_fingerprint", sa.String(24), nullable=False, server_default="")
    )
    op.add_column("jobs", sa.Column("dataverse_says", sa.JSON(), nullable=True))
    # What has come so far is approved; its first full sync brings the fingerprints.
    op.execute("UPDATE jobs SET dataverse_standing = 'approved' WHERE dataverse_id IS NOT NULL")


def downgrade() -> None:
    op.drop_column("jobs", "dataverse_says")
    op.drop_column("jobs", "dataverse_fingerprint")
    op.drop_column("jobs", "dataverse_since")
    op.drop_column("jobs", "dataverse_standing")
