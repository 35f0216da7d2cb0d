"""What a sync should do, decided without database or network: rows x jobs -> changes.

The rules.
- A row keeps the job that it is linked to, whatever happens to either's IM number. A row that is new takes
  the job whose own row is gone at the same time and had its IM number (it was deleted and made again). Else
  it takes the job that has its IM number, if no other approved row has that job. Else it becomes a new job.
- A linked job takes over what changes in Dataverse (FOLLOWED), except what was edited in the shop: that
  stays, and what Dataverse says is kept beside it (`dataverse_says`). An IM number is not changed by a sync.
- A row that is no longer approved, deactivated or deleted leaves its job as it is, with a mark since when.
  A job whose row comes back, or that finds another one, is approved again.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from datetime import UTC, datetime

from flask_app.dataverse.rows import instant_of
from flask_app.dataverse.service import DataverseJob
from flask_app.im_number import im_key
from flask_app.models.job import APPROVED, DELETED, FOLLOWED, IM_NUMBER_MAX, MISSING
from flask_app.sync.following import JobState
from flask_app.words import noted

# What somebody typed with a job: a link must not replace it.
BY_HAND = ("general_contractor", "job_scope", "job_name_address")
TAKEN = noted("Another row of Dataverse has the job with this IM number.")
TOO_LONG = noted("The IM number is longer than %(most)s characters in capitals.", most=IM_NUMBER_MAX)
_LONG_AGO = datetime.min.replace(tzinfo=UTC)
RENUMBERED = noted(
    "Job %(here)s has the number %(there)s in Dataverse. Let it follow, and this row comes in."
)


@dataclass(frozen=True, slots=True)
class Change:
    """One field of one job before and after, for the ledger."""

    job_id: int
    im_number: str
    field: str
    old: str
    new: str


@dataclass(slots=True)
class Decision:
    """What to insert, to update (by job id, column values) and to leave out (with the reason).

    `before` has the jobs as they were. `linked`: from a row before ("": typed in here) to the row now.
    """

    new: list[DataverseJob] = field(default_factory=list)
    updates: dict[int, JobState] = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)
    left_out: list[tuple[DataverseJob, str]] = field(default_factory=list)
    linked: list[Change] = field(default_factory=list)
    gone: list[JobState] = field(default_factory=list)
    returned: list[Change] = field(default_factory=list)
    before: dict[int, JobState] = field(default_factory=dict)


def values_of(row: DataverseJob) -> dict[str, str]:
    """Return the row's values under the names of the job's fields."""
    return {
        "im_number": row.im_number,
        "general_contractor": row.general_contractor,
        "job_scope": row.scope,
        "job_name_address": row.job_name_address,
    }


def said_by(row: DataverseJob) -> dict[str, str]:
    """Return the values of which the row really tells."""
    return {name: value for name, value in values_of(row).items() if name not in row.unread}


def _age(row: DataverseJob) -> tuple[datetime, str]:
    """Return what rows are ordered by; one whose time of creation cannot be read counts as the oldest."""
    return instant_of(row.created_on) or _LONG_AGO, row.dataverse_id


def decide(rows: Iterable[DataverseJob], gone: Mapping[str, str], jobs: Sequence[JobState]) -> Decision:
    """Return what to do about approved `rows`, and about rows `gone` (dataverse_id -> upstream_state).

    `jobs` are all that are linked to one of them or have the IM number of one of them; they are changed here.
    """
    decision = Decision(before={job.id: copy(job) for job in jobs})
    by_row = {job.dataverse_id: job for job in jobs if job.dataverse_id}
    by_key: dict[str, JobState | None] = {job.im_key: job for job in jobs}
    lost = _mark_gone(gone, by_row)
    # The newest first, and the id settles ties: the same row must win whatever the order of the pages.
    newest_first = sorted(rows, key=_age, reverse=True)
    for row in newest_first:
        if job := by_row.get(row.dataverse_id):
            _follow(job, row, decision)
    without_job = [row for row in newest_first if row.dataverse_id not in by_row]
    for row in _link_made_again(without_job, lost, decision):
        _place(row, by_key, decision)
    decision.gone = [job for job in lost if job.upstream_state != APPROVED]
    decision.updates = {job.id: job for job in jobs if job != decision.before[job.id]}
    return decision


def _mark_gone(gone: Mapping[str, str], by_row: Mapping[str, JobState]) -> list[JobState]:
    """Mark the jobs whose rows are gone; return those that were not marked so before."""
    lost = []
    for dataverse_id, upstream_state in sorted(gone.items()):
        job = by_row.get(dataverse_id)
        if job and job.upstream_state != upstream_state:
            job.upstream_state = upstream_state
            lost.append(job)
    return lost


def _link_made_again(
    rows: Sequence[DataverseJob], lost: Sequence[JobState], decision: Decision
) -> list[DataverseJob]:
    """Let jobs whose rows have just been deleted follow rows with the number that theirs had in Dataverse.

    Returns the other rows.
    """
    waiting: dict[str, list[JobState]] = defaultdict(list)
    # Last of the list is first: whoever has the number here too, then the older job.
    for job in sorted(lost, key=lambda job: ("im_number" not in job.dataverse_says, -job.id)):
        if job.upstream_state in (DELETED, MISSING):
            waiting[im_key(job.dataverse_says.get("im_number", job.im_number))].append(job)
    if not waiting:  # nearly always
        return list(rows)
    others = []
    for row in rows:
        if jobs := waiting.get(im_key(row.im_number)):
            _link(jobs.pop(), row, decision)
        else:
            others.append(row)
    return others


def _place(row: DataverseJob, by_key: dict[str, JobState | None], decision: Decision) -> None:
    """Find a job for a row that has none. In `by_key`, a number whose job is coming has None."""
    key = im_key(row.im_number)
    holder = by_key.get(key)
    if len(key) > IM_NUMBER_MAX:
        decision.left_out.append((row, TOO_LONG))
    elif holder and holder.upstream_state != APPROVED:
        _link(holder, row, decision)
    elif key in by_key:
        decision.left_out.append((row, _in_the_way(holder, key)))
    else:
        by_key[key] = None
        decision.new.append(row)


def _in_the_way(holder: JobState | None, key: str) -> str:
    """Return why a row can't have its number here: who has it, and whether that one should."""
    there = holder.dataverse_says.get("im_number") if holder else None
    if holder and there is not None and im_key(there) != key:
        return noted(RENUMBERED, here=holder.im_number, there=there)
    return TAKEN


