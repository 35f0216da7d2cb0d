"""The tests that a $filter is made of. A test answers None where the expression is null for a row."""

import operator
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from . import clock
from .wire import bad_query

Row = Mapping[str, Any]
Test = Callable[[Row], bool | None]

OPERATORS: dict[str, tuple[str, Callable[[Any, Any], bool]]] = {
    "eq": ("Equal", operator.eq),
    "ne": ("NotEqual", operator.ne),
    "gt": ("GreaterThan", operator.gt),
    "ge": ("GreaterThanOrEqual", operator.ge),
    "lt": ("LessThan", operator.lt),
    "le": ("LessThanOrEqual", operator.le),
}
SEARCHES: dict[str, Callable[[str, str], bool]] = {
    "contains": operator.contains,
    "startswith": str.startswith,
    "endswith": str.endswith,
}
CONTAINING = ("ContainValues", "DoesNotContainValues")
CRM_FUNCTIONS = ("In", "NotIn", "Between", "LastXHours", "LastXDays", *CONTAINING)
_NUMBERS = {"Edm.Int32", "Edm.Int64", "Edm.Decimal"}
_MOST_UNITS = 10_000
_LAST_UNITS = {"LastXHours": timedelta(hours=1), "LastXDays": timedelta(days=1)}


def compare(column: str, edm: str, name: str, kind: str, wanted: Any) -> Test:
    """Return the test `column name literal`, or raise the 400 for types that do not go together."""
    label, holds = OPERATORS[name]
    if kind == "null":
        return _null_test(column, name)
    if kind != edm and not {kind, edm} <= _NUMBERS:
        raise bad_query(
            "A binary operator with incompatible types was detected. "
            f"Found operand types '{edm}' and '{kind}' for operator kind '{label}'."
        )
    comparable = _COMPARABLE[edm]

    def test(row: Row) -> bool | None:
        value = comparable(row[column])
        return None if value is None else holds(value, wanted)

    return test


def search(column: str, name: str, wanted: str) -> Test:
    """Return the test contains | startswith | endswith; `wanted` is folded."""
    matches = SEARCHES[name]

    def test(row: Row) -> bool | None:
        value = row[column]
        return matches(value.casefold(), wanted) if isinstance(value, str) else None

    return test


def crm_function(name: str, column: str, edm: str, values: list[tuple[str, Any]]) -> Test:
    """Return the test of a Microsoft.Dynamics.CRM query function; its values come as texts in quotes."""
    wanted = [_of_type(edm, kind, value) for kind, value in values]
    if name == "In":
        return any_of([compare(column, edm, "eq", *value) for value in wanted])
    if name == "NotIn":
        return all_of([compare(column, edm, "ne", *value) for value in wanted])
    if name == "Between" and len(wanted) == 2:
        return all_of([compare(column, edm, "ge", *wanted[0]), compare(column, edm, "le", *wanted[1])])
    if name in _LAST_UNITS and edm == "Edm.DateTimeOffset":
        return compare(column, edm, "ge", edm, clock.utc_now() - _LAST_UNITS[name] * _how_many(values[0][1]))
    raise bad_query(f"The query function Microsoft.Dynamics.CRM.{name} cannot be used on '{column}'.")


def contain_values(name: str, column: str, wanted: list[str], is_multi_select: bool) -> Test:
    """Return the test whether a multi-select choice has one of the values, or none of them."""
    if not is_multi_select:
        raise bad_query(f"The query function Microsoft.Dynamics.CRM.{name} cannot be used on '{column}'.")

    def test(row: Row) -> bool | None:
        value = row[column]
        if not isinstance(value, str):
            return None
        has = not {part.strip() for part in value.split(",")}.isdisjoint(wanted)
        return has is (name == "ContainValues")

    return test


def any_of(tests: list[Test]) -> Test:
    """Return the test that holds where one of them holds."""

    def test(row: Row) -> bool | None:
        unknown = False
        for part in tests:
            outcome = part(row)
            if outcome:
                return True
            unknown = unknown or outcome is None
        return None if unknown else False

    return test


def all_of(tests: list[Test]) -> Test:
    """Return the test that holds where all of them hold."""

    def test(row: Row) -> bool | None:
        unknown = False
        for part in tests:
            outcome = part(row)
            if outcome is False:
                return False
            unknown = unknown or outcome is None
        return None if unknown else True

    return test


def opposite(part: Test) -> Test:
    """Return the test that holds where the other does not."""

    def test(row: Row) -> bool | None:
        outcome = part(row)
        return None if outcome is None else not outcome

    return test


def _null_test(column: str, name: str) -> Test:
    if name == "eq":
        return lambda row: row[column] is None
    if name == "ne":
        return lambda row: row[column] is not None
    return lambda row: None


def _how_many(value: Any) -> int:
    if not isinstance(value, int) or not 0 < value < _MOST_UNITS:
        raise bad_query(f"The value '{value}' is not a number of hours or days.")
    return value


def _of_type(edm: str, kind: str, value: Any) -> tuple[str, Any]:
    """Turn a quoted value into one of the column's type: query functions quote everything."""
    if kind != "Edm.String" or edm in ("Edm.String", "Edm.Guid"):
        return (edm, value) if kind == "Edm.String" else (kind, value)
    if edm == "Edm.DateTimeOffset":
        instant = clock.from_text(value.upper())
        if instant is None:
            raise bad_query(f"Unrecognized 'Edm.DateTimeOffset' literal '{value}'.")
        return edm, instant
    return (edm, int(value)) if value.lstrip("-").isdecimal() else (kind, value)


# What a row holds, made comparable. None, which drops the row, for a value of another kind: a hostile row.
def _as_folded(value: Any) -> str | None:
    return value.casefold() if isinstance(value, str) else None


def _as_number(value: Any) -> float | None:
    return value if isinstance(value, int | float) else None


def _as_instant(value: Any) -> Any:
    return clock.from_text(value) if isinstance(value, str) else None


def _as_boolean(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


_COMPARABLE: dict[str, Callable[[Any], Any]] = {
    "Edm.String": _as_folded,
    "Edm.Guid": _as_folded,
    "Edm.Int32": _as_number,
    "Edm.Int64": _as_number,
    "Edm.Decimal": _as_number,
    "Edm.DateTimeOffset": _as_instant,
    "Edm.Boolean": _as_boolean,
}
