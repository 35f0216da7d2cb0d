"""One person's dated facts: departments, employments and working days, with the days from which they hold."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from flask_app import formats
from flask_app.models import DepartmentStay, Employment, User, WorkingWeek, committing
from flask_app.models.errors import ValidationError
from flask_app.models.user import DEPARTMENTS
from flask_app.models.working_week import weekdays_of
from flask_app.timeclock import people
from flask_app.web import questions
from flask_app.web.access import admin_required, current_user, user_or_404
from flask_app.web.asking import asks_first
from flask_app.web.dated_forms import MoveForm, WeekForm
from flask_app.web.now import now, today
from flask_app.web.parse import shop_day
from flask_app.words import _

bp = Blueprint("employment", __name__)


@bp.get("/employment/user/<int:user_id>")
@admin_required
def show(user_id: int) -> ResponseReturnValue:
    return _page(user_or_404(user_id))


@bp.post("/employment/user/<int:user_id>/week")
@admin_required
def week(user_id: int) -> ResponseReturnValue:
    person, form, by = user_or_404(user_id), WeekForm(request.form), current_user()
    numbers = [int(text) for text in request.form.getlist("weekday") if text in set("0123456")]
    if not form.validate():
        return _page(person, week_form=form), 422
    day = form.from_day.data
    committing(lambda: WorkingWeek.set(person, weekdays_of(numbers), day, by=by, at=now()))
    flash(_("%(name)s's working days are saved.", name=person.name), "success")
    return redirect(url_for("employment.show", user_id=person.id))


@bp.post("/employment/user/<int:user_id>/department")
@admin_required
@asks_first(questions.changing_department)
def department(user_id: int) -> ResponseReturnValue:
    """Move somebody from a day on, which may be over: the sums of the days since then move too."""
    person, form, by = user_or_404(user_id), MoveForm(request.form), current_user()
    if not form.validate():
        return _page(person, move_form=form), 422
    code, day = form.department.data, form.from_day.data
    try:
        committing(lambda: people.move(person, code, day, by=by, at=now(), today=today()))
    except ValidationError as invalid:
        form.refuse(invalid)
        return _page(user_or_404(user_id), move_form=form), form.code
    flash(
        _(
            "%(name)s is in %(department)s from %(day)s.",
            name=person.name,
            department=DEPARTMENTS[code],
            day=formats.day(day),
        ),
        "success",
    )
    return redirect(url_for("employment.show", user_id=person.id))


@bp.post("/employment/user/<int:user_id>/department/remove")
@admin_required
def remove_move(user_id: int) -> ResponseReturnValue:
    person, by = user_or_404(user_id), current_user()
    try:
        day = shop_day(request.form.get("day", ""))
        taken = committing(lambda: people.take_move_back(person, day, by=by, at=now(), today=today()))
    except ValueError as problem:
        flash(str(problem), "error")
    except ValidationError as invalid:
        flash(str(invalid), "error")
    else:
        flash(_("The move is undone.") if taken else _("There was no such move."), "success")
    return redirect(url_for("employment.show", user_id=user_id))


def _page(person: User, *, move_form: MoveForm | None = None, week_form: WeekForm | None = None) -> str:
    return render_template(
        "employment/show.html",
        person=person,
        day=today(),
        stays=DepartmentStay.of(person),
        employments=Employment.of(person),
        week=WorkingWeek.of(person),
        move_form=move_form or MoveForm(from_day=today()),
        week_form=week_form or WeekForm(from_day=today()),
    )
