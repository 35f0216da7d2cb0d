"""Asks before people are logged out, removed or deactivated: a page that says what will happen.

A view that `asks_first` is called once its form says `sure`. Until then its question is drawn, with all that
was sent, so that nothing has to be typed twice; it works without JavaScript. `None` for a question is nothing
to ask: what was sent does no harm.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import Any, ParamSpec
from urllib.parse import urlsplit

from flask import g, render_template, request, url_for
from flask.typing import ResponseReturnValue

from flask_app.web.access import local_path
from flask_app.web.parse import site_of

P = ParamSpec("P")
View = Callable[P, ResponseReturnValue]


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked (`title`), what will happen in whole sentences, and what the button that does it says."""

    title: str
    says: Sequence[str]
    button: str


def asks_first(question: Callable[P, Question | None]) -> Callable[[View[P]], View[P]]:
    """Mark a view that does nothing before somebody has answered `question`, made of the view's arguments."""

    def mark(view: View[P]) -> View[P]:
        @wraps(view)
        def asked(*args: P.args, **kwargs: P.kwargs) -> ResponseReturnValue:
            is_sure = "sure" in request.form or "draw_again" in g
            found = None if is_sure else question(*args, **kwargs)
            return _page(found) if found else view(*args, **kwargs)

        marked: Any = asked
        marked.asks_first = True
        return asked

    return mark


def _page(question: Question) -> str:
    fields = [(name, text) for name, text in request.form.items(multi=True) if name != "csrf_token"]
    path = request.full_path.rstrip("?")
    return render_template("ask.html", question=question, fields=fields, path=path, back=_back())


def _back() -> str:
    """Return the page of ours that the button was on."""
    referrer = request.headers.get("Referer", "")
    here = urlsplit(referrer).path if site_of(referrer)[1] == request.host else ""
    return local_path(here) or url_for("jobs.dashboard")
