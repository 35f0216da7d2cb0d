"""Who changed what, when and why. The database itself refuses to change or delete such a row."""

import logging

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_REFUSAL = "a change that was written down stays as it is"
_NEEDS_PRIVILEGE = 1419  # MySQL with binary logging: log_bin_trust_function_creators is off


def upgrade() -> None:
    op.create_table(
        "audit",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.Column("by_id", sa.Integer(), nullable=True),
        sa.Column("entity", sa.String(20), nullable=False),
        sa.Column("entity_id", sa.Integer(), nullable=True),
        sa.Column("person_id", sa.Integer(), nullable=True),
        sa.Column("subject", sa.String(255), nullable=False),
        sa.Column("action", sa.String(20), nullable=False),
        sa.Column("changes", sa.JSON(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["by_id"], ["users.id"], name="fk_audit_by_id_users"),
        sa.ForeignKeyConstraint(["person_id"], ["users.id"], name="fk_audit_person_id_users"),
        sa.PrimaryKeyConstraint("id", name="pk_audit"),
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
    )
    op.create_index("ix_audit_at", "audit", ["at"])
    op.create_index("ix_audit_entity", "audit", ["entity", "entity_id"])
    for verb in ("UPDATE", "DELETE"):
        _forbid(verb)


def _forbid(verb: str) -> None:
    connection = op.get_bind()
    head = f"CREATE TRIGGER audit_no_{verb.lower()} BEFORE {verb} ON audit"
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(f"{head} BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END")
        return
    try:
        connection.exec_driver_sql(
            f"{head} FOR EACH ROW SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = '{_REFUSAL}'"
        )
    except sa.exc.OperationalError as error:
        if error.orig is None or error.orig.args[0] != _NEEDS_PRIVILEGE:
            raise
        logging.getLogger(__name__).warning(
            "The audit table is not guarded against %s by the database itself: MySQL refused the trigger. "
            "Switch log_bin_trust_function_creators on and run migration 0014 again for it.", verb,
        )  # fmt: skip


def downgrade() -> None:
    op.drop_table("audit")  # its triggers go with it
