"""The admins' start page: what waits for them, and the way to everything that they do."""

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

from flask_app.config import settings
from flask_app.models import AdoptedRow, Correction, SetupMark, SyncRun, User
from flask_app.timeclock.clock_out import stale_shifts, unconfirmed
from flask_app.web.access import admin_required
from flask_app.web.now import now
from flask_app.web.proxy import proxy_problems

bp = Blueprint("office", __name__)


@bp.get("/office")
@admin_required
def index() -> ResponseReturnValue:
    return render_template(
        "office/index.html",
        setup=SetupMark.steps(),
        proxy_problems=proxy_problems(),
        people=User.waiting_count(),
        old_shifts=AdoptedRow.waiting_count(),
        corrections=Correction.waiting_count(),
        has_synced=not settings().syncs or SyncRun.last_success() is not None,
        ends=len(stale_shifts(settings().longest_shift, now=now())) + len(unconfirmed()),
    )
