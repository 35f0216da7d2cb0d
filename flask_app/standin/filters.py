"""$filter: a recursive-descent parser that ends in a function from row to keep-or-drop.

Rules from the published filter-rows page: strings in single quotes (a quote inside doubled) and compared
without regard to case; GUIDs, numbers and instants bare; a row for which the expression is null is dropped.
"""

from collections.abc import Mapping, Set
from typing import Any

from .comparisons import (
    CONTAINING,
    CRM_FUNCTIONS,
    OPERATORS,
    SEARCHES,
    Test,
    all_of,
    any_of,
    compare,
    contain_values,
    crm_function,
    opposite,
    search,
)
from .literals import Token, literal, string, tokens
from .schema import ENTITY_TYPE, Column
from .wire import bad_query, unknown_function, unknown_property

CRM = "Microsoft.Dynamics.CRM."
MULTI_SELECT = "MultiSelectPicklist"


def filter_of(text: str, columns: Mapping[str, Column]) -> Test:
    """Return the test of a list's $filter on these columns."""
    types = {name: column.edm for name, column in columns.items()}
    several = {name for name, column in columns.items() if column.kind == MULTI_SELECT}
    return compile_filter(text, types, ENTITY_TYPE, several)


def compile_filter(
    text: str, types: Mapping[str, str], type_name: str, several: Set[str] = frozenset()
) -> Test:
    """Return the test that `text` describes, or raise the 400 that Dataverse would answer.

    `types` tells the properties that may be asked about and their Edm types, `several` those of them that
    hold several choices.
    """
    try:
        return _Parser(text, types, type_name, several).parse()
    except RecursionError:
        raise bad_query("The node count limit of the query has been exceeded.") from None


class _Parser:
    """or-expression > and-expression > not > comparison | function | parentheses."""

    def __init__(self, text: str, types: Mapping[str, str], type_name: str, several: Set[str]) -> None:
        self._text = text
        self._types = types
        self._type_name = type_name
        self._several = several
        self._tokens = tokens(text)
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
        return tests[0] if len(tests) == 1 else any_of(tests)

    def _both(self) -> Test:
        tests = [self._negation()]
        while self._accept("and"):
            tests.append(self._negation())
        return tests[0] if len(tests) == 1 else all_of(tests)

    def _negation(self) -> Test:
        if self._accept("not"):
            return opposite(self._negation())
        if self._accept("("):
            test = self._either()
            self._expect(")")
            return test
        return self._statement()

    def _statement(self) -> Test:
        word = self._take("word")
        if word.text in SEARCHES and self._accept("("):
            return self._search(word.text)
        if word.text.startswith(CRM) and self._accept("("):
            return self._crm_function(word.text.removeprefix(CRM))
        if self._accept("("):
            raise unknown_function(word.text)
        column, edm = self._column(word.text)
        name = self._take("word")
        if name.text not in OPERATORS:
            raise self._syntax_error(name)
        kind, wanted = self._literal()
        return compare(column, edm, name.text, kind, wanted)

    def _search(self, name: str) -> Test:
        column, _ = self._column(self._take("word").text)
        self._expect(",")
        wanted = string(self._take("string").text).casefold()
        self._expect(")")
        return search(column, name, wanted)

    def _crm_function(self, name: str) -> Test:
        """Read In(PropertyName='x',PropertyValues=['a','b']) and its kin, in quotes of either kind."""
        if name not in CRM_FUNCTIONS:
            raise unknown_function(CRM + name)
        self._named("PropertyName")
        column, edm = self._column(string(self._take("string").text))
        self._expect(",")
        values = []
        if self._named("PropertyValue", "PropertyValues") and self._accept("["):
            values.append(self._value())
            while self._accept(","):
                values.append(self._value())
            self._expect("]")
        else:
            values.append(self._value())
        self._expect(")")
        if name in CONTAINING:
            return contain_values(name, column, [str(value) for _, value in values], column in self._several)
        return crm_function(name, column, edm, values)

    def _value(self) -> tuple[str, Any]:
        """Read one value of a query function: these, and nothing else, may be in double quotes."""
        if self._peek().sort == "json":
            return "Edm.String", self._advance().text[1:-1].casefold()
        return self._literal()

    def _named(self, *names: str) -> bool:
        if self._take("word").text not in names:
            raise self._syntax_error()
        self._expect("=")
        return True

    def _column(self, name: str) -> tuple[str, str]:
        if name not in self._types:
            raise unknown_property(name, self._type_name)
        return name, self._types[name]

    def _literal(self) -> tuple[str, Any]:
        token = self._advance()
        value = literal(token)
        if value is not None:
            return value
        raise (
            unknown_property(token.text, self._type_name)
            if token.sort == "word"
            else self._syntax_error(token)
        )

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
