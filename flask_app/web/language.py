"""Which language a request is answered in, and the words of templates.

It is the person's own choice (access.me() takes it up), else what was chosen on this device, else what the
browser asks for. Only the last two are known before anything is read from the database, whose failing needs
words as well.
"""

from typing import Any

from flask import Flask, request
from flask import Response as FlaskResponse
from markupsafe import Markup
from werkzeug.wrappers import Response

from flask_app.words import ENGLISH, LANGUAGES, language, retold, speak, translated, translated_number

COOKIE = "language"  # what was chosen on this device, also for the page before the login
_A_YEAR = 365 * 24 * 60 * 60  # seconds


def init_app(app: Flask) -> None:
    """Has to come before whatever may refuse a request: the refusal is a sentence too."""
    app.before_request(_begin)
    app.after_request(_tell)
    app.teardown_request(_end)
    app.jinja_env.globals.update(
        {"_": _in_page, "ngettext": _number_in_page, "language": language, "LANGUAGES": LANGUAGES}
    )
    app.jinja_env.filters["retold"] = retold


def remember(answer: Response, code: str) -> None:
    """Let the browser keep a language that was chosen."""
    answer.set_cookie(COOKIE, code, max_age=_A_YEAR, secure=request.is_secure, httponly=True, samesite="Lax")


def _begin() -> None:
    speak(request.cookies.get(COOKIE) or request.accept_languages.best_match(LANGUAGES) or ENGLISH)


def _tell(answer: FlaskResponse) -> FlaskResponse:
    if request.endpoint != "static":
        answer.headers["Content-Language"] = language()
        answer.vary.update(("Accept-Language", "Cookie"))
    return answer


def _end(_error: BaseException | None) -> None:
    speak(ENGLISH)  # the thread goes on to somebody else's request, or to a task


def _in_page(message: str, **values: Any) -> Markup:
    """`_` for templates: a sentence may have tags, which are trusted; its values are escaped."""
    text = Markup(translated(message))  # noqa: S704  # what stands in a catalog is ours
    return text % values if values else text


def _number_in_page(one: str, many: str, n: int, **values: Any) -> Markup:
    text = Markup(translated_number(one, many, n))  # noqa: S704  # what stands in a catalog is ours
    return text % {"n": f"{n:,}", **values}
