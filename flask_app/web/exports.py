"""Reports as files: CSV that streams, XLSX with typed cells, from the page's own table of typed columns.

A file has one head and a line for each thing, so that a column can be summed; subtotals come on request. A
length of time stands twice, as 7:32 and in a column at the right as a number of hours. What a file is about,
its period and its filters, stands in each line of a CSV and on a sheet of its own of a workbook.
"""

from collections.abc import Callable, Iterator
from datetime import date, datetime
from functools import lru_cache
from itertools import islice
from typing import Any, NamedTuple

from flask import Response, stream_with_context

from flask_app.clock import at_minute
from flask_app.config import settings
from flask_app.models.errors import RuleViolation
from flask_app.reporting.report import (
    DAY,
    HOURS,
    MARKS,
    PERCENT,
    TEXT,
    TIME,
    WHOLE,
    Figure,
    Report,
    Section,
    mark_words,
)
from flask_app.web.now import now
from flask_app.web.presenting import hm, stamp
from flask_app.web.workbook import LINES_MAX, Cell, Sheet, SheetColumn, workbook
from flask_app.words import _

DECIMAL = "decimal"  # minutes as a number of hours
_CHUNK = 500  # lines between two pieces of a CSV
_END = "\r\n"
_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_KEPT = 4096  # texts of a column that are remembered: most cells repeat
_FORMULA = "=+-@\t\r＝＋－＠"


class FileColumn(NamedTuple):
    """One column of a file: its label, where its cells stand in a row, and how they are shown."""

    label: str
    place: int
    kind: str


def file_columns(section: Section) -> list[FileColumn]:
    """Return the columns of a file: those of the table, then its lengths of time as numbers of hours."""
    columns = [FileColumn(str(column.label), n, column.kind) for n, column in enumerate(section.columns)]
    hours = [column for column in columns if column.kind == HOURS]
    return columns + [
        FileColumn(_("%(label)s (decimal)", label=label), place, DECIMAL) for label, place, _kind in hours
    ]


def file_name(*parts: str) -> str:
    """Return a file's name, without its ending, that every system takes."""
    name = " ".join(part for part in parts if part)
    return "".join(" " if sign in '\\/:*?"<>|' or not sign.isprintable() else sign for sign in name)[
        :150
    ].strip()


def as_csv(report: Report, name: str, *, subtotals: bool = False) -> Response:
    """Return the report as CSV: UTF-8 with a BOM, one head, a line for each row of its table.

    A failure in the middle breaks the download off; half a file never looks like a whole one.
    """
    pieces = stream_with_context(_csv(report, subtotals=subtotals))
    answer = Response(pieces, mimetype="text/csv; charset=utf-8")
    answer.headers.set("Content-Disposition", "attachment", filename=f"{name}.csv")
    return answer


def _csv(report: Report, *, subtotals: bool) -> Iterator[str]:
    section = report.sections[0]
    columns = file_columns(section)
    texts = [(column.place, lru_cache(_KEPT)(_text_of(column.kind))) for column in columns]
    head = [*(column.label for column in columns), _("Period"), _("Filters")]
    about = "".join(f",{_quoted(_harmless(text))}" for text in (report.period, report.narrowed_to))
    yield "\ufeff" + ",".join(_quoted(_harmless(label)) for label in head) + _END
    lines = section.lines(subtotals=subtotals)
    while some := list(islice(lines, _CHUNK)):
        # Most texts are remembered, quotes and all: joined they take half the time of the csv module.
        yield "".join(
            ",".join([text(cells[place]) for place, text in texts]) + about + _END for cells, *_ in some
        )


def _text_of(kind: str) -> Callable[[Any], str]:
    """Return what writes a cell of that kind into a CSV."""
    write = _TEXTS[kind]
    return lambda cell: "" if cell is None else _quoted(write(cell))


def _quoted(text: str) -> str:
    """Return a text as RFC 4180 has it: in quotes where it has signs of the format's own."""
    if '"' in text or "," in text or "\n" in text or "\r" in text:
        return '"' + text.replace('"', '""') + '"'
    return text


def _harmless(text: Any) -> str:
    """Return a text so that a spreadsheet does not run it."""
    text = str(text)
    return f"'{text}" if text and (text.lstrip()[:1] in _FORMULA or text[0] in _FORMULA) else text


def decimal_hours(minutes: int) -> str:
    """Return minutes as hours, 7.5333: with so many places that a long column's sum is right."""
    return f"{minutes / 60:.4f}".rstrip("0").rstrip(".")


_TEXTS: dict[str, Callable[[Any], str]] = {
    TEXT: _harmless,
    WHOLE: str,
    HOURS: hm,
    DECIMAL: decimal_hours,
    PERCENT: str,
    DAY: lambda day: day.strftime("%m/%d/%Y") if isinstance(day, date) else _harmless(day),
    TIME: lambda minute: stamp(at_minute(minute)),
    MARKS: mark_words,
}


def as_xlsx(report: Report, name: str, *, subtotals: bool = False) -> Response:
    """Return the report as a workbook: the table, and what it is about. RuleViolation if it has too many
    lines."""
    if any(section.count + 2 > LINES_MAX for section in report.sections):
        raise RuleViolation(
            _("A sheet can't have more than 1,048,576 lines. Choose fewer days, or take the CSV.")
        )
    sheets = [*(_table(section, subtotals=subtotals) for section in report.sections), _about(report)]
    answer = Response(
        stream_with_context(workbook(sheets, [shown for shown, _, _ in _CELLS.values()])), mimetype=_XLSX
    )
    answer.headers.set("Content-Disposition", "attachment", filename=f"{name}.xlsx")
    return answer


def _table(section: Section, *, subtotals: bool) -> Sheet:
    columns = file_columns(section)
    places = [column.place for column in columns]
    lines = (
        ([row.cells[place] for place in places], row.is_group) for row in section.lines(subtotals=subtotals)
    )
    return Sheet(section.name, [SheetColumn(label, *_CELLS[kind]) for label, _place, kind in columns], lines)


def _about(report: Report) -> Sheet:
    """Return what the workbook is about, and the figures that stand over the page."""
    made = [(_("Made"), TIME, int(now().timestamp()) // 60)]
    about: list[Figure] = [(_("Report"), TEXT, report.title), (_("Period"), TEXT, report.period)]
    about += [*((label, TEXT, words) for label, words in report.filters), *made, *report.figures]
    lines = (((str(label), _cell(kind, value)), False) for label, kind, value in about)
    return Sheet(
        _("About"), [SheetColumn(label, *_CELLS[TEXT]) for label in (_("About"), _("this file"))], lines
    )


def _cell(kind: str, value: Any) -> Cell:
    shown, _, of = _CELLS[kind]
    return Cell(shown, value if value is None or isinstance(value, str) else of(value))


# Of a kind: how a spreadsheet shows it, how wide, and what makes a cell a value there.
_CELLS: dict[str, tuple[str, int, Callable[[Any], Any]]] = {
    TEXT: ("@", 22, str),
    WHOLE: ("0", 8, int),
    HOURS: ("[h]:mm", 10, lambda minutes: minutes / 1440),  # a spreadsheet counts in days
    DECIMAL: ("0.00", 10, lambda minutes: minutes / 60),
    PERCENT: ("0.0", 10, float),
    DAY: ("mm/dd/yyyy", 12, lambda day: day),
    TIME: ("mm/dd/yyyy h:mm AM/PM", 20, lambda minute: _local(minute)),
    MARKS: ("@", 20, mark_words),
}


def _local(minute: int) -> datetime:
    return at_minute(minute).astimezone(settings().shop_timezone).replace(tzinfo=None)
