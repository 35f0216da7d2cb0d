"""The stand-in in other shapes (status, missing columns, rights taken away), and where it is strict."""

import subprocess
import sys
from typing import Any

import pytest

from flask_app.standin import Access, Standin
from flask_app.standin.schema import columns_of
from tests.standin.standin_caller import Caller

CRM = "Microsoft.Dynamics.CRM."
NEEDED, APPROVED = 826130000, 826130004
WRONG_TYPE = (
    "A binary operator with incompatible types was detected. "
    "Found operand types 'Edm.String' and 'Edm.Int32' for operator kind 'Equal'."
)


def numbers(caller: Caller, expression: str) -> list[str]:
    answer = caller.get("imi_jobs", params={"$filter": expression})
    assert answer.status_code == 200, answer.text
    return [row["imi_imnumber"] for row in answer.json()["value"]]


def refused(answer) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["message"]


@pytest.fixture
def caller():
    with Standin(rows=[{"imi_imnumber": "1"}, {"imi_imnumber": "2"}]) as standin, Caller(standin) as one:
        yield one


@pytest.mark.parametrize("status", ["multi-select", "text"])
def test_a_status_that_is_text_is_not_compared_with_a_number(status) -> None:
    with Standin(status=status, rows=[{"imi_imnumber": "1"}]) as standin, Caller(standin) as caller:
        answer = caller.get("imi_jobs", params={"$filter": f"imi_submittalstatus eq {APPROVED}"})
        assert refused(answer) == (400, WRONG_TYPE)
        assert numbers(caller, f"imi_submittalstatus eq '{APPROVED}'") == ["1"]
        assert caller.rows("imi_jobs")[0]["imi_submittalstatus"] == str(APPROVED)


def test_a_choice_is_not_compared_with_text(caller) -> None:
    answer = caller.get("imi_jobs", params={"$filter": f"imi_submittalstatus eq '{APPROVED}'"})
    assert answer.status_code == 400
    assert "'Edm.Int32' and 'Edm.String'" in refused(answer)[1]


@pytest.mark.parametrize("quote", ["'", '"'])
def test_a_multi_select_choice_is_asked_whether_it_contains_a_value(quote) -> None:
    rows: list[dict[str, Any]] = [
        {"imi_imnumber": "1", "imi_submittalstatus": APPROVED},
        {"imi_imnumber": "2", "imi_submittalstatus": f"{NEEDED},{APPROVED}"},
        {"imi_imnumber": "3", "imi_submittalstatus": NEEDED},
        {"imi_imnumber": "4", "imi_submittalstatus": None},
    ]
    values = f"(PropertyName='imi_submittalstatus',PropertyValues=[{quote}{APPROVED}{quote}])"
    with Standin(status="multi-select", rows=rows) as standin, Caller(standin) as caller:
        assert numbers(caller, f"{CRM}ContainValues{values}") == ["1", "2"]
        assert numbers(caller, f"{CRM}DoesNotContainValues{values}") == ["3"]
        shown = caller.get("imi_jobs", 'odata.include-annotations="*"').json()["value"][1]
    assert shown["imi_submittalstatus@OData.Community.Display.V1.FormattedValue"] == "Needed; Approved"


@pytest.mark.parametrize("status", ["choice", "text"])
def test_no_other_column_can_be_asked_for_contained_values(status) -> None:
    expression = f"{CRM}ContainValues(PropertyName='imi_submittalstatus',PropertyValues=['{APPROVED}'])"
    with Standin(status=status) as standin, Caller(standin) as caller:
        assert caller.get("imi_jobs", params={"$filter": expression}).status_code == 400


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (f"{NEEDED}, {APPROVED}", 204),
        (str(APPROVED), 204),
        (APPROVED, 400),
        ("7", 400),
        ("x", 400),
        (None, 204),
    ],
)
def test_several_choices_are_written_as_one_text(sent, status) -> None:
    with Standin(status="multi-select") as standin, Caller(standin) as caller:
        row = standin.add()
        assert (
            caller.send("PATCH", f"imi_jobs({row})", json={"imi_submittalstatus": sent}).status_code == status
        )


