"""Where Dataverse tells that a row has changed: an asynchronous step of a webhook posts here."""

from hmac import compare_digest

from flask import Blueprint, abort, jsonify, request
from flask.typing import ResponseReturnValue

from flask_app.config import settings
from flask_app.models import committing
from flask_app.sync.hooks import KEY_HEADER, LARGEST_BODY, WEBHOOK_PATH, hook_of, take_hook
from flask_app.utils.hooked_sync import sync_hooked_rows_soon
from flask_app.web.now import now, today

bp = Blueprint("webhook", __name__)


@bp.post(WEBHOOK_PATH)
def receive() -> ResponseReturnValue:
    """Queue the row and answer at once; 401 without the key, 400 for what is no hook, 413 if it is too large.

    Whatever is answered, Dataverse tries at most once more, and only after 502, 503 and 504.
    """
    keys = settings().webhook_keys
    if not keys:
        abort(404)
    sent = request.headers.get(KEY_HEADER, "").encode()
    # Every key is compared, so that the time taken does not tell which one is near.
    if not any([compare_digest(sent, key.encode()) for key in keys]):
        abort(401, f"The header {KEY_HEADER} is missing or wrong.")
    request.max_content_length = LARGEST_BODY
    try:
        hook = hook_of(request.get_data(cache=False))
    except ValueError as problem:
        abort(400, str(problem))
    day, at = today(), now()
    queued = committing(lambda: take_hook(hook, day=day, at=at))
    if queued:
        sync_hooked_rows_soon()
    return jsonify(queued=queued)
