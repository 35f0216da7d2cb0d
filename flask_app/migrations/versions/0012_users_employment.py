"""People are employed from and to a day, stand on the roster or not, and may have to choose a new password."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "users", sa.Column("on_active_roster", sa.Boolean(), nullable=False, server_default=sa.true())
    )
    op.add_column("users", sa.Column("hire_date", sa.Date(), nullable=True))
    op.add_column("users", sa.Column("leave_date", sa.Date(), nullable=True))
    op.add_column(
        "users", sa.Column("must_change_password", sa.Boolean(), nullable=False, server_default=sa.false())
    )
    # Admins are rarely expected at the clock; whoever is can be put on the roster.
    op.execute("UPDATE users SET on_active_roster = 0 WHERE department = 'ADMINISTRATIVE'")


def downgrade() -> None:
    op.drop_column("users", "must_change_password")
    op.drop_column("users", "leave_date")
    op.drop_column("users", "hire_date")
    op.drop_column("users", "on_active_roster")
