"""For machines: is the process up, what is deployed, where is the icon."""

from flask import Blueprint, current_app, jsonify, redirect
from flask.typing import ResponseReturnValue
from sqlalchemy.exc import DBAPIError, TimeoutError

from flask_app.models import SyncRun
from flask_app.web.now import now
from flask_app.web.presenting import static_url

bp = Blueprint("health", __name__)


@bp.get("/healthz")
def healthz() -> ResponseReturnValue:
    return jsonify(status="ok")


@bp.get("/readyz")
def readyz() -> ResponseReturnValue:
    """Whether requests can be served: the database answers. The sync's age is told, but decides nothing."""
    try:
        success = SyncRun.last_success()
    except (DBAPIError, TimeoutError):
        return jsonify(database="unreachable", message="The database can't be used."), 503
    age = None if success is None else int((now() - success.started_at).total_seconds())
    return jsonify(database="ok", seconds_since_good_sync=age)


@bp.get("/version")
def version() -> ResponseReturnValue:
    return jsonify(version=current_app.extensions["version"])


@bp.get("/favicon.ico")
def favicon() -> ResponseReturnValue:
    """Some browsers ask here, whatever the page says."""
    return redirect(static_url("icon.svg"))
