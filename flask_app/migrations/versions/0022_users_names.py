"""People have an employee number; their names are found and sorted by a key, and namesakes told apart."""

from types import SimpleNamespace

import sqlalchemy as sa
from alembic import op

from flask_app.models.names import name_key, tell_apart

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def exact(length: int) -> sa.String:
    """Text that compares byte by byte on every engine."""
    return sa.String(length).with_variant(sa.String(length, collation="utf8mb4_bin"), "mysql", "mariadb")


def upgrade() -> None:
    op.add_column("users", sa.Column("name_key", exact(255), nullable=False, server_default=""))
    op.add_column("users", sa.Column("told_apart_by", sa.String(255), nullable=False, server_default=""))
    op.add_column("users", sa.Column("employee_number", exact(20), nullable=True))
    op.create_index("ix_users_name_key", "users", ["name_key"])
    op.create_index("ix_users_employee_number", "users", ["employee_number"], unique=True)
    _fill()


def _fill() -> None:
    columns = ["id", "first_name", "last_name", "department", "email", "name_key", "told_apart_by"]
    users = sa.table("users", *(sa.column(name) for name in columns))
    connection = op.get_bind()
    namesakes: dict[str, list[SimpleNamespace]] = {}
    for row in connection.execute(sa.select(users)).mappings():
        key = name_key(row["first_name"], row["last_name"])
        namesakes.setdefault(key, []).append(SimpleNamespace(**{**row, "name_key": key, "told_apart_by": ""}))
    for people in namesakes.values():
        tell_apart(people)
        for person in people:
            values = {"name_key": person.name_key, "told_apart_by": person.told_apart_by}
            connection.execute(users.update().where(users.c.id == person.id).values(values))


def downgrade() -> None:
    op.drop_index("ix_users_employee_number", "users")
    op.drop_index("ix_users_name_key", "users")
    op.drop_column("users", "employee_number")
    op.drop_column("users", "told_apart_by")
    op.drop_column("users", "name_key")
