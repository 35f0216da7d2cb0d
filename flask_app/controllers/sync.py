"""The sync's pages: the button, its progress, the ledger, the rehearsal."""

from flask import Blueprint, abort, flash, jsonify, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from flask_app.config import settings
from flask_app.models import HookCount, Job, SyncHold, SyncRun
from flask_app.models.sync_run import POLL, RUNNING, SUCCEEDED
from flask_app.models.task_run import TaskRun
from flask_app.sync.approved_jobs import (
    SyncFailed,
    SyncNotConfigured,
    SyncResult,
    SyncRunning,
    rehearse,
)
from flask_app.sync.attention import attention, renumbered
from flask_app.sync.check import board_step, would_work
from flask_app.sync.check import check as steps_to_dataverse
from flask_app.sync.folders import FOLDERS
from flask_app.sync.health import timed_tasks
from flask_app.sync.hours_out import PAGE_SECONDS
from flask_app.sync.running import RUN_SECONDS
from flask_app.utils.background_sync import sync_in_background
from flask_app.web.access import admin_required, current_user, prefers_json, run_or_404, wants_json
from flask_app.web.now import now, today
from flask_app.words import _, retold

bp = Blueprint("sync", __name__)

_COUNTS = ("added", "already_there", "updated", "linked", "gone", "returned", "held", "skipped")
_REASONS = 100  # rows of a run that are told to a script


@bp.get("/sync")
@admin_required
def index() -> ResponseReturnValue:
    running = SyncRun.running()
    return render_template(
        "sync/index.html",
        running=None if running is None or running.looks_dead(now=now()) else running,
        runs=SyncRun.latest(limit=20),
        tasks=timed_tasks(now=now()),
        folders=TaskRun.last(FOLDERS) if settings().sharepoint_links else None,
        hooks=HookCount.of(today()) if settings().webhook_keys else None,
        last_poll=TaskRun.last(POLL) if settings().poll_minutes else None,
        last_success=SyncRun.last_success(),
        gone=Job.gone_but_active(),
        attention=attention(),
    )


@bp.get("/sync/run/<int:run_id>")
@admin_required
def show(run_id: int) -> ResponseReturnValue:
    """One run: a page, or for a script how far it is and what it did."""
    run = run_or_404(run_id)
    answer = make_response(jsonify(_told(run)) if prefers_json() else _page(run))
    answer.vary.add("Accept")
    return answer


def _page(run: SyncRun) -> str:
    return render_template(
        "sync/show.html",
        run=run,
        holds=SyncHold.of_run(run.id),
        renumbered={one.job.id: one for one in renumbered()},
    )


@bp.post("/sync/rehearsal")
@admin_required
def rehearsal() -> ResponseReturnValue:
    """Show what a sync would do now, and do nothing."""
    try:
        plan = rehearse(seconds=PAGE_SECONDS)
    except (SyncFailed, SyncNotConfigured) as reason:
        flash(retold(str(reason)), "error")
        return redirect(url_for("sync.index"))
    return render_template("sync/rehearsal.html", plan=plan)


@bp.post("/sync/check")
@admin_required
def check() -> ResponseReturnValue:
    """Go the way to Dataverse step by step, and change nothing."""
    steps = list(steps_to_dataverse(today=today()))
    if would_work(steps):
        steps.append(board_step(now=now()))
    return render_template("sync/check.html", steps=steps, works=would_work(steps))


@bp.post("/api/process-approved-jobs")
@admin_required
def process() -> ResponseReturnValue:
    """Begin a sync and answer at once: 202 and where to look; 409 and where, if one is running already.

    503 if there is no Dataverse. `?wait=60`: the answer waits for the end, but not longer than so many
    seconds: 200 with the counts, 502 if the sync failed, 202 if it is still running.
    """
    wait = _seconds_to_wait()
    try:
        background = sync_in_background(trigger="button", user_id=current_user().id)
    except SyncRunning as running:
        return _answer(409, {"outcome": RUNNING, "message": retold(str(running)), **_where(running.run_id)})
    except SyncNotConfigured as missing:
        return _answer(503, {"outcome": "not_configured", "message": retold(str(missing))})
    background.wait(wait)
    if wait == 0 or (run := run_or_404(background.run_id)).is_running:
        begun = {"outcome": RUNNING, "message": _("The sync has begun.")}
        return _answer(202, begun | _where(background.run_id))
    told = _told(run, background.result)
    return _answer(200 if told["outcome"] == SUCCEEDED else 502, told)


def _seconds_to_wait() -> float:
    text = request.args.get("wait", "0")
    if not (text.isascii() and text.isdecimal() and len(text) < 6):
        abort(400, "wait is a whole number of seconds, such as 60.")
    return min(float(text), RUN_SECONDS)


def _where(run_id: int | None) -> dict[str, object]:
    return {
        "run": run_id,
        "address": url_for("sync.show", run_id=run_id) if run_id else url_for("sync.index"),
    }


def _told(run: SyncRun, result: SyncResult | None = None) -> dict[str, object]:
    """Return what a script is told of a run; `result` knows also the rows that were skipped before."""
    is_lost = run.looks_dead(now=now())
    skipped = result.skipped if result else run.skips
    return {
        "outcome": "abandoned" if is_lost else run.outcome,
        "message": _("This run gives no sign of life any more. It has changed nothing.")
        if is_lost
        else retold(run.message),
        "seconds": max(0, int(((run.finished_at or now()) - run.started_at).total_seconds())),
        **{name: getattr(run, name) for name in ("pages", "rows", *_COUNTS)},
        "reasons": [
            {"im_number": row.im_number, "dataverse_id": row.dataverse_id, "reason": row.reason}
            for row in skipped[:_REASONS]
        ],
        **_where(run.id),
    }


def _answer(code: int, body: dict[str, object]) -> ResponseReturnValue:
    if wants_json():
        answer = make_response(jsonify(body), code)
        if code == 202:
            answer.location = str(body["address"])
        return answer
    if code != 202:  # the run's own page says that it runs
        flash(str(body["message"]), "success" if code == 200 else "error")
    return redirect(str(body.get("address") or url_for("sync.index")))
