"""A sync that nobody waits for, and how one try of a task ended."""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from flask_app.sync.approved_jobs import (
    SyncLost,
    SyncNotConfigured,
    SyncResting,
    SyncRunning,
    SyncTooSoon,
    sync_approved_jobs,
)
from flask_app.words import noted

BROKE_OFF = noted("It broke off on our side; the log says why.")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Ended:
    """How one try of a task ended, in words; one that did not work is tried again, not before a time."""

    sentence: str
    worked: bool = True
    next_try_at: datetime | None = None


def sync_unattended(trigger: str, not_within: timedelta | None = None) -> Ended | None:
    """Run a sync that nobody waits for; None if another run is in the way, which may be one that died."""
    try:
        result = sync_approved_jobs(trigger=trigger, not_within=not_within)
    except SyncRunning as reason:
        _log.info("Sync by %s: %s", trigger, reason)
        return None
    except SyncResting as rest:
        return Ended(str(rest), worked=False, next_try_at=rest.until)
    except SyncTooSoon:
        return Ended(noted("Not needed: a sync began a moment ago."))
    except (SyncNotConfigured, SyncLost) as reason:
        return Ended(str(reason), worked=False)
    return Ended(result.message, worked=not result.failed, next_try_at=result.rest_until)
