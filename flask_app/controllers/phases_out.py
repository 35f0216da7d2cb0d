"""Production phases that go to Dataverse: the rules, what they would change, starting and stopping."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from flask_app.config import settings
from flask_app.models import JobPhase, PhaseRule, PhaseSent, PhaseState, committing
from flask_app.sync.phases_out import PhasesRefused, read_choices, start_phases, would_move
from flask_app.web.access import admin_required, current_user
from flask_app.web.now import now
from flask_app.web.phase_form import PhaseForm
from flask_app.words import _, ngettext

bp = Blueprint("phases_out", __name__)

_MOST_SHOWN = 500  # jobs of a rehearsal


@bp.get("/sync/phases")
@admin_required
def index() -> ResponseReturnValue:
    if not settings().writes_phases:
        return render_template("sync/phases_off.html")
    return _page(None)


@bp.post("/sync/phases/rehearsal")
@admin_required
def rehearsal() -> ResponseReturnValue:
    """Show which jobs these rules would move, and write nothing."""
    try:
        form = _form()
        if not form.validate():
            return _page(form), form.code
        organization, choices, moves = would_move(form.rules())
    except PhasesRefused as refusal:
        flash(str(refusal), "error")
        return redirect(url_for("phases_out.index"))
    return render_template(
        "sync/phases_rehearsal.html",
        organization=organization,
        labels={phase.value: phase.label for phase in choices},
        moves=moves[:_MOST_SHOWN],
        count=len(moves),
        form=form,
    )


@bp.post("/sync/phases/start")
@admin_required
def begin() -> ResponseReturnValue:
    by = current_user()
    try:
        form = _form()
        if not form.validate():
            return _page(form), form.code
        start_phases(request.form.get("organization", ""), form.rules(), by=by, at=now())
    except PhasesRefused as refusal:
        flash(str(refusal), "error")
    else:
        flash(_("Phases go to Dataverse from now on, within a few minutes."), "success")
    return redirect(url_for("phases_out.index"))


@bp.post("/sync/phases/stop")
@admin_required
def stop() -> ResponseReturnValue:
    by = current_user()
    committing(lambda: PhaseState.stop(by=by, at=now()))
    flash(_("Stopped. No phase is written until you start it again."), "success")
    return redirect(url_for("phases_out.index"))


@bp.post("/sync/phases/try-again")
@admin_required
def try_again() -> ResponseReturnValue:
    if count := committing(JobPhase.try_again):
        one, many = "%(n)s job will be tried again.", "%(n)s jobs will be tried again."
        flash(ngettext(one, many, count), "success")
    return redirect(url_for("phases_out.index"))


def _form() -> PhaseForm:
    return PhaseForm(request.form, phases=[(phase.value, phase.label) for phase in read_choices()])


def _page(form: PhaseForm | None) -> str:
    """Return the page; without a form that was sent, with the rules that hold."""
    trouble, rules = "", PhaseRule.all()
    if form is None:
        try:
            form = PhaseForm(phases=[(phase.value, phase.label) for phase in read_choices()], rules=rules)
        except PhasesRefused as refusal:
            trouble = str(refusal)
    return render_template(
        "sync/phases.html",
        state=PhaseState.seen(),
        form=form,
        trouble=trouble,
        labels=form.labels if form else {rule.phase: rule.label for rule in rules},
        parked=JobPhase.parked(),
        lines=PhaseSent.latest(),
    )
