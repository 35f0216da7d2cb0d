"""The table `imi_jobs` in the shop's words. A row that doesn't fit is named, never guessed."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import blake2b
from types import MappingProxyType
from typing import Self
from uuid import UUID

from flask_app.dataverse.ahead import ahead
from flask_app.dataverse.client import FORMATTED, CallStatistics, DataverseClient, Row
from flask_app.dataverse.contract import APPROVED_STATUS, ENTITY_SET, SUBMITTAL_LABELS

LONGEST_IM_NUMBER = 50  # characters, as the jobs table holds it
LONGEST_SCOPE = 255  # a longer one is replaced, as the shop is used to
LONGEST_TEXT = 4000  # MySQL's TEXT holds four times that in any script

APPROVED = "approved"
COUNT_LIMIT = 5000  # Dataverse counts no further
_ACTIVE = "statecode eq 0"
_APPROVED = f"imi_submittalstatus eq {APPROVED_STATUS} and {_ACTIVE}"
_IDS_AT_ONCE = 40  # in one filter: an address should stay well below Dataverse's 32 KB
_COLUMNS = (
    "imi_jobid",
    "imi_imnumber",
    "imi_gc",
    "imi_scopesummary",
    "imi_jobnameaddress",
    "imi_submittalstatus",
    "statecode",
    "modifiedon",
    "createdon",
)
_TAKEN_OVER = ("imi_imnumber", "imi_gc", "imi_scopesummary", "imi_jobnameaddress")
_NOTHING: Mapping[str, str] = MappingProxyType({})
# Newest first; the id settles ties, or a row could fall between two pages.
_ORDER = ("createdon desc", "imi_jobid")
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

    def __init__(self, client: DataverseClient) -> None:
        self._client = client

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
        return [job_from(row) for page in self._pages(_APPROVED, None) for row in page]

    def get_all_active_jobs(self) -> list[Approved]:
        """Return every active job whatever its submittal status, newest first."""
        return [job_from(row) for page in self._pages(_ACTIVE, None) for row in page]

    def approved_pages(
        self, statistics: CallStatistics | None = None, *, known: Mapping[str, str] = _NOTHING
    ) -> Iterator[Page]:
        """Yield the approved jobs page by page; `statistics` tells how far the reading is.

        `known` maps ids to fingerprints: a row that still has its own is only named, which is less work.
        """
        return (_page(rows, known) for rows in self._pages(_APPROVED, statistics))

    def changed_pages(
        self,
        since: datetime,
        statistics: CallStatistics | None = None,
        *,
        known: Mapping[str, str] = _NOTHING,
    ) -> Iterator[Page]:
        """Yield every row, approved or not, modified at `since` (aware) or later by Dataverse's clock.

        What was deleted does not come: compare approved_count().
        """
        filter_clause = f"modifiedon ge {since.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
        return (_page(rows, known, mixed=True) for rows in self._pages(filter_clause, statistics))

    def approved_count(self, statistics: CallStatistics | None = None) -> int | None:
        """Return how many approved, active rows there are, COUNT_LIMIT if that many or more.

        None if Dataverse does not say.
        """
        return self._client.count(ENTITY_SET, filter_clause=_APPROVED, statistics=statistics)

    def upstream_states(
        self, ids: Sequence[str], statistics: CallStatistics | None = None
    ) -> Iterator[dict[str, str]]:
        """Map each id to "approved", "not_approved", "deactivated", or "deleted" if there is no such row.

        Yields some of them at a time, one request each.
        """
        for first in range(0, len(ids), _IDS_AT_ONCE):
            some = ids[first : first + _IDS_AT_ONCE]
            wanted = " or ".join(f"imi_jobid eq {UUID(row_id)}" for row_id in some)
            rows = [row for page in self._pages(wanted, statistics) for row in page]
            found = {_text(row, "imi_jobid").lower(): _upstream_state(row) for row in rows}
            yield {row_id: found.get(row_id, "deleted") for row_id in some}

    def _pages(self, filter_clause: str, statistics: CallStatistics | None) -> Iterator[list[Row]]:
        pages = self._client.pages(
            ENTITY_SET, select=_COLUMNS, orderby=_ORDER, filter_clause=filter_clause, statistics=statistics
        )
        return ahead(pages)


def job_from(row: Row) -> Approved:
    """Return the row in our words, or what is wrong with it."""
    dataverse_id = _text(row, "imi_jobid").lower()
    if reason := _fault(row):
        return InvalidRow(_plain(dataverse_id), _shown(row.get("imi_imnumber")), reason)
    scope = _text(row, "imi_scopesummary")
    return DataverseJob(
        dataverse_id=dataverse_id,
        im_number=_text(row, "imi_imnumber").strip(),
        general_contractor=_text(row, "imi_gc") if _text(row, "imi_gc").strip() else "Unknown",
        scope=scope if scope.strip() and len(scope) <= LONGEST_SCOPE else "See Work Order",
        job_name_address=_text(row, "imi_jobnameaddress"),
        submittal_status=_status_label(row),
        created_on=_text(row, "createdon"),
        modified_on=_text(row, "modifiedon"),
        fingerprint=_fingerprint(row),
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
    said = repr([row.get(column) for column in _TAKEN_OVER])
    return blake2b(said.encode("ascii", "backslashreplace"), digest_size=12).hexdigest()


def _upstream_state(row: Row) -> str:
    if row.get("statecode") != 0:
        return "deactivated"
    return APPROVED if row.get("imi_submittalstatus") == APPROVED_STATUS else "not_approved"


def _shown(number: object) -> str:
    """Return what stands where the IM number should be, as text that can be stored and shown."""
    text = "" if number is None else str(number).encode(errors="replace").decode()
    return text if len(text) <= LONGEST_IM_NUMBER else text[:LONGEST_IM_NUMBER] + "…"


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
    if reason := _im_number_fault(row.get("imi_imnumber")):
        return reason
    for column, name in _TEXTS.items():
        value = row.get(column)
        if value is not None and not isinstance(value, str):
            return f"The {name} is not text."
        if value is not None and len(value) > LONGEST_TEXT and column != "imi_scopesummary":
            return f"The {name} is longer than {LONGEST_TEXT:,} characters."
        if value is not None and not _is_storable(value):
            return f"The {name} contains half a character."
    return None


def _im_number_fault(number: object) -> str | None:
    if number is None:
        return "The IM number is missing."
    if not isinstance(number, str):
        return "The IM number is not text."
    number = number.strip()
    if not number:
        return "The IM number is blank."
    if len(number) > LONGEST_IM_NUMBER:
        return f"The IM number is longer than {LONGEST_IM_NUMBER} characters."
    if not number.isprintable():
        return "The IM number contains an unprintable character."
    return None


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
    status = row.get("imi_submittalstatus")
    return SUBMITTAL_LABELS.get(status, str(status)) if isinstance(status, int) else ""
