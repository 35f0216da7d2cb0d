"""One person's dated facts: on which weekdays somebody works, from which day on."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from flask_app.models import User, WorkingWeek, committing
from flask_app.models.errors import ValidationError
from flask_app.models.working_week import weekdays_of
from flask_app.web.access import admin_required, current_user, user_or_404
from flask_app.web.now import now, today
from flask_app.web.parse import shop_day

bp = Blueprint("employment", __name__)


@bp.get("/employment/user/<int:user_id>")
@admin_required
def show(user_id: int) -> ResponseReturnValue:
    return _page(user_or_404(user_id), {})


@bp.post("/employment/user/<int:user_id>/week")
@admin_required
def week(user_id: int) -> ResponseReturnValue:
    person, form, by = user_or_404(user_id), request.form, current_user()
    numbers = [int(text) for text in form.getlist("weekday") if text in set("0123456")]
    try:
        day = shop_day(form.get("from_day", ""))
        committing(lambda: WorkingWeek.set(person, weekdays_of(numbers), day, by=by, at=now()))
    except ValidationError as invalid:
        return _page(person, invalid.problems), 422
    except ValueError as problem:
        return _page(person, {"week_from_day": str(problem)}), 422
    flash(f"{person.name}'s working days are saved.", "success")
    return redirect(url_for("employment.show", user_id=person.id))


def _page(person: User, problems: dict[str, str]) -> str:
    return render_template(
        "employment/show.html", person=person, problems=problems, week=WorkingWeek.of(person), day=today()
    )
