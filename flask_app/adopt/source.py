"""The old database as it really is: its tables, its columns and its rows. Nothing here can write."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime
from types import TracebackType
from typing import Any, Self, TypeVar

from sqlalchemy import Connection, event, inspect, text
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from flask_app.models.database import COMMAND_PATIENCE, make_engine

R = TypeVar("R", "OldPerson", "OldJob", "OldShift", "OldDismissal")

_CHUNK = 2000  # rows fetched at a time


class SourceError(Exception):
    """The old database can't be read; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class OldPerson:
    """A row of the old `users`. Times are wall-clock times of the old database's host."""

    id: int
    first_name: str | None
    last_name: str | None
    email: str | None
    password: str | None
    department: str | None
    created_at: datetime | None
    deleted_date: datetime | None
    on_active_roster: int | None = None


@dataclass(frozen=True, slots=True)
class OldJob:
    """A row of the old `jobs`."""

    id: int
    im_number: str | None
    general_contractor: str | None
    job_scope: str | None
    estimated_hours: Any
    status: int | None
    created_at: datetime | None
    user_id: int | None
    context: str | None = None
    visible_to_production: int | None = None


@dataclass(frozen=True, slots=True)
class OldShift:
    """A row of the old `shifts`: punch in, punch out (None: open)."""

    id: int
    created_at: datetime | None
    updated_at: datetime | None
    job_id: int | None
    user_id: int | None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class OldDismissal:
    """A row of the old `dismissed_workers`."""

    id: int
    user_id: int
    dismissed_date: date
    dismissed_by: int | None = None


_TABLES: dict[type, str] = {
    OldPerson: "users",
    OldJob: "jobs",
    OldShift: "shifts",
    OldDismissal: "dismissed_workers",
}


class OldDatabase:
    """A connection that the server itself keeps from writing, with one consistent view of all rows."""

    def __init__(self, url: str, ca_bundle: str | None = None, *, tls: str = "verify") -> None:
        self._engine = make_engine(url, ca_bundle, tls=tls, patience=COMMAND_PATIENCE)
        event.listen(self._engine, "connect", _keep_from_writing)
        self._columns: dict[str, set[str]] = {}
        self._connection: Connection | None = None

    def __enter__(self) -> Self:
        try:
            # REPEATABLE READ: every table as it was at the first read, while the old program goes on.
            self._connection = self._engine.connect().execution_options(isolation_level="REPEATABLE READ")
            inspector = inspect(self._connection)
            for table in inspector.get_table_names():
                self._columns[table] = {column["name"] for column in inspector.get_columns(table)}
        except OperationalError as error:
            raise SourceError(f"The old database can't be reached: {_reason(error)}") from None
        self._check()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._connection is not None:
            self._connection.close()
        self._engine.dispose()

    def has(self, row_type: type) -> bool:
        """Whether the old database has the table of such rows."""
        return _TABLES[row_type] in self._columns

    def count(self, row_type: type) -> int:
        if not self.has(row_type):
            return 0
        return int(self._open.scalar(text(f"SELECT COUNT(*) FROM `{_TABLES[row_type]}`")) or 0)  # noqa: S608

    def rows(self, row_type: type[R], *, after: int = 0) -> Iterator[R]:
        """Yield every row by id, some thousands in memory at a time."""
        if not self.has(row_type):
            return
        statement = self._select(row_type, "`id` > :after ORDER BY `id` LIMIT :limit")
        while True:
            found = self._open.execute(statement, {"after": after, "limit": _CHUNK}).all()
            yield from (row_type(*row) for row in found)
            if len(found) < _CHUNK:
                return
            after = found[-1][0]

    def shifts_of(self, user_ids: Sequence[int]) -> list[OldShift]:
        """Return the shifts of some people (the accounts of one person), by id."""
        some = ", ".join(str(int(user_id)) for user_id in user_ids)
        return [
            OldShift(*row)
            for row in self._open.execute(self._select(OldShift, f"`user_id` IN ({some}) ORDER BY `id`"))
        ]

    def shifts_of_nobody(self) -> list[OldShift]:
        """Return the shifts whose person does not exist (there may be no foreign key)."""
        rule = "`user_id` IS NULL OR `user_id` NOT IN (SELECT `id` FROM `users`) ORDER BY `id`"
        return [OldShift(*row) for row in self._open.execute(self._select(OldShift, rule))]

    def shift_ids(self, first: int, last: int) -> set[int]:
        """Return which numbers of [first, last] shifts have."""
        rule = "SELECT `id` FROM `shifts` WHERE `id` BETWEEN :first AND :last"
        return set(self._open.scalars(text(rule), {"first": first, "last": last}))

    @property
    def _open(self) -> Connection:
        if self._connection is None:
            raise RuntimeError("the old database is open within its with statement only")
        return self._connection

    def _select(self, row_type: type, rule: str) -> Any:
        """Select the columns that a row has, NULL for those that this version of the schema lacks.

        TIMESTAMP columns come in the server's own zone, as the old program saw them: no zone is set here.
        """
        table = _TABLES[row_type]
        columns = ", ".join(
            f"`{field.name}`" if field.name in self._columns[table] else "NULL" for field in fields(row_type)
        )
        return text(f"SELECT {columns} FROM `{table}` WHERE {rule}")  # noqa: S608  # names are our own

    def _check(self) -> None:
        for row_type in (OldPerson, OldJob, OldShift):
            table = _TABLES[row_type]
            if table not in self._columns:
                raise SourceError(f"This is not the old program's database: it has no table {table!r}.")
            needed = {f.name for f in fields(row_type) if f.name not in _OPTIONAL}
            if missing := sorted(needed - self._columns[table]):
                raise SourceError(f"The old table {table!r} has no column {', '.join(missing)}.")
        if "alembic_version" in self._columns:
            raise SourceError("This is a database of Island Time, not of the old program.")


_OPTIONAL = {"on_active_roster", "visible_to_production", "context", "note", "deleted_date", "dismissed_by"}


def _keep_from_writing(connection: Any, _record: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET SESSION TRANSACTION READ ONLY")


def _reason(error: SQLAlchemyError) -> str:
    cause = getattr(error, "orig", None)
    return str(cause.args[-1] if cause is not None and cause.args else error)
