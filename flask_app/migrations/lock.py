"""One upgrade at a time on MySQL and MariaDB, where each piece of DDL is kept at once.

A row with a lease, since GET_LOCK and LOCK TABLES don't hold on replicated engines. SQLite needs none: an
upgrade there is one transaction.
"""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import IntegrityError

TABLE = "schema_lock"
LEASE = 60  # seconds by the database's clock; a process that was killed is waited for no longer
_RENEW_EVERY = 15.0
_LOOK_EVERY = 0.5


class UpgradeRunning(Exception):
    """Another process is upgrading the database; the text says which."""

    def __init__(self, holder: str) -> None:
        super().__init__(
            f"Another `db upgrade` is at work on this database ({holder}). Try again when it has ended."
        )


@contextmanager
def alone(engine: Engine, *, wait: float) -> Iterator[None]:
    """Hold the lock; wait up to that many seconds for another holder. Raises UpgradeRunning."""
    if engine.dialect.name == "sqlite":
        yield
        return
    me = f"{socket.gethostname()[:40]}, process {os.getpid()}"
    done = Event()
    _take(engine, me, wait, done)
    heart = Thread(target=_keep, args=[engine, me, done], name="schema-lock", daemon=True)
    heart.start()
    try:
        yield
    finally:
        done.set()
        heart.join()
        with engine.begin() as connection:
            connection.execute(text(f"DELETE FROM {TABLE} WHERE holder = :me"), {"me": me})  # noqa: S608


def remove(engine: Engine) -> None:
    """Take the lock's table away, with the last of the program's tables."""
    with engine.begin() as connection:
        connection.execute(text(f"DROP TABLE IF EXISTS {TABLE}"))


def _take(engine: Engine, me: str, wait: float, done: Event) -> None:
    with engine.begin() as connection:
        connection.execute(
            text(
                f"CREATE TABLE IF NOT EXISTS {TABLE} (id INTEGER PRIMARY KEY, holder VARCHAR(80) NOT NULL,"
                " lease_until DATETIME NOT NULL)"
            )
        )
    for _ in range(max(1, int(wait / _LOOK_EVERY))):
        with engine.connect() as connection:
            if _taken_by(connection, me):
                return
        done.wait(_LOOK_EVERY)
    with engine.connect() as connection:
        holder = connection.scalar(text(f"SELECT holder FROM {TABLE}"))  # noqa: S608
    raise UpgradeRunning(holder or "it has just ended")


def _taken_by(connection: Connection, me: str) -> bool:
    """Insert the row, or take over one whose lease has run out."""
    until = f"UTC_TIMESTAMP() + INTERVAL {LEASE} SECOND"
    try:
        connection.execute(text(f"INSERT INTO {TABLE} VALUES (1, :me, {until})"), {"me": me})  # noqa: S608
    except IntegrityError:
        connection.rollback()
        expired = (
            f"UPDATE {TABLE} SET holder = :me, lease_until = {until} WHERE lease_until < UTC_TIMESTAMP()"  # noqa: S608
        )
        if connection.execute(text(expired), {"me": me}).rowcount != 1:
            connection.rollback()
            return False
    connection.commit()
    return True


def _keep(engine: Engine, me: str, done: Event) -> None:
    """Renew the lease until the upgrade is done: one statement may take minutes on a large table."""
    renewed = f"UPDATE {TABLE} SET lease_until = UTC_TIMESTAMP() + INTERVAL {LEASE} SECOND WHERE holder = :me"  # noqa: S608
    while not done.wait(_RENEW_EVERY):
        with engine.begin() as connection:
            connection.execute(text(renewed), {"me": me})
