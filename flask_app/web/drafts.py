"""What somebody typed is not lost: a page that is out of date, or a session that has ended, brings it back.

A view that `draws_again` first asks its form (web/forms.py) whether it can be taken. While `g.draw_again` has
a sentence no form can, so the view draws its page with what was typed and changes nothing; `committing`
refuses to work then. Only requests that a page of ours sent are drawn again: another site must not fill in
our forms.
"""

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from flask import Flask, current_app, g, render_template, request
from flask.typing import ResponseReturnValue
from itsdangerous import BadData, URLSafeTimedSerializer

from flask_app.web.parse import site_of
from flask_app.words import lazy

P = ParamSpec("P")
R = TypeVar("R")

KEPT_FOR = 12 * 3600  # seconds
LARGEST = 24 * 1024  # characters of a form: it goes into the login page, which has a limit of its own
STALE_PAGE = lazy("This page was out of date, so nothing was saved yet. Check it, then save.")
BACK_AGAIN = lazy("You're logged in again. Nothing was saved yet: check it, then save.")
LOGGED_OUT = lazy("You were logged out. Log in: what you typed is still here.")


def init_app(app: Flask) -> None:
    app.before_request(_draw_what_was_kept)


def draws_again(view: Callable[P, R]) -> Callable[P, R]:
    """Mark a view of a form: it changes nothing unless its form can be taken."""
    view.draws_again = True  # type: ignore[attr-defined]
    return view


def drawn_again() -> ResponseReturnValue | None:
    """Return the page of a form whose token was not good; None if this request has no such page."""
    if not _can_be_drawn():
        return None
    g.draw_again = STALE_PAGE
    view: Any = current_app.view_functions[str(request.endpoint)]
    page: ResponseReturnValue = view(**(request.view_args or {}))
    return page


def log_in_first() -> ResponseReturnValue | None:
    """Return a login page that keeps the form which was sent; None if there is none to keep."""
    fields = [(name, text) for name, text in request.form.items(multi=True) if not _is_secret(name)]
    if not _can_be_drawn() or sum(len(name) + len(text) for name, text in fields) > LARGEST:
        return None
    kept = _serializer().dumps(
        {"path": request.full_path.rstrip("?"), "fields": fields, "whose": g.get("whose")}
    )
    return render_template("users/login.html", form={}, problem=LOGGED_OUT, next="", kept=kept), 401


def kept_page(kept: str, user_id: int) -> str | None:
    """Return the page that leads back to what a login page kept; None if that is nothing of this user's."""
    try:
        form: dict[str, Any] = _serializer().loads(kept, max_age=KEPT_FOR)
    except BadData:
        return None
    if form["whose"] not in (None, user_id):
        return None
    return render_template("users/kept.html", path=form["path"], fields=form["fields"])


def _draw_what_was_kept() -> None:
    # The form is read last: not every POST has one, and some may be larger than forms are.
    if request.method == "POST" and _can_be_drawn() and request.form.get("draw_again"):
        g.draw_again = BACK_AGAIN


def _can_be_drawn() -> bool:
    view = current_app.view_functions.get(request.endpoint or "")
    return request.method == "POST" and getattr(view, "draws_again", False) and _is_from_here()


def _is_from_here() -> bool:
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site == "same-origin"
    return site_of(request.headers.get("Referer", ""))[1] == request.host


def _is_secret(name: str) -> bool:
    return "password" in name or name in ("csrf_token", "draw_again")


def _serializer() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(str(current_app.secret_key), salt="a form that was kept")
