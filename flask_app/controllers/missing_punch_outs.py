"""Shifts that were left open, and ends that were only assumed: repaired in batches, with a preview."""

from collections.abc import Sequence
from datetime import time

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from flask_app.config import settings
from flask_app.controllers.shift_office import problems_in_words
from flask_app.models import Shift, TaskRun, committing
from flask_app.models.audit import checked_reason
from flask_app.models.errors import RuleViolation, ValidationError
from flask_app.timeclock import ledger
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
from flask_app.web.access import acting, admin_required, shift_or_none
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
    longest = settings().longest_shift
    return render_template(
        "missing_punch_outs/index.html", open_ones=stale_shifts(longest, now=now()),
        assumed=unconfirmed(), hows=HOWS, last=TaskRun.last(CLOCK_OUT),
        longest=int(longest.total_seconds()) // 3600,
    )  # fmt: skip


@bp.post("/admin/stale_shifts")
@admin_required
def preview() -> ResponseReturnValue:
    """Show what would be done to the ticked shifts, and do nothing."""
    numbers = [named.partition(":")[0] for named in request.form.getlist("shift")]
    shifts = [shift for number in numbers if (shift := shift_or_none(number))]
    how, at = request.form.get("how", ""), _time(request.form.get("at", ""))
    if not shifts or how not in HOWS or (how == AT_TIME and at is None):
        flash("Tick some shifts, and say how they end." if how != AT_TIME else "Fill in the time.", "error")
        return redirect(url_for("missing_punch_outs.index"))
    return _preview_page(shifts, how, at, {})


def _preview_page(shifts: Sequence[Shift], how: str, at: time | None, problems: dict[str, str]) -> str:
    zone = settings().shop_timezone
    ends = [(shift, proposed_end(shift, how, at, zone)) for shift in shifts]
    lines = [(shift, end, why_not(shift, end, how, by=acting(), now=now())) for shift, end in ends]
    return render_template(
        "missing_punch_outs/preview.html", lines=lines, how=how, at=request.form.get("at", ""),
        words=HOWS[how], problems=problems, form=request.form,
    )  # fmt: skip


@bp.post("/admin/stale_shifts/repair")
@admin_required
def apply() -> ResponseReturnValue:
    form, done, failed = request.form, 0, []
    how, at = form.get("how", ""), _time(form.get("at", ""))
    named = [(shift_or_none(one.partition(":")[0]), one.partition(":")[2]) for one in form.getlist("shift")]
    if how not in HOWS:
        abort(400, "Something in the form is missing. Go back, reload the page and try again.")
    try:
        reason = checked_reason(form.get("reason", ""))
    except ValidationError as invalid:
        return _preview_page([shift for shift, _ in named if shift], how, at, invalid.problems), 422
    for shift, seen, name in [(shift, seen, shift.user.name if shift else "") for shift, seen in named]:
        try:
            done += committing(lambda: _repair(shift, how, at, reason, seen))  # noqa: B023
        except ValidationError as invalid:
            failed.append(f"{name}: {' '.join(problems_in_words(invalid).values())}")
        except RuleViolation as refusal:
            failed.append(f"{name}: {refusal}" if name else str(refusal))
    flash(f"{done} {'shift' if done == 1 else 'shifts'} repaired.", "success" if done else "info")
    for sentence in failed[:20]:
        flash(sentence, "error")
    return redirect(url_for("missing_punch_outs.index"))


def _repair(shift: Shift | None, how: str, at: time | None, reason: str, seen: str) -> bool:
    if shift is None:
        raise RuleViolation("A shift was deleted meanwhile.")
    end = proposed_end(shift, how, at, settings().shop_timezone)
    if end is None:
        raise RuleViolation("There is nothing to confirm any more.")
    done = repair(shift, how, end, by=acting(), at=now(), reason=reason, seen=seen)
    return isinstance(done, ledger.Changed)


def _time(text: str) -> time | None:
    try:
        return time.fromisoformat(text).replace(second=0, microsecond=0, tzinfo=None) if text else None
    except ValueError:
        return None
