"""Shared builders: what people of the cast did, through the same doors as the program's pages."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from flask_app.models import Job, Shift, User, committing
from flask_app.timeclock import ledger
from flask_app.timeclock.ledger import Actor, PunchRules

RULES = PunchRules(ZoneInfo("America/New_York"))


def punch_in(person: User, job: Job, at: datetime, **how: Any) -> Shift:
    """Punch in by oneself; return the shift that the person is on by that (or that the key began)."""
    how = {"by": Actor(person), "rules": RULES, **how}
    return committing(lambda: ledger.punch_in(person, job.id, at=at, **how)).shift


def punch_out(shift: Shift, at: datetime, **how: Any) -> bool:
    """Punch out by oneself; return whether that changed anything."""
    how = {"by": Actor(shift.user), "rules": RULES, **how}
    return isinstance(committing(lambda: ledger.punch_out(shift, at=at, **how)), ledger.PunchedOut)
