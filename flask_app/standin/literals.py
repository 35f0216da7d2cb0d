"""The words of a $filter: the tokeniser, and the literals as values that can be compared."""

import re
import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from . import clock
from .wire import bad_query

_TOKENS = re.compile(
    r"\s*(?:(?P<string>'(?:[^']|'')*')"
    r"|(?P<json>\"[^\"]*\")"
    r"|(?P<enum>Microsoft\.Dynamics\.CRM\.\w+'[^']*')"
    r"|(?P<guid>[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})"
    r"|(?P<instant>\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d)?)?)"
    r"|(?P<number>-?\d+(?:\.\d+)?)"
    r"|(?P<word>[A-Za-z_][\w./]*)"
    r"|(?P<mark>[(),=\[\]]))"
)
_CONSTANTS: dict[str, tuple[str, Any]] = {
    "null": ("null", None),
    "true": ("Edm.Boolean", True),
    "false": ("Edm.Boolean", False),
}


@dataclass(frozen=True)
class Token:
    """One word of a filter: its sort, its text, where it stands."""

    sort: str
    text: str
    position: int


def tokens(text: str) -> list[Token]:
    """Take a filter apart; the last token is of the sort `end`."""
    found: list[Token] = []
    position = 0
    stripped = text.rstrip()
    while position < len(stripped):
        match = _TOKENS.match(stripped, position)
        if match is None:
            raise _unreadable(stripped, position)
        sort = match.lastgroup or ""
        found.append(Token(sort, match.group(sort), match.start(sort)))
        position = match.end()
    return [*found, Token("end", "", len(text))]


def string(quoted: str) -> str:
    """Return what a literal in single quotes says."""
    return quoted[1:-1].replace("''", "'")


def literal(token: Token) -> tuple[str, Any] | None:
    """Return a literal's type and its value, made comparable (texts folded); None when it is no literal."""
    text = token.text
    if token.sort == "string":
        return "Edm.String", string(text).casefold()
    if token.sort == "enum":
        return "Edm.String", string(text[text.index("'") :]).casefold()
    if token.sort == "guid":
        return "Edm.Guid", str(uuid.UUID(text))
    if token.sort == "instant":
        return "Edm.DateTimeOffset", _instant(text)
    if token.sort == "number":
        return ("Edm.Decimal", float(text)) if "." in text else ("Edm.Int32", int(text))
    return _CONSTANTS.get(text)


def _instant(text: str) -> datetime:
    instant = clock.from_text(text)
    if instant is None:
        raise bad_query(f"Unrecognized 'Edm.DateTimeOffset' literal '{text}'.")
    return instant


def _unreadable(text: str, position: int) -> Exception:
    start = position + len(text[position:]) - len(text[position:].lstrip())
    if text[start] == "'":
        return bad_query(f"There is an unterminated literal at position {len(text)} in '{text}'.")
    return bad_query(f"Syntax error at position {start} in '{text}'.")
