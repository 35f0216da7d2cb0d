"""Whether the table has the columns of the contract: by its definition, or by asking for each of them."""

from collections.abc import Callable, Iterator
from functools import partial

from flask_app.dataverse.client import Row
from flask_app.dataverse.contract import COLUMNS, ENTITY_SET, TABLE, Column
from flask_app.dataverse.errors import DataverseClientError, DataverseProtocolError
from flask_app.dataverse.probe import FAILED, OK, WARNING, Finding, Probe, Step, taken
from flask_app.dataverse.table import hidden_column, says_nothing, types_of, what_is_amiss, without
from flask_app.words import noted

SAMPLE = 50  # rows in which a value should be seen


def column_steps(probe: Probe) -> Iterator[Step]:
    """Look at every column of the contract: in the table's definition, or by asking for it."""
    try:
        definitions = probe.columns(TABLE)
    except DataverseClientError as error:
        if not says_nothing(error):
            yield Step(noted("Columns"), FAILED, str(error))
            return
        yield Step(
            noted("Columns"),
            WARNING,
            noted("The application user may not read the table's definition: each column is tried."),
        )
        yield from (taken(name, _tried(probe, column)) for name, column in COLUMNS.items())
    else:
        yield from _by_definition(probe, definitions)


def _by_definition(probe: Probe, definitions: list[Row]) -> Iterator[Step]:
    secured = {one.get("LogicalName") for one in definitions if one.get("IsSecured") is True}
    types = types_of(definitions)
    for name, column in COLUMNS.items():
        look = _seen if name in secured and name in types else _defined
        yield taken(name, partial(look, probe, column, types))


def _tried(probe: Probe, column: Column) -> Callable[[], Finding]:
    def look() -> Finding:
        try:
            rows = probe.list_records(ENTITY_SET, select=[column.name], top=SAMPLE)
        except DataverseProtocolError as error:
            if "Could not find a property" not in error.message:
                raise
            return _amiss(column, what_is_amiss(column, {}))
        if column.essential and rows and all(row.get(column.name) is None for row in rows):
            raise hidden_column(column.name)
        return OK, noted("It is there: %(purpose)s.", purpose=column.purpose)

    return look


def _defined(_: Probe, column: Column, types: dict[str, str]) -> Finding:
    if amiss := what_is_amiss(column, types):
        return _amiss(column, amiss)
    return OK, noted("It is a %(name)s: %(purpose)s.", name=types[column.name], purpose=column.purpose)


def _seen(probe: Probe, column: Column, types: dict[str, str]) -> Finding:
    """Look whether anything is to be seen in a column with column security."""
    rows = probe.list_records(ENTITY_SET, select=[column.name], top=SAMPLE)
    if not rows or any(row.get(column.name) is not None for row in rows):
        return _defined(probe, column, types)
    return _amiss(
        column,
        noted(
            "The column %(name)s has column security and comes empty. Put the application user "
            "into a column security profile that may read it.",
            name=column.name,
        ),
    )


def _amiss(column: Column, amiss: str) -> Finding:
    if column.essential:
        return FAILED, f"{amiss} {without(column)}"
    return WARNING, f"{amiss} {column.without}"
