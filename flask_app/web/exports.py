"""Reports as files: CSV that streams, XLSX with typed cells, from the page's own table of typed columns.

A file has one head and a line for each thing, so that a column can be summed; subtotals come on request. A
length of time stands twice, as 7:32 and in a column at the right as a number of hours. What a file is about,
its period and its filters, stands in each line of a CSV and on a sheet of its own of a workbook.
"""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime
from functools import lru_cache
from itertools import islice
from typing import IO, Any, NamedTuple

import xlsxwriter
from flask import Response, send_file, stream_with_context

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

DECIMAL = "decimal"  # minutes as a number of hours
_CHUNK = 500  # lines between two pieces of a CSV
_END = "\r\n"
_KEPT = 4096  # texts of a column that are remembered: most cells repeat
_SHEET_MAX = 1_048_576 - 2  # lines of a sheet, without its head and its sum
_FORMULA = "=+-@\t\r＝＋－＠"


class FileColumn(NamedTuple):
    """One column of a file: its label, where its cells stand in a row, and how they are shown."""

    label: str
    place: int
    kind: str


def file_columns(section: Section) -> list[FileColumn]:
    """Return the columns of a file: those of the table, then its lengths of time as numbers of hours."""
    columns = [FileColumn(column.label, n, column.kind) for n, column in enumerate(section.columns)]
    hours = [column for column in columns if column.kind == HOURS]
    return columns + [FileColumn(f"{label} (decimal)", place, DECIMAL) for label, place, _ in hours]


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
    head = [*(column.label for column in columns), "Period", "Filters"]
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
    if any(section.count > _SHEET_MAX for section in report.sections):
        raise RuleViolation(
            "A sheet can't have more than 1,048,576 lines. Choose fewer days, or take the CSV."
        )
    file = tempfile.TemporaryFile()  # noqa: SIM115  # send_file closes it
    _write_workbook(report, file, subtotals=subtotals)
    file.seek(0)
    return send_file(
        file,
        mimetype="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        as_attachment=True,
        download_name=f"{name}.xlsx",
    )


def _write_workbook(report: Report, file: IO[bytes], *, subtotals: bool) -> None:
    options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    book = xlsxwriter.Workbook(file, {**options, "strings_to_numbers": False})
    formats = {kind: book.add_format({"num_format": shown}) for kind, (shown, _) in _FORMATS.items()}
    strong = {
        kind: book.add_format({"num_format": shown, "bold": True, "top": 1})
        for kind, (shown, _) in _FORMATS.items()
    }
    head = book.add_format({"bold": True, "bottom": 1, "text_wrap": True, "valign": "top"})
    for section in report.sections:
        sheet, columns = book.add_worksheet(section.name[:31]), file_columns(section)
        sheet.freeze_panes(1, 1)
        for n, column in enumerate(columns):
            sheet.set_column(n, n, _FORMATS[column.kind][1])
            sheet.write_string(0, n, column.label, head)
        for line, row in enumerate(section.lines(subtotals=subtotals), 1):
            _write_line(sheet, line, row.cells, columns, strong if row.is_group else formats)
    _write_about(book.add_worksheet("About"), report, formats)
    book.close()


def _write_about(sheet: Any, report: Report, formats: Any) -> None:
    """Write what the workbook is about, and the figures that stand over the page."""
    lines: list[Figure] = [("Report", TEXT, report.title), ("Period", TEXT, report.period)]
    lines += [(label, TEXT, words) for label, words in report.filters]
    lines += [("Made", TIME, int(now().timestamp()) // 60), *report.figures]
    sheet.set_column(0, 1, 30)
    for line, (label, kind, value) in enumerate(lines):
        sheet.write_string(line, 0, label, formats[TEXT])
        _write_cell(sheet, line, 1, value, kind, formats[kind])


# Of a kind: how a spreadsheet shows it, and how wide.
_FORMATS = {
    TEXT: ("@", 22), WHOLE: ("0", 8), HOURS: ("[h]:mm", 10), DECIMAL: ("0.00", 10), PERCENT: ("0.0", 10),
    DAY: ("mm/dd/yyyy", 12), TIME: ("mm/dd/yyyy hh:mm AM/PM", 20), MARKS: ("@", 20),
}  # fmt: skip


def _write_line(
    sheet: Any, line: int, cells: Sequence[Any], columns: Sequence[FileColumn], formats: Any
) -> None:
    for n, (_, place, kind) in enumerate(columns):
        _write_cell(sheet, line, n, cells[place], kind, formats[kind])


def _write_cell(sheet: Any, line: int, n: int, cell: Any, kind: str, shape: Any) -> None:
    if cell is None or cell == "":
        sheet.write_blank(line, n, None, shape)
    elif isinstance(cell, str):
        sheet.write_string(line, n, cell, shape)
    else:
        write, value = _CELLS[kind]
        getattr(sheet, write)(line, n, value(cell), shape)


def _local(minute: int) -> datetime:
    return at_minute(minute).astimezone(settings().shop_timezone).replace(tzinfo=None)


_CELLS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    WHOLE: ("write_number", int),
    HOURS: ("write_number", lambda minutes: minutes / 1440),  # a spreadsheet counts in days
    DECIMAL: ("write_number", lambda minutes: minutes / 60),
    PERCENT: ("write_number", float),
    DAY: ("write_datetime", lambda day: datetime(day.year, day.month, day.day)),  # noqa: DTZ001  # a day
    TIME: ("write_datetime", _local),
    MARKS: ("write_string", mark_words),
}
