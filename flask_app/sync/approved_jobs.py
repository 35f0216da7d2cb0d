"""The sync: approved jobs of Dataverse come onto the shop's board, and go on following Dataverse there.

Gather (read every page, or raise), decide (pure), apply (one transaction together with the run's row).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from flask import current_app

from flask_app.clock import utc_now
from flask_app.config import DataverseSettings, settings
from flask_app.dataverse.errors import DataverseClientError
from flask_app.dataverse.retries import CallStatistics
from flask_app.dataverse.service import DataverseService, InvalidRow
from flask_app.dataverse.transport import Deadline
from flask_app.models import HookedRow, SyncHold, SyncRun, committing, db
from flask_app.models.sync_run import POLL, SUCCEEDED, WEBHOOK
from flask_app.sync.decision import said_by
from flask_app.sync.following import have_text
from flask_app.sync.holding import BLANK
from flask_app.sync.plan import Plan, known, plan_for
from flask_app.sync.reading import ChangeSet, Snapshot, read_changes, read_everything, read_rows, watermark
from flask_app.sync.running import (
    RUN_SECONDS,
    Running,
    SyncLost,
    SyncResting,
    SyncRunning,
    SyncTooSoon,
    rest_after,
    take,
)
from flask_app.words import noted

__all__ = [
    "SyncFailed",
    "SyncLost",
    "SyncNotConfigured",
    "SyncResting",
    "SyncResult",
    "SyncRunning",
    "SyncTooSoon",
    "begin_sync",
    "carry_on",
    "connection",
    "give_up",
    "rehearse",
    "service_of_app",
    "sync_approved_jobs",
]

CHANGES_ONLY = ("login", POLL)  # these read what has changed since the last good run, if that is enough
_BROKE_OFF = noted("The sync broke off on our side; the log says why. It changed nothing.")


class SyncNotConfigured(Exception):
    """There is no Dataverse to read, or it is switched off."""


class SyncFailed(Exception):
    """Dataverse could not be read; the text says why."""


@dataclass(frozen=True, slots=True)
class SyncResult:
    """What one run did. If it `failed`, nothing was changed and `message` says why.

    `rest_until`: Dataverse wants to be left alone until then.
    """

    run_id: int
    message: str
    failed: bool = False
    added: int = 0
    already_there: int = 0
    updated: int = 0
    linked: int = 0
    gone: int = 0
    returned: int = 0
    held: int = 0
    skipped: Sequence[InvalidRow] = field(default=())
    rest_until: datetime | None = None


def sync_approved_jobs(
    *, trigger: str, user_id: int | None = None, not_within: timedelta | None = None
) -> SyncResult:
    """Bring the board up to date with Dataverse's approved jobs; the one way in for every trigger.

    `trigger` is one of models.sync_run.TRIGGERS, `user_id` who asked. A login and a poll read only what has
    changed since the last good run, everything else reads everything. With `not_within` it raises
    SyncTooSoon if any run has begun that recently; what starts by itself raises SyncResting while Dataverse
    wants to be left alone. Raises SyncNotConfigured, SyncRunning, SyncLost. Dataverse's own failures do not
    raise: they are the run's result, on its row as well.
    """
    return carry_on(begin_sync(trigger=trigger, user_id=user_id, not_within=not_within))


def begin_sync(*, trigger: str, user_id: int | None = None, not_within: timedelta | None = None) -> SyncRun:
    """Take the run and do nothing yet: the caller owes a `carry_on`, be it in another thread.

    Raises what sync_approved_jobs raises but SyncLost.
    """
    connection()
    run = take(trigger, user_id, not_within)
    db.session.expunge(run)  # another thread may go on with it
    return run


def carry_on(row: SyncRun) -> SyncResult:
    """Do the run that was begun. Raises SyncLost."""
    run = Running(row)
    try:
        with run.under_way():
            news = _gather(run, service_of_app())
            result = committing(lambda: _apply(run, news))
    except DataverseClientError as error:
        result = _fail(run, error)
    except SyncLost:
        raise
    except BaseException:
        # A bug, the database, Ctrl-C: it is raised; but first the run must not look like running.
        run.fail(_BROKE_OFF)
        raise
    run.fold()
    return result


def give_up(row: SyncRun) -> None:
    """End a run that was begun and cannot be carried on."""
    Running(row).fail(_BROKE_OFF)


def rehearse(*, seconds: float = RUN_SECONDS) -> Plan:
    """Read everything, for so long at most, and return what a sync would do now. It does nothing, and leaves
    no run.

    Raises SyncNotConfigured, SyncFailed.
    """
    connection()
    try:
        statistics = CallStatistics(deadline=Deadline(seconds))
        news = read_everything(service_of_app(), committing(known), statistics)
    except DataverseClientError as error:
        raise SyncFailed(str(error)) from None
    try:
        return plan_for(news, now=utc_now())
    finally:
        db.session.rollback()


def connection() -> DataverseSettings:
    """Return how to reach Dataverse, or raise SyncNotConfigured."""
    config = settings()
    if not config.use_dataverse:
        raise SyncNotConfigured(noted("Job sync is switched off (USE_DATAVERSE=false)."))
    if config.dataverse is None:
        raise SyncNotConfigured(
            noted("Dataverse is not connected. Set the DATAVERSE_ variables to connect it.")
        )
    return config.dataverse


def service_of_app() -> DataverseService:
    """Return the application's one service: its token and connections are used again by the next run."""
    if "dataverse" not in current_app.extensions:
        to = connection()
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


