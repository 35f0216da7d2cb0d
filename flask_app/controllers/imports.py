"""People and jobs from a CSV file: choose it, look at what it would do, do it."""

import csv
import io
from collections.abc import Sequence

from flask import Blueprint, Response, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from flask_app.models import committing
from flask_app.models.errors import RuleViolation
from flask_app.web import imports
from flask_app.web.access import admin_required, current_user
from flask_app.web.csv_table import LARGEST, NoTable, decoded
from flask_app.web.imports import KINDS, WRONG, Import, Line
from flask_app.web.now import now
from flask_app.words import _, ngettext

bp = Blueprint("imports", __name__)


def _kind(code: str) -> Import:
    return KINDS.get(code) or abort(404)


@bp.get("/admin/import/<kind>")
@admin_required
def index(kind: str) -> ResponseReturnValue:
    return _page(_kind(kind))


def _page(kind: Import, problem: str = "") -> str:
    return render_template("imports/index.html", kind=kind, problem=problem, largest=LARGEST // 1024)


@bp.get("/admin/import/<kind>/template.csv")
@admin_required
def template(kind: str) -> ResponseReturnValue:
    """A file to fill in: the names of the columns, and an example."""
    chosen, file = _kind(kind), io.StringIO()
    csv.writer(file).writerows([[str(words) for words in chosen.columns.values()], *chosen.example])
    answer = Response("\ufeff" + file.getvalue(), mimetype="text/csv")
    answer.headers["Content-Disposition"] = f'attachment; filename="{chosen.code}.csv"'
    return answer


@bp.post("/admin/import/<kind>")
@admin_required
def preview(kind: str) -> ResponseReturnValue:
    """Show what each line would do, and do nothing."""
    chosen, file = _kind(kind), request.files.get("file")
    if file is None or not file.filename:
        return _page(chosen, _("Choose a file first.")), 422
    try:
        text = decoded(file.read(LARGEST + 1))
        lines, strange = chosen.lines(text)
    except NoTable as problem:
        return _page(chosen, str(problem)), 422
    return _preview_page(chosen, lines, strange, imports.carried(text))


def _preview_page(kind: Import, lines: Sequence[Line], strange: Sequence[str], token: str) -> str:
    by_state = {state: [line for line in lines if line.state == state] for state in imports.STATES}
    return render_template(
        "imports/preview.html", kind=kind, by_state=by_state, strange=strange, token=token, lines=lines
    )


@bp.post("/admin/import/<kind>/apply")
@admin_required
def apply(kind: str) -> ResponseReturnValue:
    """Add what is new, all of it or nothing."""
    chosen = _kind(kind)
    try:
        text = imports.read_again(request.form.get("import", ""))
        lines, strange = chosen.lines(text)
    except (RuleViolation, NoTable) as problem:
        return _page(chosen, str(problem)), 422
    if any(line.state == WRONG for line in lines):
        return _preview_page(chosen, lines, strange, imports.carried(text)), 422
    try:
        return _add_people(chosen, text, lines) if chosen.code == "people" else _add_jobs(chosen, text)
    except RuleViolation as refusal:
        return _page(chosen, str(refusal)), 422


def _add_people(kind: Import, text: str, lines: Sequence[Line]) -> ResponseReturnValue:
    passwords, by = imports.one_time_passwords(lines), current_user()
    added = committing(lambda: imports.save_people(kind.lines(text)[0], passwords, by=by, at=now()))
    if not added:
        flash(_("Nothing new in this file: everyone is here already."), "info")
        return redirect(url_for("users.manage"))
    shown = [(person, passwords[person.email][0]) for person in added]
    return render_template("imports/passwords.html", people=shown)


def _add_jobs(kind: Import, text: str) -> ResponseReturnValue:
    by = current_user()
    added = len(committing(lambda: imports.save_jobs(kind.lines(text)[0], by=by, at=now())))
    if added:
        flash(ngettext("%(n)s job is added.", "%(n)s jobs are added.", added), "success")
    else:
        flash(_("Nothing new in this file: every job is here already."), "info")
    return redirect(url_for("jobs.dashboard"))
