"""The sync's pages: the button, its progress, the ledger, the rehearsal."""

from flask import Blueprint, flash, jsonify, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from flask_app.models import Job, SyncHold, SyncRun
from flask_app.sync.approved_jobs import (
    SyncFailed,
    SyncLost,
    SyncNotConfigured,
    SyncResult,
    SyncRunning,
    rehearse,
    sync_approved_jobs,
)
from flask_app.sync.attention import attention, renumbered
from flask_app.sync.check import board_step, would_work
from flask_app.sync.check import check as steps_to_dataverse
from flask_app.sync.health import timed_tasks
from flask_app.web.access import admin_required, current_user, run_or_404, wants_json
from flask_app.web.now import now, today

bp = Blueprint("sync", __name__)


@bp.get("/sync")
@admin_required
def index() -> ResponseReturnValue:
    return render_template(
        "sync/index.html",
        running=SyncRun.running(),
        runs=SyncRun.latest(limit=20),
        tasks=timed_tasks(now=now()),
        last_success=SyncRun.last_success(),
        gone=Job.gone_but_active(),
        attention=attention(),
    )


@bp.get("/sync/run/<int:run_id>")
@admin_required
def show(run_id: int) -> ResponseReturnValue:
    return render_template(
        "sync/show.html",
        run=run_or_404(run_id),
        holds=SyncHold.of_run(run_id),
        renumbered={one.job.id: one for one in renumbered()},
    )


@bp.post("/sync/rehearsal")
@admin_required
def rehearsal() -> ResponseReturnValue:
    """Show what a sync would do now, and do nothing."""
    try:
        plan = rehearse()
    except (SyncFailed, SyncNotConfigured) as reason:
        flash(str(reason), "error")
        return redirect(url_for("sync.index"))
    return render_template("sync/rehearsal.html", plan=plan)


@bp.post("/sync/check")
@admin_required
def check() -> ResponseReturnValue:
    """Go the way to Dataverse step by step, and change nothing."""
    steps = list(steps_to_dataverse(today=today()))
    if would_work(steps):
        steps.append(board_step())
    return render_template("sync/check.html", steps=steps, works=would_work(steps))


@bp.get("/sync/status")
@admin_required
def status() -> ResponseReturnValue:
    run = SyncRun.running()
    if run is None:
        return jsonify(running=False, pages=0, rows=0, seconds=0)
    seconds = max(0, int((now() - run.started_at).total_seconds()))
    return jsonify(running=True, pages=run.pages, rows=run.rows, seconds=seconds)


@bp.post("/api/process-approved-jobs")
@admin_required
def process() -> ResponseReturnValue:
    """Sync now: 200 with the counts, 409 if one is running, 502 if Dataverse failed, 503 if there is none."""
    try:
        result = sync_approved_jobs(trigger="button", user_id=current_user().id)
    except SyncRunning as running:
        return _answer(409, {"outcome": "running", "message": str(running), "run": running.run_id})
    except SyncLost as lost:
        return _answer(502, {"outcome": "failed", "message": str(lost)})
    except SyncNotConfigured as missing:
        return _answer(503, {"outcome": "not_configured", "message": str(missing)})
    return _answer(502 if result.failed else 200, _counts(result))


def _counts(result: SyncResult) -> dict[str, object]:
    return {
        "outcome": "failed" if result.failed else "succeeded",
        "message": result.message,
        "added": result.added,
        "already_there": result.already_there,
        "updated": result.updated,
        "linked": result.linked,
        "gone": result.gone,
        "skipped": len(result.skipped),
        "reasons": [
            {"im_number": row.im_number, "dataverse_id": row.dataverse_id, "reason": row.reason}
            for row in result.skipped[:100]
        ],
        "run": result.run_id,
    }


def _answer(code: int, body: dict[str, object]) -> ResponseReturnValue:
    if wants_json():
        return jsonify(body), code
    flash(str(body["message"]), "success" if code == 200 else "error")
    return redirect(url_for("sync.index"))