def _link(job: JobState, row: DataverseJob, decision: Decision) -> None:
    """Let a job that stands here alone, or whose row is gone, follow `row` from now on."""
    before = job.dataverse_id or ""
    job.dataverse_id = row.dataverse_id
    decision.linked.append(Change(job.id, job.im_number, "link", before, row.dataverse_id))
    if not before:
        typed = {name: getattr(job, name) for name in BY_HAND}
        job.dataverse_says = {
            name: says
            for name, says in said_by(row).items()
            if name in BY_HAND and typed[name] not in ("", says)
        }
    _follow(job, row, decision)


def _follow(job: JobState, row: DataverseJob, decision: Decision) -> None:
    """Take over what the row says, but for what the shop has made its own."""
    values = said_by(row)
    was = decision.before[job.id].upstream_state
    if was not in ("", APPROVED):
        decision.returned.append(Change(job.id, job.im_number, "upstream_state", was, APPROVED))
    job.upstream_state, job.fingerprint = APPROVED, row.fingerprint
    overridden = {
        name: values.get(name, said) for name, said in job.dataverse_says.items() if name in FOLLOWED
    }
    if im_key(values["im_number"]) != im_key(job.im_number):
        overridden["im_number"] = values["im_number"]
    if overridden.get("im_number") != job.dataverse_says.get("im_number"):
        said, says = job.dataverse_says.get("im_number", job.im_number), values["im_number"]
        decision.changes.append(Change(job.id, job.im_number, "im_number", said, says))
    job.dataverse_says = overridden
    for name in FOLLOWED:
        old, new = getattr(job, name), values.get(name)
        if new is not None and name not in overridden and old != new:
            setattr(job, name, new)
            decision.changes.append(Change(job.id, job.im_number, name, old, new))
