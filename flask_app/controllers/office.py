"""The admins' start page: what waits for them, and the way to everything that they do."""

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

from flask_app.controllers.access import admin_required
from flask_app.models import User

bp = Blueprint("office", __name__)


@bp.get("/office")
@admin_required
def index() -> ResponseReturnValue:
    return render_template("office/index.html", waiting_people=User.waiting_count())
