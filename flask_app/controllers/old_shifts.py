"""Old shifts that moving in set aside: admins look at them, fix one or several, dismiss, take back."""

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from flask_app.adopt import set_aside
from flask_app.adopt.set_aside import DISMISS, RULE_WORDS, SAFE, Proposal
from flask_app.config import settings
from flask_app.controllers.shift_office import in_words, problems_in_words
from flask_app.models import AdoptedRow, Shift, committing
from flask_app.models.adopted_row import SetAside
from flask_app.models.errors import RuleViolation, ValidationError
from flask_app.models.shift import NOTE_MAX
from flask_app.web.access import acting, admin_required
from flask_app.web.drafts import draws_again
from flask_app.web.now import now
from flask_app.web.old_shift_forms import OLD_HOWS, DismissOldShiftForm, OldShiftForm, OldShiftsForm
from flask_app.web.parse import page_number, row_id
from flask_app.web.shift_forms import NO_REASON
from flask_app.words import _, ngettext

bp = Blueprint("old_shifts", __name__)

PER_PAGE = 50
MOST = 250  # rows settled at once
_CARRIED = ("rule", "q", "settled")


@bp.get("/admin/old_shifts")
@admin_required
def index() -> ResponseReturnValue:
    return _page(OldShiftsForm())


def _page(form: OldShiftsForm, ticked: Sequence[int] = (), nothing: str = "") -> str:
    wanted = _wanted()
    total = AdoptedRow.waiting_count(wanted)
    pages = max(1, -(-total // PER_PAGE))
    page = min(page_number(), pages)
    state = {name: request.values[name] for name in _CARRIED if request.values.get(name)}
    rows = AdoptedRow.waiting(wanted, limit=PER_PAGE, offset=(page - 1) * PER_PAGE)
    return render_template(
        "old_shifts/index.html", rows=rows, wanted=wanted, total=total, page=page, pages=pages, state=state,
        form=form, ticked=ticked, nothing=nothing, rules=_rules(wanted), hows=_hows(wanted.rule), most=MOST,
        why=set_aside.why, waiting=AdoptedRow.waiting_count(),
    )  # fmt: skip


def _wanted() -> SetAside:
    rule = request.values.get("rule", "")
    return SetAside(
        rule=rule if rule in RULE_WORDS else "",
        words=request.values.get("q", "")[:100],
        settled=request.values.get("settled") == "yes",
    )


def _rules(wanted: SetAside) -> dict[str, str]:
    """The rules that set something aside, with how many rows each."""
    counts: dict[str, int] = {}
    for rules, count in AdoptedRow.waiting_rules(SetAside(settled=wanted.settled)):
        for rule in set(rules.split()) & RULE_WORDS.keys():
            counts[rule] = counts.get(rule, 0) + count
    return {rule: f"{RULE_WORDS[rule]} ({counts[rule]:,})" for rule in RULE_WORDS if rule in counts}


def _hows(rule: str) -> dict[str, str]:
    """What can be done at once with rows that this rule set aside."""
    return {how: OLD_HOWS[how] for how in (*SAFE.get(rule, ()), DISMISS)}


@bp.get("/admin/old_shifts/<int:old_id>")
@admin_required
def show(old_id: int) -> ResponseReturnValue:
    row = _row_or_404(old_id)
    form = _proposed(row)
    return _row_page(row, form)


def _proposed(row: AdoptedRow) -> OldShiftForm:
    """A form with what is known of an old shift."""
    return OldShiftForm(
        user_id=row.person, job=row.job, start=row.started_at, end=row.ended_at, note=_note_of(row)
    )


def _row_or_404(old_id: int) -> AdoptedRow:
    try:
        return set_aside.row_of(old_id) if 0 <= old_id < 2**31 else abort(404)
    except RuleViolation as refusal:
        abort(404, str(refusal))


def _row_page(row: AdoptedRow, form: OldShiftForm, dismissal: DismissOldShiftForm | None = None) -> str:
    has_shift = row.new_id is not None and Shift.reread(row.new_id) is not None
    return render_template(
        "old_shifts/show.html", row=row, form=form, dismissal=dismissal or DismissOldShiftForm(),
        why=set_aside.why, has_shift=has_shift,
    )  # fmt: skip


@bp.post("/admin/old_shifts/<int:old_id>")
@admin_required
@draws_again
def repair(old_id: int) -> ResponseReturnValue:
    row, form = _row_or_404(old_id), OldShiftForm(request.form)
    if not form.validate():
        return _row_page(row, form), form.code
    try:
        shift = committing(lambda: _repair(old_id, form))
    except ValidationError as invalid:
        form.refuse(in_words(invalid))
        return _row_page(_row_or_404(old_id), form), form.code
    except RuleViolation as refusal:
        form.says = str(refusal)
        return _row_page(_row_or_404(old_id), form), form.code
    flash(
        _("Fixed. %(name)s has this shift on %(job)s now.", name=shift.user.name, job=shift.job.im_number),
        "success",
    )
    return redirect(url_for("old_shifts.index"))


def _repair(old_id: int, form: OldShiftForm) -> Shift:
    return set_aside.repair(
        old_id, form.user_id.data, form.job.data, form.start.data, form.end.data, by=acting(), at=now(),
        reason=form.reason.data, note=form.note.data,
    )  # fmt: skip


@bp.post("/admin/old_shifts/<int:old_id>/dismiss")
@admin_required
@draws_again
def dismiss(old_id: int) -> ResponseReturnValue:
    row, form = _row_or_404(old_id), DismissOldShiftForm(request.form)
    if not form.validate():
        return _row_page(row, _proposed(row), form), form.code
    try:
        committing(lambda: set_aside.dismiss(old_id, by=acting(), at=now(), reason=form.reason.data))
    except RuleViolation as refusal:
        form.says = str(refusal)
        row = _row_or_404(old_id)
        return _row_page(row, _proposed(row), form), form.code
    flash(_("Dismissed. It counts no hours; you find it under Settled."), "success")
    return redirect(url_for("old_shifts.index"))


@bp.post("/admin/old_shifts/<int:old_id>/take_back")
@admin_required
def take_back(old_id: int) -> ResponseReturnValue:
    _row_or_404(old_id)
    try:
        committing(lambda: set_aside.take_back(old_id, by=acting(), at=now()))
    except RuleViolation as refusal:
        flash(str(refusal), "error")
    else:
        flash(_("It waits again."), "success")
    return redirect(url_for("old_shifts.show", old_id=old_id))


@bp.post("/admin/old_shifts")
@admin_required
@draws_again
def preview() -> ResponseReturnValue:
    """Show what would become of the ticked rows, and do nothing."""
    form, rows = OldShiftsForm(request.form), _ticked()
    if not form.validate() or not rows:
        nothing = "" if rows else _("Select some shifts first.")
        return _page(form, [row.old_id for row in rows], nothing), form.code
    return _preview_page(form, rows)


def _ticked() -> Sequence[AdoptedRow]:
    """The waiting rows that are ticked; or all that the filters show, up to MOST."""
    if request.form.get("all"):
        return AdoptedRow.waiting(_wanted(), limit=MOST)
    ids = {old_id for text in request.form.getlist("row") if (old_id := row_id(text)) is not None}
    return AdoptedRow.waiting_among(sorted(ids)[:MOST])


def _preview_page(form: OldShiftsForm, rows: Sequence[AdoptedRow]) -> str:
    how = form.how.data
    lines = [Proposal(row) for row in rows]
    if how != DISMISS:
        lines = set_aside.proposals(rows, how, form.at.data, settings().shop_timezone, now=now())
    state = {name: request.values[name] for name in _CARRIED if request.values.get(name)}
    return render_template(
        "old_shifts/preview.html", lines=lines, form=form, words=OLD_HOWS[how], how=how, state=state
    )


@bp.post("/admin/old_shifts/apply")
@admin_required
def apply() -> ResponseReturnValue:
    """Do what the preview said: each row by itself, so that one that can't be fixed stops no other."""
    form = OldShiftsForm(request.form)
    if not form.validate():
        return _page(form), form.code
    if not form.reason.data:
        form.refuse(ValidationError({"reason": NO_REASON}))
        return _preview_page(form, AdoptedRow.waiting_among([one[0] for one in _decided()])), form.code
    _tell([_problem(form, *one) for one in _decided()])
    return redirect(url_for("old_shifts.index", rule=_wanted().rule or None))


def _tell(problems: Sequence[str]) -> None:
    """Say how many rows were settled, and of others why not."""
    done = problems.count("")
    flash(
        ngettext("%(n)s old shift settled.", "%(n)s old shifts settled.", done), "success" if done else "info"
    )
    for sentence in [problem for problem in problems if problem][:20]:
        flash(sentence, "error")


def _problem(form: OldShiftsForm, old_id: int, start: datetime | None, end: datetime | None) -> str:
    """Settle one row of a preview; return why that can't be done, "" if it was."""
    try:
        committing(lambda: _apply(form, old_id, start, end))
    except ValidationError as invalid:
        return _said(old_id, " ".join(problems_in_words(invalid).values()))
    except RuleViolation as refusal:
        return _said(old_id, str(refusal))
    return ""


def _said(old_id: int, problem: str) -> str:
    return _("Old shift %(number)s: %(problem)s", number=old_id, problem=problem)


def _decided() -> Iterator[tuple[int, datetime | None, datetime | None]]:
    """The rows of the preview with the instants that it showed, as 812 or 812:1704368580:1704372180."""
    for text in request.form.getlist("row")[:MOST]:
        if found := re.fullmatch(r"([0-9]{1,9})(?::([0-9]{1,10}):([0-9]{1,10}))?", text):
            start, end = (
                datetime.fromtimestamp(int(part), UTC) if part else None for part in found.groups()[1:]
            )
            yield int(found[1]), start, end


def _apply(form: OldShiftsForm, old_id: int, start: datetime | None, end: datetime | None) -> None:
    how = {"by": acting(), "at": now(), "reason": form.reason.data}
    if form.how.data == DISMISS:
        set_aside.dismiss(old_id, **how)
        return
    row = set_aside.row_of(old_id)
    if row.person is None or row.job is None or start is None or end is None:
        raise RuleViolation(_("This one has to be fixed by itself."))
    set_aside.repair(old_id, row.person, row.job, start, end, note=_note_of(row), **how)


def _note_of(row: AdoptedRow) -> str:
    return ((row.source or {}).get("note") or "")[:NOTE_MAX]
