"""Time sheets to print and sign: a page per person and period."""

from collections.abc import Sequence
from datetime import timedelta
from itertools import groupby

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from flask_app.clock import day_bounds
from flask_app.models import Shift, User
from flask_app.models.user import DEPARTMENTS
from flask_app.reporting.hours import timesheet_of
from flask_app.reporting.timesheet import Timesheet
from flask_app.web.access import admin_required, current_user, login_required
from flask_app.web.now import now, today
from flask_app.web.parse import row_id
from flask_app.web.presenting import time_rules
from flask_app.web.ranges import PRESETS, Range, asked_range
from flask_app.words import _

bp = Blueprint("timesheets", __name__)

LONGEST_FOR_ALL = timedelta(days=31)  # of more than one person at once
Sheet = tuple[User, Timesheet[Shift]]


@bp.get("/my/timesheet")
@login_required
def mine() -> ResponseReturnValue:
    days, problem = _days()
    person = current_user()
    sheet = timesheet_of(person, days.first, days.last, time_rules(), now=now())
    return _page([(person, sheet)], days, problem)


@bp.get("/reports/timesheets")
@admin_required
def index() -> ResponseReturnValue:
    days, problem = _days()
    person, department = row_id(request.args.get("person", "")), request.args.get("department", "")
    if person is None and days.last - days.first > LONGEST_FOR_ALL:
        problem, days = (
            _("Choose one employee for more than 31 days."),
            asked_range({}, usual=USUAL, today=today()),
        )
    sheets = _sheets(days, person, department if department in DEPARTMENTS else "")
    return _page(sheets, days, problem, people=User.names())


USUAL = "two_weeks"


def _days() -> tuple[Range, str]:
    try:
        return asked_range(request.args, usual=USUAL, today=today()), ""
    except ValueError as problem:
        return asked_range({}, usual=USUAL, today=today()), str(problem)


def _sheets(days: Range, person: int | None, department: str) -> list[Sheet]:
    """Return the sheets of everybody who worked on these days, by name."""
    rules = time_rules()
    start, end = day_bounds(days.first, rules.zone)[0], day_bounds(days.last, rules.zone)[1]
    shifts = Shift.by_person(start=start, end=end, user_id=person, department=department)
    return [
        (user, Timesheet(list(theirs), rules=rules, now=now(), between=(days.first, days.last)))
        for user, theirs in groupby(shifts, key=lambda shift: shift.user)
    ]


def _page(
    sheets: Sequence[Sheet], days: Range, problem: str, people: dict[int, str] | None = None
) -> ResponseReturnValue:
    state = {name: text for name, text in request.args.items() if name in ("person", "department")}
    return render_template(
        "reports/timesheets.html", sheets=sheets, days=days, problem=problem, presets=PRESETS, people=people,
        state=state, carried=state,
    ), 422 if problem else 200  # fmt: skip
