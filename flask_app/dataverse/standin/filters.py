"""$filter: a tokeniser and a recursive-descent parser that end in a function from row to keep-or-drop.

Rules from the published filter-rows page: strings in single quotes (a quote inside doubled) and compared
without regard to case; GUIDs, numbers and instants bare; a row for which the expression is null is dropped.
"""

import operator
import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from . import clock
from .schema import COLUMNS, Row
from .wire import bad_query, unknown_property

Test = Callable[[Row], bool | None]  # None: the expression is null for this row

_TOKENS = re.compile(
    r"\s*(?:(?P<string>'(?:[^']|'')*')"
    r"|(?P<guid>[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})"
    r"|(?P<instant>\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d)?)?)"
    r"|(?P<number>-?\d+(?:\.\d+)?)"
    r"|(?P<word>@?[A-Za-z_][\w./@]*)"
    r"|(?P<mark>[(),]))"
)
_COMPARISONS: dict[str, tuple[str, Callable[[Any, Any], bool]]] = {
    "eq": ("Equal", operator.eq),
    "ne": ("NotEqual", operator.ne),
    "gt": ("GreaterThan", operator.gt),
    "ge": ("GreaterThanOrEqual", operator.ge),
    "lt": ("LessThan", operator.lt),
    "le": ("LessThanOrEqual", operator.le),
}
_SEARCHES: dict[str, Callable[[str, str], bool]] = {
    "contains": operator.contains,
    "startswith": str.startswith,
    "endswith": str.endswith,
}
_NUMBERS = {"Edm.Int32", "Edm.Int64", "Edm.Decimal"}


@dataclass(frozen=True)
class Token:
    """One word of a filter: its sort, its text, where it stands."""

    sort: str
    text: str
    position: int


def compile_filter(text: str) -> Test:
    """Return the test that `text` describes, or raise the 400 that Dataverse would answer."""
    try:
        return _Parser(text).parse()
    except RecursionError:
        raise bad_query("The node count limit of the query has been exceeded.") from None


def _tokens(text: str) -> list[Token]:
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


def _unreadable(text: str, position: int) -> Exception:
    start = position + len(text[position:]) - len(text[position:].lstrip())
    if text[start] == "'":
        return bad_query(f"There is an unterminated literal at position {len(text)} in '{text}'.")
    return bad_query(f"Syntax error at position {start} in '{text}'.")


class _Parser:
    """or-expression > and-expression > not > comparison | function | parentheses."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = _tokens(text)
        self._next = 0

    def parse(self) -> Test:
        test = self._either()
        if self._peek().sort != "end":
            raise self._syntax_error()
        return test

    def _either(self) -> Test:
        tests = [self._both()]
        while self._accept("or"):
            tests.append(self._both())
        return tests[0] if len(tests) == 1 else _any_of(tests)

    def _both(self) -> Test:
        tests = [self._negation()]
        while self._accept("and"):
            tests.append(self._negation())
        return tests[0] if len(tests) == 1 else _all_of(tests)

    def _negation(self) -> Test:
        if self._accept("not"):
            return _opposite(self._negation())
        if self._accept("("):
            test = self._either()
            self._expect(")")
            return test
        return self._statement()

    def _statement(self) -> Test:
        word = self._take("word")
        if word.text in _SEARCHES and self._accept("("):
            return self._search(word.text)
        column = _column(word.text)
        comparison = self._take("word")
        if comparison.text not in _COMPARISONS:
            raise self._syntax_error(comparison)
        return _comparison(column, comparison.text, self._advance())

    def _search(self, name: str) -> Test:
        column = _column(self._take("word").text)
        self._expect(",")
        wanted = _string(self._take("string").text).casefold()
        self._expect(")")
        matches = _SEARCHES[name]

        def test(row: Row) -> bool | None:
            value = row[column]
            return matches(value.casefold(), wanted) if isinstance(value, str) else None

        return test

    def _peek(self) -> Token:
        return self._tokens[self._next]

    def _advance(self) -> Token:
        token = self._tokens[self._next]
        if token.sort == "end":
            raise self._syntax_error(token)
        self._next += 1
        return token

    def _accept(self, text: str) -> bool:
        if self._peek().text == text and self._peek().sort in ("word", "mark"):
            self._next += 1
            return True
        return False

    def _expect(self, text: str) -> None:
        if not self._accept(text):
            raise self._syntax_error()

    def _take(self, sort: str) -> Token:
        if self._peek().sort != sort:
            raise self._syntax_error()
        return self._advance()

    def _syntax_error(self, token: Token | None = None) -> Exception:
        position = (token or self._peek()).position
        return bad_query(f"Syntax error at position {position} in '{self._text}'.")


def _column(name: str) -> str:
    if name not in COLUMNS:
        raise unknown_property(name)
    return name


def _string(quoted: str) -> str:
    return quoted[1:-1].replace("''", "'")


def _literal(token: Token) -> tuple[str, Any]:
    """Return a literal's type in the query and its value as rows hold it (texts folded)."""
    if token.sort == "string":
        return "Edm.String", _string(token.text).casefold()
    if token.sort == "guid":
        return "Edm.Guid", str(uuid.UUID(token.text))
    if token.sort == "instant":
        return "Edm.DateTimeOffset", _instant(token.text)
    if token.sort == "number":
        whole = "." not in token.text
        return ("Edm.Int32", int(token.text)) if whole else ("Edm.Decimal", float(token.text))
    if token.text == "null":
        return "null", None
    raise bad_query(
        f"Could not find a property named '{token.text}' on type 'Microsoft.Dynamics.CRM.imi_job'."
    )


