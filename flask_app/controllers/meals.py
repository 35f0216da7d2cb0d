"""The meal rule: which held when, and from which day on another one does."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from flask_app import formats
from flask_app.config import settings
from flask_app.models import TimeRule, committing
from flask_app.models.errors import ValidationError
from flask_app.web.access import admin_required, current_user
from flask_app.web.dated_forms import MealForm
from flask_app.web.now import now, today
from flask_app.web.parse import shop_day
from flask_app.web.presenting import time_rules
from flask_app.words import _

bp = Blueprint("meals", __name__)


@bp.get("/admin/rules/meals")
@admin_required
def index() -> ResponseReturnValue:
    rule = time_rules().meal_rule(today())
    return _page(MealForm(minutes=rule.minutes, after=rule.after / 60, from_day=today()))


@bp.post("/admin/rules/meals")
@admin_required
def save() -> ResponseReturnValue:
    form = MealForm(request.form)
    if not form.validate():
        return _page(form), 422
    try:
        committing(lambda: _set(form))
    except ValidationError as invalid:
        form.refuse(invalid)
        return _page(form), form.code
    flash(
        _("This rule applies from %(day)s. Earlier days stay the same.", day=formats.day(form.from_day.data)),
        "success",
    )
    return redirect(url_for("meals.index"))


def _set(form: MealForm) -> None:
    config = settings()
    TimeRule.begin(config.meal_minutes, config.meal_after)
    after = round(form.after.data * 60)
    TimeRule.set(form.minutes.data, after, form.from_day.data, by=current_user(), at=now())


@bp.post("/admin/rules/meals/remove")
@admin_required
def remove() -> ResponseReturnValue:
    by = current_user()
    try:
        day = shop_day(request.form.get("day", ""))
    except ValueError as problem:
        flash(str(problem), "error")
        return redirect(url_for("meals.index"))
    if committing(lambda: TimeRule.remove(day, by=by, at=now())):
        flash(_("The rule before it applies again."), "success")
    return redirect(url_for("meals.index"))


def _page(form: MealForm) -> str:
    return render_template("rules/meals.html", rules=time_rules(), form=form, day=today())
