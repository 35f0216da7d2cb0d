"""The job board, one job's page, and the admins' forms for jobs."""

from collections.abc import Sequence
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from flask_app.config import settings
from flask_app.models import Job, JobFolder, PinnedJob, Shift, SyncRun, committing
from flask_app.models.errors import RuleViolation, ValidationError
from flask_app.models.job import ACTIVE, INACTIVE
from flask_app.models.pinned_job import jobs_at_hand
from flask_app.reporting.departments import Departments
from flask_app.reporting.hours import timesheet_of
from flask_app.reporting.job_hours import job_totals, worked_on
from flask_app.reporting.timesheet import Line, Timesheet, worked_minutes
from flask_app.sync.attention import renumbering_of
from flask_app.timeclock.clock_out import unconfirmed
from flask_app.web import questions
from flask_app.web.access import (
    admin_required,
    current_user,
    job_or_404,
    local_path,
    login_required,
    my_shift,
)
from flask_app.web.asking import asks_first
from flask_app.web.drafts import draws_again
from flask_app.web.job_form import JobForm, NewJobForm
from flask_app.web.now import now, today
from flask_app.web.parse import page_number
from flask_app.web.presenting import clock_rules
from flask_app.web.shift_forms import PunchForm
from flask_app.words import _

bp = Blueprint("jobs", __name__)

SHIFTS_PER_PAGE = 100
ON_NOW = 12  # how many of those on the clock the board names; the rest is a page of its own


@bp.get("/dashboard")
@login_required
def dashboard() -> ResponseReturnValue:
    user = current_user()
    shift, success = my_shift(), SyncRun.last_success()
    on_now, on_now_count = Shift.longest_open(limit=ON_NOW)
    at_hand, board = jobs_at_hand(user), _board()
    this_day = timesheet_of(user, today(), today(), clock_rules(), now=now()).on(today())
    return render_template(
        "jobs/dashboard.html",
        shift=shift,
        minutes=worked_minutes(shift.started_at, max(now(), shift.started_at)) if shift else 0,
        this_day=this_day,
        at_hand=at_hand,
        on_now=on_now,
        unconfirmed=unconfirmed(user),
        now_minus=now() - settings().longest_shift,
        on_now_count=on_now_count,
        synced_at=success.started_at if success else None,
        note_form=note_form(shift),
        worked=_worked(board["board"].jobs, [job for job, _pinned in at_hand], [shift.job] if shift else []),
        **board,
    )


def note_form(shift: Shift | None) -> PunchForm:
    """Return the form of a running shift's note, with the note as it is."""
    form = PunchForm()
    form.note.show(shift.note if shift else "")
    return form


def _worked(*jobs: Sequence[Job]) -> dict[int, int]:
    """Return what was worked on jobs that have an estimate, to tell how much of it is left."""
    return worked_on([job for some in jobs for job in some], now=now())


@bp.get("/jobs")
@login_required
def search() -> ResponseReturnValue:
    board = _board()
    return render_template("jobs/_results.html", worked=_worked(board["board"].jobs), **board)


@bp.get("/jobs/suggest")
@login_required
def suggest() -> ResponseReturnValue:
    """The jobs that have the typed words, for the field of a job in a form."""
    words = request.args.get("q", "")[:100]
    return render_template("jobs/_suggestions.html", jobs=Job.suggestions(words) if words.strip() else ())


def _board() -> dict[str, Any]:
    query, tab = request.args.get("q", "")[:200].strip(), request.args.get("tab", "active")
    status = INACTIVE if tab == "inactive" else ACTIVE
    board = Job.board(status=status, search=query, page=page_number())
    return {
        "board": board,
        "people_on": Shift.people_on(board.jobs),
        "q": query,
        "tab": "active" if status == ACTIVE else "inactive",
        "counts": board.counts,
    }


@bp.get("/show/job/<int:job_id>")
@login_required
def show(job_id: int) -> ResponseReturnValue:
    return job_page(job_or_404(job_id), PunchForm())