@pytest.mark.parametrize(
    ("status", "old", "new"),
    [
        ("choice", "Picklist", "PicklistType"),
        ("multi-select", "Virtual", "MultiSelectPicklistType"),
        ("text", "String", "StringType"),
    ],
)
def test_the_definition_tells_the_shape(status, old, new) -> None:
    path = "EntityDefinitions(LogicalName='imi_job')/Attributes(LogicalName='imi_submittalstatus')"
    with Standin(status=status) as standin, Caller(standin) as caller:
        told = caller.get(path).json()
    assert (told["AttributeType"], told["AttributeTypeName"]) == (old, {"Value": new})


@pytest.mark.parametrize("option", ["$select=imi_gc", "$orderby=imi_gc", "$filter=imi_gc eq null"])
def test_a_column_that_is_left_out_is_unknown_everywhere(option) -> None:
    with Standin(without=["imi_gc"], rows=[{}]) as standin, Caller(standin) as caller:
        assert "Could not find a property named 'imi_gc'" in refused(caller.get(f"imi_jobs?{option}"))[1]
        assert "imi_gc" not in caller.rows("imi_jobs")[0]
        told = caller.get("EntityDefinitions(LogicalName='imi_job')/Attributes").json()["value"]
        assert "imi_gc" not in [one["LogicalName"] for one in told]
        assert caller.send("POST", "imi_jobs", json={"imi_gc": "x"}).status_code == 400


@pytest.mark.parametrize("shape", [{"status": "lookup"}, {"without": ["imi_jobname"]}])
def test_a_shape_that_is_none_is_refused(shape) -> None:
    with pytest.raises(ValueError, match="knows nothing of"):
        columns_of(**shape)


def test_a_secured_column_reads_as_null_and_its_definition_says_so() -> None:
    access = Access(secured=frozenset({"imi_gc"}))
    with Standin(access=access) as standin, Caller(standin) as caller:
        row = standin.add(imi_gc="Suffolk")
        first = caller.get("imi_jobs", "odata.track-changes").json()
        shown = [caller.rows("imi_jobs")[0], caller.get(f"imi_jobs({row})").json(), first["value"][0]]
        told = caller.get("EntityDefinitions(LogicalName='imi_job')/Attributes").json()["value"]
        assert numbers(caller, "imi_gc eq 'Suffolk'") == []
        standin.delete(row)
        assert "reason" in caller.get(first["@odata.deltaLink"]).json()["value"][0]
    assert [one["imi_gc"] for one in shown] == [None, None, None]
    assert [one["LogicalName"] for one in told if one["IsSecured"]] == ["imi_gc"]


@pytest.mark.parametrize(
    ("right", "path", "code", "words"),
    [
        ("member", "WhoAmI", "0x80072560", "not a member of the organization"),
        ("member", "imi_jobs", "0x80072560", "not a member of the organization"),
        ("read", "imi_jobs", "0x80040220", "prvReadimi_job"),
        ("read", "imi_jobs/$count", "0x80040220", "prvReadimi_job"),
        ("metadata", "EntityDefinitions(LogicalName='imi_job')/Attributes", "0x80040220", "prvReadAttribute"),
    ],
)
def test_a_right_that_is_taken_away_is_missed(caller, right, path, code, words) -> None:
    assert caller.get(path).status_code == 200
    setattr(caller.standin.access, right, False)
    answer = caller.get(path)
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, code)
    assert words in answer.json()["error"]["message"]


def test_who_may_not_read_is_still_somebody(caller) -> None:
    caller.standin.access.read = False
    assert caller.get("WhoAmI").status_code == 200


