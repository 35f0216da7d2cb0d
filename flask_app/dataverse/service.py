"""The table `imi_jobs` in the shop's words. A row that doesn't fit is named, never guessed."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import blake2b
from types import MappingProxyType
from typing import Self, TypeVar
from uuid import UUID

from flask_app.dataverse.ahead import ahead
from flask_app.dataverse.client import FORMATTED, CallStatistics, DataverseClient, Row
from flask_app.dataverse.contract import APPROVED_STATUS, ENTITY_SET, SUBMITTAL_LABELS, TABLE
from flask_app.dataverse.errors import DataverseProtocolError, DataverseRefused
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
    status_values,
)
from flask_app.im_number import LONGEST, digits_of, im_key, tidy

LONGEST_SCOPE = 255  # a longer one is replaced, as the shop is used to
NO_CONTRACTOR, NO_SCOPE = "Unknown", "See Work Order"  # what stands for a text that isn't there
LONGEST_TEXT = 4000  # MySQL's TEXT holds four times that in any script

APPROVED = "approved"
COUNT_LIMIT = 5000  # Dataverse counts no further
_MOST_ASKED_ALONE = 100  # rows in one reading, a request each: a sync has to end
_IDS_AT_ONCE = 40  # in one filter: an address should stay well below Dataverse's 32 KB
_TAKEN_OVER = ("imi_imnumber", "imi_gc", "imi_scopesummary", "imi_jobnameaddress")
# The fields of a job that follow, by their columns.
_FIELDS = {
    "imi_gc": "general_contractor",
    "imi_scopesummary": "job_scope",
    "imi_jobnameaddress": "job_name_address",
}
_UNREAD = "(unread)"  # stands in a fingerprint for a column that did not come
TELLING = 10  # rows; of fewer, a column may be blank on all by chance
_NOTHING: Mapping[str, str] = MappingProxyType({})
_GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", re.ASCII)
_TEXTS = {
    "imi_gc": "general contractor",
    "imi_scopesummary": "scope",
    "imi_jobnameaddress": "job name and address",
}


@dataclass(frozen=True, slots=True)
class DataverseJob:
    """A row of imi_jobs that can be used. The two times are ISO 8601 in UTC, as delivered.

    `fingerprint` is a short digest of what the shop takes from the row: if it is the same, so is the job.
    """

    dataverse_id: str
    im_number: str
    general_contractor: str
    scope: str
    job_name_address: str
    submittal_status: str
    created_on: str
    modified_on: str
    fingerprint: str = ""
    # The fields of which this reading knows nothing. A list, as JSON gives it back: leftovers are compared.
    unread: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class InvalidRow:
    """A row of imi_jobs that cannot be used, and why; `im_number` is what stands there, as text."""

    dataverse_id: str
    im_number: str
    reason: str


@dataclass(frozen=True, slots=True)
class GoneRow:
    """A row that is no approved, active job; `upstream_state` is "not_approved" or "deactivated"."""

    dataverse_id: str
    upstream_state: str


Approved = DataverseJob | InvalidRow
Rule = Callable[[TableShape], str | None]  # the filter, in the form that the table takes
T = TypeVar("T")


class ChangesUnknown(Exception):
    """Dataverse does not tell what has changed: read everything."""


@dataclass(slots=True)
class Page:
    """One page: the ids of the rows that say what they said before, and all others.

    `latest` is the latest modifiedon of them all, None if none can be read.
    """

    same: list[str] = field(default_factory=list)
    rows: list[Approved | GoneRow] = field(default_factory=list)
    latest: datetime | None = None


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
                raise ChangesUnknown("Dataverse does not tell what has changed.")
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
            wanted = " or ".join(f"imi_jobid eq {UUID(row_id)}" for row_id in some)
            rows = [row for page in self._pages(_always(wanted), statistics) for row in page]
            _refuse_hidden_status(rows)
            found = {_text(row, "imi_jobid").lower(): _upstream_state(row) for row in rows}
            alone += [row_id for row_id in some if row_id not in found]
            yield {row_id: found[row_id] for row_id in some if row_id in found}
        for row_id in alone[:_MOST_ASKED_ALONE]:
            yield {row_id: self._state_alone(row_id, statistics)}
        yield dict.fromkeys(alone[_MOST_ASKED_ALONE:], "missing")

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
        return "deleted" if found is None else _upstream_state(found)

    def warnings(self) -> list[str]:
        """Return what is amiss with the table, as far as it is known by now, in sentences."""
        blank = [blank_column(column) for column, field in _FIELDS.items() if field in self.blank_fields]
        return [*(self._shape.warnings if self._shape else ()), *blank]

    def _approved_pages(self, statistics: CallStatistics | None, known: Mapping[str, str]) -> Iterator[Page]:
        blanks = _Blanks()
        for rows in self._pages(_approved, statistics):
            blanks.look_at(rows)
            yield _page(rows, known)
        # Dataverse has found them by their status; of blank numbers, a few may be somebody's slip.
        if blanks.has(STATUS, from_rows=1):
            raise hidden_column(STATUS)
        if blanks.has(NUMBER):
            raise hidden_column(NUMBER)
        self.empty_fields = [field for column, field in _FIELDS.items() if blanks.has(column, from_rows=1)]
        secured = self._shape.secured if self._shape else frozenset()
        self.blank_fields = [
            field
            for column, field in _FIELDS.items()
            if blanks.has(column, from_rows=1 if column in secured else TELLING)
            and self._shape
            and column in self._shape.columns
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


class _Blanks:
    """Which of the columns that matter came empty on every row of a reading."""

    def __init__(self) -> None:
        self.rows = 0
        self._empty = {STATUS, NUMBER, *_FIELDS}

    def look_at(self, rows: list[Row]) -> None:
        self.rows += len(rows)
        self._empty = {name for name in self._empty if all(row.get(name, "") is None for row in rows)}

    def has(self, column: str, *, from_rows: int = TELLING) -> bool:
        return column in self._empty and self.rows >= from_rows


def job_from(row: Row) -> Approved:
    """Return the row in our words, or what is wrong with it."""
    dataverse_id = _text(row, "imi_jobid").lower()
    if reason := _fault(row):
        return InvalidRow(_plain(dataverse_id), _shown(row.get("imi_imnumber")), reason)
    scope = _text(row, "imi_scopesummary").strip()
    return DataverseJob(
        dataverse_id=dataverse_id,
        im_number=_im_number(row.get("imi_imnumber")),
        general_contractor=_text(row, "imi_gc").strip() or NO_CONTRACTOR,
        scope=scope if scope and len(scope) <= LONGEST_SCOPE else NO_SCOPE,
        job_name_address=_text(row, "imi_jobnameaddress").strip(),
        submittal_status=_status_label(row),
        created_on=_text(row, "createdon"),
        modified_on=_text(row, "modifiedon"),
        fingerprint=_fingerprint(row),
        unread=[field for column, field in _FIELDS.items() if column not in row],
    )


def is_guid(text: str) -> bool:
    return _GUID.fullmatch(text) is not None


def _page(rows: list[Row], known: Mapping[str, str], *, mixed: bool = False) -> Page:
    """Sort a page's rows; `mixed` if there may be others than approved, active ones among them."""
    page = Page(latest=_latest(rows))
    for row in rows:
        row_id = row.get("imi_jobid")
        if mixed and (upstream_state := _upstream_state(row)) != APPROVED:
            page.rows.append(GoneRow(_text(row, "imi_jobid").lower(), upstream_state))
        elif isinstance(row_id, str) and row_id in known and known[row_id] == _fingerprint(row):
            page.same.append(row_id)
        else:
            page.rows.append(job_from(row))
    return page


