"""Syncs that a request starts and does not wait for: after a login, and by the button."""

import logging
from datetime import timedelta
from threading import Thread
from threading import enumerate as running_threads

from flask import Flask, current_app, g

from flask_app.clock import monotonic
from flask_app.config import settings
from flask_app.models import SyncRun
from flask_app.sync.approved_jobs import SyncLost, SyncResult, begin_sync, carry_on, give_up
from flask_app.sync.running import is_interrupted
from flask_app.upkeep.task_lines import TaskLine
from flask_app.utils.timed_sync import BROKE_OFF, sync_unattended

_GLANCE = 0.25  # seconds between two looks at whether to wait on
_LOGIN_SYNC = "login-sync"  # the thread's name; one per process is enough

_log = logging.getLogger(__name__)


def sync_after_login() -> Thread | None:
    """Start a sync in the background, if none began within LOGIN_SYNC_MINUTES (0: never at login)."""
    minutes = settings().login_sync_minutes
    if not (settings().syncs and minutes) or any(t.name == _LOGIN_SYNC for t in running_threads()):
        return None
    arguments = [_this_app(), timedelta(minutes=minutes), g.get("request_id")]
    thread = Thread(target=_login_job, args=arguments, name=_LOGIN_SYNC, daemon=True)
    thread.start()
    return thread


def _login_job(app: Flask, not_within: timedelta, request: str | None) -> None:
    with app.app_context():
        line = TaskLine("login_sync", request=request)
        try:
            ended = sync_unattended("login", not_within)
        except Exception:  # noqa: BLE001  # nobody is there to be told: the log and the run's row are the witnesses
            _log.exception("Sync by login broke off")
            line.tell(BROKE_OFF, worked=False)
        else:
            if ended:
                line.tell(ended.sentence, worked=ended.worked)


class BackgroundSync(Thread):
    """A run that was begun, carried on in a thread of its own; wait() for its end.

    `result` is there after a run that ended in good order, well or not; else its row says what there is to
    know.
    """

    def __init__(self, run: SyncRun) -> None:
        super().__init__(name=f"sync-{run.id}", daemon=True)
        self.run_id = run.id
        self.result: SyncResult | None = None
        self._begun, self._app, self._request = run, _this_app(), g.get("request_id")

    def run(self) -> None:
        with self._app.app_context():
            line = TaskLine("button_sync", user=self._begun.user_id, request=self._request)
            try:
                self.result = carry_on(self._begun)
                line.tell(self.result.message, worked=not self.result.failed)
            except SyncLost as lost:
                line.tell(str(lost), worked=False)
            except Exception:  # noqa: BLE001  # the row says that it broke off, the log why
                _log.exception("Sync %s broke off", self.run_id)
                line.tell(BROKE_OFF, worked=False)

    def wait(self, seconds: float) -> None:
        """Wait for its end; not longer than so many seconds, nor on when this process is told to stop."""
        until = monotonic() + seconds
        while self.is_alive() and not is_interrupted(self.run_id) and (left := until - monotonic()) > 0:
            self.join(min(left, _GLANCE))


def sync_in_background(*, trigger: str, user_id: int | None) -> BackgroundSync:
    """Begin a sync and return at once, with its thread. Raises SyncNotConfigured, SyncRunning."""
    run = begin_sync(trigger=trigger, user_id=user_id)
    thread = BackgroundSync(run)
    try:
        thread.start()
    except RuntimeError:  # the system gives no more threads
        give_up(run)
        raise
    return thread


def _this_app() -> Flask:
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]  # a thread outlives the proxy
    return app
