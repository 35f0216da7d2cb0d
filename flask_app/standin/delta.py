"""Change tracking: the delta token, what has changed since, and the entries for what was deleted.

After the published page on change tracking: `Prefer: odata.track-changes` asks for the first reading, whose
last page carries the delta link; following that gives new and changed rows by version, then deleted ones.
"""

import re
import threading
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, unquote

from . import clock
from .schema import ENTITY_SET, KEY, Row
from .table import Table
from .wire import ApiError, Request, bad_query

LIFETIME = timedelta(days=7)  # organization.ExpireChangeTrackingInDays, its default
_MOMENT = "%m/%d/%Y %H:%M:%S"
_FORBIDDEN = ("$filter", "$orderby", "$expand", "$top")
_GONE = "@deleted"  # marks an entry that stands for a deleted row


def expired() -> ApiError:
    """Return the error for a delta token that is too old: published for metadata, taken to hold for rows."""
    message = "Version stamp associated with the client has expired. Please perform a full sync."
    return ApiError(400, "0x80044352", message)


class ChangeTracking:
    """Reads and writes delta tokens, and knows which of them still hold."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._lock = threading.Lock()
        self._oldest = 0

    def expire(self) -> None:
        """Let every delta token issued so far be refused."""
        with self._lock:
            # One more than now: a token of this very version must not hold either.
            self._oldest = self._table.skip_version()

    def all(self) -> tuple[list[Row], int]:
        """Return every row, by version, and the version to go on from."""
        rows, _, version = self._table.changes_since(0)
        return rows, version

    def since(self, token: str) -> tuple[list[Row], int]:
        """Return the entries for what has changed since a token, and the version to go on from."""
        rows, gone, version = self._table.changes_since(self._version(token))
        return [*rows, *({KEY: row_id, _GONE: True} for row_id in gone)], version

    def _version(self, token: str) -> int:
        try:
            number, moment = token.split("!")
            version = int(number)
            issued = datetime.strptime(moment, _MOMENT).replace(tzinfo=UTC)
        except ValueError:
            raise bad_query(f"The delta token '{token}' is not valid.") from None
        with self._lock:
            oldest = self._oldest
        if version < oldest or clock.utc_now() - issued > LIFETIME:
            raise expired()
        return version


def check_tracking(request: Request) -> None:
    """Refuse the query options that change tracking does not know."""
    for name in _FORBIDDEN:
        if name in request.query:
            message = f'The "{name}" query parameter isn\'t supported when Change Tracking is enabled.'
            raise bad_query(message)


def delta_link(request: Request, version: int) -> str:
    """Return the link that asks for the changes after a version."""
    token = f"{version}!{clock.utc_now().strftime(_MOMENT)}"
    encoded = re.sub("%..", lambda code: code[0].lower(), quote(token, safe=""))
    dropped = {"$skiptoken", "$deltatoken"}
    own = [part for part in request.raw_query.split("&") if part and _name(part) not in dropped]
    return f"{request.api_root}/{ENTITY_SET}?{'&'.join([*own, f'$deltatoken={encoded}'])}"


def deleted_entry(request: Request, entry: Row) -> dict[str, Any] | None:
    """Return what an answer says of a deleted row; None when the entry is a row that is there."""
    if _GONE not in entry:
        return None
    where = f"{request.api_root}/$metadata#{ENTITY_SET}/$deletedEntity"
    return {"@odata.context": where, "id": entry[KEY], "reason": "deleted"}


def is_deleted(entry: Row) -> bool:
    """Say whether an entry of the changes stands for a deleted row."""
    return _GONE in entry


def _name(part: str) -> str:
    return unquote(part.partition("=")[0])
