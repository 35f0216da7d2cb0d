"""Rows as the Web API shows them: entity tag, chosen columns, formatted values when asked for."""

from fnmatch import fnmatchcase
from typing import Any

from . import clock
from .schema import Column, Row
from .table import etag

FORMATTED = "OData.Community.Display.V1.FormattedValue"


def wants(annotations: str, name: str) -> bool:
    """Say whether an odata.include-annotations preference (names and wildcards) covers an annotation."""
    return any(fnmatchcase(name, pattern.strip()) for pattern in annotations.split(",") if pattern.strip())


def show(row: Row, columns: tuple[Column, ...], formatted: bool = False) -> dict[str, Any]:
    """Return one row as an answer holds it."""
    if not formatted:
        return {"@odata.etag": etag(row), **{column.name: row[column.name] for column in columns}}
    shown: dict[str, Any] = {"@odata.etag": etag(row)}
    for column in columns:
        text = _formatted(column, row[column.name])
        if text is not None:
            shown[f"{column.name}@{FORMATTED}"] = text
        shown[column.name] = row[column.name]
    return shown


def _formatted(column: Column, value: Any) -> str | None:
    if value is None:
        return None
    if column.choices:
        return column.choices.get(value) if isinstance(value, int) else _labels(column, value)
    if column.kind == "DateTime":
        instant = clock.from_text(value) if isinstance(value, str) else None
        return None if instant is None else _american(instant)
    if column.kind == "Decimal":
        return f"{value:,.{column.precision}f}" if isinstance(value, int | float) else None
    if column.kind == "BigInt":
        return f"{value:,}"
    return None


def _labels(column: Column, value: Any) -> str | None:
    """Write the labels of a multi-select choice: Needed; Approved."""
    parts = [part.strip() for part in value.split(",")] if isinstance(value, str) else []
    labels = [column.choices.get(int(part)) for part in parts if part.isdecimal()]
    return "; ".join(label for label in labels if label) or None


def _american(instant: Any) -> str:
    """Write 4/7/2023 2:59 PM, the format of the published example; the user's zone here is UTC."""
    hour = instant.hour % 12 or 12
    half = "AM" if instant.hour < 12 else "PM"
    return f"{instant.month}/{instant.day}/{instant.year} {hour}:{instant.minute:02d} {half}"
