"""One's own account: who one is here, and one's password."""

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from flask_app.models import LoginAttempt, committing, db
from flask_app.models.errors import ValidationError
from flask_app.models.login_attempt import SESSION, TooManyAttempts
from flask_app.models.user import hash_password, password_matches
from flask_app.timeclock import people
from flask_app.web.access import current_user, local_path, login_required, me
from flask_app.web.language import remember
from flask_app.web.now import now
from flask_app.web.person_forms import OwnPasswordForm
from flask_app.web.sessions import open_session
from flask_app.web.tries import count_try
from flask_app.words import LANGUAGES, _

bp = Blueprint("account", __name__)

# What somebody may do who has to choose a password first.
_ALLOWED = {
    "account.show",
    "account.change",
    "account.language",
    "users.logout",
    "static",
    "health.healthz",
    "health.readyz",
}


@bp.before_app_request
def password_first() -> ResponseReturnValue | None:
    user = me() if request.endpoint and request.endpoint not in _ALLOWED else None
    return redirect(url_for("account.show")) if user and user.must_change_password else None


@bp.get("/account")
@login_required
def show() -> ResponseReturnValue:
    return _page(OwnPasswordForm())


@bp.post("/account/password")
@login_required
def change() -> ResponseReturnValue:
    user, form = current_user(), OwnPasswordForm(request.form)
    is_right = form.validate()  # all is looked at, but whoever guesses is not told the rest
    try:
        checked = _checked_password(form.old_password.data)
        if not is_right:
            return _page(form), form.code
        hashed = hash_password(form.password.data)
        committing(lambda: people.change_own_password(user, hashed, checked=checked, at=now()))
    except TooManyAttempts as refusal:
        form.refuse(ValidationError({"old_password": str(refusal)}))
        return _page(form), 429
    except ValidationError as invalid:
        db.session.refresh(user)
        form.refuse(invalid)
        return _page(form), form.code
    open_session(user, now=now())
    flash(_("Your new password is set. You're logged out everywhere else."), "success")
    return redirect(url_for("account.show"))


@bp.post("/language")
def language() -> ResponseReturnValue:
    """Keep the language for who is logged in, and on this device: the login page has this switch too."""
    code, user = request.form.get("language", ""), me()
    if code not in LANGUAGES:
        abort(400)
    if user:
        committing(lambda: people.choose_language(user, code))
    here = redirect(local_path(request.form.get("back", "")) or url_for("users.login"))
    remember(here, code)
    return here


def _checked_password(old: str) -> str:
    """Return the hash that the old password matches, or raise; tries are counted as at the login."""
    user = current_user()
    origin = count_try(user.email, SESSION)
    stored = user.password
    db.session.commit()  # nothing is locked while bcrypt takes its third of a second
    if not password_matches(stored, old):
        raise ValidationError({"old_password": _("That's not your current password.")})
    committing(lambda: LoginAttempt.forget(origin))
    return stored


def _page(form: OwnPasswordForm) -> str:
    return render_template("account/show.html", form=form)
