"""Workers ask for their hours to be corrected; admins answer."""

from collections.abc import Callable, Mapping
from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from flask_app.controllers.shift_office import problems_in_words
from flask_app.models import Correction, Job, Shift, committing
from flask_app.models.correction import FORGOT, MISSING, WRONG_JOB, WRONG_TIME
from flask_app.models.errors import RuleViolation, ValidationError
from flask_app.timeclock import corrections as timeclock
from flask_app.timeclock import ledger
from flask_app.web.access import (
    acting,
    admin_required,
    correction_or_404,
    current_user,
    login_required,
    own_shift_or_403,
)
from flask_app.web.now import now, today
from flask_app.web.parse import row_id
from flask_app.web.presenting import clock
from flask_app.web.times import as_fields, from_fields

bp = Blueprint("corrections", __name__)

KINDS = {FORGOT: "I forgot to punch out", WRONG_JOB: "It's the wrong job", WRONG_TIME: "A time is wrong"}


@bp.get("/my/corrections/new")
@login_required
def ask() -> ResponseReturnValue:
    shift = _asked_shift()
    form = _as_form(shift) if shift else {"start_day": today().isoformat(), "end_day": today().isoformat()}
    kind = request.args.get("kind") or (
        FORGOT if shift and (shift.assumed_at or shift.is_open) else WRONG_TIME
    )
    return _page(shift, {**form, "kind": kind}, {})


@bp.post("/my/corrections/new")
@login_required
def send() -> ResponseReturnValue:
    shift, form = _asked_shift(), request.form
    try:
        committing(lambda: _ask(shift, form))
    except ValidationError as invalid:
        return _page(shift, form, problems_in_words(invalid)), 422
    except RuleViolation as refusal:
        flash(str(refusal), "error")
        return redirect(url_for("shifts.hours"))
    flash("The office will look at it. You see the answer here.", "success")
    return redirect(url_for("shifts.hours"))


@bp.post("/my/corrections/<int:correction_id>/withdraw")
@login_required
def withdraw(correction_id: int) -> ResponseReturnValue:
    asked = correction_or_404(correction_id)
    if asked.user_id != current_user().id:
        abort(403, "This is somebody else's request.")
    return _done(lambda: timeclock.withdraw(asked, at=now()), "You took your request back.", "shifts.hours")


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
    flash(f"Thanks. You left at {clock(end)}." if end else "You're still on the clock.", "success")
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
    words = f"{asked.user.name}'s hours are corrected."
    return _done(lambda: timeclock.approve(asked, by=by, at=now()), words, "corrections.queue")


@bp.post("/admin/corrections/<int:correction_id>/decline")
@admin_required
def decline(correction_id: int) -> ResponseReturnValue:
    asked, by, answer = correction_or_404(correction_id), current_user(), request.form.get("answer", "")
    words = f"{asked.user.name} sees that the hours stay as they are."
    return _done(lambda: timeclock.decline(asked, by=by, at=now(), answer=answer), words, "corrections.queue")


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
    shift = own_shift_or_403(number)
    if shift.user_id != current_user().id:
        abort(403, "This is somebody else's shift. Correct it yourself, you're an admin.")
    return shift


def _ask(shift: Shift | None, form: Mapping[str, str]) -> Correction:
    kind = form.get("kind", "") if shift else MISSING
    problems: dict[str, str] = {} if kind in KINDS or not shift else {"kind": "Say what is wrong."}
    times: dict[str, Any] = {
        "start": shift.started_at if shift else None,
        "end": shift.ended_at if shift else None,
    }
    for name in _ASKED.get(kind, ()):
        try:
            times[name] = from_fields(name, form, was=times[name])
            if times[name] is None:
                problems[name] = "Fill in the day and the time."
        except ValueError as problem:
            problems[name] = str(problem)
    job = shift.job if shift and kind != WRONG_JOB else Job.numbered(form.get("job", ""))
    if job is None:
        problems["job"] = "There is no such job. Look at its IM number again."
    if problems or job is None:
        raise ValidationError(problems)
    note = form.get("note", "")
    return timeclock.ask(current_user(), kind, shift, times["start"], times["end"], job, note=note, at=now())


_ASKED = {FORGOT: ("end",), WRONG_JOB: (), WRONG_TIME: ("start", "end"), MISSING: ("start", "end")}


def _as_form(shift: Shift) -> dict[str, str]:
    end = as_fields("end", shift.ended_at)
    if not shift.ended_at:
        end["end_day"] = as_fields("start", shift.started_at)["start_day"]
    return {"job": shift.job.im_number, **as_fields("start", shift.started_at), **end}


def _page(shift: Shift | None, form: Mapping[str, str], problems: dict[str, str]) -> str:
    return render_template("corrections/new.html", shift=shift, form=form, problems=problems, kinds=KINDS)
