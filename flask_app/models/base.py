"""The database: one engine per application, one session per request, one way to commit."""

import ssl
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar
from unicodedata import category

from flask import Flask, current_app, g
from sqlalchemy import (
    JSON,
    URL,
    Connection,
    DateTime,
    Engine,
    Enum,
    MetaData,
    String,
    create_engine,
    event,
    literal,
    make_url,
)
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import Integer, TypeDecorator

T = TypeVar("T")

PROJECT = Path(__file__).parents[2]  # a relative SQLite path starts here, wherever the program was started

MAX_ATTEMPTS = 5
# MySQL and MariaDB: deadlock; lock wait timeout; "record has changed since last read" (MariaDB's snapshot
# isolation, and Galera's certification as seen by some drivers). SQLite: another process holds the file.
_RETRYABLE_CODES = {1213, 1205, 1020}
_CHECK_FAILED = {4025, 3819}  # MariaDB, MySQL: OperationalError where SQLite has IntegrityError
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


class Refused(Exception):
    """What was asked breaks a rule. The text is a sentence for the person who asked."""


class Invalid(Refused):
    """A form that can't be taken: `problems` maps a field's name to a sentence about it."""

    def __init__(self, problems: dict[str, str]) -> None:
        self.problems = problems
        super().__init__(" ".join(problems.values()))


class Raced(Refused):
    """Another process was faster and the database's own guard said so: the work is run again."""


class Base(DeclarativeBase):
    """The root of every table; constraint names are fixed so that migrations can name them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class UtcDateTime(TypeDecorator[datetime]):
    """An instant: aware UTC in Python, naive UTC with whole seconds in the database."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("an instant needs its zone: pass an aware datetime")
        return value.astimezone(UTC).replace(tzinfo=None, microsecond=0)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.replace(tzinfo=UTC)


class FieldTexts(TypeDecorator[dict[str, str]]):
    """Some texts by name, as JSON; none of them is NULL, since MySQL's JSON columns take no default."""

    impl = JSON(none_as_null=True)
    cache_ok = True

    def process_bind_param(self, value: dict[str, str] | None, dialect: Dialect) -> dict[str, str] | None:
        return value or None

    def process_result_value(self, value: dict[str, str] | None, dialect: Dialect) -> dict[str, str]:
        return value or {}


def exact_string(length: int) -> String:
    """Return a text type that compares byte by byte on every engine.

    MySQL's default collations ignore case, accents and trailing blanks, SQLite's ignores nothing: a unique
    key must not depend on which of them keeps it.
    """
    return String(length).with_variant(String(length, collation="utf8mb4_bin"), "mysql", "mariadb")


def plain(text: str, *, lines: bool = False) -> str:
    """Return what somebody typed without the blanks around it and without control characters.

    Databases keep a null character, but no page, CSV or XLSX can show it. Tabs and line ends become blanks,
    or with `lines` stay: a browser sends "\\r\\n" for what it counts as one character.
    """
    text = text.replace("\r\n", "\n")
    return "".join(_plain(character, lines) for character in text).strip()


def _plain(character: str, lines: bool) -> str:
    if character in "\t\n\r":
        return character if lines else " "
    return "" if category(character) in ("Cc", "Cs") else character


def words(*choices: str) -> Enum:
    """Return a text type for one of a few fixed words, checked in Python and readable in the table."""
    return Enum(*choices, native_enum=False, length=20, create_constraint=False, validate_strings=True)


class clock_minutes(FunctionElement[int]):  # noqa: N801  # reads as the SQL function that it is
    """The minutes from 1970 to an instant, cut, not rounded: a punch as the clock shows it."""

    type = Integer()
    inherit_cache = True


@compiles(clock_minutes)
def _minutes_on_mysql(element: Any, compiler: Any, **options: Any) -> str:
    # A third faster than TIMESTAMPDIFF or UNIX_TIMESTAMP over 100,000 rows; TO_SECONDS counts from year 0.
    return f"(TO_SECONDS({compiler.process(element.clauses, **options)}) DIV 60 - 1036120320)"


@compiles(clock_minutes, "sqlite")
def _minutes_on_sqlite(element: Any, compiler: Any, **options: Any) -> str:
    return f"(CAST(strftime('%s', {compiler.process(element.clauses, **options)}) AS INTEGER) / 60)"


class instant(FunctionElement[datetime]):  # noqa: N801
    """A moment given by Python. To MySQL it would be a text, and with it all that it is mixed with."""

    type = UtcDateTime()
    inherit_cache = True

    def __init__(self, moment: datetime) -> None:
        super().__init__(literal(moment, UtcDateTime))


@compiles(instant)
def _instant_on_mysql(element: Any, compiler: Any, **options: Any) -> str:
    return f"CAST({compiler.process(element.clauses, **options)} AS DATETIME)"


@compiles(instant, "sqlite")
def _instant_on_sqlite(element: Any, compiler: Any, **options: Any) -> str:
    return str(compiler.process(element.clauses, **options))


