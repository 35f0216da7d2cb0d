"""The sync of what webhooks have told of: soon after a hook, and each minute for what was left."""

import logging
from threading import Event, Thread
from threading import enumerate as running_threads

from flask import Flask, current_app, g

from flask_app.config import settings
from flask_app.models import HookedRow, committing
from flask_app.models.sync_run import WEBHOOK
from flask_app.upkeep.task_lines import TaskLine
from flask_app.utils.timed_sync import BROKE_OFF, sync_unattended

GATHER = 1.0  # seconds from a webhook to the reading: of a burst, most hooks come within them
_MOST_RUNS = 50  # in one go; what is left waits for the next minute
_HOOKS = "hooked-rows"  # the thread's name; one per process is enough

_log = logging.getLogger(__name__)


def automated_hooks(app: Flask, *, request: str | None = None) -> None:
    """Read the rows that webhooks have told of, as long as there are some; whoever does it."""
    with app.app_context():
        for _run in range(_MOST_RUNS):
            if not (settings().syncs and committing(HookedRow.any_waiting)):
                return
            line = TaskLine("webhook_sync", request=request)
            try:
                ended = sync_unattended(WEBHOOK)
            except Exception:  # noqa: BLE001  # nobody is there to be told: the log and the run's row are the witnesses
                _log.exception("Sync by webhook broke off")
                line.tell(BROKE_OFF, worked=False)
                return
            if ended:
                line.tell(ended.sentence, worked=ended.worked)
            if ended is None or not ended.worked:
                return  # the next minute's look goes on


def sync_hooked_rows_soon() -> Thread | None:
    """Read what a webhook has told of in the background, in a moment: more hooks about it may follow."""
    if any(thread.name == _HOOKS for thread in running_threads()):
        return None
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]  # a thread outlives the proxy
    arguments = [app, g.get("request_id")]
    thread = Thread(target=_read_in_a_moment, args=arguments, name=_HOOKS, daemon=True)
    thread.start()
    return thread


def _read_in_a_moment(app: Flask, request: str | None) -> None:
    Event().wait(GATHER)
    automated_hooks(app, request=request)
