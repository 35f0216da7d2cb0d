"""The changes: who changed what, when, from what to what, and why."""

from typing import Any

from flask import Blueprint, abort, render_template, request
from flask.typing import ResponseReturnValue

from flask_app.clock import day_bounds
from flask_app.config import settings
from flask_app.models import Audit, User
from flask_app.models.audit import ENTITIES, Wanted
from flask_app.web.access import admin_required
from flask_app.web.audit_words import by_day
from flask_app.web.parse import row_id, shop_day
from flask_app.words import lazy

bp = Blueprint("audit", __name__)

PER_PAGE = 50
_CARRIED = ("q", "what", "by", "person", "from", "to")  # what a link to an earlier page has to say again
PUNCHES = "punch"
WHAT = {
    "shift": lazy("Shifts"),
    "job": lazy("Jobs"),
    "user": lazy("People"),
    "setting": lazy("Shop rules"),
    PUNCHES: lazy("Punches"),
}


@bp.get("/admin/audit")
@admin_required
def index() -> ResponseReturnValue:
    entries = Audit.search(_wanted(), limit=PER_PAGE + 1)
    state: dict[str, Any] = {name: request.args[name] for name in _CARRIED if request.args.get(name)}
    shown, everybody = entries[:PER_PAGE], User.everybody()
    return render_template(
        "audit/index.html",
        days=by_day(shown),
        last=shown[-1].id if len(entries) > PER_PAGE else None,
        state=state,
        what=WHAT,
        admins={one.id: one.name for one in everybody if one.is_admin or str(one.id) == state.get("by")},
        people={one.id: one.name for one in everybody},
    )


def _wanted() -> Wanted:
    args, zone = request.args, settings().shop_timezone
    try:
        first, last = (shop_day(args[name]) if args.get(name) else None for name in ("from", "to"))
    except ValueError as problem:
        abort(400, str(problem))
    return Wanted(
        entity=args["what"] if args.get("what") in ENTITIES else None,
        by_id=_id("by"),
        person_id=_id("person"),
        words=args.get("q", "")[:200],
        start=day_bounds(first, zone)[0] if first else None,
        end=day_bounds(last, zone)[1] if last else None,
        before=_id("before"),
        punches=args.get("what") == PUNCHES,
    )


def _id(name: str) -> int | None:
    return row_id(request.args.get(name, "")) or None
