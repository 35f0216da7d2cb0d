"""Admins correct hours: change a shift, take one away, add one that was never punched."""

from datetime import date

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from flask_app.models import Audit, Correction, Job, Shift, User, committing
from flask_app.models.audit import SHIFT
from flask_app.models.errors import RuleViolation, ValidationError
from flask_app.timeclock import ledger
from flask_app.timeclock.corrections import add_or_ask, amend_or_ask, delete_or_ask
from flask_app.timeclock.ledger import Overlaps
from flask_app.web.access import acting, admin_required, local_path, shift_or_404
from flask_app.web.audit_words import told
from flask_app.web.drafts import draws_again
from flask_app.web.forms import Overtaken
from flask_app.web.now import now, today
from flask_app.web.parse import shop_day
from flask_app.web.presenting import clock, clock_rules, day
from flask_app.web.shift_forms import DeleteShiftForm, NewShiftForm, ShiftForm, as_shown
from flask_app.words import _, lazy

bp = Blueprint("shift_office", __name__)

ASKED_INSTEAD = lazy("These are your own hours, so another admin has to approve the change. It waits here.")


@bp.get("/manage_shifts")
@admin_required
def manage() -> ResponseReturnValue:
    """The old address: shifts are found by the report."""
    return redirect(url_for("reports.shifts"))


@bp.get("/edit/shift/<int:shift_id>")
@admin_required
def edit(shift_id: int) -> ResponseReturnValue:
    shift = shift_or_404(shift_id)
    return _edit_page(shift, ShiftForm(None, as_shown(shift)))


@bp.post("/update/shift/<int:shift_id>")
@admin_required
@draws_again
def update(shift_id: int) -> ResponseReturnValue:
    shift = shift_or_404(shift_id)
    form, name = ShiftForm(request.form, as_shown(shift)), shift.user.name
    if not form.validate():
        return _edit_page(shift, form), form.code
    try:
        done = committing(lambda: _amend(shift, form))
    except ValidationError as invalid:
        form.refuse(in_words(invalid))
        return _edit_page(shift_or_404(shift_id), form), form.code
    except RuleViolation as refusal:
        form.says = str(refusal)
        return _edit_page(shift_or_404(shift_id), form), form.code
    if isinstance(done, Correction):
        flash(str(ASKED_INSTEAD), "info")
        return redirect(url_for("corrections.queue"))
    saved = isinstance(done, ledger.Changed)
    flash(
        _("%(name)s's shift is saved.", name=name) if saved else _("There was nothing to change."), "success"
    )
    return redirect(_back_to() or url_for("shift_office.edit", shift_id=shift_id))


@bp.post("/delete/shift/<int:shift_id>")
@admin_required
@draws_again
def delete(shift_id: int) -> ResponseReturnValue:
    shift, form = shift_or_404(shift_id), DeleteShiftForm(request.form)
    name, number, by, seen = shift.user.name, shift.job.im_number, acting(), request.form.get("seen")
    if not form.validate():
        return _edit_page(shift, ShiftForm(None, as_shown(shift)), form), form.code
    try:
        done = committing(lambda: delete_or_ask(shift, by=by, at=now(), reason=form.reason.data, seen=seen))
    except RuleViolation as refusal:
        form.says = str(refusal)
        shift = shift_or_404(shift_id)
        return _edit_page(shift, ShiftForm(None, as_shown(shift)), form), form.code
    if isinstance(done, Correction):
        flash(str(ASKED_INSTEAD), "info")
        return redirect(url_for("corrections.queue"))
    flash(
        _(
            "%(name)s's shift on %(job)s is deleted. The audit keeps what it was.",
            name=name,
            job=number,
        ),
        "success",
    )
    return redirect(_back_to() or url_for("reports.shifts"))


@bp.get("/new/shift")
@admin_required
def new() -> ResponseReturnValue:
    args = request.args
    job = Job.numbered(args["job"]) if args.get("job") else None
    form = NewShiftForm(user_id=User.numbered(args.get("user", "")), job=job)
    try:
        first = shop_day(args.get("day", ""))
    except ValueError:
        first = today()
    for moment in (form.start, form.end):
        moment.show_day(first)
    return _new_page(form)


