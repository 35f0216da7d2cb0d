"""One or many people onto one job from a given time: first what would happen, then doing it."""

from collections.abc import Sequence
from datetime import datetime

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from flask_app.controllers.shift_office import overlap_sentence
from flask_app.models import Job, User, committing
from flask_app.models.errors import RuleViolation, ValidationError
from flask_app.timeclock.assignment import AFTER, LEAVE, MOVE, START, Case, assign, checked_start, look
from flask_app.timeclock.ledger import Overlaps
from flask_app.timeclock.shift_rules import same_minute
from flask_app.web.access import acting, admin_required
from flask_app.web.drafts import draws_again
from flask_app.web.forms import NOT_SAVED
from flask_app.web.now import now
from flask_app.web.presenting import stamp
from flask_app.web.shift_forms import AssignForm
from flask_app.words import _, lazy, ngettext, noted

bp = Blueprint("assign", __name__)

REASON = noted("Assigned by an admin.")


@bp.get("/admin/assign_shift")
@bp.get("/batch_assign_shifts")
@admin_required
def index() -> ResponseReturnValue:
    job = Job.numbered(request.args["job"]) if request.args.get("job") else None
    return _page(AssignForm(job=job, start=now()), set(request.args.getlist("person")))


@bp.post("/admin/assign_shift")
@bp.post("/batch_assign_shifts")
@admin_required
@draws_again
def preview() -> ResponseReturnValue:
    """Show what would happen to each person, and do nothing."""
    form, ticked = AssignForm(request.form), set(request.form.getlist("person"))
    people = [person for person in User.everybody() if str(person.id) in ticked]
    if not _can_start(form) or not people:
        nobody = "" if people or form.only_looks else _("Select the people first.")
        form.says = form.says or (str(NOT_SAVED) if nobody else "")
        return _page(form, ticked, nobody), form.code
    job, at = form.job.data, _start_of(form)
    return render_template(
        "assign/preview.html", cases=look(people, job, at), job=job, at=at, form=form, words=_WORDS,
        case_sentence=case_sentence,
    )  # fmt: skip


def _can_start(form: AssignForm) -> bool:
    """Whether shifts may begin as the form says; if not, the form says why."""
    if not form.validate():
        return False
    try:
        checked_start(form.job.data, _start_of(form), now=now())
    except ValidationError as invalid:
        form.refuse(invalid)
        return False
    return True


def _start_of(form: AssignForm) -> datetime:
    """Return when the shifts begin: in the minute that is running, at this very moment."""
    at: datetime = form.start.data or now()
    return now() if same_minute(at, now()) else at


_WORDS = {
    START: lazy("Start at"),
    MOVE: lazy("Move at"),
    AFTER: lazy("Start after the last punch, at"),
    LEAVE: lazy("Leave as it is"),
}


@bp.post("/admin/assign_shift/start")
@admin_required
def start() -> ResponseReturnValue:
    """Do what was decided for each person; whoever punched meanwhile is left alone and named."""
    form = AssignForm(request.form)
    if not _can_start(form):
        chosen = {name.removeprefix("choice-") for name in request.form if name.startswith("choice-")}
        return _page(form, chosen), form.code
    job, at, done = form.job.data, _start_of(form), 0
    number, reason = job.im_number, form.reason.data or REASON
    for person in (person for person in User.everybody() if f"choice-{person.id}" in request.form):
        done += _start_one(person, job, at, reason)
    moved = ngettext("%(n)s person is now on %(job)s.", "%(n)s people are now on %(job)s.", done, job=number)
    flash(moved if done else _("Nobody was moved."), "info")
    return redirect(url_for("today.show"))


def _start_one(person: User, job: Job, at: datetime, reason: str) -> bool:
    choice, seen = request.form[f"choice-{person.id}"], request.form.get(f"seen-{person.id}", "")
    by, name = acting(), person.name
    try:
        done = committing(lambda: assign(person, job, at, choice, seen, by=by, now=now(), reason=reason))
    except Overlaps as overlap:
        flash(overlap_sentence(overlap.other), "error")
    except RuleViolation as refusal:
        flash(str(refusal) if name in str(refusal) else f"{name}: {refusal}", "error")
    else:
        return done is not None
    return False


def _page(form: AssignForm, ticked: set[str], nobody: str = "") -> str:
    people: Sequence[User] = [person for person in User.everybody() if person.is_active]
    return render_template("assign/index.html", form=form, people=people, ticked=ticked, nobody=nobody)


def case_sentence(case: Case) -> str:
    """Say what stands in the way of one person."""
    shift = case.shift
    if shift is None:
        return case.problem
    job, start = shift.job.im_number, stamp(shift.started_at)
    if shift.ended_at:
        sentence = _("On %(job)s from %(start)s to %(end)s.", job=job, start=start, end=stamp(shift.ended_at))
    else:
        sentence = _("On %(job)s since %(start)s.", job=job, start=start)
    return f"{sentence} {case.problem}" if case.problem else sentence
