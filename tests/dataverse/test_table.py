"""What is learnt about the table: from its definition, from Dataverse's refusals, from what a status says."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_app.dataverse.contract import APPROVED_STATUS, COLUMNS, TYPES
from flask_app.dataverse.errors import DataverseProtocolError, DataverseRefused
from flask_app.dataverse.table import READ, TableShape, shape_of, status_values

NUMBER_AND_TEXT = (
    "A binary operator with incompatible types was detected. "
    "Found operand types 'Edm.String' and 'Edm.Int32' for operator kind 'Equal'."
)


def definitions(**types: str | None) -> list[dict[str, Any]]:
    """Return the contract's columns as metadata, in the plan's types but for `types` (None: not there)."""
    all_types = {name: TYPES[column.kind][0] for name, column in COLUMNS.items()} | types
    return [
        {"LogicalName": name, "AttributeTypeName": {"Value": kind}, "IsValidForRead": True}
        for name, kind in all_types.items()
        if kind is not None
    ]


def refusal(message: str, status: int = 400) -> DataverseProtocolError:
    return DataverseProtocolError("A sentence.", status=status, message=message)


def unknown(name: str) -> DataverseProtocolError:
    return refusal(f"Could not find a property named '{name}' on type 'Microsoft.Dynamics.CRM.imi_job'.")


@given(st.sets(st.integers(0, 10**12), min_size=1), st.sampled_from([",", ", ", " ,"]))
def test_a_status_says_the_same_as_a_number_as_text_and_as_one_of_several(values, comma) -> None:
    assert status_values(comma.join(map(str, values))) == values
    for value in values:
        assert status_values(value) == status_values(str(value)) == status_values(f" {value} ") == {value}


@pytest.mark.parametrize(
    "value", [None, "", " ", ",", True, False, "Approved", "8261,x", [826130004], {}, 8.5, "٤"]
)
def test_a_status_that_is_none_says_nothing_approved(value) -> None:
    assert APPROVED_STATUS not in status_values(value)


@pytest.mark.parametrize("junk", [[], [{}], [{"LogicalName": "imi_jobid"}], [{"AttributeTypeName": "x"}]])
def test_a_definition_that_tells_nothing_fails_on_the_first_essential_column(junk) -> None:
    with pytest.raises(DataverseRefused, match="has no column imi_jobid"):
        shape_of(junk)


@pytest.mark.parametrize(
    ("kind", "asked"),
    [
        ("PicklistType", "imi_submittalstatus eq 826130004"),
        ("StringType", "imi_submittalstatus eq '826130004'"),
        ("MemoType", "imi_submittalstatus eq '826130004'"),
        (
            "MultiSelectPicklistType",
            "Microsoft.Dynamics.CRM.ContainValues(PropertyName='imi_submittalstatus',"
            "PropertyValues=['826130004'])",
        ),
    ],
)
def test_the_type_of_the_status_tells_how_to_ask(kind, asked) -> None:
    assert shape_of(definitions(imi_submittalstatus=kind)).approved == f"{asked} and statecode eq 0"


@pytest.mark.parametrize("kind", [None, "LookupType", "PicklistType"])
def test_a_column_of_another_type_is_done_without(kind) -> None:
    shape = shape_of(definitions(imi_gc=kind))
    assert "imi_gc" not in shape.columns
    assert [warning.endswith("Jobs keep the text that they have.") for warning in shape.warnings] == [True]


@pytest.mark.parametrize("kind", ["IntegerType", "DecimalType", "MemoType"])
def test_the_im_number_may_be_a_number(kind) -> None:
    shape = shape_of(definitions(imi_imnumber=kind))
    assert ("imi_imnumber" in shape.columns, shape.warnings) == (True, ())


def test_a_column_that_may_not_be_read_is_missing() -> None:
    told = definitions()
    next(one for one in told if one["LogicalName"] == "imi_gc")["IsValidForRead"] = False
    assert "imi_gc" not in shape_of(told).columns


def test_each_refusal_teaches_something_until_nothing_helps() -> None:
    shape = TableShape()
    for name in ("imi_gc", "createdon", "modifiedon", "statecode"):
        shape = shape.after(unknown(name))
    assert set(shape.columns) == set(READ) - {"imi_gc", "createdon", "modifiedon", "statecode"}
    assert (shape.order, shape.active) == (("imi_jobid",), None)
    shape = shape.after(refusal(NUMBER_AND_TEXT)).after(refusal("ContainValues cannot be used here."))
    assert shape.approved == "imi_submittalstatus eq '826130004'"
    with pytest.raises(DataverseProtocolError):
        shape.after(refusal(NUMBER_AND_TEXT))


@pytest.mark.parametrize(
    "error", [unknown("imi_nothing"), refusal("Something else."), refusal(NUMBER_AND_TEXT, 500)]
)
def test_a_refusal_that_teaches_nothing_is_raised(error) -> None:
    with pytest.raises(DataverseProtocolError) as raised:
        TableShape().after(error)
    assert raised.value is error
