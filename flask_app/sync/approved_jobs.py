"""The sync: approved jobs of Dataverse come onto the shop's board, and go on following Dataverse there.

Gather (read every page, or raise), decide (pure), apply (one transaction together with the run's row).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from flask import current_app

from flask_app.clock import monotonic, utc_now
from flask_app.config import settings
from flask_app.dataverse.errors import DataverseClientError
from flask_app.dataverse.retries import CallStatistics
from flask_app.dataverse.service import DataverseService, InvalidRow
from flask_app.models import SyncHold, SyncRun, committing, db
from flask_app.models.errors import ConcurrentUpdate
from flask_app.models.sync_run import FAILED, SUCCEEDED
from flask_app.sync.decision import said_by
from flask_app.sync.following import have_text
from flask_app.sync.holding import BLANK
from flask_app.sync.plan import Plan, known, plan_for
from flask_app.sync.reading import ChangeSet, Snapshot, read_changes, read_everything, watermark


class SyncRunning(Exception):
    """Another run is at work; `run_id` is its row, None if it has just ended."""

    def __init__(self, run_id: int | None) -> None:
        self.run_id = run_id
        super().__init__("A sync is running already. Its result will be here in a moment.")


class SyncTooSoon(Exception):
    """The last run began less than `not_within` ago."""


class SyncNotConfigured(Exception):
    """There is no Dataverse to read, or it is switched off."""


class SyncFailed(Exception):
    """Dataverse could not be read; the text says why."""


class SyncLost(Exception):
    """This run was taken for dead, and another one may have begun: nothing of it may be saved."""

    def __init__(self) -> None:
        super().__init__("This sync took so long that it was given up. It changed nothing. Try again.")


@dataclass(frozen=True, slots=True)
class SyncResult:
    """What one run did. If it `failed`, nothing was changed and `message` says why."""

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


def sync_approved_jobs(
    *, trigger: str, user_id: int | None = None, not_within: timedelta | None = None
) -> SyncResult:
    """Bring the board up to date with Dataverse's approved jobs; the one way in for every trigger.

    `trigger` is one of models.sync_run.TRIGGERS, `user_id` who asked. A login reads only what has changed
    since the last good run, everything else reads everything. With `not_within` it raises SyncTooSoon if any
    run has begun that recently. Raises SyncNotConfigured, SyncRunning, SyncLost. Dataverse's own failures do
    not raise: they are the run's result, on its row as well.
    """
    service = _service()
    run = _Running(_take(trigger, user_id, not_within))
    try:
        news = _gather(run, service)
        return committing(lambda: _apply(run, news))
    except DataverseClientError as error:
        return _fail(run, str(error))
    except SyncLost:
        raise
    except BaseException:
        # A bug, the database, Ctrl-C: it is raised; but first the run must not look like running.
        _fail(run, "The sync broke off on our side; the log says why. It changed nothing.")
        raise


def rehearse() -> Plan:
    """Read everything and return what a sync would do now. It does nothing, and leaves no run.

    Raises SyncNotConfigured, SyncFailed.
    """
    service = _service()
    try:
        news = read_everything(service, _known(), CallStatistics())
    except DataverseClientError as error:
        raise SyncFailed(str(error)) from None
    try:
        return plan_for(news)
    finally:
        db.session.rollback()


class _Running:
    """A run that this process has taken: how long it has been at it, what it has cost, how far it is."""

    def __init__(self, row: SyncRun) -> None:
        self.row = row
        self.statistics = CallStatistics()
        self._began = monotonic()

    def hold(self) -> None:
        """Renew the lease after a page; SyncLost if another run has taken this one for dead."""
        if not committing(lambda: self.row.hold(now=utc_now(), **self._reading())):
            raise SyncLost

    def finish(self, **values: Any) -> bool:
        seconds, waited = monotonic() - self._began, self.statistics.seconds_waited
        return self.row.finish(
            now=utc_now(),
            seconds=seconds,
            waited=waited,
            requests=self.statistics.requests,
            retries=self.statistics.retries,
            **self._reading(),
            **values,
        )

    def _reading(self) -> dict[str, Any]:
        return {"pages": self.statistics.pages, "rows": self.statistics.rows}


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
    except ConcurrentUpdate:
        run = None
    if run is None:
        running = SyncRun.running()
        db.session.commit()
        raise SyncRunning(running.id if running else None)
    return run


def _gather(run: _Running, service: DataverseService) -> ChangeSet:
    """Read what is new; no transaction is open while Dataverse takes its time."""
    before, last = _known(), _last_watermark()
    if run.row.trigger == "login" and last is not None and not _is_held():
        news = read_changes(service, before, run.statistics, run.hold, since=last)
        if news is not None and not _blanks_a_field(news):
            return news
    return read_everything(service, before, run.statistics, run.hold)


def _is_held() -> bool:
    """Whether something is held back: only a reading of everything tells whether it is still so."""
    is_held = bool(SyncHold.current())
    db.session.commit()
    return is_held


def _blanks_a_field(news: ChangeSet) -> bool:
    """Whether a change would blank a field: only all rows together show whether to believe it."""
    blanks = {
        name: [row.dataverse_id for row in news.rows.values() if said_by(row).get(name) == blank]
        for name, blank in BLANK.items()
    }
    found = any(have_text(name, BLANK[name], ids) for name, ids in blanks.items())
    db.session.commit()
    return found


def _known() -> Snapshot:
    before = known()
    db.session.commit()
    return before


def _last_watermark() -> datetime | None:
    last = SyncRun.last_success()
    db.session.commit()
    return last.watermark if last else None


def _apply(run: _Running, news: ChangeSet) -> SyncResult:
    """Change the board and end the run, both or neither."""
    now, plan, last = utc_now(), plan_for(news), SyncRun.last_success()
    plan.carry_out(run.row.id, at=now)
    counts = plan.counts()
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


def _fail(run: _Running, message: str) -> SyncResult:
    committing(lambda: run.finish(outcome=FAILED, message=message))
    return SyncResult(run.row.id, message, failed=True)
