"""The table `imi_jobs`: which rows there are, what has changed, how a row stands. Everything, or an error."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Self, TypeVar
from uuid import UUID

from flask_app.dataverse.ahead import ahead
from flask_app.dataverse.blanks import TELLING, Blanks, refuse_hidden_status
from flask_app.dataverse.client import CallStatistics, DataverseClient, Row
from flask_app.dataverse.contract import ENTITY_SET, TABLE
from flask_app.dataverse.errors import DataverseProtocolError, DataverseRefused
from flask_app.dataverse.rows import (
    APPROVED,
    FIELDS,
    NO_CONTRACTOR,
    NO_SCOPE,
    Approved,
    DataverseJob,
    GoneRow,
    InvalidRow,
    Page,
    is_guid,
    job_from,
    page_of,
    state_of,
    text_of,
)
from flask_app.dataverse.table import (
    ID,
    MODIFIED,
    NUMBER,
    STATE,
    STATUS,
    TableShape,
    blank_column,
    hidden_column,
    says_nothing,
    shape_of,
)
from flask_app.words import noted

__all__ = [
    "APPROVED",
    "COUNT_LIMIT",
    "NO_CONTRACTOR",
    "NO_SCOPE",
    "Approved",
    "ChangesUnknown",
    "DataverseJob",
    "DataverseService",
    "GoneRow",
    "InvalidRow",
    "Page",
    "is_guid",
    "job_from",
]

COUNT_LIMIT = 5000  # Dataverse counts no further
_MOST_ASKED_ALONE = 100  # rows in one reading, a request each: a sync has to end
_IDS_AT_ONCE = 40  # in one filter: an address should stay well below Dataverse's 32 KB
_NOTHING: Mapping[str, str] = MappingProxyType({})
Rule = Callable[[TableShape], str | None]  # the filter, in the form that the table takes
T = TypeVar("T")


class ChangesUnknown(Exception):
    """Dataverse does not tell what has changed: read everything."""


class DataverseService:
    """Reads jobs. Every method raises a DataverseClientError rather than return less than everything."""

    def __init__(self, client: DataverseClient, shape: TableShape | None = None) -> None:
        """Without a `shape`, the table is looked at before the first question."""
        self._client = client
        self._shape = shape
        # The fields whose column came empty on every row of the last full reading: nobody knows their text.
        self.blank_fields: list[str] = []
        # The same, however few rows there were: nobody knows whether their text was taken out or is hidden.
        self.empty_fields: list[str] = []

    @classmethod
    def connect(
        cls,
        *,
        base_url: str,
        tenant_id: str,
        client_id: str,
        client_secret: str,
        authority: str = "https://login.microsoftonline.com",
        ca_bundle: str | None = None,
    ) -> Self:
        """Return a service on a client of its own. Nothing is sent before the first question."""
        return cls(
            DataverseClient(
                base_url, tenant_id, client_id, client_secret, authority=authority, ca_bundle=ca_bundle
            )
        )

    @property
    def client(self) -> DataverseClient:
        """The client, for what else there is to ask: its token and connections are shared."""
        return self._client

    def get_approved_jobs(self) -> list[Approved]:
        """Return every active job whose submittal is approved, newest first."""
        return [job_from(row) for page in self._pages(_approved, None) for row in page]

    def get_all_active_jobs(self) -> list[Approved]:
        """Return every active job whatever its submittal status, newest first."""
        return [job_from(row) for page in self._pages(_active, None) for row in page]

    def approved_pages(
        self, statistics: CallStatistics | None = None, *, known: Mapping[str, str] = _NOTHING
    ) -> Iterator[Page]:
        """Yield the approved jobs page by page; `statistics` tells how far the reading is.

        `known` maps ids to fingerprints: a row that still has its own is only named, which is less work.
        """
        if self._shape and self._shape.warnings:
            self._shape = None  # what was missing may be there by now
        return self._approved_pages(statistics, known)

    def changed_pages(
        self,
        since: datetime,
        statistics: CallStatistics | None = None,
        *,
        known: Mapping[str, str] = _NOTHING,
    ) -> Iterator[Page]:
        """Yield every row, approved or not, modified at `since` (aware) or later by Dataverse's clock.

        What was deleted does not come: compare approved_count(). Raises ChangesUnknown if Dataverse does not
        tell when a row was modified.
        """

        def modified(shape: TableShape) -> str:
            if MODIFIED not in shape.columns:
                raise ChangesUnknown(noted("Dataverse does not tell what has changed."))
            return f"{MODIFIED} ge {since.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"

        return _changes(self._pages(modified, statistics), known)

    def approved_count(self, statistics: CallStatistics | None = None) -> int | None:
        """Return how many approved, active rows there are, COUNT_LIMIT if that many or more.

        None if Dataverse does not say.
        """
        return self._ask(
            lambda shape: self._client.count(ENTITY_SET, filter_clause=shape.approved, statistics=statistics),
            statistics,
        )

    def upstream_states(
        self, ids: Sequence[str], statistics: CallStatistics | None = None
    ) -> Iterator[dict[str, str]]:
        """Map each id to how its row stands: "approved", "not_approved", "deactivated", "deleted", "missing".

        "deleted" only if Dataverse answers 404 to a request for that row alone, "missing" if it is not in a
        list and that is not known: the application user may not be allowed to see it. Yields some of them at
        a time, one request each.
        """
        alone: list[str] = []
        for first in range(0, len(ids), _IDS_AT_ONCE):
            some = ids[first : first + _IDS_AT_ONCE]
            rows = self._rows_of(some, statistics)
            found = {text_of(row, "imi_jobid").lower(): state_of(row) for row in rows}
            alone += [row_id for row_id in some if row_id not in found]
            yield {row_id: found[row_id] for row_id in some if row_id in found}
        for row_id in alone[:_MOST_ASKED_ALONE]:
            yield {row_id: self._state_alone(row_id, statistics)}
        yield dict.fromkeys(alone[_MOST_ASKED_ALONE:], "missing")

    def row_pages(
        self,
        ids: Sequence[str],
        statistics: CallStatistics | None = None,
        *,
        known: Mapping[str, str] = _NOTHING,
    ) -> Iterator[Page]:
        """Yield these rows, approved or not, some at a time; of one that no list shows, how it stands."""
        for first in range(0, len(ids), _IDS_AT_ONCE):
            some = ids[first : first + _IDS_AT_ONCE]
            rows = self._rows_of(some, statistics)
            page = page_of(rows, known, mixed=True)
            found = {text_of(row, "imi_jobid").lower() for row in rows}
            for row_id in some:
                if row_id not in found and (state := self._state_alone(row_id, statistics)) != APPROVED:
                    page.rows.append(GoneRow(row_id, state))
            yield page

    def _rows_of(self, ids: Sequence[str], statistics: CallStatistics | None) -> list[Row]:
        wanted = " or ".join(f"imi_jobid eq {UUID(row_id)}" for row_id in ids)
        rows = [row for page in self._pages(_always(wanted), statistics) for row in page]
        refuse_hidden_status(rows)
        return rows

    def _state_alone(self, row_id: str, statistics: CallStatistics | None) -> str:
        """Return how a row stands that no list shows."""

        def row(shape: TableShape) -> Row | None:
            columns = [name for name in (ID, STATUS, STATE) if name in shape.columns]
            return self._client.get(ENTITY_SET, row_id, select=columns, statistics=statistics)

        try:
            found = self._ask(row, statistics)
        except DataverseRefused as refusal:
            if refusal.status != 403:
                raise
            return "missing"  # there may be such a row, but not for the application user's eyes
        return "deleted" if found is None else state_of(found)

    def warnings(self) -> list[str]:
        """Return what is amiss with the table, as far as it is known by now, in sentences."""
        blank = [blank_column(column) for column, field in FIELDS.items() if field in self.blank_fields]
        return [*(self._shape.warnings if self._shape else ()), *blank]

    def _approved_pages(self, statistics: CallStatistics | None, known: Mapping[str, str]) -> Iterator[Page]:
        blanks = Blanks()
        for rows in self._pages(_approved, statistics):
            blanks.look_at(rows)
            yield page_of(rows, known)
        # Dataverse has found them by their status; of blank numbers, a few may be somebody's slip.
        if blanks.has(STATUS, from_rows=1):
            raise hidden_column(STATUS)
        if blanks.has(NUMBER):
            raise hidden_column(NUMBER)
        self.empty_fields = [field for column, field in FIELDS.items() if blanks.has(column, from_rows=1)]
        shape = self._shape or TableShape()
        self.blank_fields = [
            FIELDS[column]
            for column in FIELDS.keys() & set(shape.columns)
            if blanks.has(column, from_rows=1 if column in shape.secured else TELLING)
        ]

    def _pages(self, rule: Rule, statistics: CallStatistics | None) -> Iterator[list[Row]]:
        """Yield the pages of the rows that `rule` keeps."""

        def first_page(shape: TableShape) -> tuple[list[Row] | None, Iterator[list[Row]]]:
            pages = self._client.pages(
                ENTITY_SET,
                select=shape.columns,
                orderby=shape.order,
                filter_clause=rule(shape),
                statistics=statistics,
            )
            return next(pages, None), pages

        yield from ahead(_joined(*self._ask(first_page, statistics)))

    def _ask(self, question: Callable[[TableShape], T], statistics: CallStatistics | None) -> T:
        """Ask in the form that fits the table; if Dataverse says that it doesn't, in the next one."""
        shape = self._shape or self._look(statistics)
        while True:
            try:
                answer = question(shape)
            except DataverseProtocolError as refusal:
                shape = shape.after(refusal)
            else:
                self._shape = shape
                return answer

    def _look(self, statistics: CallStatistics | None) -> TableShape:
        """Read what the table is like; without the right to, it is taken for what the owner's plan says."""
        try:
            return shape_of(self._client.columns(TABLE, statistics=statistics))
        except (DataverseRefused, DataverseProtocolError) as error:
            if not says_nothing(error):
                raise
            return TableShape()


def _always(filter_clause: str) -> Rule:
    return lambda _: filter_clause


def _approved(shape: TableShape) -> str:
    return shape.approved


def _active(shape: TableShape) -> str | None:
    return shape.active


def _joined(first: list[Row] | None, others: Iterator[list[Row]]) -> Iterator[list[Row]]:
    if first is not None:
        yield first
    del first  # or it would stay in memory with all others
    yield from others


def _changes(pages: Iterable[list[Row]], known: Mapping[str, str]) -> Iterator[Page]:
    blanks = Blanks()
    for rows in pages:
        blanks.look_at(rows)
        yield page_of(rows, known, mixed=True)
    if blanks.has(STATUS, from_rows=1):
        raise ChangesUnknown(noted("Every row that was changed has no status: it may be hidden from us."))
