"""Reports as files: CSV that streams, XLSX with typed cells. They have exactly what the page says."""

import csv
import io
import tempfile
from collections.abc import Iterable, Iterator
from datetime import date, datetime
from typing import IO, Any

import xlsxwriter
from flask import Response, send_file, stream_with_context

from flask_app.config import settings
from flask_app.models.errors import RuleViolation
from flask_app.reporting.report import DAY, HOURS, INSTANT, PERCENT, WHOLE, Column, Report, Section
from flask_app.web.presenting import hm, stamp

_CHUNK = 500  # lines between two pieces of a CSV
_SHEET_MAX = 1_048_576 - 2  # lines of a sheet, without its head and its sum
_FORMULA = "=+-@\t\r＝＋－＠"
_WIDTHS = {HOURS: 10, WHOLE: 8, PERCENT: 10, DAY: 12, INSTANT: 18}


def as_csv(report: Report, name: str) -> Response:
    """Return the report as CSV: UTF-8 with a BOM, sections one after the other, hours as 7:32.

    A failure in the middle breaks the download off; half a file never looks like a whole one.
    """
    answer = Response(stream_with_context(_csv(report)), mimetype="text/csv; charset=utf-8")
    answer.headers.set("Content-Disposition", "attachment", filename=f"{name}.csv")
    return answer


def _csv(report: Report) -> Iterator[str]:
    buffer = io.StringIO()
    write = csv.writer(buffer).writerow
    buffer.write("\ufeff")
    for number, section in enumerate(report.sections):
        if number:
            write([])
        write([column.label for column in section.columns])
        for count, row in enumerate(_all(section)):
            write([as_text(cell, column) for cell, column in zip(row, section.columns, strict=True)])
            if count % _CHUNK == 0:
                yield _taken(buffer)
    yield _taken(buffer)


def _taken(buffer: io.StringIO) -> str:
    text = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return text


def _all(section: Section) -> Iterator[Iterable[Any]]:
    for row in section.rows(None, 0):
        yield row.cells
    if section.totals is not None:
        yield section.totals


def as_text(cell: Any, column: Column) -> str:
    """Return a cell as the CSV writes it; a text that a spreadsheet would run is made harmless."""
    if cell is None or cell == "":
        return ""
    if column.kind == HOURS:
        return hm(cell)
    if column.kind == INSTANT:
        return stamp(cell)
    if isinstance(cell, date):
        return cell.strftime("%m/%d/%Y")
    if isinstance(cell, int | float):
        return str(cell)
    text = str(cell)
    return f"'{text}" if text.lstrip()[:1] in _FORMULA or text[0] in _FORMULA else text


def as_xlsx(report: Report, name: str) -> Response:
    """Return the report as a workbook, a sheet per section. RuleViolation if one has too many lines."""
    if any(section.count > _SHEET_MAX for section in report.sections):
        raise RuleViolation(
            "A sheet can't have more than 1,048,576 lines. Choose fewer days, or take the CSV."
        )
    file = tempfile.TemporaryFile()  # noqa: SIM115  # send_file closes it
    _write_workbook(report, file)
    file.seek(0)
    return send_file(
        file,
        mimetype="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        as_attachment=True,
        download_name=f"{name}.xlsx",
    )


def _write_workbook(report: Report, file: IO[bytes]) -> None:
    options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    book = xlsxwriter.Workbook(file, {**options, "strings_to_numbers": False})
    head = book.add_format({"bold": True, "bottom": 1, "text_wrap": True, "valign": "top"})
    formats = {kind: book.add_format({"num_format": shown}) for kind, shown in _FORMATS.items()}
    strong = {
        kind: book.add_format({"num_format": shown, "bold": True, "top": 1})
        for kind, shown in _FORMATS.items()
    }
    for section in report.sections:
        sheet = book.add_worksheet(section.name[:31])
        sheet.freeze_panes(1, 1)
        for n, column in enumerate(section.columns):
            sheet.set_column(n, n, _WIDTHS.get(column.kind, 24 if n < 5 else 18))
            sheet.write_string(0, n, column.label, head)
        line = 0
        for line, row in enumerate(section.rows(None, 0), 1):
            _write_line(sheet, line, row.cells, section, strong if row.is_group else formats)
        if section.totals is not None:
            _write_line(sheet, line + 1, section.totals, section, strong)
    book.close()


_FORMATS = {
    "text": "@", WHOLE: "0", HOURS: "[h]:mm", PERCENT: "0.0", DAY: "mm/dd/yyyy",
    INSTANT: "mm/dd/yyyy hh:mm AM/PM",
}  # fmt: skip


def _write_line(sheet: Any, line: int, cells: Iterable[Any], section: Section, formats: Any) -> None:
    for n, (cell, column) in enumerate(zip(cells, section.columns, strict=True)):
        shape = formats[column.kind]
        if cell is None or cell == "":
            sheet.write_blank(line, n, None, shape)
        elif isinstance(cell, str):
            sheet.write_string(line, n, cell, formats["text"])
        elif column.kind == HOURS:
            sheet.write_number(line, n, cell / 1440, shape)  # a spreadsheet counts in days
        elif isinstance(cell, datetime):
            local = cell.astimezone(settings().shop_timezone).replace(tzinfo=None, second=0)
            sheet.write_datetime(line, n, local, shape)
        elif isinstance(cell, date):
            sheet.write_datetime(line, n, datetime(cell.year, cell.month, cell.day), shape)  # noqa: DTZ001  # a day
        else:
            sheet.write_number(line, n, cell, shape)
