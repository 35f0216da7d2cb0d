"""Error pages: what happened and what to do, as a page or, for a script, as JSON."""

from flask import Flask, current_app, flash, g, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_wtf.csrf import CSRFError
from sqlalchemy.exc import DBAPIError, OperationalError, TimeoutError
from sqlalchemy.orm.exc import ObjectDeletedError
from werkzeug.exceptions import HTTPException, SecurityError

from flask_app.models.database import BUSY, breaks_rule, is_lock_wait
from flask_app.models.errors import Busy
from flask_app.web.access import local_path, wants_json
from flask_app.web.drafts import drawn_again
from flask_app.words import Words, _, lazy

_TITLES = {
    400: lazy("That didn't work"),
    401: lazy("Please log in"),
    403: lazy("Admins only"),
    404: lazy("Page not found"),
    405: lazy("That doesn't work here"),
    413: lazy("Too large"),
    429: lazy("Too many tries"),
    503: lazy("The clock can't reach its database"),
}
_TEXTS = {
    400: lazy("Something in the request was wrong. Go back, reload the page and try again."),
    404: lazy("There is no page at this address. It may have moved, or the link may be broken."),
    405: lazy("This address can't be opened like this. Go back and use the buttons on the page."),
    413: lazy("What you sent is too large. Shorten it and try again."),
    500: lazy("Check whether it saved, then try again. If it goes on, tell an admin."),
    503: lazy("Nothing was saved. Wait a minute and try again; if it goes on, tell an admin."),
}


def init_app(app: Flask) -> None:
    app.register_error_handler(CSRFError, _stale_form)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(SecurityError, _strange_host)
    app.register_error_handler(DBAPIError, _database_error)
    app.register_error_handler(TimeoutError, _database_error)
    app.register_error_handler(ObjectDeletedError, _gone)
    app.register_error_handler(Busy, _busy)


def _http_error(error: HTTPException) -> ResponseReturnValue:
    if error.response is not None or error.code is None or error.code < 400:
        return error
    has_own_text = error.description and error.description != type(error).description
    text = error.description if has_own_text else _TEXTS.get(error.code, _TEXTS[400])
    return _answer(error.code, str(text))


def _strange_host(_error: SecurityError) -> ResponseReturnValue:
    """A name that TRUSTED_HOSTS doesn't have. Plain text: a page has links, and none can be built for it."""
    return _("This address isn't ours."), 400, {"Content-Type": "text/plain; charset=utf-8"}


def _stale_form(_error: CSRFError) -> ResponseReturnValue:
    try:
        if page := drawn_again():
            return page
    except HTTPException as error:  # raised in a handler, it would have none
        return _http_error(error)
    return _answer(
        400, _("This page is out of date, so nothing was saved. Go back, reload it and try again.")
    )


def _database_error(error: DBAPIError | TimeoutError) -> ResponseReturnValue:
    if isinstance(error, DBAPIError) and not _is_outage(error):
        raise error
    if isinstance(error, OperationalError) and is_lock_wait(error):
        return _answer(503, BUSY, _("Someone was faster"))
    current_app.logger.error("The database can't be used: %s", getattr(error, "orig", error))
    return _answer(503, _TEXTS[503])


def _gone(_error: ObjectDeletedError) -> ResponseReturnValue:
    return _answer(404, _("What you opened was deleted a moment ago, so nothing was changed."))


def _is_outage(error: DBAPIError) -> bool:
    """Whether the database is away, full or not set up, rather than asked for something wrong."""
    if error.connection_invalidated:
        return True
    if isinstance(error, OperationalError) and breaks_rule(error):
        return False
    return type(error).__name__ in ("OperationalError", "InterfaceError") or "doesn't exist" in str(
        error.orig
    )


def _busy(error: Busy) -> ResponseReturnValue:
    """A lock that was not given where no page is there to say it: back to where the button was."""
    if wants_json() or request.method != "POST":
        return _answer(503, str(error), _("Someone was faster"))
    flash(str(error), "error")
    return redirect(local_path(request.form.get("next", "")) or url_for("jobs.dashboard"))


def _answer(code: int, text: Words, title: str = "") -> ResponseReturnValue:
    text = str(text)
    title = title or str(_TITLES.get(code) or (_("Something went wrong") if code >= 500 else _TITLES[400]))
    if wants_json():
        return jsonify(error=title, message=text), code
    if code >= 500:  # the page must not ask the database who is looking at it
        g.me = g.my_shift = None
    return render_template("error.html", code=code, title=title, text=text), code