def _changes(pages: Iterable[list[Row]], known: Mapping[str, str]) -> Iterator[Page]:
    blanks = _Blanks()
    for rows in pages:
        blanks.look_at(rows)
        yield _page(rows, known, mixed=True)
    if blanks.has(STATUS, from_rows=1):
        raise ChangesUnknown("Every row that was changed has no status: it may be hidden from us.")


def _refuse_hidden_status(rows: list[Row]) -> None:
    if len(rows) >= TELLING and all(row.get(STATUS, "") is None for row in rows):
        raise hidden_column(STATUS)


def _latest(rows: list[Row]) -> datetime | None:
    """Return the latest modifiedon as an instant: as texts, offsets and fractions of a second sort wrongly.

    One that cannot be read is left out. It was some time, so its row is read again with the next changes.
    """
    read = (_instant(_text(row, "modifiedon")) for row in rows)
    return max((instant for instant in read if instant is not None), default=None)


def _instant(text: str) -> datetime | None:
    try:
        instant = datetime.fromisoformat(text)
        return instant.astimezone(UTC) if instant.tzinfo else None
    except (ValueError, OverflowError):
        return None


def _fingerprint(row: Row) -> str:
    said = repr([row.get(column, _UNREAD) for column in _TAKEN_OVER])
    return blake2b(said.encode("ascii", "backslashreplace"), digest_size=12).hexdigest()


