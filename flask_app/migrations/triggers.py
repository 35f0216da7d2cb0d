"""The triggers by which the database itself refuses to change or delete a row of the audit."""

import logging

from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError

TABLE = "audit"
VERBS = ("UPDATE", "DELETE")
# SQLite's REPLACE deletes without asking the trigger for that. MySQL's asks it.
SQLITE_VERBS = (*VERBS, "INSERT")
_REFUSAL = "a change that was written down stays as it is"
_NEEDS_PRIVILEGE = 1419  # MySQL with binary logging: log_bin_trust_function_creators is off


class TriggersRefused(Exception):
    """The database's user may not create triggers; the text says what to do."""

    def __init__(self) -> None:
        super().__init__(
            "MySQL refused the triggers that guard the audit: with binary logging it wants "
            "log_bin_trust_function_creators=1 (on RDS: in the parameter group). Set it, then run: "
            "flask --app server db triggers"
        )


def missing(connection: Connection) -> list[str]:
    """Return the verbs whose trigger is not there."""
    if connection.dialect.name == "sqlite":
        query = "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = :table"
    else:
        query = (
            "SELECT TRIGGER_NAME FROM information_schema.TRIGGERS"
            " WHERE TRIGGER_SCHEMA = DATABASE() AND EVENT_OBJECT_TABLE = :table"
        )
    there = {str(name).lower() for name in connection.scalars(text(query), {"table": TABLE})}
    verbs = SQLITE_VERBS if connection.dialect.name == "sqlite" else VERBS
    return [verb for verb in verbs if _name(verb) not in there]


def add(connection: Connection) -> list[str]:
    """Create the triggers that are missing, and nothing else. Return their verbs. Raises TriggersRefused."""
    verbs = missing(connection)
    for verb in verbs:
        _create(connection, verb)
    return verbs


def add_or_warn(connection: Connection) -> None:
    """Create them; where MySQL refuses, the log says how to make up for it."""
    try:
        add(connection)
    except TriggersRefused as refused:
        logging.getLogger(__name__).warning("%s", refused)


def _create(connection: Connection, verb: str) -> None:
    head = f"CREATE TRIGGER {_name(verb)} BEFORE {verb} ON {TABLE}"
    if connection.dialect.name == "sqlite":
        only = f" WHEN EXISTS (SELECT 1 FROM {TABLE} WHERE id = NEW.id)" if verb == "INSERT" else ""  # noqa: S608
        connection.exec_driver_sql(f"{head}{only} BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END")
        return
    try:
        connection.exec_driver_sql(
            f"{head} FOR EACH ROW SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = '{_REFUSAL}'"
        )
    except OperationalError as error:
        if error.orig is None or error.orig.args[0] != _NEEDS_PRIVILEGE:
            raise
        raise TriggersRefused from None


def _name(verb: str) -> str:
    return f"{TABLE}_no_{verb.lower()}"
