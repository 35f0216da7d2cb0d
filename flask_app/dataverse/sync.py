"""The sync: approved jobs of Dataverse that the shop does not have yet come onto the board.

Gather (read every page, or raise), decide (pure), apply (one transaction together with the run's row).
"""

from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial

from flask import current_app

from flask_app.config import settings
from flask_app.dataverse.errors import DataverseClientError
from flask_app.dataverse.service import DataverseJob, DataverseService, DirtyRow
from flask_app.models import Job, SyncRun, SyncSkip, committing, db
from flask_app.models.base import Raced
from flask_app.models.job import DATAVERSE, IM_NUMBER_MAX, JobKey, im_key
from flask_app.models.sync_run import FAILED, SUCCEEDED
from flask_app.utils.clock import monotonic, utc_now

Approved = DataverseJob | DirtyRow
_LONGEST_TEXT = 65_535  # bytes, as MySQL's TEXT holds; one text too long would cost the whole run
_LONGEST_ID = 36
_MOST_SKIPS_KEPT = 2000  # rows of the ledger per run; the count is always of all


class SyncRunning(Exception):
    """Another run is at work; `run_id` is its row, None if it has just ended."""

    def __init__(self, run_id: int | None) -> None:
        self.run_id = run_id
        super().__init__("A sync is running already. Its result will be here in a moment.")


class SyncTooSoon(Exception):
    """The last run began less than `not_within` ago."""


class SyncNotConfigured(Exception):
    """There is no Dataverse to read, or it is switched off."""


class SyncLost(Exception):
    """This run was taken for dead, and another one may have begun: nothing of it may be saved."""

    def __init__(self) -> None:
        super().__init__("This sync took so long that it was given up. It changed nothing. Try again.")


@dataclass(frozen=True, slots=True)
class Decision:
    """What a sync should do: pure data."""

    new: Sequence[DataverseJob]
    already_there: int
    skipped: Sequence[DirtyRow]


@dataclass(frozen=True, slots=True)
class SyncResult:
    """What one run did. If it `failed`, nothing was changed and `message` says why."""

    run_id: int
    message: str
    failed: bool = False
    added: int = 0
    already_there: int = 0
    skipped: Sequence[DirtyRow] = field(default=())


def sync_approved_jobs(
    *, trigger: str, user_id: int | None = None, not_within: timedelta | None = None
) -> SyncResult:
    """Insert the approved jobs whose IM number the shop does not have; the one way in for every trigger.

    `trigger` is one of models.sync_run.TRIGGERS, `user_id` who asked. With `not_within` it raises SyncTooSoon
    if any run has begun that recently. Raises SyncNotConfigured, SyncRunning, SyncLost. Dataverse's own
    failures do not raise: they are the run's result, on its row as well.
    """
    service = _service()
    run, began = _take(trigger, user_id, not_within), monotonic()
    try:
        approved = _gather(run, service)
        return committing(lambda: _apply(run, approved, monotonic() - began))
    except DataverseClientError as error:
        return _fail(run, str(error), monotonic() - began)
    except SyncLost:
        raise
    except BaseException:
        # A bug, the database, Ctrl-C: it is raised; but first the run must not look like running.
        _fail(
            run, "The sync broke off on our side; the log says why. It changed nothing.", monotonic() - began
        )
        raise


def _service() -> DataverseService:
    """Return the application's one service: its token and connections are used again by the next run."""
    config = settings()
    if not config.use_dataverse:
        raise SyncNotConfigured("Job sync is switched off (USE_DATAVERSE=false).")
    if config.dataverse is None:
        raise SyncNotConfigured("Dataverse is not connected. Set the DATAVERSE_ variables to connect it.")
    if "dataverse" not in current_app.extensions:
        to = config.dataverse
        current_app.extensions["dataverse"] = DataverseService.connect(
            base_url=to.base_url,
            tenant_id=to.tenant_id,
            client_id=to.client_id,
            client_secret=to.client_secret,
            authority=to.authority,
            ca_bundle=to.ca_bundle,
        )
    service: DataverseService = current_app.extensions["dataverse"]
    return service


def _take(trigger: str, user_id: int | None, not_within: timedelta | None) -> SyncRun:
    def take() -> SyncRun | None:
        now = utc_now()
        last = SyncRun.last_started_at()
        if not_within is not None and last is not None and abs(now - last) < not_within:
            raise SyncTooSoon
        return SyncRun.take(trigger=trigger, user_id=user_id, now=now)

    try:
        run = committing(take)
    except Raced:
        run = None
    if run is None:
        running = SyncRun.running()
        db.session.commit()
        raise SyncRunning(running.id if running else None)
    return run


def _gather(run: SyncRun, service: DataverseService) -> list[Approved]:
    """Read every page; no transaction is open while Dataverse takes its time."""
    approved: list[Approved] = []
    for number, page in enumerate(service.approved_pages(), start=1):
        approved += page
        if not committing(partial(run.hold, now=utc_now(), pages=number, rows=len(approved))):
            raise SyncLost
    return approved