@bp.post("/new/shift")
@admin_required
@draws_again
def add() -> ResponseReturnValue:
    form = NewShiftForm(request.form)
    if not form.validate():
        return _new_page(form), form.code
    try:
        shift = committing(lambda: _add(form))
    except ValidationError as invalid:
        if isinstance(invalid, Overlaps) and _is_the_same(invalid.other, form):
            return _added(invalid.other)  # the form was sent twice
        form.refuse(in_words(invalid))
        return _new_page(form), form.code
    except RuleViolation as refusal:
        form.says = str(refusal)
        return _new_page(form), form.code
    if isinstance(shift, Correction):
        flash(str(ASKED_INSTEAD), "info")
        return redirect(url_for("corrections.queue"))
    return _added(shift)


def _amend(shift: Shift, form: ShiftForm) -> ledger.Changed | ledger.Unchanged | Correction:
    User.locked(shift.user_id)
    shift = Shift.reread(shift.id) or shift  # the ledger says that it is gone
    fields = {**vars(as_shown(shift)), **form.changes(as_shown(shift))}
    return amend_or_ask(
        shift, fields["start"], fields["end"], fields["job"], by=acting(), at=now(),
        reason=form.reason.data, note=fields["note"],
    )  # fmt: skip


def _add(form: NewShiftForm) -> Shift | Correction:
    return add_or_ask(
        form.user_id.data, form.job.data, form.start.data, form.end.data, by=acting(), at=now(),
        reason=form.reason.data, note=form.note.data,
    )  # fmt: skip


def _is_the_same(shift: Shift, form: NewShiftForm) -> bool:
    asked = (form.user_id.data.id, form.job.data.id, form.start.data, form.end.data, form.note.data)
    return asked == (shift.user_id, shift.job_id, shift.started_at, shift.ended_at, shift.note)


def _added(shift: Shift) -> ResponseReturnValue:
    flash(
        _(
            "%(name)s has a shift on %(job)s on %(day)s.",
            name=shift.user.name,
            job=shift.job.im_number,
            day=day(_shop_day(shift)),
        ),
        "success",
    )
    return redirect(url_for("shift_office.edit", shift_id=shift.id))


def in_words(invalid: ValidationError) -> ValidationError:
    """Return the same problems beside the form's own fields, and times as the shop reads them."""
    return invalid if isinstance(invalid, Overtaken) else ValidationError(problems_in_words(invalid))


def problems_in_words(invalid: ValidationError) -> dict[str, str]:
    """Say what is wrong beside the form's own fields, and times as the shop reads them."""
    fields = {"started_at": "start", "ended_at": "end"}
    problems = {fields.get(field, field): text for field, text in invalid.problems.items()}
    if isinstance(invalid, Overlaps):
        problems["start"] = overlap_sentence(invalid.other)
    return problems


def overlap_sentence(other: Shift) -> str:
    words = {"name": other.user.name, "job": other.job.im_number, "day": day(_shop_day(other))}
    words["start"] = clock(other.started_at)
    if other.ended_at is None:
        return _(
            "%(name)s has been on %(job)s since %(start)s on %(day)s, and that shift is still open. "
            "Two shifts can't overlap.",
            **words,
        )
    return _(
        "%(name)s was on %(job)s on %(day)s from %(start)s to %(end)s. Two shifts can't overlap.",
        **words,
        end=clock(other.ended_at),
    )


def _shop_day(shift: Shift) -> date:
    return clock_rules().day_of(shift.started_at)


def _back_to() -> str | None:
    """Return the report, filters and all, from which somebody came to a shift."""
    return local_path(request.values.get("next", ""))


def _edit_page(shift: Shift, form: ShiftForm, deletion: DeleteShiftForm | None = None) -> str:
    return render_template(
        "shift_office/edit.html", shift=shift, form=form, deletion=deletion or DeleteShiftForm(),
        entries=told(Audit.of(SHIFT, shift.id)), next=_back_to(),
    )  # fmt: skip


def _new_page(form: NewShiftForm) -> str:
    return render_template("shift_office/new.html", form=form)
