"""What an admin decides about the sync: what was held back, and a closed job that is approved again."""

from flask import Blueprint, flash, redirect, url_for
from flask.typing import ResponseReturnValue

from flask_app.models import SyncHold, committing
from flask_app.models.errors import RuleViolation
from flask_app.models.sync_hold import CONFIRMED, DISMISSED
from flask_app.sync.approved_jobs import SyncNotConfigured, SyncRunning
from flask_app.utils.background_sync import sync_in_background
from flask_app.web.access import admin_required, current_user, hold_or_404, job_or_404
from flask_app.web.now import now
from flask_app.words import _, retold

bp = Blueprint("sync_decisions", __name__)

_MOMENT = 10.0  # seconds: an answer that comes within them is told at once


@bp.post("/sync/hold/<int:hold_id>/confirm")
@admin_required
def confirm(hold_id: int) -> ResponseReturnValue:
    """Let what was held back be applied, by a sync that asks Dataverse again: it begins at once."""
    hold = hold_or_404(hold_id)
    if not _decide(hold, CONFIRMED):
        return redirect(url_for("sync.index"))
    try:
        background = sync_in_background(trigger="button", user_id=current_user().id)
    except (SyncRunning, SyncNotConfigured) as reason:
        flash(
            _(
                "Confirmed. The next sync applies it if Dataverse still says so. %(reason)s",
                reason=retold(str(reason)),
            ),
            "info",
        )
        return redirect(url_for("sync.index"))
    background.join(_MOMENT)
    if result := background.result:  # else the run's page shows how far it is
        flash(retold(result.message), "error" if result.failed else "success")
    return redirect(url_for("sync.show", run_id=background.run_id))


@bp.post("/sync/hold/<int:hold_id>/dismiss")
@admin_required
def dismiss(hold_id: int) -> ResponseReturnValue:
    """Keep the jobs as they are as long as Dataverse goes on saying so."""
    hold = hold_or_404(hold_id)
    if _decide(hold, DISMISSED):
        flash(_("The jobs stay as they are."), "success")
    return redirect(url_for("sync.show", run_id=hold.run_id))


def _decide(hold: SyncHold, state: str) -> bool:
    """Note what the admin says; False if it is too late for that, which is told."""
    try:
        committing(lambda: hold.decide(state, by=current_user(), at=now()))
    except RuleViolation as refusal:
        flash(str(refusal), "error")
        return False
    return True


@bp.post("/sync/returned/<int:job_id>/leave")
@admin_required
def leave_closed(job_id: int) -> ResponseReturnValue:
    """A job that is approved again stays closed, and is not listed any more."""
    job = job_or_404(job_id)
    committing(job.stay_closed)
    flash(_("Job %(job)s stays closed.", job=job.im_number), "success")
    return redirect(url_for("sync.index"))
