"""A workbook is written as it is sent, and read back as what was written, whatever the texts."""

import io
import tracemalloc
import zipfile
from datetime import date, datetime
from xml.etree import ElementTree

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl.utils.escape import unescape

from flask_app.web.workbook import TEXT_MAX, Cell, Sheet, SheetColumn, workbook

FORMATS = ("@", "0.00", "mm/dd/yyyy")
COLUMNS = [SheetColumn("Name", "@", 20, str), SheetColumn("Hours", "0.00", 8, float)]
legal = st.characters(exclude_categories=("Cc", "Cs", "Cn"))


def written(*sheets: Sheet) -> bytes:
    return b"".join(workbook(sheets, FORMATS))


def read(data: bytes):
    return openpyxl.load_workbook(io.BytesIO(data))


@given(st.lists(st.tuples(st.text(legal, min_size=1, max_size=30), st.floats(-1e9, 1e9)), max_size=20))
def test_what_was_written_is_read_back(rows):
    book = read(written(Sheet("Rows", COLUMNS, ((row, False) for row in rows))))
    head, *lines = book["Rows"].iter_rows(values_only=True)
    assert head == ("Name", "Hours")
    assert [(name, float(number)) for name, number in lines] == rows


@pytest.mark.parametrize("text", ["=1+1", " a ", '<&">', "a\r\nb", "é, 木"])
def test_a_text_stays_a_text(text):
    cell = read(written(Sheet("Rows", COLUMNS, [((text, 1.5), False)])))["Rows"]["A2"]
    assert (cell.value, cell.data_type) == (text.replace("\r\n", "\n"), "s")


def test_a_text_that_looks_like_an_escaped_sign_is_escaped_itself():
    shown = read(written(Sheet("Rows", COLUMNS, [(("_x0041_ _x_", 1), False)])))["Rows"]["A2"].value
    assert (shown, unescape(shown)) == ("_x005F_x0041_ _x_", "_x0041_ _x_")


def test_what_xml_cant_have_is_left_out_and_a_text_that_is_too_long_is_cut():
    sheet = read(
        written(Sheet("R", COLUMNS, [(("a\x00b\ud800\uffff", None), False), (("x" * 40_000, 1), False)]))
    )["R"]
    assert (sheet["A2"].value, sheet["B2"].value, len(sheet["A3"].value)) == ("ab", None, TEXT_MAX)


def test_sums_are_bold_cells_may_differ_from_their_column_and_the_head_stays_in_view():
    lines = [
        (("Ana", 7.5), False),
        (("All", 7.5), True),
        ((Cell("mm/dd/yyyy", date(2026, 11, 23)), None), False),
    ]
    sheet = read(written(Sheet("Rows", COLUMNS, lines)))["Rows"]
    assert [sheet[cell].font.bold for cell in ("A1", "B2", "B3")] == [True, False, True]
    assert (sheet["A4"].value, sheet["A4"].number_format) == (datetime(2026, 11, 23), "mm/dd/yyyy")  # noqa: DTZ001
    assert (sheet.freeze_panes, sheet.column_dimensions["A"].width) == ("B2", 20)


def test_more_columns_than_there_are_letters_have_their_names():
    columns = [SheetColumn(str(n), "@", 5, str) for n in range(60)]
    sheet = read(written(Sheet("Wide", columns, [([str(n) for n in range(60)], False)])))["Wide"]
    assert [sheet[f"{name}2"].value for name in ("Z", "AA", "AZ", "BA", "BH")] == [
        "25",
        "26",
        "51",
        "52",
        "59",
    ]


def test_every_part_is_well_formed_and_named_in_the_package():
    data = written(Sheet("A & B", COLUMNS, []), Sheet("Two", COLUMNS, []))
    with zipfile.ZipFile(io.BytesIO(data)) as package:
        assert package.testzip() is None
        parts = {name: ElementTree.fromstring(package.read(name)) for name in package.namelist()}  # noqa: S314
    named = {part.get("PartName") for part in parts["[Content_Types].xml"]} - {None}
    assert named == {f"/{name}" for name in parts if name.startswith("xl/") and not name.endswith(".rels")}


def test_a_long_sheet_is_sent_while_it_is_written_and_nothing_of_it_is_kept():
    lines = (((f"Ana {n}", n / 7), False) for n in range(30_000))
    pieces = workbook([Sheet("Rows", COLUMNS, lines)], FORMATS)
    for _ in range(10):
        next(pieces)
    tracemalloc.start()
    begun, _ = tracemalloc.get_traced_memory()
    size = sum(len(piece) for piece in pieces)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert size > 300_000
    assert most - begun < 1_600_000  # the texts that are remembered


def test_a_workbook_that_breaks_off_is_opened_by_no_program():
    def lines():
        yield ("Ana", 1), False
        raise ConnectionError("the database went away")

    got = []
    with pytest.raises(ConnectionError):
        got.extend(workbook([Sheet("Rows", COLUMNS, lines())], FORMATS))
    assert not zipfile.is_zipfile(io.BytesIO(b"".join(got)))
