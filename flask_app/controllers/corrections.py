"""Workers ask for their hours to be corrected; admins answer."""

from collections.abc import Callable
from functools import partial

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from flask_app.controllers.shift_office import in_words, problems_in_words
from flask_app.models import Correction, Shift, committing
from flask_app.models.correction import FORGOT, WRONG_JOB, WRONG_TIME
from flask_app.models.errors import RuleViolation, ValidationError
from flask_app.models.pinned_job import jobs_at_hand
from flask_app.timeclock import corrections as timeclock
from flask_app.timeclock import ledger
from flask_app.web.access import (
    acting,
    admin_required,
    correction_or_404,
    current_user,
    login_required,
    my_shift,
    own_shift_or_403,
)
from flask_app.web.drafts import draws_again
from flask_app.web.forms import Form
from flask_app.web.now import now, today
from flask_app.web.parse import row_id
from flask_app.web.presenting import clock, clock_rules
from flask_app.web.shift_forms import KINDS, CorrectionForm, MissingShiftForm, SwitchForm, as_shown
from flask_app.words import _

bp = Blueprint("corrections", __name__)


@bp.get("/my/corrections/new")
@login_required
def ask() -> ResponseReturnValue:
    shift = _asked_shift()
    if shift is None:
        missing = MissingShiftForm()
        for moment in (missing.start, missing.end):
            moment.show_day(today())
        return _page(shift, missing)
    usual = FORGOT if shift.assumed_at or shift.is_open else WRONG_TIME
    form = CorrectionForm(None, as_shown(shift), kind=request.args.get("kind") or usual, note="")
    form.note.data = ""  # the shift's own note is not the request's
    if shift.is_open:
        form.end.show_day(clock_rules().day_of(shift.started_at))
    return _page(shift, form)


@bp.post("/my/corrections/new")
@login_required
@draws_again
def send() -> ResponseReturnValue:
    shift = _asked_shift()
    form = CorrectionForm(request.form) if shift else MissingShiftForm(request.form)
    if not form.validate():
        return _page(shift, form), form.code
    return _sent(lambda: _ask(shift, form), form, lambda: _page(shift, form))


@bp.get("/my/switch")
@login_required
def switched() -> ResponseReturnValue:
    """I switched jobs, but didn't punch it then."""
    shift = my_shift()
    if shift is None:
        flash(_("You're not on the clock."), "info")
        return redirect(url_for("jobs.dashboard"))
    return _switch_page(shift, SwitchForm(None, since=now()))


@bp.post("/my/switch/<int:shift_id>")
@login_required
@draws_again
def send_switch(shift_id: int) -> ResponseReturnValue:
    shift, form = _mine(own_shift_or_403(shift_id)), SwitchForm(request.form)
    if not form.validate():
        return _switch_page(shift, form), form.code
    user, since, job, said = (
        current_user(),
        form.since.data,
        form.job.data,
        {"note": form.note.data, "at": now()},
    )
    ask_switch = partial(timeclock.ask_switch, user, shift, since, job, **said)
    return _sent(ask_switch, form, lambda: _switch_page(shift, form))


@bp.post("/my/corrections/<int:correction_id>/withdraw")
@login_required
def withdraw(correction_id: int) -> ResponseReturnValue:
    asked = correction_or_404(correction_id)
    if asked.user_id != current_user().id:
        abort(403, _("This is someone else's request."))
    return _done(lambda: timeclock.withdraw(asked, at=now()), _("Request canceled."), "shifts.hours")


@bp.post("/my/shift/<int:shift_id>/confirm")
@login_required
def confirm(shift_id: int) -> ResponseReturnValue:
    """Yes, I left when it was assumed."""
    shift, by = own_shift_or_403(shift_id), acting()
    try:
        done = committing(lambda: ledger.confirm_end(shift, by=by, at=now()))
    except RuleViolation as refusal:
        flash(str(refusal), "error")
        return redirect(url_for("jobs.dashboard"))
    end = done.shift.ended_at
    flash(
        _("Thanks. You left at %(time)s.", time=clock(end)) if end else _("You're still on the clock."),
        "success",
    )
    return redirect(url_for("jobs.dashboard"))


@bp.get("/admin/corrections")
@admin_required
def queue() -> ResponseReturnValue:
    return render_template(
        "corrections/queue.html", waiting=Correction.waiting(), decided=Correction.decided(), kinds=KINDS
    )


@bp.post("/admin/corrections/<int:correction_id>/approve")
@admin_required
def approve(correction_id: int) -> ResponseReturnValue:
    asked, by = correction_or_404(correction_id), current_user()
    words = _("%(name)s's hours are corrected.", name=asked.user.name)
    return _done(lambda: timeclock.approve(asked, by=by, at=now()), words, "corrections.queue")


@bp.post("/admin/corrections/<int:correction_id>/decline")
@admin_required
def decline(correction_id: int) -> ResponseReturnValue:
    asked, by, answer = correction_or_404(correction_id), current_user(), request.form.get("answer", "")
    words = _("%(name)s will see that the hours stay as they are.", name=asked.user.name)
    return _done(lambda: timeclock.decline(asked, by=by, at=now(), answer=answer), words, "corrections.queue")


def _sent(work: Callable[[], object], form: Form, page: Callable[[], str]) -> ResponseReturnValue:
    """Send a request to the office; one that can't be is drawn again with what was typed."""
    try:
        committing(work)
    except ValidationError as invalid:
        form.refuse(in_words(invalid))
        return page(), form.code
    except RuleViolation as refusal:
        flash(str(refusal), "error")
    else:
        flash(_("Sent to the office. The answer will appear here."), "success")
    return redirect(url_for("shifts.hours"))


def _done(work: Callable[[], object], words: str, endpoint: str) -> ResponseReturnValue:
    try:
        committing(work)
    except ValidationError as invalid:
        flash(" ".join(problems_in_words(invalid).values()), "error")
    except RuleViolation as refusal:
        flash(str(refusal), "error")
    else:
        flash(words, "success")
    return redirect(url_for(endpoint))


def _asked_shift() -> Shift | None:
    """The shift that the address names, which has to be one's own."""
    number = row_id(request.args.get("shift", ""))
    if not number:
        return None
    return _mine(own_shift_or_403(number))


def _mine(shift: Shift) -> Shift:
    """Refuse somebody else's shift, which an admin corrects without asking."""
    if shift.user_id != current_user().id:
        abort(403, _("This is someone else's shift. You're an admin: correct it yourself."))
    return shift


def _ask(shift: Shift | None, form: MissingShiftForm) -> Correction:
    """Ask for what the form says, and where it is about something else, for what the shift is."""
    kind, job, start, end = form.asks_for, form.job.data, form.start.data, form.end.data
    if shift:
        job = job if kind == WRONG_JOB else shift.job
        start = start if kind == WRONG_TIME else shift.started_at
        end = shift.ended_at if kind == WRONG_JOB else end
    return timeclock.ask(current_user(), kind, shift, start, end, job, note=form.note.data, at=now())


def _switch_page(shift: Shift, form: SwitchForm) -> str:
    jobs = [job for job, _pinned in jobs_at_hand(current_user()) if job.id != shift.job_id]
    before = Shift.just_before(shift)
    return render_template("corrections/switch.html", shift=shift, form=form, jobs=jobs, before=before)


def _page(shift: Shift | None, form: MissingShiftForm) -> str:
    return render_template("corrections/new.html", shift=shift, form=form)
