"""The program on a host whose clock is an hour behind: gunicorn tests.proof.an_hour_behind:app"""

from datetime import UTC, datetime, timedelta

import time_machine

# Not by libfaketime: with it Python's own sleep fails. Monotonic clocks go on, as when a clock steps back.
time_machine.travel(datetime.now(UTC) - timedelta(hours=1), tick=True).start()

from server import app  # noqa: E402  # after the step

__all__ = ["app"]
