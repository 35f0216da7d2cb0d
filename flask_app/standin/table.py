"""The table itself: rows, their versions, what was deleted. All of it may be called from any thread."""

import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from . import clock
from .access import USER_ID
from .schema import COLUMNS, KEY, NEEDED, STATUS, Row
from .wire import already_exists, no_such_row, version_mismatch

FIRST_VERSION = 1_000_000


def etag(row: Row) -> str:
    """Return the row's weak entity tag."""
    return f'W/"{row["versionnumber"]}"'


@dataclass(frozen=True)
class Change:
    """What has been done to a row: `sent` by the caller, `written` with what follows from that."""

    message: str  # Create, Update or Delete
    row: Row  # as it is now; a deleted one as it was
    sent: Row
    written: Row
    by: str = USER_ID  # the user who did it


class Table:
    """The rows by their id. A stored row is never changed, only replaced, so that a reader may keep it."""

    def __init__(self, publish: Callable[[list[Change]], None], status: Any = NEEDED) -> None:
        """`publish` is told the changes that stay, those of a transaction together, in their order.

        `status` is what a row has that is created without one.
        """
        self._publish = publish
        self._defaults: Row = {**dict.fromkeys(COLUMNS), STATUS: status, "statecode": 0}
        self._changes: list[Change] = []  # of the transaction that is open
        self._depth = 0
        self._by = USER_ID
        self._lock = threading.RLock()
        self._rows: dict[str, Row] = {}
        self._deleted: dict[str, int] = {}
        self._version = FIRST_VERSION

    def __len__(self) -> int:
        return len(self._rows)

    def all(self) -> list[Row]:
        """Return every row, oldest first. The rows are shared: not to be changed."""
        with self._lock:
            return list(self._rows.values())

    def get(self, row_id: str) -> Row:
        """Return one row or raise the 404."""
        with self._lock:
            try:
                return self._rows[row_id]
            except KeyError:
                raise no_such_row(row_id) from None

    def has(self, row_id: str) -> bool:
        """Say whether the row is there."""
        with self._lock:
            return row_id in self._rows

    def insert(self, columns: Row) -> Row:
        """Add a row; what is missing gets Dataverse's own defaults. Raise the 412 when the id is taken."""
        with self._writing():
            row_id = str(uuid.UUID(columns[KEY])) if columns.get(KEY) else str(uuid.uuid4())
            if row_id in self._rows:
                raise already_exists()
            row = self._complete({**columns, KEY: row_id})
            self._deleted.pop(row_id, None)
            self._rows[row_id] = row
            filled = {name: value for name, value in row.items() if value is not None}
            self._changes.append(Change("Create", row, columns, filled, self._by))
            return row

    def update(self, row_id: str, columns: Row, if_match: str = "*") -> Row:
        """Change some columns of a row; `if_match` is * or the entity tag that it must still have."""
        with self._writing():
            row = self._checked(row_id, if_match)
            changes = {**_reason_follows_state(columns, row), KEY: row_id}
            changes.setdefault("versionnumber", self._next_version())
            changes.setdefault("modifiedon", _later_than(row["modifiedon"]))
            self._rows[row_id] = {**row, **changes}
            self._changes.append(Change("Update", self._rows[row_id], columns, changes, self._by))
            return self._rows[row_id]

    def delete(self, row_id: str, if_match: str = "*") -> None:
        """Remove a row and remember that it was there."""
        with self._writing():
            row = self._checked(row_id, if_match)
            del self._rows[row_id]
            self._deleted[row_id] = self._next_version()
            self._changes.append(Change("Delete", row, {}, {}, self._by))

    def changes_since(self, version: int) -> tuple[list[Row], list[str], int]:
        """Return the rows changed after a version (oldest change first), the ids deleted, the version now."""
        with self._lock:
            rows = [row for row in self._rows.values() if row["versionnumber"] > version]
            gone = sorted((at, row_id) for row_id, at in self._deleted.items() if at > version)
            return sorted(rows, key=_version_of), [row_id for _, row_id in gone], self._version

    def skip_version(self) -> int:
        """Use up a version and return it."""
        with self._lock:
            return self._next_version()

    @contextmanager
    def as_user(self, user_id: str) -> Iterator[None]:
        """Let another user than the application's do what is done inside."""
        with self._lock:
            self._by = user_id
            try:
                yield
            finally:
                self._by = USER_ID

    @contextmanager
    def atomically(self) -> Iterator[None]:
        """Undo every change made inside when something raises."""
        with self._writing():
            before = (dict(self._rows), dict(self._deleted))
            told = len(self._changes)
            try:
                yield
            except BaseException:
                self._rows, self._deleted = before
                del self._changes[told:]
                raise

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Hold the lock; publish the changes at the end of the outermost one."""
        with self._lock:
            self._depth += 1
            try:
                yield
            finally:
                self._depth -= 1
                if self._changes and not self._depth:
                    changes, self._changes = self._changes, []
                    self._publish(changes)

    def _checked(self, row_id: str, if_match: str) -> Row:
        row = self.get(row_id)
        if if_match not in ("*", etag(row)):
            raise version_mismatch()
        return row

    def _complete(self, columns: Row) -> Row:
        created = columns.get("createdon") or clock.as_text(clock.utc_now())
        row: Row = {**self._defaults, "createdon": created, "modifiedon": created, **columns}
        if "statuscode" not in columns:
            row["statuscode"] = 2 if row["statecode"] == 1 else 1
        if isinstance(columns.get("versionnumber"), int):
            self._version = max(self._version, row["versionnumber"])
        else:
            row["versionnumber"] = self._next_version()
        return row

    def _next_version(self) -> int:
        self._version += 1
        return self._version


def _version_of(row: Row) -> int:
    return int(row["versionnumber"])


def _reason_follows_state(columns: Row, row: Row) -> Row:
    """Set the status reason of the new state where only the state is given, as Dataverse does."""
    state = columns.get("statecode")
    if "statuscode" in columns or state not in (0, 1) or state == row["statecode"]:
        return columns
    return {**columns, "statuscode": state + 1}


def _later_than(before: Any) -> str:
    """Return now, or a second after `before`: a change in the same second must be visible too."""
    now = clock.utc_now()
    last = clock.from_text(before) if isinstance(before, str) else None
    return clock.as_text(max(now, last + timedelta(seconds=1)) if last else now)