def job_page(job: Job, form: PunchForm, note: PunchForm | None = None) -> str:
    """Return a job's page, with the form to punch in on it, or of the note while one is on it."""
    departments = Departments.read()
    totals = job_totals(job, departments, clock_rules(), now=now())
    count, total_minutes = sum(t.shifts for t in totals), sum(t.minutes for t in totals)
    pages = max(1, -(-count // SHIFTS_PER_PAGE))
    page = min(page_number(), pages)
    shifts = Shift.on_job(job, limit=SHIFTS_PER_PAGE, offset=(page - 1) * SHIFTS_PER_PAGE)
    estimate = round(job.estimated_hours * 60) if job.estimated_hours else None
    return render_template(
        "jobs/show.html",
        job=job,
        folder=JobFolder.of(job) if settings().sharepoint_links else None,
        shift=my_shift(),
        totals=totals,
        total_minutes=total_minutes,
        total_open=sum(t.open for t in totals),
        total_assumed=sum(t.assumed for t in totals),
        began=min((t.first for t in totals if t.first), default=None),
        today=today(),
        estimate_minutes=estimate,
        share=round(100 * total_minutes / estimate) if estimate else None,
        groups=_by_department(shifts, departments),
        page=page,
        pages=pages,
        shift_count=count,
        on_now=Shift.open_on(job),
        renumbering=renumbering_of(job) if current_user().is_admin else None,
        form=form,
        note_form=note or note_form(my_shift()),
        is_pinned=PinnedJob.has(current_user(), job),
    )


def _by_department(shifts: Sequence[Shift], departments: Departments) -> list[tuple[str, list[Line[Shift]]]]:
    """Group shifts, latest first within each department, with what each is worth."""
    sheet = Timesheet(shifts, rules=clock_rules(), now=now())
    groups: dict[str, list[Line[Shift]]] = {}
    for day in reversed(sheet.days):
        for line in reversed(day.lines):
            code = departments.on(line.shift.user_id, day.date, line.shift.user.department)
            groups.setdefault(code, []).append(line)
    return sorted(groups.items())


@bp.post("/pin/job/<int:job_id>")
@login_required
def pin(job_id: int) -> ResponseReturnValue:
    """Keep a job at the top of one's own board, or no longer."""
    job, user, on = job_or_404(job_id), current_user(), request.form.get("on") == "yes"
    if on:
        committing(lambda: PinnedJob.pin(user, job, at=now()))
        flash(_("%(job)s is pinned to the top of your jobs.", job=job.im_number), "success")
    else:
        committing(lambda: PinnedJob.unpin(user, job))
        flash(_("%(job)s is no longer pinned.", job=job.im_number), "success")
    return redirect(local_path(request.form.get("next", "")) or url_for("jobs.show", job_id=job_id))


@bp.get("/new/job")
@admin_required
def new() -> ResponseReturnValue:
    return _form_page(None, NewJobForm())


@bp.post("/create/job")
@admin_required
@draws_again
def create() -> ResponseReturnValue:
    form = NewJobForm(request.form)
    if not form.validate():
        return _form_page(None, form), form.code
    try:
        job = committing(lambda: Job.create(form.values, by=current_user(), at=now()))
    except ValidationError as invalid:
        form.refuse(invalid)
        return _form_page(None, form), form.code
    flash(_("Job %(job)s is on the board.", job=job.im_number), "success")
    return redirect(url_for("jobs.show", job_id=job.id))


@bp.get("/edit/job/<int:job_id>")
@admin_required
def edit(job_id: int) -> ResponseReturnValue:
    job = job_or_404(job_id)
    return _form_page(job, JobForm(None, job))


@bp.post("/update/job/<int:job_id>")
@admin_required
@draws_again
@asks_first(questions.closing_job)
def update(job_id: int) -> ResponseReturnValue:
    job = job_or_404(job_id)
    form = JobForm(request.form, job)
    if not form.validate():
        return _form_page(job, form), form.code
    try:
        committing(lambda: job.edit(form.changes(job.lock()), by=current_user(), at=now()))
    except ValidationError as invalid:
        form.refuse(invalid)
        return _form_page(job_or_404(job_id), form), form.code
    flash(_("Job %(job)s is saved.", job=job.im_number), "success")
    return redirect(local_path(request.form.get("next", "")) or url_for("jobs.show", job_id=job.id))


@bp.post("/follow/job/<int:job_id>")
@admin_required
def follow(job_id: int) -> ResponseReturnValue:
    """Hand one field of a job back to Dataverse."""
    job, field = job_or_404(job_id), request.form.get("field", "")
    try:
        numbers = committing(lambda: job.follow_again(field, by=current_user(), at=now()))
    except RuleViolation as refusal:
        flash(str(refusal), "error")
    else:
        renamed = [
            _("Job %(before)s is %(after)s now.", before=before, after=after)
            for before, after in numbers
            if before != after
        ]
        flash(
            " ".join(renamed) or _("Job %(job)s follows Dataverse again here.", job=job.im_number), "success"
        )
    return redirect(local_path(request.form.get("next", "")) or url_for("jobs.show", job_id=job_id))


def _form_page(job: Job | None, form: NewJobForm) -> str:
    return render_template("jobs/form.html", job=job, form=form)
