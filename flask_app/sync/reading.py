"""What is new in Dataverse: reads it page by page, and keeps only what the shop does not know yet."""

from collections.abc import Callable, Collection, Iterable, Mapping, Set
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from flask_app.dataverse.retries import CallStatistics
from flask_app.dataverse.service import (
    APPROVED,
    COUNT_LIMIT,
    Approved,
    ChangesUnknown,
    DataverseJob,
    DataverseService,
    GoneRow,
    InvalidRow,
    Page,
    is_guid,
)

# A row can be saved with a time that is a little past when others have been read already.
OVERLAP = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What the shop knows of Dataverse's approved rows: digests of those with a job, ids of those without."""

    fingerprints: Mapping[str, str]
    leftovers: Set[str]

    @property
    def settled(self) -> Mapping[str, str]:
        """What need not be looked at if it says the same; a leftover is always looked at."""
        if not self.leftovers:
            return self.fingerprints
        return {row: digest for row, digest in self.fingerprints.items() if row not in self.leftovers}

    @property
    def ids(self) -> Set[str]:
        return self.fingerprints.keys() | self.leftovers


@dataclass(slots=True)
class ChangeSet:
    """What one reading found, against what was known before it."""

    is_full: bool
    rows: dict[str, DataverseJob] = field(default_factory=dict)  # approved, and new or saying something new
    dirty: list[InvalidRow] = field(default_factory=list)
    gone: dict[str, str] = field(
        default_factory=dict
    )  # known, but approved no more: dataverse_id -> upstream_state
    unchanged: int = 0
    approved: set[str] = field(default_factory=set)  # the ids that came as approved
    latest: datetime | None = None  # the latest modifiedon that came
    hooks: dict[str, int] = field(
        default_factory=dict
    )  # the queued rows that were looked at, and their counts
    empty: list[str] = field(default_factory=list)  # fields of which no row said anything; full readings only
    warnings: list[str] = field(default_factory=list)  # what is amiss with Dataverse's table, in sentences


OnPage = Callable[[], None]


def read_everything(
    service: DataverseService, known: Snapshot, statistics: CallStatistics, on_page: OnPage = lambda: None
) -> ChangeSet:
    """Read every approved row, and ask about the known ones that are not among them."""
    news = ChangeSet(is_full=True)
    _take_pages(service.approved_pages(statistics, known=known.settled), known, news, on_page)
    missing = sorted(known.ids - news.approved)
    for upstream_states in service.upstream_states(missing, statistics):
        news.gone.update(
            (row_id, upstream_state)
            for row_id, upstream_state in upstream_states.items()
            if upstream_state != APPROVED
        )
        on_page()
    _note_unread(news, service)
    news.empty = list(service.empty_fields)
    return news


def read_changes(
    service: DataverseService,
    known: Snapshot,
    statistics: CallStatistics,
    on_page: OnPage = lambda: None,
    *,
    since: datetime,
) -> ChangeSet | None:
    """Read what was modified since `since`; None if that may not be all (deleted rows, no count)."""
    news = ChangeSet(is_full=False)
    try:
        changed = service.changed_pages(since - OVERLAP, statistics, known=known.settled)
        _take_pages(changed, known, news, on_page)
    except ChangesUnknown:
        return None
    _note_unread(news, service)
    expected = len((known.ids | news.approved) - news.gone.keys())
    # Dataverse counts to COUNT_LIMIT: of more rows, the daily full reading finds what was deleted.
    return news if service.approved_count(statistics) == min(expected, COUNT_LIMIT) else None


def read_rows(
    service: DataverseService,
    known: Snapshot,
    statistics: CallStatistics,
    on_page: OnPage = lambda: None,
    *,
    ids: Collection[str],
) -> ChangeSet:
    """Read these rows, whatever has become of them. What else has changed is not known after it."""
    news = ChangeSet(is_full=False)
    _take_pages(service.row_pages(sorted(ids), statistics, known=known.settled), known, news, on_page)
    _note_unread(news, service)
    news.latest = None
    return news


def watermark(news: ChangeSet, *, before: datetime | None, now: datetime) -> datetime | None:
    """Return up to when, by Dataverse's clock, everything is known; None if nothing has ever come.

    Never after `now`: a row from the future, or a host whose clock was ahead, would hide all that changes
    until then.
    """
    latest = _later(news.latest, before)
    return min(latest, now) if latest else None


def _later(one: datetime | None, other: datetime | None) -> datetime | None:
    return max(one, other) if one and other else one or other


def _note_unread(news: ChangeSet, service: DataverseService) -> None:
    """Take over what is amiss; of a column that is empty on every row, nothing is believed."""
    news.warnings = service.warnings()
    if blank := service.blank_fields:
        for row_id, row in news.rows.items():
            news.rows[row_id] = replace(row, unread=[*row.unread, *blank])


def _take_pages(pages: Iterable[Page], known: Snapshot, news: ChangeSet, on_page: OnPage) -> None:
    for page in pages:
        news.latest = _later(news.latest, page.latest)
        # Rows can move between pages while they are read: then the same one comes twice, not a second.
        news.unchanged += len(set(page.same) - news.approved)
        news.approved.update(page.same)
        for row in page.rows:
            _take(row, known, news)
        on_page()


def _take(row: Approved | GoneRow, known: Snapshot, news: ChangeSet) -> None:
    row_id = row.dataverse_id
    if isinstance(row, GoneRow):
        if row_id in known.fingerprints or row_id in known.leftovers:
            news.gone[row_id] = row.upstream_state
        return
    if row_id in news.approved and is_guid(row_id):
        return
    news.approved.add(row_id)
    if isinstance(row, InvalidRow):
        news.dirty.append(row)
    else:
        news.rows[row_id] = row
