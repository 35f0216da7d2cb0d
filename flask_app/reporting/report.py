"""What every report is made of. The same object feeds the page, the print view, the CSV and the XLSX."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

TEXT, WHOLE, HOURS, PERCENT, INSTANT, DAY = "text", "whole", "hours", "percent", "instant", "day"


@dataclass(frozen=True, slots=True)
class Column:
    """`kind` says what the cells are: HOURS are minutes, PERCENT a float or None, INSTANT aware UTC.

    `sort` is the word that sorts by it in an address, `link` what its cells lead to on the page.
    """

    label: str
    kind: str = TEXT
    sort: str = ""
    link: str = ""

    @property
    def is_number(self) -> bool:
        return self.kind in (WHOLE, HOURS, PERCENT)


@dataclass(frozen=True, slots=True)
class Row:
    """One line: a value per column, ids for links, and whether it is a subtotal."""

    cells: Sequence[Any]
    ids: dict[str, Any] = field(default_factory=dict)
    is_group: bool = False


@dataclass(frozen=True, slots=True)
class Section:
    """A table. `rows(limit, offset)` yields its rows; None as limit is all of them, one by one."""

    name: str
    columns: Sequence[Column]
    count: int
    rows: Callable[[int | None, int], Iterable[Row]]
    totals: Sequence[Any] | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """A title, what it says in figures, and its tables."""

    title: str
    period: str
    sections: Sequence[Section]
    figures: Sequence[tuple[str, str, Any]] = ()  # label, kind, value


def listed(name: str, columns: Sequence[Column], rows: Sequence[Row], totals: Any = None) -> Section:
    """Return a section whose rows are few enough to be at hand."""

    def some(limit: int | None, offset: int) -> Iterable[Row]:
        return rows[offset:] if limit is None else rows[offset : offset + limit]

    return Section(name, columns, len(rows), some, totals)
