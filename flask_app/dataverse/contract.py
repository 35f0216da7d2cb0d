"""The contract of the owner's table `imi_job`: its columns, what each is for, and who says that it exists.

The service asks for these columns and no others. What is not known of them (the exact type of some) is read
from Dataverse at run time. A column that neither the owner's plan nor Dataverse's own documentation names
does not belong here.
"""

from dataclasses import dataclass

from flask_app.words import noted

TABLE = "imi_job"
ENTITY_SET = "imi_jobs"

PLAN = "the owner's plan"
EVERY_TABLE = "every Dataverse table"

# Kinds of columns, by what can be done with them. Dataverse's own type names stand in TYPES.
ID, TEXT, CHOICE, STATE, INSTANT, NUMBER = "id", "text", "choice", "state", "instant", "number"
NUMERAL = "numeral"  # a text, or a number of which the digits are taken: the plan takes its `str()`

# Kind -> the AttributeTypeName of Dataverse's metadata that fit it. A choice may be a number column, a
# multi-select choice or a plain text column: the plan and the shop's running program disagree.
TYPES = {
    ID: ("UniqueidentifierType",),
    TEXT: ("StringType", "MemoType"),
    CHOICE: ("PicklistType", "MultiSelectPicklistType", "StringType", "MemoType"),
    STATE: ("StateType",),
    INSTANT: ("DateTimeType",),
    NUMERAL: ("StringType", "MemoType", "IntegerType", "BigIntType", "DecimalType", "DoubleType"),
    NUMBER: ("DecimalType", "DoubleType", "IntegerType", "MoneyType"),
}


@dataclass(frozen=True, slots=True)
class Column:
    """One column. Without an `essential` one no sync is possible.

    `purpose` says what it tells, `without` what happens if it is missing.
    """

    name: str
    kind: str
    purpose: str
    source: str
    essential: bool = False
    without: str = ""


_KEPT = noted("Jobs keep the text that they have.")
_UNNEEDED = noted("No sync needs it.")
_COLUMNS = (
    Column("imi_jobid", ID, noted("which row a job follows"), PLAN, essential=True),
    Column("imi_imnumber", NUMERAL, noted("the job's IM number"), PLAN, essential=True),
    Column("imi_jobnameaddress", TEXT, noted("the job's name and address"), PLAN, without=_KEPT),
    Column("imi_gc", TEXT, noted("the general contractor"), PLAN, without=_KEPT),
    Column("imi_scopesummary", TEXT, noted("the scope of the work"), PLAN, without=_KEPT),
    Column("imi_submittalstatus", CHOICE, noted("whether the job is approved"), PLAN, essential=True),
    Column("imi_productionphase", CHOICE, noted("the phase of production"), PLAN, without=_UNNEEDED),
    Column("imi_actualhours", NUMBER, noted("the hours worked"), PLAN, without=_UNNEEDED),
    Column("createdon", INSTANT, noted("which of two rows with one IM number is the newer"), EVERY_TABLE,
           without=noted("Of two rows with one IM number, the one with the higher id is taken.")),
    Column("modifiedon", INSTANT, noted("what has changed since the last sync"), EVERY_TABLE,
           without=noted("Every sync reads everything.")),
    Column("statecode", STATE, noted("whether the row is active"), EVERY_TABLE,
           without=noted("A deactivated row counts as active.")),
)  # fmt: skip
COLUMNS = {column.name: column for column in _COLUMNS}

# The choices of imi_submittalstatus, as the owner's plan lists them.
SUBMITTAL_LABELS = {
    826130000: "Needed",
    826130001: "Ready to Submit",
    826130002: "AWT Approval",
    826130003: "Update with Field #'s",
    826130004: "Approved",
    826130005: "N/A",
}
APPROVED_STATUS = 826130004