class whole_days(FunctionElement[int]):  # noqa: N801
    """Minutes since 1970 as whole days since then."""

    type = Integer()
    inherit_cache = True


@compiles(whole_days)
def _days_on_mysql(element: Any, compiler: Any, **options: Any) -> str:
    return f"(({compiler.process(element.clauses, **options)}) DIV 1440)"


@compiles(whole_days, "sqlite")
def _days_on_sqlite(element: Any, compiler: Any, **options: Any) -> str:
    return f"(({compiler.process(element.clauses, **options)}) / 1440)"


def make_engine(url: str, ca_bundle: str | None = None) -> Engine:
    """Return a pooled engine for a SQLite, MySQL or MariaDB URL, with the settings that keep writes safe."""
    parsed = make_url(url)
    return (
        _sqlite_engine(parsed) if parsed.get_backend_name() == "sqlite" else _mysql_engine(parsed, ca_bundle)
    )


def _sqlite_engine(url: URL) -> Engine:
    if url.database and url.database != ":memory:":
        path = PROJECT / url.database
        path.parent.mkdir(parents=True, exist_ok=True)
        url = url.set(database=str(path))
    engine = create_engine(url)

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # pysqlite's own BEGIN comes too late: it loses updates
        for pragma in ("busy_timeout=5000", "journal_mode=WAL", "foreign_keys=ON", "synchronous=NORMAL"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # A transaction that starts by reading and then writes is refused at once if another wrote in between,
        # whatever the busy timeout: what may write takes the write lock first.
        reads_only = connection.get_execution_options().get("reads_only")
        connection.exec_driver_sql("BEGIN" if reads_only else "BEGIN IMMEDIATE")

    return engine


def _mysql_engine(url: URL, ca_bundle: str | None) -> Engine:
    tls: dict[str, Any] = {}
    if url.host in _LOOPBACK or url.host is None:
        tls = {"ssl_disabled": True}
    elif "ssl_disabled" not in url.query:
        # One context for all connections: PyMySQL would otherwise load the CA bundle at each, some 40 ms.
        context = ssl.create_default_context(cafile=ca_bundle)
        if ca_bundle is None:  # encrypted but not verified, as PyMySQL does without a bundle
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        tls = {"ssl": context}
    return create_engine(
        url.update_query_dict({"charset": "utf8mb4"}),
        connect_args={
            **tls,
            "connect_timeout": 5,
            "read_timeout": 60,
            "write_timeout": 60,
            # Seconds; MySQL's own 50 would keep somebody standing at the clock.
            "init_command": "SET innodb_lock_wait_timeout = 5",
        },
        pool_pre_ping=True,
        pool_recycle=280,
        pool_size=8,
        # A row read again in one transaction is read as it is now, not as it was when the page began.
        isolation_level="READ COMMITTED",
    )


def is_retryable(error: OperationalError) -> bool:
    """Tell whether the same work may succeed if it is run again."""
    code = error.orig.args[0] if error.orig and error.orig.args else None
    return code in _RETRYABLE_CODES or "database is locked" in str(error.orig)


def breaks_rule(error: IntegrityError | OperationalError) -> bool:
    """Tell whether the database refused a row for one of its rules (unique, check, foreign key)."""
    code = error.orig.args[0] if error.orig and error.orig.args else None
    return isinstance(error, IntegrityError) or code in _CHECK_FAILED


class Database:
    """Hands each application context its own session on the application's own engine."""

    def init_app(self, app: Flask, url: str, ca_bundle: str | None = None) -> None:
        app.extensions["engine"] = make_engine(url, ca_bundle)
        app.teardown_appcontext(self._close)

    @property
    def engine(self) -> Engine:
        engine: Engine = current_app.extensions["engine"]
        return engine

    @property
    def session(self) -> Session:
        if "session" not in g:
            g.session = Session(self.engine, expire_on_commit=False)
        session: Session = g.session
        return session

    def reads_only(self) -> None:
        """Promise that this context will not write: on SQLite its reads then don't wait for writers."""
        g.session = Session(self.engine.execution_options(reads_only=True), expire_on_commit=False)

    def _close(self, _error: BaseException | None) -> None:
        session: Session | None = g.pop("session", None)
        if session is not None:
            session.close()


db = Database()


def committing(work: Callable[[], T]) -> T:
    """Run `work` and commit it as one transaction; return what it returned.

    Work that was refused because another transaction was in its way (deadlock, lock wait, a replicated
    engine's certification, Raced) is rolled back and run again from its start, so it must itself read
    what it decides on. Any other exception rolls back and is raised.
    """
    for attempt in range(1, MAX_ATTEMPTS + 1):
        try:
            result = work()
            db.session.commit()
            return result
        except (OperationalError, Raced) as error:
            db.session.rollback()
            if attempt == MAX_ATTEMPTS or (isinstance(error, OperationalError) and not is_retryable(error)):
                raise
        except BaseException:
            db.session.rollback()
            raise
    raise AssertionError("unreachable: the last attempt returns or raises")
