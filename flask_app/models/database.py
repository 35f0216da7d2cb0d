"""The database: one engine per application, one session per request, one way to commit."""

import ssl
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from flask import Flask, current_app, g
from sqlalchemy import (
    URL,
    Connection,
    CursorResult,
    Engine,
    Executable,
    MetaData,
    Table,
    create_engine,
    event,
    inspect,
    make_url,
)
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.orm import DeclarativeBase, Session, class_mapper
from sqlalchemy.orm.attributes import instance_state, set_committed_value

from flask_app.models.errors import Busy, ConcurrentUpdate
from flask_app.models.mysql_pool import spare_round_trips
from flask_app.words import lazy

T = TypeVar("T")
PROJECT = Path(__file__).parents[2]  # a relative SQLite path starts here, wherever the program was started
MAX_ATTEMPTS = 5
LOCK_WAIT = 5  # seconds; MySQL's own 50 would keep somebody standing at the clock
BUSY = lazy("Someone else is saving right now, so nothing was changed. Try again.")
REQUEST_PATIENCE = 10  # seconds: a frozen server must not hold every worker for longer
COMMAND_PATIENCE = 3600  # a change of a large table, a check of all of it
# MySQL and MariaDB: deadlock; lock wait timeout; "record has changed since last read" (MariaDB's snapshot
# isolation, and Galera's certification as seen by some drivers). SQLite: another process holds the file.
_RETRYABLE_CODES = {1213, 1205, 1020}
_CHECK_FAILED = {4025, 3819}  # MariaDB, MySQL: OperationalError where SQLite has IntegrityError
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


class Base(DeclarativeBase):
    """The root of every table; constraint names are fixed so that migrations can name them."""

    __table__: ClassVar[Table]  # every entity here has a table, never a view or a join
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


B = TypeVar("B", bound=Base)


def make_engine(
    url: str, ca_bundle: str | None = None, *, tls: str = "verify", patience: int = REQUEST_PATIENCE
) -> Engine:
    """Return a pooled engine for a SQLite, MySQL or MariaDB URL, with the settings that keep writes safe.

    `tls` is "verify" (the server's certificate, by `ca_bundle` or the system's authorities), "encrypt" (but
    believe any certificate) or "off"; on loopback there is none without a bundle. `patience` is how many
    seconds a statement may take before the server counts as frozen.
    """
    parsed = make_url(url)
    return (
        _sqlite_engine(parsed)
        if parsed.get_backend_name() == "sqlite"
        else _mysql_engine(parsed, _tls(parsed, ca_bundle, tls), patience)
    )


def _sqlite_engine(url: URL) -> Engine:
    if url.database and url.database != ":memory:":
        path = PROJECT / url.database
        path.parent.mkdir(parents=True, exist_ok=True)
        url = url.set(database=str(path))
    engine = create_engine(url, hide_parameters=True)

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # pysqlite's own BEGIN comes too late: it loses updates
        for pragma in (
            f"busy_timeout={1000 * LOCK_WAIT}",
            "journal_mode=WAL",
            "foreign_keys=ON",
            "synchronous=FULL",
        ):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # A transaction that starts by reading and then writes is refused at once if another wrote in between,
        # whatever the busy timeout: what may write takes the write lock first.
        reads_only = connection.get_execution_options().get("reads_only")
        connection.exec_driver_sql("BEGIN" if reads_only else "BEGIN IMMEDIATE")

    return engine


def _tls(url: URL, ca_bundle: str | None, tls: str) -> dict[str, Any]:
    """Return the arguments by which PyMySQL encrypts, or doesn't."""
    in_url = url.query.get("ssl_ca")
    bundle = in_url if isinstance(in_url, str) else ca_bundle
    is_local = url.host is None or url.host in _LOOPBACK
    if tls == "off" or "ssl_disabled" in url.query or (is_local and bundle is None):
        return {"ssl_disabled": True}
    # One context for all connections: PyMySQL would otherwise load the CA bundle at each, some 40 ms.
    context = ssl.create_default_context(cafile=bundle)
    if tls == "encrypt":
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return {"ssl": context}


def _mysql_engine(url: URL, tls: dict[str, Any], patience: int) -> Engine:
    engine = create_engine(
        hide_parameters=True,  # a note or an e-mail must not stand in the log
        url=url.difference_update_query(["ssl_ca", "ssl_disabled"]).update_query_dict({"charset": "utf8mb4"}),
        connect_args={
            **tls,
            "connect_timeout": 5,
            "read_timeout": patience,
            "write_timeout": patience,
            "init_command": f"SET innodb_lock_wait_timeout = {LOCK_WAIT}",
        },
        pool_reset_on_return=None,
        pool_recycle=280,
        pool_size=8,
        # A row read again in one transaction is read as it is now, not as it was when the page began.
        isolation_level="READ COMMITTED",
    )
    spare_round_trips(engine)
    return engine


def empty_write_ahead_log(engine: Engine) -> None:
    """Write SQLite's log into its file, so that the file alone is the database; for a process that ends.

    Where another process is at work the log stays as it is: that one goes on with it.
    """
    if engine.dialect.name == "sqlite":
        connection = engine.raw_connection()  # SQLAlchemy's own would begin a transaction
        try:
            connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            connection.close()
        engine.dispose()


