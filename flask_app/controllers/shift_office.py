"""Admins correct hours: change a shift, take one away, add one that was never punched."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from flask_app.models import Audit, Correction, Job, Shift, User, committing
from flask_app.models.audit import SHIFT
from flask_app.models.errors import RuleViolation, ValidationError
from flask_app.timeclock import ledger
from flask_app.timeclock.corrections import add_or_ask, amend_or_ask
from flask_app.timeclock.ledger import Overlaps, PunchRefused
from flask_app.web.access import acting, admin_required, local_path, shift_or_404
from flask_app.web.now import now, today
from flask_app.web.presenting import clock, clock_rules, day
from flask_app.web.times import as_fields, from_fields

bp = Blueprint("shift_office", __name__)

ASKED_INSTEAD = "These are your own hours, so another admin has to approve the change. It waits here."


@bp.get("/manage_shifts")
@admin_required
def manage() -> ResponseReturnValue:
    """The old address: shifts are found by the report."""
    return redirect(url_for("reports.shifts"))


@bp.get("/edit/shift/<int:shift_id>")
@admin_required
def edit(shift_id: int) -> ResponseReturnValue:
    shift = shift_or_404(shift_id)
    return _edit_page(shift, _as_form(shift), {})


@bp.post("/update/shift/<int:shift_id>")
@admin_required
def update(shift_id: int) -> ResponseReturnValue:
    shift, form = shift_or_404(shift_id), request.form
    name = shift.user.name
    try:
        done = committing(lambda: _amend(shift, form))
    except ValidationError as invalid:
        return _edit_page(shift_or_404(shift_id), form, problems_in_words(invalid)), 422
    except PunchRefused as refusal:
        return _edit_page(shift_or_404(shift_id), form, {"note": str(refusal)}), 422
    except RuleViolation as refusal:
        flash(str(refusal), "error")
        return redirect(url_for("shift_office.edit", shift_id=shift_id, next=_back_to()))
    if isinstance(done, Correction):
        flash(ASKED_INSTEAD, "info")
        return redirect(url_for("corrections.queue"))
    saved = isinstance(done, ledger.Changed)
    flash(f"{name}'s shift is saved." if saved else "There was nothing to change.", "success")
    return redirect(_back_to() or url_for("shift_office.edit", shift_id=shift_id))


@bp.post("/delete/shift/<int:shift_id>")
@admin_required
def delete(shift_id: int) -> ResponseReturnValue:
    shift, form = shift_or_404(shift_id), request.form
    name, number = shift.user.name, shift.job.im_number
    try:
        committing(
            lambda: ledger.delete(
                shift, by=acting(), at=now(), reason=form.get("reason", ""), seen=form.get("seen")
            )
        )
    except ValidationError as invalid:
        problems = {"delete_reason": invalid.problems["reason"]}
        return _edit_page(shift_or_404(shift_id), _as_form(shift), problems), 422
    except RuleViolation as refusal:
        flash(str(refusal), "error")
        return redirect(url_for("shift_office.edit", shift_id=shift_id, next=_back_to()))
    flash(f"{name}'s shift on {number} is deleted. The changes keep what it was.", "success")
    return redirect(_back_to() or url_for("reports.shifts"))


@bp.get("/new/shift")
@admin_required
def new() -> ResponseReturnValue:
    args = request.args
    first = args.get("day") or today().isoformat()
    form = {"user_id": args.get("user", ""), "job": args.get("job", ""), "start_day": first, "end_day": first}
    return _new_page(form, {})


@bp.post("/new/shift")
@admin_required
def add() -> ResponseReturnValue:
    form = request.form
    try:
        shift = committing(lambda: _add(form))
    except ValidationError as invalid:
        return _new_page(form, problems_in_words(invalid)), 422
    except RuleViolation as refusal:
        return _new_page(form, {"note": str(refusal)}), 422
    if isinstance(shift, Correction):
        flash(ASKED_INSTEAD, "info")
        return redirect(url_for("corrections.queue"))
    flash(f"{shift.user.name} has a shift on {shift.job.im_number} on {day(_shop_day(shift))}.", "success")
    return redirect(url_for("shift_office.edit", shift_id=shift.id))


def _amend(shift: Shift, form: Mapping[str, str]) -> ledger.Changed | ledger.Unchanged | Correction:
    values, problems = _times(form, shift)
    job = Job.numbered(form.get("job", ""))
    if job is None:
        problems["job"] = _no_such_job(form)
    if problems or job is None:
        raise ValidationError(problems)
    return amend_or_ask(
        shift, values["start"], values["end"], job, by=acting(), at=now(),
        reason=form.get("reason", ""), note=form.get("note", ""), seen=form.get("seen", ""),
    )  # fmt: skip


def _add(form: Mapping[str, str]) -> Shift | Correction:
    values, problems = _times(form, None)
    job, person = Job.numbered(form.get("job", "")), User.numbered(form.get("user_id", ""))
    if job is None:
        problems["job"] = _no_such_job(form)
    if person is None:
        problems["user_id"] = "Choose a person."
    if problems or job is None or person is None:
        raise ValidationError(problems)
    return add_or_ask(
        person, job, values["start"], values["end"], by=acting(), at=now(),
        reason=form.get("reason", ""), note=form.get("note", ""),
    )  # fmt: skip


def _times(form: Mapping[str, str], shift: Shift | None) -> tuple[dict[str, Any], dict[str, str]]:
    """Return start and end of a form, and what is wrong with them."""
    values: dict[str, Any] = {}
    problems: dict[str, str] = {}
    before = {"start": shift.started_at, "end": shift.ended_at} if shift else {"start": None, "end": None}
    for name, was in before.items():
        try:
            values[name] = from_fields(name, form, was=was)
        except ValueError as problem:
            problems[name] = str(problem)
    if "start" in values and values["start"] is None:
        problems["start"] = "Fill in when the shift started."
    if "end" in values and values["end"] is None and (shift is None or not shift.is_open):
        problems["end"] = "Fill in when the shift ended."
    return values, problems


def _no_such_job(form: Mapping[str, str]) -> str:
    return f"There is no job {form['job']}." if form.get("job", "").strip() else "Fill in the IM number."


def problems_in_words(invalid: ValidationError) -> dict[str, str]:
    """Say what is wrong beside the form's own fields, and times as the shop reads them."""
    fields = {"started_at": "start", "ended_at": "end"}
    problems = {fields.get(field, field): text for field, text in invalid.problems.items()}
    if isinstance(invalid, Overlaps):
        problems["start"] = overlap_sentence(invalid.other)
    return problems


def overlap_sentence(other: Shift) -> str:
    when = f"from {clock(other.started_at)} on {day(_shop_day(other))}"
    until = f" to {clock(other.ended_at)}" if other.ended_at else ", and that shift is still open"
    return f"{other.user.name} was on {other.job.im_number} {when}{until}. Two shifts can't overlap."


def _shop_day(shift: Shift) -> date:
    return clock_rules().day_of(shift.started_at)


def _back_to() -> str | None:
    """Return the report, filters and all, from which somebody came to a shift."""
    return local_path(request.values.get("next", ""))


def _as_form(shift: Shift) -> dict[str, str]:
    texts = {"job": shift.job.im_number, "note": shift.note, "seen": shift.version}
    return {**texts, **as_fields("start", shift.started_at), **as_fields("end", shift.ended_at)}


def _edit_page(shift: Shift, form: Mapping[str, str], problems: dict[str, str]) -> str:
    entries = Audit.of(SHIFT, shift.id)
    return render_template(
        "shift_office/edit.html", shift=shift, form=form, problems=problems, entries=entries, next=_back_to()
    )


def _new_page(form: Mapping[str, str], problems: dict[str, str]) -> str:
    return render_template("shift_office/new.html", form=form, problems=problems, people=User.everybody())
