"""The one table that the stand-in holds, `imi_jobs`: its columns, their kinds and their choices.

Written from the plan of the table's owner, which names the columns, the labels of the submittal status and
nothing more: lengths, the choices of the phase and the type of the hours are made up. The standard columns
are those that every Dataverse table has; of them, only what a client of this table may need is here.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

Row = dict[str, Any]

TABLE = "imi_job"
ENTITY_SET = "imi_jobs"
KEY = "imi_jobid"
NAME_COLUMN = "imi_imnumber"
ENTITY_TYPE = f"Microsoft.Dynamics.CRM.{TABLE}"
NEEDED, APPROVED = 826130000, 826130004

SUBMITTAL = {
    826130000: "Needed",
    826130001: "Ready to Submit",
    826130002: "AWT Approval",
    826130003: "Update with Field #'s",
    826130004: "Approved",
    826130005: "N/A",
}
PHASES = {  # the owner's own are not public
    826130000: "Engineering",
    826130001: "Machining",
    826130002: "Assembly",
    826130003: "Finishing",
    826130004: "Shipped",
}
ACTIVITY = {0: "Active", 1: "Inactive"}
REASON = {1: "Active", 2: "Inactive"}
REASON_OF = {0: 1, 1: 2}  # state -> its one status reason


@dataclass(frozen=True)
class Column:
    """One column: `kind` is the metadata's AttributeType, `edm` the type in a query."""

    name: str
    kind: str
    label: str
    edm: str = "Edm.String"
    length: int = 0  # characters; 0: not a text column
    precision: int = 0  # decimals of a number
    choices: dict[int, str] = field(default_factory=dict)
    read_only: bool = False


_COLUMNS = (
    Column(KEY, "Uniqueidentifier", "Job", "Edm.Guid"),
    Column("imi_imnumber", "String", "IM Number", length=100),
    Column("imi_gc", "String", "General Contractor", length=255),
    Column("imi_scopesummary", "Memo", "Scope Summary", length=2000),
    Column("imi_jobnameaddress", "String", "Job Name & Address", length=500),
    Column("imi_submittalstatus", "Picklist", "Submittal Status", "Edm.Int32", choices=SUBMITTAL),
    Column("imi_productionphase", "Picklist", "Production Phase", "Edm.Int32", choices=PHASES),
    Column("imi_actualhours", "Decimal", "Actual Hours", "Edm.Decimal", precision=2),
    Column("statecode", "State", "Status", "Edm.Int32", choices=ACTIVITY),
    Column("statuscode", "Status", "Status Reason", "Edm.Int32", choices=REASON),
    Column("createdon", "DateTime", "Created On", "Edm.DateTimeOffset", read_only=True),
    Column("modifiedon", "DateTime", "Modified On", "Edm.DateTimeOffset", read_only=True),
    Column("versionnumber", "BigInt", "Version Number", "Edm.Int64", read_only=True),
)
COLUMNS = {column.name: column for column in _COLUMNS}

# What the submittal status may be: the owner's plan calls it an option set and compares it with a number, the
# shop's running program compares it with a text, as for a multi-select choice or a text column.
STATUS = "imi_submittalstatus"
_STATUSES = {
    "choice": COLUMNS[STATUS],
    "multi-select": Column(STATUS, "MultiSelectPicklist", "Submittal Status", choices=SUBMITTAL),
    "text": Column(STATUS, "String", "Submittal Status", length=100),
}
STATUS_SHAPES = tuple(_STATUSES)


def columns_of(status: str = "choice", without: Iterable[str] = ()) -> dict[str, Column]:
    """Return the columns of a table whose status is of that shape, and that lacks some of the columns."""
    lacking = set(without)
    if unknown := (lacking - COLUMNS.keys()) | ({status} - _STATUSES.keys()):
        raise ValueError(f"imi_jobs knows nothing of {', '.join(sorted(unknown))}")
    columns = {**COLUMNS, STATUS: _STATUSES[status]}
    return {name: column for name, column in columns.items() if name not in lacking}
