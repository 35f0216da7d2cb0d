"""What a webhook of Dataverse says: which row, what happened to it, who did it. All of it is a hint.

A RemoteExecutionContext as JSON, after Microsoft's page use-webhooks. Of a body that was too large Dataverse
sends only the head, in which all of this still stands.
"""

import json
from dataclasses import dataclass

from flask_app.dataverse.contract import TABLE
from flask_app.dataverse.rows import is_guid

WEBHOOK_PATH, KEY_HEADER = (
    "/api/dataverse/webhook",
    "X-Webhook-Key",
)  # ours: where hooks come in, by which key
LARGEST_BODY = 256 * 1024  # bytes: Dataverse itself cuts what is larger
CREATE, UPDATE, DELETE = "Create", "Update", "Delete"


@dataclass(frozen=True, slots=True)
class Hook:
    """`row_id` is the row that something happened to, `by` the user who did it ("": not said)."""

    message: str
    row_id: str
    by: str


def hook_of(body: bytes) -> Hook:
    """Return what a body says; ValueError, a sentence, if it is none that concerns us."""
    try:
        context = json.loads(body)
    except (ValueError, RecursionError):  # UnicodeDecodeError is a ValueError
        context = None
    if not isinstance(context, dict):
        raise ValueError("The body is no JSON object.")
    if context.get("PrimaryEntityName") != TABLE:
        raise ValueError(f"This is not about the table {TABLE}.")
    row_id, message = context.get("PrimaryEntityId"), context.get("MessageName")
    if not isinstance(row_id, str) or not is_guid(row_id):
        raise ValueError("The PrimaryEntityId is no GUID.")
    if message not in (CREATE, UPDATE, DELETE):
        raise ValueError("The MessageName is none of Create, Update, Delete.")
    by = context.get("InitiatingUserId")
    return Hook(message, row_id.lower(), by.lower() if isinstance(by, str) else "")
