"""The audit has every punch, and says in which role and by what way hours were changed."""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("audit", sa.Column("role", sa.String(20), nullable=False, server_default=""))
    op.add_column("audit", sa.Column("source", sa.String(20), nullable=False, server_default=""))
    op.add_column("audit", sa.Column("is_punch", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.create_index("ix_audit_is_punch", "audit", ["is_punch"])


def downgrade() -> None:
    op.drop_index("ix_audit_is_punch", "audit")
    for column in ("is_punch", "source", "role"):
        op.drop_column("audit", column)
