"""Undo, right after something was done."""

from flask import Blueprint, abort, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue

from flask_app.models import Shift, User, committing
from flask_app.models.errors import RuleViolation
from flask_app.timeclock import ledger, people
from flask_app.timeclock.ledger import Undone
from flask_app.web.access import acting, current_user, local_path, login_required, shift_or_none, user_or_404
from flask_app.web.now import now
from flask_app.web.punch_words import present
from flask_app.web.undo import Offer, taken
from flask_app.words import _, ngettext

bp = Blueprint("undo", __name__)


@bp.post("/undo")
@login_required
def undo() -> ResponseReturnValue:
    try:
        offer = taken(request.form.get("undo", ""))
        flash(_account(offer) if offer.account else _shifts(offer), "success")
    except RuleViolation as refusal:
        flash(str(refusal), "error")
    return redirect(local_path(request.form.get("next", "")) or url_for("jobs.dashboard"))


def _account(offer: Offer) -> str:
    """Take back the change of an account, and what it did to the person's shift, as one."""
    if not current_user().is_admin:
        abort(403, _("Only admins can do this."))
    person, by, at, of = user_or_404(offer.account or 0), current_user(), now(), offer.instant
    committing(lambda: people.undo(person, of=of, by=by, at=at, ended=next(iter(offer.ended), None)))
    return _("Undone for %(name)s.", name=person.name)


def _shifts(offer: Offer) -> str:
    """Take back a punch, or many people's punch-outs, each by itself; the sentence tells who was left out."""
    if offer.began or len(offer.ended) == 1:
        return _one(offer.began, next(iter(offer.ended), None), offer)
    done, left_out = 0, []
    for number in offer.ended:
        try:
            done += bool(_undone(None, number, offer))
        except RuleViolation as refusal:
            left_out.append(f"{_who(number)}: {refusal}")
    for words in left_out:
        flash(words, "error")
    return ngettext(
        "Undone: %(n)s person is on the clock again.", "Undone: %(n)s people are on the clock again.", done
    )


def _one(began: int | None, ended: int | None, offer: Offer) -> str:
    done = _undone(began, ended, offer)
    return " ".join((_("Undone."), present(done.present, done.person)))


def _undone(began: int | None, ended: int | None, offer: Offer) -> Undone:
    shift = shift_or_none(str(began or ended))
    if shift is None:
        raise ledger.NothingToUndo
    person_id, by, at = _allowed(shift), acting(), now()
    return committing(
        lambda: ledger.undo(person_id, began=began, ended=ended, of=offer.instant, by=by, at=at)
    )


def _allowed(shift: Shift) -> int:
    if shift.user_id != current_user().id and not current_user().is_admin:
        abort(403, _("Only admins can do this."))
    return shift.user_id


def _who(shift_id: int) -> str:
    shift = shift_or_none(str(shift_id))
    person: User | None = shift.user if shift else None
    return person.name if person else _("Somebody")
