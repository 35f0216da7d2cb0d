"""Several columns read as one: what is asked for in every request is asked for in few words.

The driver takes in the description of each column of each answer anew, which takes longer than all values of
one row. So a row comes as one JSON array, which every engine makes and Python reads in no time.
"""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Boolean, ColumnElement, String, func

from flask_app.models.types import UtcDateTime


class Brief:
    """Some columns under names: numbers, texts, instants, and yes or no."""

    def __init__(self, **columns: ColumnElement[Any]) -> None:
        self._names = tuple(columns)
        self._readers = [(name, _reader(column)) for name, column in columns.items() if _reader(column)]
        self.column: ColumnElement[str] = func.json_array(*columns.values(), type_=String)

    def read(self, text: str) -> dict[str, Any]:
        """Return the values of one row, None for NULL."""
        values: dict[str, Any] = dict(zip(self._names, json.loads(text), strict=True))
        for name, read in self._readers:
            if read is not None and values[name] is not None:
                values[name] = read(values[name])
        return values


def _reader(column: ColumnElement[Any]) -> Callable[[Any], Any] | None:
    if isinstance(column.type, UtcDateTime):
        return _instant
    return bool if isinstance(column.type, Boolean) else None


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
