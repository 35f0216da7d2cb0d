"""For machines: is the process up, what is deployed, where is the icon."""

from hmac import compare_digest

from flask import Blueprint, Response, abort, current_app, jsonify, redirect, request
from flask.typing import ResponseReturnValue
from sqlalchemy.exc import DBAPIError, TimeoutError

from flask_app import migrations
from flask_app.config import settings
from flask_app.models import SyncRun, db
from flask_app.models.outage import outage_sentence, why_no_writes
from flask_app.upkeep.metrics import CONTENT_TYPE, exposition
from flask_app.upkeep.release import commit
from flask_app.web.now import now
from flask_app.web.presenting import static_url
from flask_app.web.proxy import problems_seen

bp = Blueprint("health", __name__)


@bp.get("/healthz")
def healthz() -> ResponseReturnValue:
    return jsonify(status="ok")


@bp.get("/readyz")
def readyz() -> ResponseReturnValue:
    """Whether requests can be served: the database answers, takes writes, and has this version's tables.

    The sync's age is told, but decides nothing.
    """
    try:
        schema = migrations.state(db.engine)
        if schema is not migrations.SchemaState.CURRENT:
            return _not_ready(f"The database's schema is {schema.value}.")
        if problem := why_no_writes(db.engine):
            return _not_ready(problem)
        success = SyncRun.last_success()
    except (DBAPIError, TimeoutError) as error:
        return _not_ready(outage_sentence(error, db.engine.url))
    age = None if success is None else int((now() - success.started_at).total_seconds())
    return jsonify(database="ok", seconds_since_good_sync=age, warnings=problems_seen())


def _not_ready(message: str) -> ResponseReturnValue:
    current_app.logger.error("Not ready: %s", message)
    return jsonify(database="unusable", message=message), 503


@bp.get("/version")
def version() -> ResponseReturnValue:
    """What is deployed: version, commit if it is known, and the schema that this version wants."""
    return jsonify(
        version=current_app.extensions["version"], commit=commit(), schema=migrations.newest_revision()
    )


@bp.get("/metrics")
def metrics() -> ResponseReturnValue:
    """For Prometheus, behind METRICS_TOKEN."""
    token = settings().metrics_token
    if not token:
        abort(404)
    sent = request.headers.get("Authorization", "")
    if not compare_digest(sent.encode(), f"Bearer {token}".encode()):
        abort(401, "The token is missing or wrong.")
    return Response(exposition(now=now()), content_type=CONTENT_TYPE)


@bp.get("/favicon.ico")
def favicon() -> ResponseReturnValue:
    """Some browsers ask here, whatever the page says."""
    return redirect(static_url("icon.svg"))
