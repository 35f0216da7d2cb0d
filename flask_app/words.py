"""Every sentence that a person reads, in the language they chose: `_("Punched out of %(job)s.", job=number)`.

A sentence is written whole, in English, with named placeholders; plurals go through `ngettext`. The catalogs
are translations/<language>/LC_MESSAGES/messages.po, read when the first sentence in a language is asked for
(about 30 ms for 1,500 sentences); `make messages` brings them up to date with the sources. A translation may
have tags, for templates; never a double quote outside of them, since it may stand in an attribute.

What is stored or logged is English: log lines, and what is told to whoever runs the program at a terminal,
altogether; an audit's reason, a run's outcome and a skipped row's reason are written by `noted`, and `retold`
says them in the language of who reads them. A translated sentence is never stored.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from gettext import GNUTranslations, NullTranslations
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog
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
    return translated_number(one, many, n) % {"n": f"{n:,}", **values}


class Lazy:
    """A sentence whose language is that of the moment in which it is read: for constants of a module."""

    def __init__(self, message: str, values: dict[str, object]) -> None:
        self._message, self._values = message, values

    def __str__(self) -> str:
        return _(self._message, **self._values)

    def __mod__(self, values: Mapping[str, object]) -> str:
        """Return the sentence with its placeholders filled; what has no place in it is left out."""
        return str(self) % values

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


def _read(code: str) -> Catalog:
    with (CATALOGS / code / "LC_MESSAGES" / "messages.po").open("rb") as file:
        return read_po(file, locale=code)


@cache
def _catalog(code: str) -> NullTranslations:
    if code == ENGLISH:
        return NullTranslations()
    compiled = BytesIO()
    write_mo(compiled, _read(code))  # gettext reads only these; it leaves out what is marked as fuzzy
    compiled.seek(0)
    return GNUTranslations(compiled)


def noted(message: str, **values: object) -> str:
    """Return a sentence in English, whatever is spoken: to be stored, and shown by `retold`."""
    return message % values if values else message


def noted_number(one: str, many: str, n: int, **values: object) -> str:
    """Return the English sentence that fits the number, as `noted` does."""
    return (one if n == 1 else many) % {"n": f"{n:,}", **values}


def retold(text: str) -> str:
    """Return what `noted` wrote, one sentence or some, in the present language; other texts as they are.

    A stored sentence is known by its words, with anything in place of its placeholders: what was written by
    an earlier version and is in no catalog any more stays English.
    """
    if language() == ENGLISH or not text:
        return text
    if (whole := translated(text)) != text:
        return whole
    parts, told = _SENTENCE_ENDS.split(text), []
    while parts:
        # The fewest sentences that are known together: a placeholder must not swallow the next sentence.
        for count in range(1, min(len(parts), _TOGETHER) + 1):
            if (said := _retold_sentence(" ".join(parts[:count]))) is not None:
                break
        else:
            count, said = 1, parts[0]
        told.append(said)
        del parts[:count]
    return " ".join(told)


def _retold_sentence(text: str) -> str | None:
    if (told := translated(text)) != text:
        return told
    for pattern, message in _patterns(language()):
        if found := pattern.fullmatch(text):
            values = {name: retold(value) for name, value in found.groupdict().items()}
            return message % values
    return None


def _translations(code: str) -> dict[str, str]:
    known: dict[str, str] = {}
    for entry in (entry for entry in _read(code) if not entry.fuzzy):
        ids = [entry.id] if isinstance(entry.id, str) else list(entry.id)
        texts = [entry.string] if isinstance(entry.string, str) else list(entry.string or ())
        known |= dict(zip(ids, texts, strict=False))
    return known


@cache
def _patterns(code: str) -> list[tuple[re.Pattern[str], str]]:
    """What each sentence with placeholders looks like when it is filled, and its translation; those with the
    most words of their own first."""
    known = _translations(code)
    own = {message: len(_PLACE.sub("", message)) for message in known if _PLACE.search(message)}
    longest = sorted((message for message in own if own[message] >= _OWN_LETTERS), key=lambda m: -own[m])
    return [(_pattern(message), known[message]) for message in longest if known[message]]


_PLACE = re.compile(r"%\((\w+)\)s")
_SENTENCE_ENDS = re.compile(r"(?<=[.!?]) (?=\S)")
_TOGETHER = 3  # sentences in one message, at most
_OWN_LETTERS = 10  # fewer are no sentence that could be known again


def _pattern(message: str) -> re.Pattern[str]:
    """Return a pattern of a sentence's filled forms, each placeholder a named group."""
    seen: set[str] = set()
    parts = _PLACE.split(message)
    for n in range(1, len(parts), 2):
        name, parts[n] = parts[n], f"(?P={parts[n]})"
        if name not in seen:
            parts[n] = f"(?P<{name}>.+?)"
        seen.add(name)
    parts[::2] = [re.escape(part.replace("%%", "%")) for part in parts[::2]]
    return re.compile("".join(parts), re.DOTALL)
