"""A workbook (XLSX) that is sent while it is written: nothing of it is kept, neither in memory nor on disk.

Written here because it is little: Office Open XML (ECMA-376 part 1) needs a few small parts around the
sheets, and a package is a zip archive, which Python writes to a stream. A text stands in its cell (an inline
string), so that there is no table of all texts to keep until the end.
"""

import re
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, datetime
from functools import lru_cache
from typing import Any, NamedTuple
from xml.sax.saxutils import escape

TEXT_MAX = 32_767  # characters of a cell; a spreadsheet calls a longer text damage
LINES_MAX = 1_048_576  # of a sheet, its head included
_KEPT = 2048  # cells of a column that are remembered: most repeat
_SOME = 500  # lines between two pieces
_EPOCH = date(1899, 12, 30).toordinal()  # a spreadsheet counts days from here
_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_ESCAPED = re.compile("_(?=x[0-9A-Fa-f]{4}_)")  # would be read as the sign with that number
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'

Value = str | int | float | date | datetime | None


class SheetColumn(NamedTuple):
    """A column: its label, how its numbers are shown, how wide it is, and what makes a cell a value."""

    label: str
    shown: str  # a number format, such as "[h]:mm"
    width: int
    value: Callable[[Any], Value]


class Sheet(NamedTuple):
    """A sheet's name, its columns, and its lines: cells, and whether the line is a sum, which is bold."""

    name: str
    columns: Sequence[SheetColumn]
    lines: Iterable[tuple[Sequence[Any], bool]]


class Cell(NamedTuple):
    """A cell that is not shown as the others of its column."""

    shown: str
    value: Value


class _Sink:
    """A file that only grows; what it got so far is taken from it."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def write(self, piece: bytes) -> int:
        self._pieces.append(bytes(piece))
        return len(piece)

    def flush(self) -> None:
        """Nothing is held back."""

    def taken(self) -> bytes:
        pieces, self._pieces = self._pieces, []
        return b"".join(pieces)


def workbook(sheets: Sequence[Sheet], formats: Sequence[str]) -> Iterator[bytes]:
    """Yield a workbook piece by piece; `formats` are all that its cells are shown in.

    A failure in the middle leaves a package that no program opens.
    """
    sink = _Sink()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED, compresslevel=3) as package:  # type: ignore[call-overload]
        for name, part in _parts([sheet.name for sheet in sheets], formats):
            package.writestr(name, _XML + part)
        for number, sheet in enumerate(sheets, 1):
            with package.open(f"xl/worksheets/sheet{number}.xml", "w") as part_of_sheet:
                for piece in _sheet(sheet, formats):
                    part_of_sheet.write(piece.encode())
                    yield sink.taken()
    yield sink.taken()


def _parts(names: Sequence[str], formats: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield everything but the sheets: the name of each part, and the part."""
    numbers = range(1, len(names) + 1)
    yield "[Content_Types].xml", _content_types(numbers)
    yield "_rels/.rels", _relations([("officeDocument", "xl/workbook.xml")])
    sheets = [("worksheet", f"worksheets/sheet{n}.xml") for n in numbers]
    yield "xl/_rels/workbook.xml.rels", _relations([*sheets, ("styles", "styles.xml")])
    tabs = "".join(
        f'<sheet name="{_text(name[:31], True)}" sheetId="{n}" r:id="rId{n}"/>'
        for n, name in zip(numbers, names, strict=True)
    )
    book = f'<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><sheets>{tabs}</sheets></workbook>'
    yield "xl/workbook.xml", book
    yield "xl/styles.xml", _styles(formats)


def _content_types(numbers: Iterable[int]) -> str:
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    parts = {"/xl/workbook.xml": "sheet.main", "/xl/styles.xml": "styles"}
    parts |= {f"/xl/worksheets/sheet{n}.xml": "worksheet" for n in numbers}
    each = (f'<Override PartName="{part}" ContentType="{kind}.{of}+xml"/>' for part, of in parts.items())
    relations = "application/vnd.openxmlformats-package.relationships+xml"
    default = f'<Default Extension="rels" ContentType="{relations}"/>'
    return f'<Types xmlns="{_PACKAGE}/content-types">{default}{"".join(each)}</Types>'


def _relations(targets: Sequence[tuple[str, str]]) -> str:
    each = "".join(
        f'<Relationship Id="rId{n}" Type="{_OFFICE}/{kind}" Target="{target}"/>'
        for n, (kind, target) in enumerate(targets, 1)
    )
    return f'<Relationships xmlns="{_PACKAGE}/relationships">{each}</Relationships>'