def _gather(run: Running, service: DataverseService) -> ChangeSet:
    """Read what is new; no transaction is open while Dataverse takes its time."""
    before = committing(known)
    hooks = committing(HookedRow.waiting) if run.row.trigger == WEBHOOK else {}
    news = None if committing(_is_held) else _read_some(run, service, before, hooks)
    if news is None or committing(partial(_blanks_a_field, news)):
        hooks = committing(partial(HookedRow.waiting, limit=None))  # all of them are answered by it
        news = read_everything(service, before, run.statistics, run.hold)
    news.hooks = hooks
    return news


def _read_some(
    run: Running, service: DataverseService, before: Snapshot, hooks: Mapping[str, int]
) -> ChangeSet | None:
    """Read what this run is about; None if that is everything, or nobody can tell."""
    last = committing(_last_watermark)
    if last is None:
        return None
    if run.row.trigger == WEBHOOK:
        return read_rows(service, before, run.statistics, run.hold, ids=hooks.keys())
    if run.row.trigger in CHANGES_ONLY:
        return read_changes(service, before, run.statistics, run.hold, since=last)
    return None


def _is_held() -> bool:
    """Whether something is held back: only a reading of everything tells whether it is still so."""
    return bool(SyncHold.current())


def _blanks_a_field(news: ChangeSet) -> bool:
    """Whether a change would blank a field: only all rows together show whether to believe it."""
    blanks = {
        name: [row.dataverse_id for row in news.rows.values() if said_by(row).get(name) == blank]
        for name, blank in BLANK.items()
    }
    return any(have_text(name, BLANK[name], ids) for name, ids in blanks.items())


def _last_watermark() -> datetime | None:
    last = SyncRun.last_success()
    return last.watermark if last else None


def _apply(run: Running, news: ChangeSet) -> SyncResult:
    """Change the board and end the run, both or neither."""
    now, last = utc_now(), SyncRun.last_success()
    plan = plan_for(news, now=now)
    plan.carry_out(run.row.id, at=now)
    if news.hooks:
        HookedRow.settle(news.hooks, on=now.astimezone(settings().shop_timezone).date())
    counts: dict[str, Any] = plan.counts()
    finished = run.finish(
        outcome=SUCCEEDED,
        message=plan.summary(),
        is_full=news.is_full,
        warnings="\n".join(news.warnings),
        watermark=watermark(news, before=last.watermark if last else None, now=run.row.started_at),
        skipped=len(plan.skipped),
        **counts,
    )
    if not finished:
        raise SyncLost
    return SyncResult(run.row.id, plan.summary(), False, skipped=plan.skipped, **counts)


def _fail(run: Running, error: DataverseClientError) -> SyncResult:
    message, rest_until = str(error), rest_after(error)
    run.fail(message, rest_until)
    return SyncResult(run.row.id, message, failed=True, rest_until=rest_until)