def is_retryable(error: OperationalError) -> bool:
    """Tell whether the same work may succeed if it is run again."""
    code = error.orig.args[0] if error.orig and error.orig.args else None
    return code in _RETRYABLE_CODES or "database is locked" in str(error.orig)


def is_lock_wait(error: OperationalError) -> bool:
    """Tell whether somebody else held a lock for LOCK_WAIT; nobody is kept waiting for that long twice."""
    code = error.orig.args[0] if error.orig and error.orig.args else None
    return code == 1205 or "database is locked" in str(error.orig)


def breaks_rule(error: IntegrityError | OperationalError) -> bool:
    """Tell whether the database refused a row for one of its rules (unique, check, foreign key)."""
    code = error.orig.args[0] if error.orig and error.orig.args else None
    return isinstance(error, IntegrityError) or code in _CHECK_FAILED


class Database:
    """Hands each application context its own session on the application's own engine."""

    def init_app(self, app: Flask, url: str, ca_bundle: str | None = None, tls: str = "verify") -> None:
        app.extensions["engine"] = make_engine(url, ca_bundle, tls=tls)
        app.teardown_appcontext(self._close)

    @property
    def engine(self) -> Engine:
        engine: Engine = current_app.extensions["engine"]
        return engine

    @property
    def session(self) -> Session:
        session: Session | None = g.get("session")
        if session is None:
            engine = self.engine.execution_options(reads_only=True) if "reads_only" in g else self.engine
            session = g.session = Session(engine, expire_on_commit=False)
        return session

    def reads_only(self) -> None:
        """Promise that this context will not write: on SQLite it then neither waits for writers nor locks.

        It holds for the context's whole life. A download goes on after the request's end has closed its
        session, in the same context and with a new one.
        """
        g.reads_only = True
        self._close(None)

    def send(self, statement: Executable, values: Any = None) -> CursorResult[Any]:
        """Run a statement in the session's transaction, past the ORM: for what everybody does at once."""
        session = self.session
        transaction, connection = session.info.get("connection", (None, None))
        if transaction is None or transaction is not session.get_transaction():
            connection = session.connection()
            session.info["connection"] = session.get_transaction(), connection
        result: CursorResult[Any] = connection.execute(statement, values)
        return result

    def as_read(self, entity: type[B], key: int, **columns: Any) -> B:
        """Return an entity as a statement has just read it, for what everybody does at once: the ORM takes
        far longer to come to the same. Columns that were not read are fetched when asked for."""
        session, identity = self.session, (entity, (key,), None)
        known = session.identity_map.get(identity)
        if known is not None:
            for name, value in columns.items():
                set_committed_value(known, name, value)
            return known
        # class_mapper() configures the mappers, should this be the process's first query.
        made = class_mapper(entity).class_manager.new_instance()
        state = instance_state(made)
        state.key, state.session_id = identity, session.hash_key
        state.dict.update(columns, id=key)
        state.expired_attributes.update(_not_read(entity, tuple(columns)))
        session.identity_map.add(state)
        return made

    def hold(self, row: Base, key: int) -> None:
        """Remember that the row is locked until this transaction ends."""
        session = self.session
        transaction, held = session.info.get("held", (None, {}))
        if transaction is not session.get_transaction():
            transaction, held = session.get_transaction(), {}
        held[type(row), key] = row
        session.info["held"] = (transaction, held)

    def held(self, entity: type[B], key: int) -> B | None:
        """Return the row if this transaction has locked it, so that nobody else can have changed it since."""
        session = self.session
        transaction, held = session.info.get("held", (None, {}))
        return held.get((entity, key)) if transaction is session.get_transaction() else None

    def _close(self, _error: BaseException | None) -> None:
        session: Session | None = g.pop("session", None)
        if session is not None:
            session.close()


@lru_cache(maxsize=64)
def _not_read(entity: type[Base], read: tuple[str, ...]) -> frozenset[str]:
    """Return the columns of an entity beside those that were read and its id."""
    return frozenset(column.key for column in inspect(entity).column_attrs) - {*read, "id"}


db = Database()


def committing(work: Callable[[], T]) -> T:
    """Run `work` and commit it as one transaction; return what it returned.

    Work that was refused because another transaction was in its way (deadlock, a replicated engine's
    certification, ConcurrentUpdate) is rolled back and run again from its start, so it must itself read what
    it decides on. A lock that isn't given within LOCK_WAIT raises Busy. Any other exception rolls back and is
    raised.
    """
    if "draw_again" in g:
        raise RuntimeError("a form that is only drawn again was about to be saved: see web/drafts.py")
    for attempt in range(1, MAX_ATTEMPTS + 1):
        try:
            result = work()
            db.session.commit()
            return result
        except (OperationalError, ConcurrentUpdate) as error:
            db.session.rollback()
            if isinstance(error, OperationalError) and is_lock_wait(error):
                raise Busy(BUSY) from error
            if attempt == MAX_ATTEMPTS or (isinstance(error, OperationalError) and not is_retryable(error)):
                raise
        except BaseException:
            db.session.rollback()
            raise
    raise AssertionError("unreachable: the last attempt returns or raises")
