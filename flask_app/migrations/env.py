"""Runs migrations on the connection that the caller hands over (see flask_app.migrations)."""

from alembic import context

from flask_app.migrations import lock
from flask_app.models import Base

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=Base.metadata,
    render_as_batch=connection.dialect.name == "sqlite",
    compare_type=True,
    include_name=lambda name, kind, _parents: kind != "table" or name != lock.TABLE,
)
with context.begin_transaction():
    context.run_migrations()
