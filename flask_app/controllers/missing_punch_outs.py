"""Shifts that were left open, and ends that were only assumed: repaired in batches, with a preview."""

from collections.abc import Sequence

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from flask_app.config import settings
from flask_app.controllers.shift_office import problems_in_words
from flask_app.models import Shift, TaskRun, committing
from flask_app.models.errors import RuleViolation, ValidationError
from flask_app.timeclock import ledger
from flask_app.timeclock.clock_out import (
    ASSUMED,
    CLOCK_OUT,
    proposed_end,
    repair,
    stale_shifts,
    unconfirmed,
    why_not,
)
from flask_app.web.access import acting, admin_required, shift_or_none
from flask_app.web.drafts import draws_again
from flask_app.web.now import now
from flask_app.web.shift_forms import HOWS, NO_REASON, RepairForm
from flask_app.words import _, ngettext

bp = Blueprint("missing_punch_outs", __name__)


@bp.get("/admin/stale_shifts")
@admin_required
def index() -> ResponseReturnValue:
    return _page(RepairForm(how=ASSUMED))


def _page(form: RepairForm, ticked: Sequence[Shift] = (), nothing: str = "") -> str:
    longest = settings().longest_shift
    return render_template(
        "missing_punch_outs/index.html", open_ones=stale_shifts(longest, now=now()),
        assumed=unconfirmed(), form=form, last=TaskRun.last(CLOCK_OUT), nothing=nothing,
        longest=int(longest.total_seconds()) // 3600, ticked={shift.id for shift in ticked},
    )  # fmt: skip


@bp.post("/admin/stale_shifts")
@admin_required
@draws_again
def preview() -> ResponseReturnValue:
    """Show what would be done to the ticked shifts, and do nothing."""
    form, shifts = RepairForm(request.form), [shift for shift, _ in _named() if shift]
    if not form.validate() or not shifts:
        nothing = "" if shifts else _("Select some shifts first.")
        return _page(form, shifts, nothing), form.code
    return _preview_page(shifts, form)


def _named() -> list[tuple[Shift | None, str]]:
    """Return the shifts that the form names, None for one that is gone, each with its version as shown."""
    parts = (named.partition(":") for named in request.form.getlist("shift"))
    return [(shift_or_none(number), seen) for number, _, seen in parts]


def _preview_page(shifts: Sequence[Shift], form: RepairForm) -> str:
    zone, how = settings().shop_timezone, form.how.data
    ends = [(shift, proposed_end(shift, how, form.at.data, zone)) for shift in shifts]
    lines = [(shift, end, why_not(shift, end, how, by=acting(), now=now())) for shift, end in ends]
    return render_template(
        "missing_punch_outs/preview.html", lines=lines, how=how, words=HOWS[how], form=form
    )


@bp.post("/admin/stale_shifts/repair")
@admin_required
def apply() -> ResponseReturnValue:
    form, done, failed = RepairForm(request.form), 0, []
    if not form.validate():
        shifts = [shift for shift, _ in _named() if shift]
        return _page(form, shifts), form.code
    if not form.reason.data:
        form.refuse(ValidationError({"reason": NO_REASON}))
        return _preview_page([shift for shift, _ in _named() if shift], form), form.code
    for shift, seen, name in [(shift, seen, shift.user.name if shift else "") for shift, seen in _named()]:
        try:
            done += committing(lambda: _repair(shift, form, seen))  # noqa: B023
        except ValidationError as invalid:
            failed.append(f"{name}: {' '.join(problems_in_words(invalid).values())}")
        except RuleViolation as refusal:
            failed.append(f"{name}: {refusal}" if name else str(refusal))
    flash(ngettext("Fixed %(n)s shift.", "Fixed %(n)s shifts.", done), "success" if done else "info")
    for sentence in failed[:20]:
        flash(sentence, "error")
    return redirect(url_for("missing_punch_outs.index"))


def _repair(shift: Shift | None, form: RepairForm, seen: str) -> bool:
    if shift is None:
        raise RuleViolation(_("A shift was deleted meanwhile."))
    how = form.how.data
    end = proposed_end(shift, how, form.at.data, settings().shop_timezone)
    if end is None:
        raise RuleViolation(_("There is nothing left to confirm."))
    done = repair(shift, how, end, by=acting(), at=now(), reason=form.reason.data, seen=seen)
    return isinstance(done, ledger.Changed)
