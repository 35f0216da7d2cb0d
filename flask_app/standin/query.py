"""The query options of a list, read and checked: which rows, which columns, in which order."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .comparisons import Test
from .filters import filter_of
from .schema import KEY, Column, Row
from .wire import Request, bad_query, unknown_property

KNOWN_OPTIONS = {"$select", "$filter", "$orderby", "$top", "$count", "$skiptoken", "$deltatoken"}
ROW_OPTIONS = {"$select"}


@dataclass(frozen=True)
class ListQuery:
    """A list request: `columns` is None where all are wanted."""

    columns: tuple[str, ...] | None
    keep: Test | None
    order: tuple[tuple[str, bool], ...]  # column, descending
    top: int | None
    count: bool

    def rows(self, rows: list[Row]) -> list[Row]:
        """Return the rows that the query asks for, in its order, before $top and paging."""
        keep = self.keep
        chosen = rows if keep is None else [row for row in rows if keep(row) is True]
        if self.order:
            chosen = list(chosen)
        for column, descending in reversed(self.order):
            chosen.sort(key=_sort_key(column), reverse=descending)
        return chosen


def read_list_query(request: Request) -> ListQuery:
    """Read the query options of a list request."""
    check_options(request, KNOWN_OPTIONS)
    query = request.query
    top = query.get("$top")
    if top is not None and not top.isdecimal():
        raise bad_query(
            f"Invalid value '{top}' for $top query option found. It must be a non-negative integer."
        )
    text = query.get("$filter")
    return ListQuery(
        columns=selected_columns(request),
        keep=None if text is None else filter_of(text, request.columns),
        order=_order(query.get("$orderby", ""), request.columns),
        top=None if top is None else int(top),
        count=query.get("$count", "").lower() == "true",
    )


def check_options(request: Request, known: set[str]) -> None:
    """Refuse a query parameter that is not understood, with or without $, rather than answer every row."""
    for name in request.query:
        if name not in known:
            raise bad_query(f"The query parameter {name} is not supported.")


def selected_columns(request: Request) -> tuple[str, ...] | None:
    """Return the columns that $select names, None where it is absent."""
    text = request.query.get("$select")
    if text is None:
        return None
    names = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    for name in names:
        if name not in request.columns:
            raise unknown_property(name)
    return names


def context(request: Request, resource: str, columns: tuple[str, ...] | None, suffix: str = "") -> str:
    """Return the @odata.context of an answer."""
    chosen = "" if columns is None else f"({','.join(columns)})"
    return f"{request.api_root}/$metadata#{resource}{chosen}{suffix}"


def shown_columns(request: Request, columns: tuple[str, ...] | None) -> tuple[Column, ...]:
    """Return the columns of an answer's rows: the primary key is always among them."""
    names = _with_key(columns) if columns is not None else tuple(request.columns)
    return tuple(request.columns[name] for name in names)


def _with_key(columns: tuple[str, ...]) -> tuple[str, ...]:
    return columns if KEY in columns else (*columns, KEY)


def _order(text: str, columns: Mapping[str, Column]) -> tuple[tuple[str, bool], ...]:
    order = []
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        column, _, direction = part.partition(" ")
        direction = direction.strip() or "asc"
        if column not in columns:
            raise unknown_property(column)
        if direction not in ("asc", "desc"):
            raise bad_query(f"Syntax error at position {len(column)} in '{text}'.")
        order.append((column, direction == "desc"))
    return tuple(order)


def _sort_key(column: str) -> Callable[[Row], tuple[int, Any]]:
    """Order nulls first, as SQL Server does; values of other kinds, which only hostile rows hold, last."""

    def key(row: Row) -> tuple[int, Any]:
        value = row[column]
        if isinstance(value, str):
            return 2, value.casefold()
        if isinstance(value, int | float):
            return 1, value
        return (0, 0) if value is None else (3, str(value))

    return key