def _upstream_state(row: Row) -> str:
    if row.get(STATE, 0) != 0:
        return "deactivated"
    return APPROVED if APPROVED_STATUS in status_values(row.get(STATUS)) else "not_approved"


def _shown(number: object) -> str:
    """Return what stands where the IM number should be, as text that can be stored and shown."""
    text = "" if number is None else str(number).encode(errors="replace").decode()
    return text if len(text) <= LONGEST else text[:LONGEST] + "…"


def _text(row: Row, column: str) -> str:
    value = row.get(column)
    return value if isinstance(value, str) else ""


def _plain(dataverse_id: str) -> str:
    """Return the id as text that any database takes, whatever stands there."""
    return dataverse_id.encode("ascii", errors="replace").decode()[:36]


def _fault(row: Row) -> str | None:
    """Return why the row cannot be used, or None."""
    if not is_guid(_text(row, "imi_jobid")):
        return "The imi_jobid is no GUID." if row.get("imi_jobid") else "The row has no imi_jobid."
    try:
        _im_number(row.get("imi_imnumber"))
    except ValueError as problem:
        return str(problem)
    for column, name in _TEXTS.items():
        value = row.get(column)
        if value is not None and not isinstance(value, str):
            return f"The {name} is not text."
        if value is not None and len(value) > LONGEST_TEXT and column != "imi_scopesummary":
            return f"The {name} is longer than {LONGEST_TEXT:,} characters."
        if value is not None and not _is_storable(value):
            return f"The {name} contains half a character."
    return None


def _im_number(value: object) -> str:
    """Return the IM number as text; of a number, as the plan's `str()` has it, its digits.

    Raises ValueError with what is wrong with it.
    """
    if isinstance(value, bool) or not isinstance(value, str | int | float | None):
        raise ValueError("The IM number is not text.")
    if not value:
        raise ValueError("The IM number is blank." if value == "" else "The IM number is missing.")
    number = tidy(value if isinstance(value, str) else digits_of(value))
    if not im_key(number):
        raise ValueError("The IM number is blank.")
    if len(number) > LONGEST:
        raise ValueError(f"The IM number is longer than {LONGEST} characters.")
    if not number.isprintable():
        raise ValueError("The IM number contains an unprintable character.")
    return number


def _is_storable(text: str) -> bool:
    """JSON may hold half of a surrogate pair, which no database takes: it would cost the whole batch."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _status_label(row: Row) -> str:
    label = row.get(f"imi_submittalstatus@{FORMATTED}")
    if isinstance(label, str) and label:
        return label
    values = sorted(status_values(row.get(STATUS)))
    return "; ".join(SUBMITTAL_LABELS.get(value, str(value)) for value in values)
