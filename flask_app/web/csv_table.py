"""A CSV file that somebody uploads, whatever its encoding and its comma: texts under known columns."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from flask_app.models.names import folded
from flask_app.words import Words, _

LARGEST = 200 * 1024  # bytes
_MOST_IN_A_CELL = 10_000  # characters


class NoTable(Exception):
    """The file can't be read as a table at all; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Table:
    """The lines of a file: each with its number in the file, and its texts by the codes of the columns.

    `strange` are columns that nobody asked for; what stands in them is not read.
    """

    lines: Sequence[tuple[int, Mapping[str, str]]]
    strange: Sequence[str]


def decoded(content: bytes) -> str:
    """Return the text of a file in UTF-8, with or without a mark at its beginning, or in Windows-1252."""
    if len(content) > LARGEST:
        raise NoTable(_("This file is too large: at most %(most)s KB.", most=LARGEST // 1024))
    if content.startswith(b"PK\x03\x04") or content.startswith(b"\xd0\xcf\x11\xe0"):
        raise NoTable(_("This is an Excel file. In Excel, save it as CSV UTF-8, then choose that file."))
    if content.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in content:
        raise NoTable(_("This is no CSV text. Save it as CSV UTF-8, then choose that file."))
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", "replace")


def read_table(text: str, columns: Mapping[str, Words], needed: Sequence[str], *, most: int) -> Table:
    """Return the table of a text whose first line names the columns, as `columns` does (code -> words).

    Upper case, accents, blanks and underscores make no difference. Raises NoTable.
    """
    rows = _rows(text)
    if not rows:
        raise NoTable(_("This file is empty."))
    head, *rest = rows
    codes = _codes(head[1], columns)
    _check(codes, columns, needed)
    if len(rest) > most:
        raise NoTable(_("This file has %(n)s lines: at most %(most)s at a time.", n=len(rest), most=most))
    lines = [(number, _under(codes, cells)) for number, cells in rest]
    strange = [name.strip() for name, code in zip(head[1], codes, strict=True) if not code and name.strip()]
    return Table(lines, strange)


def _check(codes: Sequence[str], columns: Mapping[str, Words], needed: Sequence[str]) -> None:
    if missing := [str(columns[code]) for code in needed if code not in codes]:
        names = ", ".join(missing)
        raise NoTable(_("The first line has to name the columns. Missing: %(columns)s.", columns=names))


def _rows(text: str) -> list[tuple[int, list[str]]]:
    """The rows that have something in them, with the number of the line on which each begins."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text), strict=True)
    found, line = [], 1
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                found.append((line, cells))
            line = reader.line_num + 1
    except csv.Error:
        raise NoTable(_("Line %(line)s can't be read: look at its quotation marks.", line=line)) from None
    if any(len(cell) > _MOST_IN_A_CELL for _line, cells in found for cell in cells):
        raise NoTable(_("A text in this file is too long. Look at its quotation marks."))
    return found


def _delimiter(text: str) -> str:
    """What stands between the columns: the most frequent one of the first line."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    return max(",;\t", key=first.count)


def _codes(head: Sequence[str], columns: Mapping[str, Words]) -> list[str]:
    known = {_plain_name(name): code for code, words in columns.items() for name in (code, str(words))}
    codes = [known.get(_plain_name(name), "") for name in head]
    if twice := {code for code in codes if code and codes.count(code) > 1}:
        raise NoTable(_("The column %(column)s stands there twice.", column=columns[min(twice)]))
    return codes


def _plain_name(name: str) -> str:
    return "".join(character for character in folded(name) if character.isalnum())


def _under(codes: Sequence[str], cells: Sequence[str]) -> dict[str, str]:
    cells = [*cells, *[""] * (len(codes) - len(cells))]
    return {code: cell for code, cell in zip(codes, cells, strict=False) if code}
