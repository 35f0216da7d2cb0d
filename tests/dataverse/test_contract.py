"""The owner's table: what the service asks for and what the stand-in has, each against the one contract."""

import pytest

from flask_app.dataverse.contract import COLUMNS, ENTITY_SET, EVERY_TABLE, PLAN, SUBMITTAL_LABELS, TYPES
from flask_app.dataverse.table import READ, TableShape
from flask_app.standin import Standin, schema
from tests.standin.standin_caller import Caller

# Of the columns that every Dataverse table has, those that the stand-in has too: clients of Dataverse, not
# of this table, need them (states come in pairs, versions are what changes are tracked by).
STANDARD = {"statuscode", "versionnumber"}


def test_the_contract_is_the_owners_plan_and_what_every_table_has() -> None:
    said = {name: column.source for name, column in COLUMNS.items()}
    plan = (
        "imi_jobid", "imi_imnumber", "imi_jobnameaddress", "imi_gc", "imi_scopesummary",
        "imi_submittalstatus", "imi_productionphase", "imi_actualhours",
    )  # fmt: skip
    standard = ("createdon", "modifiedon", "statecode")
    assert said == {**dict.fromkeys(plan, PLAN), **dict.fromkeys(standard, EVERY_TABLE)}


def test_only_id_number_and_status_are_essential() -> None:
    essential = {name for name, column in COLUMNS.items() if column.essential}
    assert essential == {"imi_jobid", "imi_imnumber", "imi_submittalstatus"}


def test_the_service_asks_for_nothing_outside_the_contract() -> None:
    assert set(READ) <= COLUMNS.keys()
    assert {order.split()[0] for order in TableShape().order} <= COLUMNS.keys()


def test_the_stand_ins_schema_is_the_contract() -> None:
    assert schema.COLUMNS.keys() - STANDARD == COLUMNS.keys()
    assert (schema.ENTITY_SET, schema.SUBMITTAL) == (ENTITY_SET, SUBMITTAL_LABELS)


@pytest.mark.parametrize("name", COLUMNS)
def test_the_stand_ins_columns_are_of_the_contracts_kinds(name: str) -> None:
    assert f"{schema.COLUMNS[name].kind}Type" in TYPES[COLUMNS[name].kind]


@pytest.mark.parametrize("name", ["imi_jobname", "imi_jobaddress", "imi_estimatedhours", "IMI_GC"])
@pytest.mark.parametrize("option", ["$select={}", "$orderby={}", "$filter={} eq null"])
def test_a_name_outside_the_contract_is_refused_in_dataverses_words(name: str, option: str) -> None:
    with Standin() as standin, Caller(standin) as caller:
        answer = caller.get(f"imi_jobs?{option.format(name)}")
    message = f"Could not find a property named '{name}' on type 'Microsoft.Dynamics.CRM.imi_job'."
    assert (answer.status_code, answer.json()["error"]) == (400, {"code": "0x80060888", "message": message})


def test_hours_are_a_decimal_number() -> None:
    with Standin() as standin, Caller(standin) as caller:
        row_id = standin.add(imi_actualhours=7.5)
        assert (
            caller.send("PATCH", f"imi_jobs({row_id})", json={"imi_actualhours": 1234.565}).status_code == 204
        )
        assert caller.send("PATCH", f"imi_jobs({row_id})", json={"imi_actualhours": "8"}).status_code == 400
        found = caller.rows("imi_jobs?$filter=imi_actualhours gt 1234 and imi_actualhours lt 1234.6")
        definition = caller.get(
            "EntityDefinitions(LogicalName='imi_job')/Attributes(LogicalName='imi_actualhours')"
        ).json()
    assert [row["imi_actualhours"] for row in found] == [round(1234.565, 2)]
    assert (definition["AttributeType"], definition["Precision"]) == ("Decimal", 2)
