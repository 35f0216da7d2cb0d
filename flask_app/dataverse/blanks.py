"""Columns that come empty on every row: nobody fills them in, or column security hides them from us."""

from flask_app.dataverse.client import Row
from flask_app.dataverse.rows import FIELDS
from flask_app.dataverse.table import NUMBER, STATUS, hidden_column

TELLING = 10  # rows; of fewer, a column may be blank on all by chance


class Blanks:
    """Which of the columns that matter came empty on every row of a reading."""

    def __init__(self) -> None:
        self.rows = 0
        self._empty = {STATUS, NUMBER, *FIELDS}

    def look_at(self, rows: list[Row]) -> None:
        self.rows += len(rows)
        self._empty = {name for name in self._empty if all(row.get(name, "") is None for row in rows)}

    def has(self, column: str, *, from_rows: int = TELLING) -> bool:
        return column in self._empty and self.rows >= from_rows


def refuse_hidden_status(rows: list[Row]) -> None:
    """Raise DataverseRefused if these rows are enough to tell that the status is hidden."""
    if len(rows) >= TELLING and all(row.get(STATUS, "") is None for row in rows):
        raise hidden_column(STATUS)
