"""Shifts that were left open, and ends that were only assumed: repaired in batches, with a preview."""

from datetime import time
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from flask_app.config import settings
from flask_app.models import Shift, TaskRun, committing
from flask_app.models.audit import checked_reason
from flask_app.models.errors import RuleViolation, ValidationError
from flask_app.timeclock.clock_out import (
    ASSUMED,
    AT_TIME,
    CLOCK_OUT,
    CONFIRM,
    proposed_end,
    repair,
    stale_shifts,
    unconfirmed,
    why_not,
)
from flask_app.web.access import admin_required, current_user, shift_or_none
from flask_app.web.now import now

bp = Blueprint("missing_punch_outs", __name__)

HOWS = {
    ASSUMED: "End at the department's usual end, on the day each began",
    AT_TIME: "End at this time, on the day each began",
    CONFIRM: "Confirm the assumed ends",
}


@bp.get("/admin/stale_shifts")
@admin_required
def index() -> ResponseReturnValue:
    return render_template(
        "missing_punch_outs/index.html", open_ones=stale_shifts(now=now()), assumed=unconfirmed(),
        hows=HOWS, last=TaskRun.last(CLOCK_OUT),
    )  # fmt: skip


@bp.post("/admin/stale_shifts")
@admin_required
def preview() -> ResponseReturnValue:
    """Show what would be done to the ticked shifts, and do nothing."""
    shifts = [shift for number in request.form.getlist("shift") if (shift := shift_or_none(number))]
    how, at = request.form.get("how", ""), _time(request.form.get("at", ""))
    if not shifts or how not in HOWS or (how == AT_TIME and at is None):
        flash("Tick some shifts, and say how they end." if how != AT_TIME else "Fill in the time.", "error")
        return redirect(url_for("missing_punch_outs.index"))
    zone = settings().shop_timezone
    lines = []
    for shift in shifts:
        end = proposed_end(shift, how, at, zone)
        lines.append((shift, end, why_not(shift, end, now=now())))
    return render_template(
        "missing_punch_outs/preview.html",
        lines=lines,
        how=how,
        at=request.form.get("at", ""),
        words=HOWS[how],
    )


@bp.post("/admin/stale_shifts/repair")
@admin_required
def apply() -> ResponseReturnValue:
    form, done, failed = request.form, 0, []
    how, at = form.get("how", ""), _time(form.get("at", ""))
    try:
        reason = checked_reason(form.get("reason", ""))
    except ValidationError as invalid:
        flash(str(invalid), "error")
        return preview()
    for named in form.getlist("shift"):
        number, _, seen = named.partition(":")
        shift = shift_or_none(number)
        try:
            done += bool(shift and committing(lambda: _repair(shift, how, at, reason, seen)))  # noqa: B023
        except RuleViolation as refusal:
            failed.append(f"{shift.user.name if shift else number}: {refusal}")
    flash(f"{done} {'shift' if done == 1 else 'shifts'} repaired.", "success" if done else "info")
    for sentence in failed[:20]:
        flash(sentence, "error")
    return redirect(url_for("missing_punch_outs.index"))


def _repair(shift: Shift | None, how: str, at: time | None, reason: str, seen: str) -> bool:
    if shift is None:
        return False
    end = proposed_end(shift, how, at, settings().shop_timezone)
    if end is None:
        raise RuleViolation("There is nothing to confirm any more.")
    arguments: dict[str, Any] = {"by": current_user(), "at": now(), "reason": reason, "seen": seen}
    return repair(shift, how, end, **arguments)


def _time(text: str) -> time | None:
    try:
        return time.fromisoformat(text).replace(tzinfo=None) if text else None
    except ValueError:
        return None
