"""For machines: is the process up, what is deployed, where is the icon."""

from flask import Blueprint, current_app, jsonify, redirect
from flask.typing import ResponseReturnValue

from flask_app.controllers.pages import static_url

bp = Blueprint("health", __name__)


@bp.get("/healthz")
def healthz() -> ResponseReturnValue:
    return jsonify(status="ok")


@bp.get("/version")
def version() -> ResponseReturnValue:
    return jsonify(version=current_app.extensions["version"])


@bp.get("/favicon.ico")
def favicon() -> ResponseReturnValue:
    """Some browsers ask here, whatever the page says."""
    return redirect(static_url("icon.svg"))
