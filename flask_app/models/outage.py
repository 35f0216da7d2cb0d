"""Why a database can't be used, in one sentence for whoever runs the program; never with a password in it."""

import os
from pathlib import Path
from shutil import disk_usage

from sqlalchemy import URL, Engine, text
from sqlalchemy.exc import DBAPIError, TimeoutError

_PROBE = "readiness"  # the name of a task that nobody claims
_LEAST_FREE = 8 << 20  # bytes; a write needs room for the file and its journal
_WRITE = text(
    "INSERT INTO task_runs (task, due_at, claimed_at, outcome)"
    " VALUES (:task, '2000-01-01 00:00:00', '2000-01-01 00:00:00', '')"
)
_UNREACHABLE = {2002, 2003, 2005, 2006, 2013}


def outage_sentence(error: DBAPIError | TimeoutError, url: URL) -> str:
    """Say what is wrong and what to do about it."""
    if isinstance(error, TimeoutError):
        return "Every connection to the database is in use, and none came free in time."
    arguments = getattr(error.orig, "args", None) or ("",)
    code = arguments[0] if isinstance(arguments[0], int) else 0
    text = str(arguments[-1])
    if url.get_backend_name() == "sqlite":
        return _sqlite_sentence(text)
    where = f"{url.host or 'localhost'}:{url.port or 3306}"
    if "certificate" in text.lower() or "ssl" in text.lower():
        return f"The TLS connection to the database at {where} failed: {text}. See DATABASE_CA_BUNDLE."
    known = {
        1044: f"The database's user may not use {url.database}. Let an administrator grant it the rights.",
        1045: f"The database at {where} refuses the user {url.username} or its password: see DATABASE_URL.",
        1049: f"There is no database {url.database} at {where}. "
        f"CREATE DATABASE {url.database} CHARACTER SET utf8mb4; makes one.",
        1290: "The database server is read-only.",
        1836: "The database server is read-only.",
        1021: "The database server's disk is full.",
        1114: "The database server's disk is full.",
        1146: "A table is missing. Run: flask --app server db upgrade",
    }  # fmt: skip
    if code in _UNREACHABLE:
        return f"There is no database server at {where}, or it doesn't answer: see DATABASE_URL."
    return known.get(code, f"The database at {where} can't be used: {text}.")


def why_no_writes(engine: Engine) -> str:
    """Return why the database would take no write, "" if it would. Nothing is changed, nobody is waited for.

    Raises what the database raises when it can't be used at all.
    """
    if engine.dialect.name == "sqlite":
        return _why_no_file(Path(str(engine.url.database)))
    with engine.connect() as connection:
        try:
            connection.execute(_WRITE, {"task": _PROBE})
        except DBAPIError as error:
            if error.connection_invalidated:
                raise
            return outage_sentence(error, engine.url)
        finally:
            connection.rollback()
    return ""


def _why_no_file(path: Path) -> str:
    """A write would wait for whoever is writing, so only the file and its disk are looked at."""
    if not _is_writable(path):
        return "The database's file or its folder is read-only."
    return "The disk is full." if disk_usage(path.parent).free < _LEAST_FREE else ""


def _is_writable(path: Path) -> bool:
    return os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)


def _sqlite_sentence(text: str) -> str:
    known = {
        "unable to open": "The database's file can't be opened: look at its folder and its rights.",
        "disk is full": "The disk is full.",
        "disk I/O": "The disk can't be read or written.",
        "readonly": "The database's file is read-only.",
        "locked": "Another process holds the database's file.",
        "not a database": "The file that DATABASE_URL names is no SQLite database.",
        "malformed": "The database's file is damaged. Restore a backup.",
        "no such table": "A table is missing. Run: flask --app server db upgrade",
    }
    return next(
        (told for part, told in known.items() if part in text), f"The database can't be used: {text}."
    )
