"""Connections that go back to the pool: clean, alive, and without a word more to the server than needed."""

import pytest
from sqlalchemy import text

from flask_app.models.database import make_engine


@pytest.fixture
def engine(mariadb_url):
    made = make_engine(mariadb_url)
    yield made
    made.dispose()


@pytest.mark.parametrize("database_url", ["mariadb"], indirect=True)
def test_what_was_not_committed_is_rolled_back_when_a_connection_goes_back(engine, cast):
    with engine.connect() as connection:
        connection.execute(text("UPDATE users SET epoch = 9"))
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT max(epoch) FROM users")) != 9


def test_a_connection_that_the_server_has_closed_is_replaced(engine):
    with engine.connect() as connection:
        number = connection.scalar(text("SELECT CONNECTION_ID()"))
    with make_engine(str(engine.url.render_as_string(hide_password=False))).connect() as other:
        other.execute(text(f"KILL {number}"))
    for record in engine.pool._pool.queue:
        record.info["used"] = -1e9  # as if it had lain there for long
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT CONNECTION_ID()")) != number


def test_a_connection_used_a_moment_ago_is_neither_pinged_nor_rolled_back_after_a_commit(engine):
    said: list[str] = []
    with engine.begin() as connection:
        raw = connection.connection.dbapi_connection
        connection.execute(text("SELECT 1"))
    raw.ping, raw.rollback = lambda **_: said.append("ping"), lambda: said.append("rollback")
    with engine.begin() as connection:
        assert connection.connection.dbapi_connection is raw
        connection.execute(text("SELECT 1"))
    assert said == []
    del raw.ping, raw.rollback