def _styles(formats: Sequence[str]) -> str:
    """Cells are of style 0; the head's is 1; then each format plainly, then each for a sum."""
    numbered = [(164 + n, shown) for n, shown in enumerate(formats)]  # those below are built in
    shown = "".join(f'<numFmt numFmtId="{n}" formatCode="{_text(code, True)}"/>' for n, code in numbered)
    font, line = '<font><sz val="11"/><name val="Calibri"/></font>', "<left/><right/>{}{}<diagonal/>"
    borders = [line.format(*edges) for edges in (
        ("<top/>", "<bottom/>"), ("<top/>", '<bottom style="thin"/>'), ('<top style="thin"/>', "<bottom/>"),
    )]  # fmt: skip
    style = '<xf numFmtId="{}" fontId="{}" fillId="0" borderId="{}" xfId="0" applyNumberFormat="1"/>'
    head = style.format(0, 1, 1).replace(
        "/>", ' applyAlignment="1"><alignment vertical="top" wrapText="1"/></xf>'
    )
    cells = [style.format(0, 0, 0), head]
    cells += [style.format(n, font, border) for font, border in ((0, 0), (1, 2)) for n, _ in numbered]
    return (
        f'<styleSheet xmlns="{_MAIN}"><numFmts count="{len(numbered)}">{shown}</numFmts>'
        f'<fonts count="2">{font}{font.replace("<font>", "<font><b/>")}</fonts>'
        '<fills count="2"><fill><patternFill patternType="none"/></fill>'
        '<fill><patternFill patternType="gray125"/></fill></fills>'
        f'<borders count="3">{"".join(f"<border>{border}</border>" for border in borders)}</borders>'
        '<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs>'
        f'<cellXfs count="{len(cells)}">{"".join(cells)}</cellXfs>'
        '<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>'
    )


def _sheet(sheet: Sheet, formats: Sequence[str]) -> Iterator[str]:
    """Yield a sheet: its head, and its lines, some at a time."""
    places = [f'<c r="{_letters(n)}' for n in range(len(sheet.columns))]
    yield _head(sheet, places)
    plain, sums = (
        [lru_cache(_KEPT)(_writer(column, formats, first)) for column in sheet.columns]
        for first in (2, 2 + len(formats))
    )
    pieces: list[str] = []
    for number, (cells, is_sum) in enumerate(sheet.lines, 2):
        writers, line = sums if is_sum else plain, str(number)
        each = [place + line + write(cell) for place, write, cell in zip(places, writers, cells, strict=True)]
        pieces.append(f'<row r="{line}">{"".join(each)}</row>')
        if len(pieces) == _SOME:
            yield "".join(pieces)
            pieces.clear()
    yield "".join(pieces) + "</sheetData></worksheet>"


def _head(sheet: Sheet, places: Sequence[str]) -> str:
    """Return the beginning of a sheet up to its first line, which stays in view as the first column does."""
    widths = "".join(
        f'<col min="{n}" max="{n}" width="{column.width}" customWidth="1"/>'
        for n, column in enumerate(sheet.columns, 1)
    )
    labels = "".join(
        f'{place}1" s="1"{_inline(column.label)}' for place, column in zip(places, sheet.columns, strict=True)
    )
    return (
        f'<worksheet xmlns="{_MAIN}"><sheetViews><sheetView workbookViewId="0"><pane xSplit="1" ySplit="1" '
        'topLeftCell="B2" activePane="bottomRight" state="frozen"/></sheetView></sheetViews>'
        f'<cols>{widths}</cols><sheetData><row r="1">{labels}</row>'
    )


def _writer(column: SheetColumn, formats: Sequence[str], first: int) -> Callable[[Any], str]:
    """Return what writes a cell of that column, from behind the number of its line on; `first` is the style
    of the first format."""

    def write(cell: Any) -> str:
        value, shown = cell, column.shown
        if isinstance(cell, Cell):
            shown, value = cell
        elif cell is not None and not isinstance(cell, str):
            value = column.value(cell)
        start = f'" s="{first + formats.index(shown)}"'
        if value is None or value == "":
            return f"{start}/>"
        return start + (_inline(value) if isinstance(value, str) else f"><v>{_number(value)!r}</v></c>")

    return write


def _inline(text: str) -> str:
    return f' t="inlineStr"><is><t xml:space="preserve">{_text(text)}</t></is></c>'


def _text(text: str, is_attribute: bool = False) -> str:
    """Return a text as XML can have it: signs that it can't are left out."""
    text = _ESCAPED.sub("_x005F_", _ILLEGAL.sub("", text)[:TEXT_MAX])
    return escape(text, {'"': "&quot;"} if is_attribute else {})


def _number(value: int | float | date | datetime) -> int | float:
    """Return a value as a spreadsheet counts: a day is 1. A local time has no zone here."""
    if isinstance(value, datetime):
        return value.toordinal() - _EPOCH + (value.hour * 60 + value.minute) / 1440
    if isinstance(value, date):
        return value.toordinal() - _EPOCH
    return value if isinstance(value, int) else float(value)  # also what a database calls a decimal


def _letters(n: int) -> str:
    """Return a column's name, A to Z, AA and so on, from its place, which counts from 0."""
    rest, letter = divmod(n, 26)
    return (_letters(rest - 1) if rest else "") + chr(ord("A") + letter)
