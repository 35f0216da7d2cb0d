"""Every sentence that a person reads, in the language they chose: `_("Punched out of %(job)s.", job=number)`.

A sentence is written whole, in English, with named placeholders; plurals go through `ngettext`. The catalogs
are translations/<language>/LC_MESSAGES/messages.po, read when the first sentence in a language is asked for
(about 30 ms for 1,500 sentences); `make messages` brings them up to date with the sources. A translation may
have tags, for templates; never a double quote outside of them, since it may stand in an attribute.

What is stored or logged is no sentence of this kind: a log line, a run's outcome, an audit's reason stay as
they were written, or a code is stored and its words are found when it is shown. A translated sentence is
never stored.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from gettext import GNUTranslations, NullTranslations
from io import BytesIO
from pathlib import Path

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

ENGLISH = "en"  # the language of the sources
LANGUAGES = {ENGLISH: "English", "es": "Español"}  # each by its own name
CATALOGS = Path(__file__).parent / "translations"
_spoken: ContextVar[str] = ContextVar("language", default=ENGLISH)


def language() -> str:
    """Return the code of the language in which sentences are made at present."""
    return _spoken.get()


def speak(code: str) -> None:
    """Make sentences in this language from now on, in this thread; in English if it is none of ours."""
    _spoken.set(code if code in LANGUAGES else ENGLISH)


@contextmanager
def speaking(code: str) -> Iterator[None]:
    """Make sentences in this language inside the block."""
    before = language()
    speak(code)
    try:
        yield
    finally:
        speak(before)


def _(message: str, **values: object) -> str:
    """Return `message` in the present language, its placeholders (`%(name)s`) filled with `values`.

    A percent sign is doubled where there are values, and only there.
    """
    text = translated(message)
    return text % values if values else text


def ngettext(one: str, many: str, n: int, **values: object) -> str:
    """Return the sentence that fits the number, which is also the value of `%(n)s`."""
    return translated_number(one, many, n) % {"n": n, **values}


class Lazy:
    """A sentence whose language is that of the moment in which it is read: for constants of a module."""

    def __init__(self, message: str, values: dict[str, object]) -> None:
        self._message, self._values = message, values

    def __str__(self) -> str:
        return _(self._message, **self._values)

    def __repr__(self) -> str:
        return f"lazy({self._message!r})"


Words = str | Lazy


def lazy(message: str, **values: object) -> Lazy:
    """Return a sentence for a module's constant, a form's label; whoever shows it makes a str of it."""
    return Lazy(message, values)


def translated(message: str) -> str:
    """Return `message` in the present language, its placeholders as they are."""
    return _catalog(language()).gettext(message) if message else message


def translated_number(one: str, many: str, n: int) -> str:
    """Return the one of two sentences that fits the number, its placeholders as they are."""
    return _catalog(language()).ngettext(one, many, n)


@cache
def _catalog(code: str) -> NullTranslations:
    if code == ENGLISH:
        return NullTranslations()
    with (CATALOGS / code / "LC_MESSAGES" / "messages.po").open("rb") as file:
        catalog = read_po(file, locale=code)
    compiled = BytesIO()
    write_mo(compiled, catalog)  # gettext reads only these; it leaves out what is marked as fuzzy
    compiled.seek(0)
    return GNUTranslations(compiled)
