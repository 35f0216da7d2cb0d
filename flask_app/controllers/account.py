"""One's own account: who one is here, and one's password."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from flask_app.models import LoginAttempt, committing, db
from flask_app.models.errors import ValidationError
from flask_app.models.login_attempt import TooManyAttempts
from flask_app.models.user import password_matches
from flask_app.timeclock import people
from flask_app.web.access import current_user, login_required, me
from flask_app.web.now import now
from flask_app.web.sessions import open_session

bp = Blueprint("account", __name__)

# What somebody may do who has to choose a password first.
_ALLOWED = {"account.show", "account.change", "users.logout", "static", "health.healthz", "health.readyz"}


@bp.before_app_request
def password_first() -> ResponseReturnValue | None:
    user = me() if request.endpoint and request.endpoint not in _ALLOWED else None
    return redirect(url_for("account.show")) if user and user.must_change_password else None


@bp.get("/account")
@login_required
def show() -> ResponseReturnValue:
    return _page({})


@bp.post("/account/password")
@login_required
def change() -> ResponseReturnValue:
    user = current_user()
    try:
        checked = _checked_password()
        committing(lambda: people.change_own_password(user, request.form, checked=checked, at=now()))
    except TooManyAttempts as refusal:
        return _page({"old_password": str(refusal)}), 429
    except ValidationError as invalid:
        db.session.refresh(user)
        return _page(invalid.problems), 422
    open_session(user, now=now())
    flash("Your new password is set. You're logged out everywhere else.", "success")
    return redirect(url_for("account.show"))


def _checked_password() -> str:
    """Return the hash that the form's old password matches, or raise; tries are counted as at the login."""
    user, address = current_user(), request.remote_addr or ""
    committing(lambda: LoginAttempt.record(user.email, address, at=now()))
    LoginAttempt.check(user.email, address, at=now())
    stored = user.password
    db.session.commit()  # nothing is locked while bcrypt takes its third of a second
    if not password_matches(stored, request.form.get("old_password", "")):
        raise ValidationError({"old_password": "This is not your present password."})
    committing(lambda: LoginAttempt.forget(user.email))
    return stored


def _page(problems: dict[str, str]) -> str:
    return render_template("account/show.html", problems=problems)
