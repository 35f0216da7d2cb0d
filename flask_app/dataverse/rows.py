"""One row of `imi_jobs` in the shop's words. A row that doesn't fit is named, never guessed."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import blake2b

from flask_app.dataverse.client import FORMATTED, Row
from flask_app.dataverse.contract import APPROVED_STATUS, SUBMITTAL_LABELS
from flask_app.dataverse.table import STATE, STATUS, status_values
from flask_app.im_number import LONGEST, digits_of, im_key, tidy
from flask_app.words import noted

LONGEST_SCOPE = 255  # a longer one is replaced, as the shop is used to
NO_CONTRACTOR, NO_SCOPE = "Unknown", "See Work Order"  # what stands for a text that isn't there
LONGEST_TEXT = 4000  # MySQL's TEXT holds four times that in any script

APPROVED = "approved"
_TAKEN_OVER = ("imi_imnumber", "imi_gc", "imi_scopesummary", "imi_jobnameaddress")
# The fields of a job that follow, by their columns.
FIELDS = {
    "imi_gc": "general_contractor",
    "imi_scopesummary": "job_scope",
    "imi_jobnameaddress": "job_name_address",
}
_UNREAD = "(unread)"  # stands in a fingerprint for a column that did not come
_GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", re.ASCII)
_TEXTS = {
    "imi_gc": noted("general contractor"),
    "imi_scopesummary": noted("scope"),
    "imi_jobnameaddress": noted("job name and address"),
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


@dataclass(slots=True)
class Page:
    """One page: the ids of the rows that say what they said before, and all others.

    `latest` is the latest modifiedon of them all, None if none can be read.
    """

    same: list[str] = field(default_factory=list)
    rows: list[Approved | GoneRow] = field(default_factory=list)
    latest: datetime | None = None


def job_from(row: Row) -> Approved:
    """Return the row in our words, or what is wrong with it."""
    dataverse_id = text_of(row, "imi_jobid").lower()
    try:
        im_number = _im_number_of_usable(row)
    except ValueError as problem:
        return InvalidRow(_plain(dataverse_id), _shown(row.get("imi_imnumber")), str(problem))
    scope = text_of(row, "imi_scopesummary").strip()
    return DataverseJob(
        dataverse_id=dataverse_id,
        im_number=im_number,
        general_contractor=text_of(row, "imi_gc").strip() or NO_CONTRACTOR,
        scope=scope if scope and len(scope) <= LONGEST_SCOPE else NO_SCOPE,
        job_name_address=text_of(row, "imi_jobnameaddress").strip(),
        submittal_status=_status_label(row),
        created_on=text_of(row, "createdon"),
        modified_on=text_of(row, "modifiedon"),
        fingerprint=_fingerprint(row),
        unread=[field for column, field in FIELDS.items() if column not in row],
    )


def is_guid(text: str) -> bool:
    return _GUID.fullmatch(text) is not None


def page_of(rows: list[Row], known: Mapping[str, str], *, mixed: bool = False) -> Page:
    """Sort a page's rows; `mixed` if there may be others than approved, active ones among them."""
    page = Page(latest=_latest(rows))
    for row in rows:
        row_id = row.get("imi_jobid")
        if mixed and (upstream_state := state_of(row)) != APPROVED:
            page.rows.append(GoneRow(text_of(row, "imi_jobid").lower(), upstream_state))
        elif isinstance(row_id, str) and row_id in known and known[row_id] == _fingerprint(row):
            page.same.append(row_id)
        else:
            page.rows.append(job_from(row))
    return page


def _latest(rows: list[Row]) -> datetime | None:
    """Return the latest modifiedon as an instant: as texts, offsets and fractions of a second sort wrongly.

    One that cannot be read is left out. It was some time, so its row is read again with the next changes.
    """
    read = (instant_of(text_of(row, "modifiedon")) for row in rows)
    return max((instant for instant in read if instant is not None), default=None)


def instant_of(text: str) -> datetime | None:
    """Return the instant that Dataverse wrote, None if it is none or has no offset."""
    try:
        instant = datetime.fromisoformat(text)
        return instant.astimezone(UTC) if instant.tzinfo else None
    except (ValueError, OverflowError):
        return None


def _fingerprint(row: Row) -> str:
    said = repr([row.get(column, _UNREAD) for column in _TAKEN_OVER])
    return blake2b(said.encode("ascii", "backslashreplace"), digest_size=12).hexdigest()


def state_of(row: Row) -> str:
    if row.get(STATE, 0) != 0:
        return "deactivated"
    return APPROVED if APPROVED_STATUS in status_values(row.get(STATUS)) else "not_approved"


def _shown(number: object) -> str:
    """Return what stands where the IM number should be, as text that can be stored and shown."""
    text = "" if number is None else str(number).encode(errors="replace").decode()
    return text if len(text) <= LONGEST else text[:LONGEST] + "…"


def text_of(row: Row, column: str) -> str:
    value = row.get(column)
    return value if isinstance(value, str) else ""


def _plain(dataverse_id: str) -> str:
    """Return the id as text that any database takes, whatever stands there."""
    return dataverse_id.encode("ascii", errors="replace").decode()[:36]


def _im_number_of_usable(row: Row) -> str:
    """Return the row's IM number; ValueError says why the row cannot be used."""
    if not is_guid(text_of(row, "imi_jobid")):
        no_id, no_guid = noted("The row has no imi_jobid."), noted("The imi_jobid is no GUID.")
        raise ValueError(no_guid if row.get("imi_jobid") else no_id)
    number = _im_number(row.get("imi_imnumber"))
    for column, name in _TEXTS.items():
        value = row.get(column)
        if value is not None and not isinstance(value, str):
            raise ValueError(noted("The %(name)s is not text.", name=name))
        if value is not None and len(value) > LONGEST_TEXT and column != "imi_scopesummary":
            raise ValueError(
                noted(
                    "The %(name)s is longer than %(longest_text)s characters.",
                    name=name,
                    longest_text=f"{LONGEST_TEXT:,}",
                )
            )
        if value is not None and not _is_storable(value):
            raise ValueError(noted("The %(name)s contains half a character.", name=name))
    return number


def _im_number(value: object) -> str:
    """Return the IM number as text; of a number, as the plan's `str()` has it, its digits.

    Raises ValueError with what is wrong with it.
    """
    if isinstance(value, str) and value.isascii() and value.isalnum() and len(value) <= LONGEST:
        return value  # nearly all are so
    if isinstance(value, bool) or not isinstance(value, str | int | float | None):
        raise ValueError(noted("The IM number is not text."))
    if not value:
        raise ValueError(
            noted("The IM number is blank.") if value == "" else noted("The IM number is missing.")
        )
    number = tidy(value if isinstance(value, str) else digits_of(value))
    if not im_key(number):
        raise ValueError(noted("The IM number is blank."))
    if len(number) > LONGEST:
        raise ValueError(noted("The IM number is longer than %(longest)s characters.", longest=LONGEST))
    if not number.isprintable():
        raise ValueError(noted("The IM number contains an unprintable character."))
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
