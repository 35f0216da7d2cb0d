"""Changes come in at once: a webhook queues a row, and a sync reads it soon after.

Everything that a hook says is a hint: what counts is what Dataverse answers when the row is read.
"""

from datetime import date, datetime

from flask_app.dataverse.hooks import KEY_HEADER, LARGEST_BODY, WEBHOOK_PATH, Hook, hook_of
from flask_app.models import WriteBack, db
from flask_app.models.hooked_row import HookCount, HookedRow

__all__ = ["KEY_HEADER", "LARGEST_BODY", "WEBHOOK_PATH", "Hook", "hook_of", "take_hook"]


def take_hook(hook: Hook, *, day: date, at: datetime) -> bool:
    """Queue the row of a hook, in the caller's transaction; False if it only tells what we did ourselves."""
    ours = WriteBack.application_user()
    if hook.by and hook.by == ours:
        HookCount.received_one(day, dropped=True)
        return False
    HookCount.received_one(day)
    HookedRow.note(hook.row_id, at=at)
    db.session.flush()
    return True
