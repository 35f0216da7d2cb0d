"""Whether the auto clock-out did what it should: a miss leaves shifts open, and admins have to know."""

from dataclasses import dataclass
from datetime import datetime, tzinfo

from flask_app.models.task_run import TaskRun
from flask_app.timeclock.clock_out import CLOCK_OUT, last_due


@dataclass(frozen=True, slots=True)
class ClockOutTrouble:
    """The clock-out was due at `due_at` and has not run or, with a `reason`, has failed since."""

    due_at: datetime
    reason: str = ""


def clock_out_trouble(zone: tzinfo, *, now: datetime) -> ClockOutTrouble | None:
    """Return what is wrong with the auto clock-out, None if nothing is."""
    last, failing = TaskRun.last_and_failing(CLOCK_OUT)
    due = last_due(zone, now=now) if last else None
    if last is None or due is None:
        return None
    if failing:
        return ClockOutTrouble(failing.due_at, failing.outcome)
    return ClockOutTrouble(due) if last.has_missed(due, now=now) else None