def _instant(text: str) -> datetime:
    instant = clock.from_text(text)
    if instant is None:
        raise bad_query(f"Unrecognized 'Edm.DateTimeOffset' literal '{text}'.")
    return instant


def _comparison(column: str, name: str, token: Token) -> Test:
    kind, wanted = _literal(token)
    label, compare = _COMPARISONS[name]
    if kind == "null":
        return _null_test(column, name)
    edm = COLUMNS[column].edm
    if kind != edm and not {kind, edm} <= _NUMBERS:
        raise bad_query(
            "A binary operator with incompatible types was detected. "
            f"Found operand types '{edm}' and '{kind}' for operator kind '{label}'."
        )
    comparable = _COMPARABLE[edm]

    def test(row: Row) -> bool | None:
        value = comparable(row[column])
        return None if value is None else compare(value, wanted)

    return test


def _null_test(column: str, name: str) -> Test:
    if name == "eq":
        return lambda row: row[column] is None
    if name == "ne":
        return lambda row: row[column] is not None
    return lambda row: None


# What a row holds, made comparable. None, which drops the row, for a value of another kind: a hostile row.
def _as_folded(value: Any) -> str | None:
    return value.casefold() if isinstance(value, str) else None


def _as_number(value: Any) -> float | None:
    return value if isinstance(value, int | float) else None


def _as_instant(value: Any) -> Any:
    return clock.from_text(value) if isinstance(value, str) else None


_COMPARABLE: dict[str, Callable[[Any], Any]] = {
    "Edm.String": _as_folded,
    "Edm.Guid": _as_folded,
    "Edm.Int32": _as_number,
    "Edm.Int64": _as_number,
    "Edm.DateTimeOffset": _as_instant,
}


def _any_of(tests: list[Test]) -> Test:
    def test(row: Row) -> bool | None:
        unknown = False
        for part in tests:
            outcome = part(row)
            if outcome:
                return True
            unknown = unknown or outcome is None
        return None if unknown else False

    return test


def _all_of(tests: list[Test]) -> Test:
    def test(row: Row) -> bool | None:
        unknown = False
        for part in tests:
            outcome = part(row)
            if outcome is False:
                return False
            unknown = unknown or outcome is None
        return None if unknown else True

    return test


def _opposite(part: Test) -> Test:
    def test(row: Row) -> bool | None:
        outcome = part(row)
        return None if outcome is None else not outcome

    return test
