"""What the database's user may do, found out before the first change: a missing right halfway is worse."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import OperationalError, ProgrammingError

# MySQL's numbers: access denied to a database, a command denied on a table or column, a privilege missing.
_DENIED = {1044, 1142, 1143, 1227, 1370}
_TRIES = (  # what migrations and the program do, on tables of their own
    "CREATE TABLE island_time_probe (id INTEGER PRIMARY KEY, n INTEGER)",
    "CREATE TABLE island_time_probe_child (id INTEGER, FOREIGN KEY (id) REFERENCES island_time_probe (id))",
    "ALTER TABLE island_time_probe ADD COLUMN m INTEGER",
    "CREATE INDEX ix_island_time_probe ON island_time_probe (n)",
    "INSERT INTO island_time_probe (id, n) VALUES (1, 1)",
    "SELECT n FROM island_time_probe",
    "UPDATE island_time_probe SET n = 2",
    "DELETE FROM island_time_probe",
)
_TRIGGER = "CREATE TRIGGER island_time_probe_no BEFORE DELETE ON island_time_probe FOR EACH ROW SET @no = 1"
_REMOVAL = "DROP TABLE IF EXISTS island_time_probe_child, island_time_probe"


class RightMissing(Exception):
    """The database's user lacks a right; the text has the line that grants it."""

    def __init__(self, right: str, database: str, user: str) -> None:
        name, _, host = user.rpartition("@")
        super().__init__(
            f"The database's user may not {right} in {database}. Nothing was changed. Let an administrator "
            f"run: GRANT ALL PRIVILEGES ON `{database}`.* TO '{name}'@'{host}';"
        )


@contextmanager
def told(engine: Engine) -> Iterator[None]:
    """Raise RightMissing where the server says that a right is not given."""
    try:
        yield
    except (OperationalError, ProgrammingError) as error:
        if error.orig is None or error.orig.args[0] not in _DENIED:
            raise
        with engine.connect() as connection:
            user = connection.scalar(text("SELECT CURRENT_USER()"))
        right = "work" if error.orig.args[0] == 1044 else str(error.orig.args[1]).split(maxsplit=1)[0]
        raise RightMissing(right, str(engine.url.database), str(user)) from None


def check(engine: Engine) -> None:
    """Try what migrations and the program do. Raises the server's refusal: see told()."""
    if engine.dialect.name == "sqlite":
        return
    with engine.connect() as connection:
        _tidy(connection)
        try:
            for statement in _TRIES:
                connection.execute(text(statement))
            _try_trigger(connection)
            connection.execute(text(_REMOVAL))
        finally:
            _tidy(connection)


def _try_trigger(connection: Connection) -> None:
    try:
        connection.execute(text(_TRIGGER))
    except OperationalError as error:
        # Another refusal has to do with binary logging: triggers.py says so by itself.
        if error.orig is not None and error.orig.args[0] in _DENIED:
            raise


def _tidy(connection: Connection) -> None:
    connection.rollback()
    with suppress(OperationalError, ProgrammingError):  # without the right to drop, a probe stays
        connection.execute(text(_REMOVAL))
