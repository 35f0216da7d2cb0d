"""One or many people onto one job from a given time: first what would happen, then doing it."""

from collections.abc import Sequence
from datetime import datetime

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from flask_app.controllers.shift_office import overlap_sentence
from flask_app.models import Job, User, committing
from flask_app.models.audit import REASON_MAX
from flask_app.models.errors import RuleViolation, ValidationError
from flask_app.models.types import plain
from flask_app.timeclock.assignment import AFTER, LEAVE, MOVE, START, Case, assign, checked_start, look
from flask_app.timeclock.ledger import Overlaps
from flask_app.web.access import acting, admin_required
from flask_app.web.now import now
from flask_app.web.presenting import stamp
from flask_app.web.times import as_fields, from_fields

bp = Blueprint("assign", __name__)

REASON = "Assigned by an admin."


@bp.get("/admin/assign_shift")
@bp.get("/batch_assign_shifts")
@admin_required
def index() -> ResponseReturnValue:
    form = {"job": request.args.get("job", ""), **as_fields("start", now())}
    return _page(form, {}, set(request.args.getlist("person")))


@bp.post("/admin/assign_shift")
@bp.post("/batch_assign_shifts")
@admin_required
def preview() -> ResponseReturnValue:
    """Show what would happen to each person, and do nothing."""
    form, ticked = request.form, set(request.form.getlist("person"))
    try:
        job, at = _job_and_start()
        people = [person for person in User.everybody() if str(person.id) in ticked]
        if not people:
            raise ValidationError({"person": "Tick the people first."})
    except ValidationError as invalid:
        return _page(form, invalid.problems, ticked), 422
    cases = look(people, job, at)
    return render_template(
        "assign/preview.html",
        cases=cases,
        job=job,
        at=at,
        form=form,
        words=_WORDS,
        case_sentence=case_sentence,
    )


_WORDS = {
    START: "Start at",
    MOVE: "Move at",
    AFTER: "Start after the last punch, at",
    LEAVE: "Leave as it is",
}


@bp.post("/admin/assign_shift/start")
@admin_required
def start() -> ResponseReturnValue:
    """Do what was decided for each person; whoever punched meanwhile is left alone and named."""
    reason = plain(request.form.get("reason", ""))[:REASON_MAX] or REASON
    try:
        job, at = _job_and_start()
    except ValidationError as invalid:
        flash(str(invalid), "error")
        return redirect(url_for("assign.index"))
    number, done = job.im_number, 0
    for person in (person for person in User.everybody() if f"choice-{person.id}" in request.form):
        done += _start_one(person, job, at, reason)
    people = "person is" if done == 1 else "people are"
    flash(f"{done} {people} on {number} now." if done else "Nobody was moved.", "info")
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


def _job_and_start() -> tuple[Job, datetime]:
    form = request.form
    problems: dict[str, str] = {}
    job = Job.numbered(form.get("job", ""))
    if job is None:
        problems["job"] = "There is no such job. Look at its IM number again."
    try:
        at = from_fields("start", form, was=now()) or now()
    except ValueError as problem:
        problems["start"] = str(problem)
    if problems or job is None:
        raise ValidationError(problems)
    checked_start(job, at, now=now())
    return job, at


def _page(form: object, problems: dict[str, str], ticked: set[str]) -> str:
    people: Sequence[User] = [person for person in User.everybody() if person.is_active]
    return render_template("assign/index.html", form=form, problems=problems, people=people, ticked=ticked)


def case_sentence(case: Case) -> str:
    """Say what stands in the way of one person."""
    shift = case.shift
    if shift is None:
        return case.problem
    until = f" until {stamp(shift.ended_at)}" if shift.ended_at else ""
    sentence = f"On {shift.job.im_number} since {stamp(shift.started_at)}{until}."
    return f"{sentence} {case.problem}" if case.problem else sentence
