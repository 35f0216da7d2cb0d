"""Hours that go back to Dataverse: what would change, starting and stopping it, what Dataverse refused."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from flask_app.config import settings
from flask_app.models import HoursSent, OwedHours, WriteBack, committing
from flask_app.sync.hours_out import WriteBackRefused, start, would_change
from flask_app.web.access import admin_required, current_user
from flask_app.web.now import now
from flask_app.words import _, ngettext

bp = Blueprint("hours_out", __name__)

_MOST_SHOWN = 500  # jobs of a rehearsal


@bp.get("/sync/hours")
@admin_required
def index() -> ResponseReturnValue:
    if not settings().writes_hours:
        return render_template("sync/hours_off.html")
    return render_template(
        "sync/hours.html",
        state=WriteBack.seen(),
        owed=OwedHours.count(now=now()),
        parked=OwedHours.parked(),
        lines=HoursSent.latest(),
    )


@bp.post("/sync/hours/rehearsal")
@admin_required
def rehearsal() -> ResponseReturnValue:
    """Show which hours would change in Dataverse, from what to what. Writes nothing."""
    try:
        organization, changes = would_change()
    except WriteBackRefused as refusal:
        flash(str(refusal), "error")
        return redirect(url_for("hours_out.index"))
    return render_template(
        "sync/hours_rehearsal.html",
        organization=organization,
        changes=changes[:_MOST_SHOWN],
        count=len(changes),
        state=WriteBack.seen(),
    )


@bp.post("/sync/hours/start")
@admin_required
def begin() -> ResponseReturnValue:
    """Start writing, for all jobs or for what changes from now on, to the organization that was shown."""
    everything = request.form.get("which") == "all"
    shown = request.form.get("organization", "")
    try:
        start(shown, everything=everything, by=current_user(), at=now())
    except WriteBackRefused as refusal:
        flash(str(refusal), "error")
    else:
        flash(_("Hours go to Dataverse from now on, within a minute of each change."), "success")
    return redirect(url_for("hours_out.index"))


@bp.post("/sync/hours/stop")
@admin_required
def stop() -> ResponseReturnValue:
    by = current_user()
    committing(lambda: WriteBack.stop(by=by, at=now()))
    flash(_("Stopped. Nothing is written to Dataverse until you start it again."), "success")
    return redirect(url_for("hours_out.index"))


@bp.post("/sync/hours/try-again")
@admin_required
def try_again() -> ResponseReturnValue:
    count = committing(OwedHours.try_again)
    if count:
        told = ngettext(
            "%(n)s job will be tried again within a minute.",
            "%(n)s jobs will be tried again within a minute.",
            count,
        )  # noqa: E501  # a sentence stays in one piece
        flash(told, "success")
    return redirect(url_for("hours_out.index"))
