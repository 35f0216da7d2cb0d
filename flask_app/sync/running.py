"""One sync at a time: who may begin, how long it may take, how far it is, and how it ends."""

import atexit
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from typing import Any

from flask import Flask, current_app
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from flask_app.clock import monotonic, utc_now
from flask_app.dataverse.errors import DataverseClientError
from flask_app.dataverse.retries import CallStatistics
from flask_app.dataverse.transport import Deadline
from flask_app.models import SyncRun, committing
from flask_app.models.errors import Busy, ConcurrentUpdate
from flask_app.models.sync_run import ABANDONED, FAILED, POLL, WEBHOOK
from flask_app.models.task_run import LONGEST_REST
from flask_app.words import noted

RUN_SECONDS = 600.0  # the longest that one run reads, with all its requests, pages and waits
BY_ITSELF = ("schedule", POLL, WEBHOOK, "login")  # these leave Dataverse alone while it wants to rest

_STOPPED = noted("This run was interrupted: the program was stopped. It changed nothing.")

_log = logging.getLogger(__name__)
_under_way: dict[tuple[int, int], tuple[Flask, "Running"]] = {}  # by process and run: a fork copies this
_interrupted: set[tuple[int, int]] = set()


class SyncRunning(Exception):
    """Another run is at work; `run_id` is its row, None if it has just ended."""

    def __init__(self, run_id: int | None) -> None:
        self.run_id = run_id
        super().__init__(noted("A sync is running already. Its result will be here in a moment."))


class SyncTooSoon(Exception):
    """The last run began less than `not_within` ago."""


class SyncResting(SyncTooSoon):
    """Dataverse has asked to be left alone until `until`."""

    def __init__(self, until: datetime) -> None:
        self.until = until
        super().__init__(noted("Dataverse has asked for a rest that is not over yet."))


class SyncLost(Exception):
    """This run was taken for dead, and another one may have begun: nothing of it may be saved."""

    def __init__(self) -> None:
        super().__init__(noted("This sync took so long that it was given up. It changed nothing. Try again."))


class Running:
    """A run that this process has taken: how long it has been at it, what it has cost, how far it is."""

    def __init__(self, row: SyncRun) -> None:
        self.row = row
        self.statistics = CallStatistics(deadline=Deadline(RUN_SECONDS))
        self._began = monotonic()

    def hold(self) -> None:
        """Renew the lease after a page; SyncLost if another run has taken this one for dead."""
        if not committing(lambda: self.row.hold(now=utc_now(), **self._reading())):
            raise SyncLost

    def finish(self, **values: Any) -> bool:
        """End the run in the caller's transaction; False if another run has taken this one for dead."""
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

    def fail(self, message: str, rest_until: datetime | None = None) -> None:
        """End the run as failed, in a transaction of its own."""
        committing(lambda: self.finish(outcome=FAILED, message=message, rest_until=rest_until))

    def fold(self) -> None:
        """Give a poll that changed nothing one line with those before it. Never worth failing for."""
        if self.row.trigger not in (POLL, WEBHOOK):
            return
        try:
            committing(self.row.fold)
        except DBAPIError as error:
            _log.info("This poll keeps a line of its own: %s", error.orig)

    @contextmanager
    def under_way(self) -> Iterator[None]:
        """As long as this lasts, a program that is stopped in good order ends the run, and not its lease."""
        key = (os.getpid(), self.row.id)
        app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]  # it outlives the proxy
        _under_way[key] = (app, self)
        try:
            yield
        finally:
            del _under_way[key]
            _interrupted.discard(key)

    def _reading(self) -> dict[str, Any]:
        return {"pages": self.statistics.pages, "rows": self.statistics.rows}


@atexit.register
def interrupt_runs() -> None:
    """End the runs that are under way in this process, which is about to end: nothing of them is saved."""
    for key, (app, run) in list(_under_way.items()):
        if key[0] == os.getpid() and key not in _interrupted:
            with suppress(SQLAlchemyError, Busy), app.app_context():  # else the lease ends it
                committing(lambda: run.finish(outcome=ABANDONED, message=_STOPPED))  # noqa: B023  # run at once
            _interrupted.add(key)


def is_interrupted(run_id: int) -> bool:
    """Whether a run that is under way in this process has been interrupted by the process's end."""
    return (os.getpid(), run_id) in _interrupted


def take(trigger: str, user_id: int | None, not_within: timedelta | None) -> SyncRun:
    """Return the run, committed. Raises SyncRunning, SyncTooSoon, SyncResting."""
    try:
        run = committing(lambda: _take(trigger, user_id, not_within))
    except ConcurrentUpdate:
        run = None
    if run is None:
        running = committing(SyncRun.running)
        raise SyncRunning(running.id if running else None)
    return run


def _take(trigger: str, user_id: int | None, not_within: timedelta | None) -> SyncRun | None:
    now, last = utc_now(), SyncRun.last()
    was_all = last is not None and last.trigger != WEBHOOK  # a webhook's run reads some rows only
    if last and was_all and not_within is not None and abs(now - last.started_at) < not_within:
        raise SyncTooSoon
    if last and last.rest_until and trigger in BY_ITSELF and now < last.rest_until <= now + LONGEST_REST:
        raise SyncResting(last.rest_until)
    return SyncRun.take(trigger=trigger, user_id=user_id, now=now)


def rest_after(error: DataverseClientError) -> datetime | None:
    """Return until when Dataverse wants to be left alone, None if it did not say; a day at most."""
    if error.retry_after is None:
        return None
    return utc_now() + min(timedelta(seconds=min(error.retry_after, 1e6)), LONGEST_REST)
