"""The table `imi_jobs` in the shop's words. A row that doesn't fit is named, never guessed."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

from flask_app.dataverse.client import FORMATTED, CallStatistics, DataverseClient, Row

ENTITY_SET = "imi_jobs"
SUBMITTAL_LABELS = {
    826130000: "Needed",
    826130001: "Ready to Submit",
    826130002: "AWT Approval",
    826130003: "Update with Field #'s",
    826130004: "Approved",
    826130005: "N/A",
}
LONGEST_IM_NUMBER = 50  # characters, as the jobs table holds it
LONGEST_SCOPE = 255

_ACTIVE = "statecode eq 0"
_APPROVED = f"imi_submittalstatus eq 826130004 and {_ACTIVE}"
_COLUMNS = (
    "imi_jobid",
    "imi_imnumber",
    "imi_gc",
    "imi_scopesummary",
    "imi_jobname",
    "imi_jobaddress",
    "imi_submittalstatus",
    "modifiedon",
    "createdon",
)
# Newest first; the id settles ties, or a row could fall between two pages.
_ORDER = ("createdon desc", "imi_jobid")
_TEXTS = {
    "imi_gc": "general contractor",
    "imi_scopesummary": "scope",
    "imi_jobname": "job name",
    "imi_jobaddress": "job address",
}


@dataclass(frozen=True, slots=True)
class DataverseJob:
    """A row of imi_jobs that can be used. `modified_on` is ISO 8601 in UTC, as delivered."""

    dataverse_id: str
    im_number: str
    general_contractor: str
    scope: str
    job_name: str
    job_address: str
    submittal_status: str
    modified_on: str


@dataclass(frozen=True, slots=True)
class DirtyRow:
    """A row of imi_jobs that cannot be used, and why; `im_number` is what stands there, as text."""

    dataverse_id: str
    im_number: str
    reason: str


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

    def get_approved_jobs(self) -> list[DataverseJob | DirtyRow]:
        """Return every active job whose submittal is approved, newest first."""
        return [job for page in self.approved_pages() for job in page]

    def get_all_active_jobs(self) -> list[DataverseJob | DirtyRow]:
        """Return every active job whatever its submittal status, newest first."""
        return [job for page in self._pages(_ACTIVE, None) for job in page]

    def approved_pages(
        self, statistics: CallStatistics | None = None
    ) -> Iterator[list[DataverseJob | DirtyRow]]:
        """Yield the approved jobs page by page; `statistics` tells how far the reading is."""
        return self._pages(_APPROVED, statistics)

    def _pages(
        self, filter_clause: str, statistics: CallStatistics | None
    ) -> Iterator[list[DataverseJob | DirtyRow]]:
        pages = self._client.pages(
            ENTITY_SET, select=_COLUMNS, orderby=_ORDER, filter_clause=filter_clause, statistics=statistics
        )
        return ([job_from(row) for row in page] for page in pages)


def job_from(row: Row) -> DataverseJob | DirtyRow:
    """Return the row in our words, or what is wrong with it."""
    dataverse_id = _text(row, "imi_jobid")
    if reason := _fault(row):
        return DirtyRow(dataverse_id, _shown(row.get("imi_imnumber")), reason)
    scope = _text(row, "imi_scopesummary")
    return DataverseJob(
        dataverse_id=dataverse_id,
        im_number=_text(row, "imi_imnumber").strip(),
        general_contractor=_text(row, "imi_gc") if _text(row, "imi_gc").strip() else "Unknown",
        scope=scope if scope.strip() and len(scope) <= LONGEST_SCOPE else "See Work Order",
        job_name=_text(row, "imi_jobname"),
        job_address=_text(row, "imi_jobaddress"),
        submittal_status=_status_label(row),
        modified_on=_text(row, "modifiedon"),
    )


def _shown(number: object) -> str:
    """Return what stands where the IM number should be, as text that can be stored and shown."""
    text = "" if number is None else str(number).encode(errors="replace").decode()
    return text if len(text) <= LONGEST_IM_NUMBER else text[:LONGEST_IM_NUMBER] + "…"


def _text(row: Row, column: str) -> str:
    value = row.get(column)
    return value if isinstance(value, str) else ""


def _fault(row: Row) -> str | None:
    """Return why the row cannot be used, or None."""
    if not _text(row, "imi_jobid"):
        return "The row has no imi_jobid."
    if reason := _im_number_fault(row.get("imi_imnumber")):
        return reason
    for column, name in _TEXTS.items():
        value = row.get(column)
        if value is not None and not isinstance(value, str):
            return f"The {name} is not text."
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
