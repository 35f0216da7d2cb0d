"""The first hour of a shop: the list on the admins' start page, and the sign for the wall."""

from urllib.parse import urlsplit

import segno
from flask import Blueprint, abort, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from markupsafe import Markup

from flask_app.config import settings
from flask_app.models import SetupMark, committing
from flask_app.models.setup_mark import HIDDEN, STEPS
from flask_app.web.access import admin_required, current_user
from flask_app.web.now import now

bp = Blueprint("setup", __name__)

_ONLY_HERE = ("localhost", "127.0.0.1", "::1")


@bp.post("/office/setup")
@admin_required
def mark() -> ResponseReturnValue:
    """Tick a step off, hide the list, or show it again."""
    name, by = request.form.get("step", ""), current_user()
    if name == "show":
        committing(lambda: SetupMark.remove(HIDDEN))
    elif name in (*STEPS, HIDDEN):
        committing(lambda: SetupMark.put(name, by=by, at=now()))
    else:
        abort(400)
    return redirect(url_for("office.index"))


@bp.get("/office/sign")
@admin_required
def sign() -> ResponseReturnValue:
    """A page to print: the address and its QR code, at which people make their account or log in."""
    closed = settings().registration == "closed"
    address = url_for("users.login" if closed else "users.register", _external=True)
    code = segno.make(address, error="m", micro=False)
    drawn = code.svg_inline(omitsize=True, border=2, dark="#000", light="#fff", svgclass="qr")
    return render_template(
        "office/sign.html", address=address, qr=Markup(drawn), closed=closed,  # noqa: S704  # drawn by segno
        only_here=urlsplit(address).hostname in _ONLY_HERE,
    )  # fmt: skip
