"""For machines: is the process up, what is deployed."""

from flask import Blueprint, current_app, jsonify
from flask.typing import ResponseReturnValue

bp = Blueprint("health", __name__)


@bp.get("/healthz")
def healthz() -> ResponseReturnValue:
    return jsonify(status="ok")


@bp.get("/version")
def version() -> ResponseReturnValue:
    return jsonify(version=current_app.extensions["version"])
