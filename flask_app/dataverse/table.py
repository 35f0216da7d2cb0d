"""What the owner's table turns out to be: which columns it has, and how its status has to be asked for.

Read from Dataverse's metadata once. Who may not read that asks as the owner's plan does, and learns from what
Dataverse says against it.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from flask_app.dataverse.client import Row
from flask_app.dataverse.contract import APPROVED_STATUS, COLUMNS, TABLE, TYPES, Column
from flask_app.dataverse.errors import DataverseClientError, DataverseProtocolError, DataverseRefused
from flask_app.words import noted

ID, NUMBER, STATUS, STATE = "imi_jobid", "imi_imnumber", "imi_submittalstatus", "statecode"
CREATED, MODIFIED = "createdon", "modifiedon"
# What a sync reads. The phase and the hours are not needed for it.
READ = (
    ID, NUMBER, "imi_gc", "imi_scopesummary", "imi_jobnameaddress", STATUS, STATE, MODIFIED, CREATED,
)  # fmt: skip

# The forms of the question for approved rows, in the order in which they are tried.
AS_NUMBER, AS_MULTI_SELECT, AS_TEXT = "number", "multi-select", "text"
_FORMS = (AS_NUMBER, AS_MULTI_SELECT, AS_TEXT)
_CONTAINS = "Microsoft.Dynamics.CRM.ContainValues"  # how a multi-select choice is asked (query functions)
_IS_APPROVED = {
    AS_NUMBER: f"{STATUS} eq {APPROVED_STATUS}",
    AS_MULTI_SELECT: f"{_CONTAINS}(PropertyName='{STATUS}',PropertyValues=['{APPROVED_STATUS}'])",
    AS_TEXT: f"{STATUS} eq '{APPROVED_STATUS}'",
}
_FORM_OF = {
    "PicklistType": AS_NUMBER,
    "MultiSelectPicklistType": AS_MULTI_SELECT,
    "StringType": AS_TEXT,
    "MemoType": AS_TEXT,
}
_UNKNOWN_COLUMN = re.compile(r"Could not find a property named '(\w+)'", re.ASCII)
_WRONG_TYPE = "incompatible types"


@dataclass(frozen=True, slots=True)
class TableShape:
    """How to ask for rows. `columns` are those that there are, `warnings` tell what is amiss."""

    columns: tuple[str, ...] = READ
    form: str = AS_NUMBER
    secured: frozenset[str] = frozenset()  # where column security may hide the values from us
    warnings: tuple[str, ...] = ()

    @property
    def approved(self) -> str:
        """The filter for approved, active rows."""
        return f"{_IS_APPROVED[self.form]} and {self.active}" if self.active else _IS_APPROVED[self.form]

    @property
    def active(self) -> str | None:
        return f"{STATE} eq 0" if STATE in self.columns else None

    @property
    def order(self) -> tuple[str, ...]:
        """Newest first; the id settles ties, or a row could fall between two pages."""
        return (f"{CREATED} desc", ID) if CREATED in self.columns else (ID,)

    def without(self, name: str, amiss: str) -> "TableShape":
        """Return the shape that lacks a column; DataverseRefused if there is no sync without it."""
        column = COLUMNS[name]
        if column.essential:
            remedy = noted("Check the column in Dataverse, and that the application user may read it.")
            raise DataverseRefused(f"{amiss} {without(column)} {remedy}")
        columns = tuple(kept for kept in self.columns if kept != name)
        return replace(self, columns=columns, warnings=(*self.warnings, f"{amiss} {column.without}"))

    def after(self, refusal: DataverseProtocolError) -> "TableShape":
        """Return what to ask instead, after Dataverse has refused a question; raises it if nothing helps."""
        if found := _UNKNOWN_COLUMN.search(refusal.message):
            if found[1] in self.columns:
                return self.without(found[1], _lacking(COLUMNS[found[1]]))
        elif refusal.status == 400 and (_WRONG_TYPE in refusal.message or self.form == AS_MULTI_SELECT):
            following = _FORMS[_FORMS.index(self.form) + 1 :]
            if following:
                return replace(self, form=following[0])
        raise refusal


def shape_of(definitions: Iterable[Row]) -> TableShape:
    """Return the shape of a table with these columns, as the metadata tells them.

    Raises DataverseRefused if an essential column is missing or of a type that says nothing.
    """
    definitions = list(definitions)
    types = types_of(definitions)
    secured = (str(one.get("LogicalName")) for one in definitions if one.get("IsSecured") is True)
    shape = TableShape(secured=frozenset(secured))
    for name in READ:
        if amiss := what_is_amiss(COLUMNS[name], types):
            shape = shape.without(name, amiss)
    return replace(shape, form=_FORM_OF[types[STATUS]])


def types_of(definitions: Iterable[Row]) -> dict[str, str]:
    """Map the columns that can be read to their types, such as "PicklistType"."""
    found = {}
    for one in definitions:
        kind = one.get("AttributeTypeName")
        if one.get("IsValidForRead") is not False and isinstance(kind, Mapping):
            found[str(one.get("LogicalName"))] = str(kind.get("Value"))
    return found


def what_is_amiss(column: Column, types: Mapping[str, str]) -> str:
    """Return what is wrong with a column, a sentence; "" if nothing is."""
    kind = types.get(column.name)
    if kind is None:
        return _lacking(column)
    fits = TYPES[column.kind]
    return (
        ""
        if kind in fits
        else noted(
            "The column %(name)s is a %(kind)s, not a %(fits)s.", name=column.name, kind=kind, fits=fits[0]
        )
    )


def status_values(value: object) -> frozenset[int]:
    """Return the choices that a status stands for: a number, a text with a number, or several with commas."""
    if isinstance(value, bool):
        return frozenset()
    if isinstance(value, int):
        return frozenset({value})
    parts = value.split(",") if isinstance(value, str) else []
    return frozenset(int(part) for part in parts if part.strip().isdecimal() and part.isascii())


def says_nothing(error: DataverseClientError) -> bool:
    """Say whether a refusal of the metadata leaves only trying: no right to it, or no such address."""
    return error.status in (400, 403, 404, 501)


def hidden_column(name: str) -> DataverseRefused:
    """Return the error for an essential column that comes empty on every row."""
    remedy = noted("Check whether column security hides it from the application user.")
    return DataverseRefused(f"{_came_empty(name)} {without(COLUMNS[name])} {remedy}")


def blank_column(name: str) -> str:
    """Return the warning for a column that comes empty on every row but can be done without."""
    maybe = noted("Either nobody fills it in, or column security hides it.")
    return f"{_came_empty(name)} {maybe} {COLUMNS[name].without}"


def without(column: Column) -> str:
    """Return why there is no sync without an essential column."""
    return noted("It says %(what)s: without it there can be no sync.", what=column.purpose)


def _came_empty(name: str) -> str:
    return noted("The column %(column)s came empty on every row.", column=name)


def _lacking(column: Column) -> str:
    return noted("Dataverse's table %(table)s has no column %(name)s.", table=TABLE, name=column.name)
