"""What every report is made of: a table of typed columns, from which page, print, CSV and XLSX are drawn."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import product
from typing import Any, NamedTuple

from flask_app.words import Words, lazy

# What the cells of a column are; None is an empty cell of any kind.
TEXT = "text"
WHOLE = "whole"  # a whole number
HOURS = (
    "hours"  # a length of time in minutes: 7:32 on a page; in files 7:32, and 7.5333 in a column of its own
)
PERCENT = "percent"  # with one decimal
DAY = "day"  # a date
TIME = "time"  # minutes since 1970 in UTC, see models.types.clock_minutes; shown in the shop's zone
MARKS = "marks"  # a tuple of keys of MARK_WORDS
MARK_WORDS = {"open": lazy("On the clock"), "assumed": lazy("Assumed end"), "edited": lazy("Edited")}
Figure = tuple[str, str, Any]  # label, kind, value
Unsettled = tuple[int, int]  # of a sum: minutes of open shifts, minutes of shifts with an assumed end


@dataclass(frozen=True, slots=True)
class Column:
    """One column. `sort` is the word that sorts by it in an address, `link` what its cells lead to on a page.

    `span` are the first and last day that its figures are about; a column `in_files` stands only there, a
    `minor` one not on a phone.
    """

    label: Words
    kind: str = TEXT
    sort: str = ""
    link: str = ""
    span: tuple[date, date] | None = None
    in_files: bool = False
    minor: bool = False

    @property
    def is_number(self) -> bool:
        return self.kind in (WHOLE, HOURS, PERCENT)


class Row(NamedTuple):
    """One line: a value per column, ids for links, whether it is a subtotal, and by the places of its sums
    how much of them may still change."""

    cells: Sequence[Any]
    ids: Mapping[str, Any] = {}
    is_group: bool = False
    unsettled: Mapping[int, Unsettled] = {}


@dataclass(frozen=True, slots=True)
class Section:
    """A table. `rows(limit, offset)` yields its rows; None as limit is all of them, one by one, as files have
    them."""

    name: str
    columns: Sequence[Column]
    count: int
    rows: Callable[[int | None, int], Iterable[Row]]
    totals: Sequence[Any] | None = None
    unsettled: Mapping[int, Unsettled] = field(default_factory=dict)  # of the totals, by their places

    @property
    def on_page(self) -> list[tuple[int, Column]]:
        """The columns that a page shows, each with its place in a row."""
        return [(n, column) for n, column in enumerate(self.columns) if not column.in_files]

    def lines(self, *, subtotals: bool) -> Iterator[Row]:
        """Yield all rows; subtotals and the total only if they are asked for: a column can be summed."""
        for row in self.rows(None, 0):
            if subtotals or not row.is_group:
                yield row
        if subtotals and self.totals is not None:
            yield Row(self.totals, is_group=True)


@dataclass(frozen=True, slots=True)
class Report:
    """A title, the days it is about, what it says in figures, its tables, and what it was narrowed to."""

    title: str
    period: str
    sections: Sequence[Section]
    figures: Sequence[Figure] = ()
    filters: Sequence[tuple[str, str]] = ()  # label, words

    @property
    def narrowed_to(self) -> str:
        """Return the filters as one text: "Department: Cut shop; Only: Edited"."""
        return "; ".join(f"{label}: {words}" for label, words in self.filters)


# What of a sum may still change: in the files of every report that adds hours up, and over its page.
UNSETTLED_COLUMNS = (
    Column(lazy("Of it on the clock"), HOURS, in_files=True),
    Column(lazy("Of it assumed"), HOURS, in_files=True),
)


def unsettled_figures(is_open: int, assumed: int) -> list[Figure]:
    """Return how much of a sum is of open shifts, and of ends that were assumed; no figure where it is 0."""
    figures = zip(UNSETTLED_COLUMNS, (is_open, assumed), strict=True)
    return [(str(column.label), column.kind, minutes) for column, minutes in figures if minutes]


def listed(
    name: str,
    columns: Sequence[Column],
    rows: Sequence[Row],
    totals: Any = None,
    unsettled: Mapping[int, Unsettled] | None = None,
) -> Section:
    """Return a section whose rows are few enough to be at hand."""

    def some(limit: int | None, offset: int) -> Iterable[Row]:
        return rows[offset:] if limit is None else rows[offset : offset + limit]

    return Section(name, columns, len(rows), some, totals, unsettled or {})


def mark_words(marks: Sequence[str]) -> str:
    """Return a shift's marks in words."""
    return ", ".join(str(MARK_WORDS[mark]) for mark in marks)


# A shift's marks as a cell has them, by whether it is open, has an assumed end, was edited.
MARKED = {
    is_so: tuple(mark for mark, so in zip(MARK_WORDS, is_so, strict=True) if so)
    for is_so in product((False, True), repeat=3)
}
