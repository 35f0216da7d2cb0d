"""A line of the log for each task that nobody waits for: what, for whom, how it ended, time, SQL."""

import logging
from uuid import uuid4

from flask import g

from flask_app.clock import monotonic

_log = logging.getLogger("island_time.task")


class TaskLine:
    """Begun with the task, told at its end, both in the task's own application context.

    `user` is the number of whoever asked for the task and `request` the id of their request; a task that
    starts by itself has an id of its own.
    """

    def __init__(self, task: str, *, user: int | None = None, request: str | None = None) -> None:
        self._task, self._user, self._request = task, user, request or uuid4().hex
        self._began, self._before = monotonic(), g.get("statements", 0)

    def tell(self, sentence: str, *, worked: bool) -> None:
        """Write the line. The sentence has counts and reasons in it, never a note, an e-mail or a secret."""
        fields = {
            "request": self._request, "task": self._task, "worked": worked,
            "ms": round((monotonic() - self._began) * 1000, 1),
            "sql": g.get("statements", 0) - self._before, "user": self._user,
        }  # fmt: skip
        level = logging.INFO if worked else logging.WARNING
        _log.log(level, "%s: %s", self._task, sentence, extra={"fields": fields})
