"""Who is asking, and what they may do."""

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar
from urllib.parse import urlsplit

from flask import abort, current_app, flash, g, redirect, request, url_for
from flask.typing import ResponseReturnValue

from flask_app.models import Base, Correction, Job, Shift, SyncHold, SyncRun, User, db
from flask_app.timeclock.entries import Actor
from flask_app.web.drafts import log_in_first
from flask_app.web.now import now
from flask_app.web.parse import row_id
from flask_app.web.sessions import session_user
from flask_app.words import _, speak

E = TypeVar("E", bound=Base)
P = ParamSpec("P")
View = Callable[P, ResponseReturnValue]
_UNKNOWN: Any = object()  # nobody has looked yet


def me() -> User | None:
    """Return who is logged in, or None. From then on the answer is in the language that they chose."""
    user: User | None = g.get("me", _UNKNOWN)
    if user is not _UNKNOWN:
        return user
    view = current_app.view_functions.get(request.endpoint or "")
    user = g.me = session_user(now=now(), locked=getattr(view, "locks_me", False))
    if user is not None and user.language:
        speak(user.language)
    return user


def current_user() -> User:
    """Return who is logged in; only for views behind login_required."""
    return me() or abort(401)


def acting() -> Actor:
    """Return who is logged in as the one who changes hours."""
    return Actor(current_user())


def my_shift() -> Shift | None:
    """Return the open shift of who is logged in, or None."""
    if "my_shift" not in g:
        user = me()
        g.my_shift = Shift.open_of(user) if user else None
    shift: Shift | None = g.my_shift
    return shift


def locks_me(view: View[P]) -> View[P]:
    """Let whoever asks be locked as they are looked up: for views that change their hours."""
    view.locks_me = True  # type: ignore[attr-defined]
    return view


def login_required(view: View[P]) -> View[P]:
    """Let in whoever is logged in; send others to the login page, or answer 401 to a script."""

    @wraps(view)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> ResponseReturnValue:
        return view(*args, **kwargs) if me() else _ask_to_log_in()

    return guarded


def admin_required(view: View[P]) -> View[P]:
    """Let in admins; answer 403 to workers."""

    @wraps(view)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> ResponseReturnValue:
        user = me()
        if user is None:
            return _ask_to_log_in()
        if not user.is_admin:
            abort(403, _("Only admins can do this."))
        return view(*args, **kwargs)

    return guarded


def wants_json() -> bool:
    """Whether a script is asking, not somebody's browser."""
    return prefers_json() or (request.path.startswith("/api/") and not _is_form_of_a_page())


def prefers_json() -> bool:
    """Whether JSON is what is asked for first: a script of ours, which could do nothing with a page."""
    return request.accept_mimetypes.best == "application/json"


def job_or_404(job_id: int) -> Job:
    return _row(Job, job_id) or abort(404, _("There is no such job. It may have been removed."))


def user_or_404(user_id: int) -> User:
    return _row(User, user_id) or abort(404, _("There is no such person."))


def run_or_404(run_id: int) -> SyncRun:
    return _row(SyncRun, run_id) or abort(404, _("There is no such run."))


def hold_or_404(hold_id: int) -> SyncHold:
    return _row(SyncHold, hold_id) or abort(404, _("There is no such held change."))


def shift_or_404(shift_id: int) -> Shift:
    return _row(Shift, shift_id) or abort(404, _("There is no such shift. It may have been deleted."))


def shift_or_none(text: str) -> Shift | None:
    """Return the shift whose number a form names, None if it is gone."""
    shift_id = row_id(text)
    return None if shift_id is None else _row(Shift, shift_id)


def correction_or_404(correction_id: int) -> Correction:
    return _row(Correction, correction_id) or abort(404, _("There is no such request."))


def own_shift_or_403(shift_id: int) -> Shift:
    """Return the shift if it is the asker's own, or the asker is an admin."""
    shift = _row(Shift, shift_id) or abort(404, _("There is no such shift."))
    user = current_user()
    if shift.user_id != user.id and not user.is_admin:
        abort(403, _("This is someone else's shift."))
    return shift


def local_path(target: str) -> str | None:
    """Return `target` if it is a page of ours: a redirect must not lead to somebody else's site."""
    try:
        parts = urlsplit(target.replace("\\", "/"))
    except ValueError:  # such as "//["
        return None
    ours = (
        target.startswith("/") and not target.startswith("//") and not parts.netloc and target.isprintable()
    )
    return target if ours and not parts.path.startswith("//") else None


def _row(entity: type[E], row_id: int) -> E | None:
    # SQLite raises on very large numbers, and on very small ones.
    return db.session.get(entity, row_id) if 0 <= row_id < 2**31 else None


def _is_form_of_a_page() -> bool:
    """A page without JavaScript posts a form and wants a page back; a script asks for anything or JSON."""
    return "text/html" in request.accept_mimetypes.values()


def _ask_to_log_in() -> ResponseReturnValue:
    if wants_json():
        abort(401, _("Please log in."))
    if request.method in ("GET", "HEAD"):
        return redirect(url_for("users.login", next=request.full_path.rstrip("?")))
    if page := log_in_first():
        return page
    flash(_("You were logged out, so nothing was saved. Log in and try again."), "error")
    return redirect(url_for("users.login"))