def decide(approved: Iterable[Approved], existing: Iterable[JobKey]) -> Decision:
    """Sort the approved rows, newest first, into new, already there and skipped."""
    existing = list(existing)
    numbers = {known.im_key for known in existing}
    by_row = {known.dataverse_id: known for known in existing if known.dataverse_id}
    taken: set[str] = set()
    new, skipped, already_there = [], [], 0
    for row in _once(approved):
        if isinstance(row, DirtyRow):
            skipped.append(row)
        elif reason := _obstacle(row, taken, by_row.get(row.dataverse_id)):
            skipped.append(DirtyRow(row.dataverse_id, row.im_number, reason))
        elif row.dataverse_id in by_row or im_key(row.im_number) in numbers:
            already_there += 1
        else:
            new.append(row)
        if isinstance(row, DataverseJob):
            taken.add(im_key(row.im_number))
    return Decision(new, already_there, skipped)


def _once(approved: Iterable[Approved]) -> Iterator[Approved]:
    """Leave out a row's second coming: rows can move between pages while they are being read."""
    seen: set[str] = set()
    for row in approved:
        if row.dataverse_id not in seen:
            yield row
        if row.dataverse_id:
            seen.add(row.dataverse_id)


def _obstacle(row: DataverseJob, taken: Set[str], known: JobKey | None) -> str | None:
    """Return why `row` can't be taken; `taken` are the numbers above it, `known` is its job in the shop."""
    key = im_key(row.im_number)
    if len(row.dataverse_id) > _LONGEST_ID or not row.dataverse_id.isascii():
        return "The imi_jobid is no GUID."
    if texts := _too_long(row):
        return f"The {texts[0]} is longer than {_LONGEST_TEXT:,} bytes."
    if len(key) > IM_NUMBER_MAX:
        return f"The IM number is longer than {IM_NUMBER_MAX} characters in capitals."
    if key in taken:
        return "This IM number stands twice in Dataverse; the newer row counts."
    if known is not None and known.im_key != key:
        return f"Its IM number was changed in Dataverse; here it is still {known.im_number}."
    return None


def _too_long(row: DataverseJob) -> list[str]:
    texts = {
        "general contractor": row.general_contractor,
        "job name": row.job_name,
        "job address": row.job_address,
    }
    return [name for name, text in texts.items() if len(text.encode()) > _LONGEST_TEXT]


def _apply(run: SyncRun, approved: Sequence[Approved], seconds: float) -> SyncResult:
    """Insert what is new and end the run, both or neither."""
    decision, now = decide(approved, Job.keys()), utc_now()
    Job.insert_many([_as_row(job) for job in decision.new], at=now)
    SyncSkip.insert_many(
        [
            {"run_id": run.id, "dataverse_id": _plain(row.dataverse_id)[:_LONGEST_ID],
             "im_number": row.im_number[:255], "reason": row.reason[:255]}
            for row in decision.skipped[:_MOST_SKIPS_KEPT]
        ]
    )  # fmt: skip
    added, there, skipped = len(decision.new), decision.already_there, len(decision.skipped)
    message = _summary(added, there, skipped)
    counts = {"added": added, "already_there": there, "skipped": skipped}
    if not run.finish(now=now, outcome=SUCCEEDED, message=message, seconds=seconds, **counts):
        raise SyncLost
    return SyncResult(run.id, message, added=added, already_there=there, skipped=decision.skipped)


def _plain(dataverse_id: str) -> str:
    """Return the id as text that any database takes, whatever stands there."""
    return dataverse_id.encode("ascii", errors="replace").decode()


def _fail(run: SyncRun, message: str, seconds: float) -> SyncResult:
    committing(lambda: run.finish(now=utc_now(), outcome=FAILED, message=message, seconds=seconds))
    return SyncResult(run.id, message, failed=True)


def _as_row(job: DataverseJob) -> dict[str, object]:
    return {
        "im_number": job.im_number,
        "im_key": im_key(job.im_number),
        "general_contractor": job.general_contractor,
        "job_scope": job.scope,
        "job_name": job.job_name,
        "job_address": job.job_address,
        "source": DATAVERSE,
        "dataverse_id": job.dataverse_id,
    }


def _summary(added: int, already_there: int, skipped: int) -> str:
    if added == 1:
        sentence = "1 new job came in."
    elif added:
        sentence = f"{added:,} new jobs came in."
    elif already_there:
        sentence = "Nothing new: every approved job is on the board already."
    else:
        sentence = "Dataverse has no approved jobs."
    if skipped == 1:
        return f"{sentence} 1 row could not be taken."
    return f"{sentence} {skipped:,} rows could not be taken." if skipped else sentence