@pytest.mark.parametrize(
    "parameter",
    ["sql=SELECT 1", "fetchXml=<fetch/>", "savedQuery=7", "userQuery=7", "top=1", "$apply=x", "@p=1"],
)
@pytest.mark.parametrize(
    "path", ["imi_jobs", "imi_jobs/$count", "WhoAmI", "imi_jobs(00000000-0000-0000-0000-000000000001)"]
)
def test_a_parameter_that_is_not_known_is_refused_and_never_answered_with_rows(
    caller, path, parameter
) -> None:
    name = parameter.partition("=")[0]
    answer = caller.get(f"{path}?{parameter}")
    assert refused(answer) == (400, f"The query parameter {name} is not supported.")


@pytest.mark.parametrize("name", ["tolower", "length", "year", f"{CRM}Under"])
def test_a_function_that_is_not_known_is_refused(caller, name) -> None:
    answer = caller.get("imi_jobs", params={"$filter": f"{name}(imi_gc) eq 'x'"})
    assert refused(answer) == (
        400,
        f"An unknown function with name '{name}' was found. This may also be a function import or a key "
        "lookup on a navigation property, which is not allowed.",
    )


def test_query_functions_are_read_as_microsofts_sdk_sends_them(caller) -> None:
    expression = f'{CRM}In(PropertyName=\'imi_imnumber\',PropertyValues=["2","2000"])'
    assert numbers(caller, expression) == ["2"]
    between = f'{CRM}Between(PropertyName=\'imi_submittalstatus\',PropertyValues=["5","826130005"])'
    assert numbers(caller, between) == ["1", "2"]


def test_double_quotes_are_no_text_elsewhere(caller) -> None:
    assert caller.get("imi_jobs", params={"$filter": 'imi_imnumber eq "1"'}).status_code == 400


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ({"statecode": 1, "statuscode": 2}, 204),
        ({"statecode": 1}, 204),
        ({"statuscode": 1}, 204),
        ({"statecode": 0, "statuscode": 2}, 400),
        ({"statecode": 1, "statuscode": 1}, 400),
        ({"statuscode": 2}, 400),
    ],
)
@pytest.mark.parametrize("many", [False, True])
def test_a_status_reason_belongs_to_its_state(caller, sent, status, many) -> None:
    row = caller.standin.add()
    if many:
        target = {"@odata.type": f"{CRM}imi_job", "imi_jobid": row, **sent}
        answer = caller.send("POST", f"imi_jobs/{CRM}UpdateMultiple", json={"Targets": [target]})
    else:
        answer = caller.send("PATCH", f"imi_jobs({row})", json=sent)
    assert answer.status_code == status
    if status == 400:
        assert answer.json()["error"]["code"] == "0x80048408"
        assert "is not a valid status code for state code imi_jobState." in answer.json()["error"]["message"]


@pytest.mark.parametrize(("reason", "status"), [(1, 400), (2, 204)])
def test_the_reason_of_an_inactive_row_is_one_of_inactive_rows(caller, reason, status) -> None:
    row = caller.standin.add(statecode=1)
    answer = caller.send("PATCH", f"imi_jobs({row})", json={"statuscode": reason})
    assert answer.status_code == status


@pytest.mark.parametrize(
    ("sent", "status"), [({"statecode": 1, "statuscode": 2}, 204), ({"statuscode": 2}, 400)]
)
def test_a_new_row_needs_a_reason_of_its_state_too(caller, sent, status) -> None:
    assert caller.send("POST", "imi_jobs", json=sent).status_code == status
    absent = "00000000-0000-4000-8000-000000000009"
    assert caller.send("PATCH", f"imi_jobs({absent})", json=sent).status_code == status


def test_the_shape_is_told_on_the_command_line() -> None:
    flags = (
        "--status text --without imi_gc --secured imi_scopesummary --no-metadata --no-read --no-member --help"
    )
    shown = subprocess.run(  # noqa: S603
        [sys.executable, "-m", "flask_app.standin", *flags.split()],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "--no-member" in shown.stdout
