"""The stand-in's table definitions, over real HTTPS."""

import json

import pytest

from flask_app.standin import Standin
from tests.standin.standin_caller import Caller

TABLE = "EntityDefinitions(LogicalName='imi_job')"
CRM = "Microsoft.Dynamics.CRM."
PICKLISTS = ["imi_submittalstatus", "imi_productionphase"]


@pytest.fixture(scope="module")
def caller():
    with Standin() as standin, Caller(standin) as one:
        yield one


def names(answer):
    return [one["LogicalName"] for one in answer.json()["value"]]


@pytest.mark.parametrize(("name", "found"), [("imi_job", 1), ("imi_nothing", 0)])
def test_a_table_is_found_by_its_logical_name(caller, name, found):
    query = f"$select=LogicalName,EntitySetName,PrimaryIdAttribute&$filter=LogicalName eq '{name}'"
    value = caller.get(f"EntityDefinitions?{query}").json()["value"]
    assert len(value) == found
    if found:
        assert set(value[0]) == {"MetadataId", "LogicalName", "EntitySetName", "PrimaryIdAttribute"}
        assert (value[0]["EntitySetName"], value[0]["PrimaryIdAttribute"]) == ("imi_jobs", "imi_jobid")


def test_a_definition_is_found_by_name_and_by_id(caller):
    by_name = caller.get(f"{TABLE}?$select=ChangeTrackingEnabled,IsOptimisticConcurrencyEnabled").json()
    by_id = caller.get(f"EntityDefinitions({by_name['MetadataId']})").json()
    assert (by_name["ChangeTrackingEnabled"], by_name["IsOptimisticConcurrencyEnabled"]) == (True, True)
    assert by_id["SchemaName"] == "imi_Job"


@pytest.mark.parametrize(
    "path", ["EntityDefinitions(LogicalName='nothing')", f"{TABLE}/Attributes(LogicalName='nothing')"]
)
def test_a_definition_that_is_not_there_is_404(caller, path):
    assert caller.get(path).status_code == 404


def test_a_property_that_definitions_do_not_have_is_refused(caller):
    answer = caller.get(f"{TABLE}?$select=Nothing")
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "0x80060888")


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        ("IsPrivate eq false and ChangeTrackingEnabled eq true", 1),
        ("CanCreateAttributes/Value eq true", 1),
        (f"OwnershipType eq {CRM}OwnershipTypes'UserOwned'", 1),
        ("IsCustomEntity eq false", 0),
    ],
)
def test_definitions_are_filtered_by_flags_enums_and_paths(caller, expression, found):
    answer = caller.get("EntityDefinitions", params={"$filter": expression})
    assert len(answer.json()["value"]) == found


def test_startswith_is_not_known_to_metadata(caller):
    assert caller.get("EntityDefinitions?$filter=startswith(LogicalName,'imi')").status_code == 501


def test_the_columns_are_listed_with_their_types(caller):
    answer = caller.get(f"{TABLE}/Attributes?$select=LogicalName,AttributeType")
    types = {one["LogicalName"]: one["AttributeType"] for one in answer.json()["value"]}
    assert types["imi_imnumber"] == "String"
    assert types["imi_submittalstatus"] == "Picklist"
    assert (types["statecode"], types["statuscode"]) == ("State", "Status")


def test_the_columns_are_filtered_by_type(caller):
    answer = caller.get(f"{TABLE}/Attributes?$filter=AttributeType eq {CRM}AttributeTypeCode'Picklist'")
    assert names(answer) == PICKLISTS


@pytest.mark.parametrize(
    ("kind", "column", "choices"),
    [
        ("Picklist", "imi_submittalstatus", {826130000: "Needed", 826130004: "Approved", 826130005: "N/A"}),
        ("State", "statecode", {0: "Active", 1: "Inactive"}),
        ("Status", "statuscode", {1: "Active", 2: "Inactive"}),
    ],
)
def test_choices_are_found_by_a_cast_to_their_type(caller, kind, column, choices):
    path = f"{TABLE}/Attributes/{CRM}{kind}AttributeMetadata"
    answer = caller.get(f"{path}?$select=LogicalName&$expand=OptionSet($select=Options),GlobalOptionSet")
    assert names(answer)[0] == column
    options = answer.json()["value"][0]["OptionSet"]["Options"]
    labels = {option["Value"]: option["Label"]["UserLocalizedLabel"]["Label"] for option in options}
    assert choices.items() <= labels.items()


def test_one_choice_column_is_answered_as_in_example_g11(caller):
    table = caller.get(TABLE).json()["MetadataId"]
    column = caller.get(f"{TABLE}/Attributes(LogicalName='imi_submittalstatus')").json()["MetadataId"]
    cast = f"{CRM}PicklistAttributeMetadata"
    body = caller.get(f"{TABLE}/Attributes({column})/{cast}?$select=LogicalName&$expand=OptionSet").json()
    root = f"{caller.root}/$metadata#EntityDefinitions({table})"
    assert list(body) == [
        "@odata.context", "MetadataId", "LogicalName", "OptionSet@odata.context", "OptionSet",
    ]  # fmt: skip
    assert body["@odata.context"] == f"{root}/Attributes/{cast}(LogicalName,OptionSet)/$entity"
    assert body["OptionSet@odata.context"] == f"{root}/Attributes({column})/{cast}/OptionSet/$entity"
    published = {
        "Options", "Description", "DisplayName", "IsCustomOptionSet", "IsGlobal", "IsManaged",
        "IsCustomizable", "Name", "OptionSetType", "IntroducedVersion", "MetadataId", "HasChanged",
    }  # fmt: skip
    assert published <= set(body["OptionSet"])
    assert {"Value", "Label", "Description", "Color", "IsManaged", "MetadataId", "HasChanged"} <= set(
        body["OptionSet"]["Options"][0]
    )


def test_the_options_alone_are_answered_as_in_example_g11(caller):
    path = f"{TABLE}/Attributes(LogicalName='imi_submittalstatus')/{CRM}PicklistAttributeMetadata/OptionSet"
    body = caller.get(f"{path}?$select=Options").json()
    assert set(body) == {"@odata.context", "@odata.type", "Options", "MetadataId"}
    assert body["@odata.context"].endswith("/OptionSet(Options)/$entity")


def test_choices_without_a_cast_are_refused(caller):
    assert caller.get(f"{TABLE}/Attributes?$expand=OptionSet").status_code == 400


def test_the_columns_come_along_with_their_table(caller):
    inside = f"$select=LogicalName;$filter=AttributeType eq {CRM}AttributeTypeCode'Picklist'"
    body = caller.get(f"{TABLE}?$select=LogicalName&$expand=Attributes({inside})").json()
    assert [one["LogicalName"] for one in body["Attributes"]] == PICKLISTS


@pytest.mark.parametrize("name", ["Keys", "ManyToOneRelationships", "OneToManyRelationships"])
def test_the_table_has_no_keys_and_no_relationships(caller, name):
    assert caller.get(f"{TABLE}/{name}").json()["value"] == []


def test_metadata_changes_tell_typed_columns(caller):
    condition = {"PropertyName": "LogicalName", "ConditionOperator": "Equals"}
    query = {
        "Criteria": {"Conditions": [{**condition, "Value": {"Type": "System.String", "Value": "imi_job"}}]},
        "AttributeQuery": {
            "Properties": {"PropertyNames": ["MaxLength"]},
            "Criteria": {
                "Conditions": [{**condition, "Value": {"Type": "System.String", "Value": "imi_gc"}}]
            },
        },
    }
    answer = caller.get("RetrieveMetadataChanges(Query=@p1)", params={"@p1": json.dumps(query)})
    columns = answer.json()["EntityMetadata"][0]["Attributes"]
    assert [(one["LogicalName"], one["MaxLength"]) for one in columns] == [("imi_gc", 255)]


def test_metadata_changes_without_a_query_are_refused(caller):
    assert caller.get("RetrieveMetadataChanges(Query=@p1)").status_code == 400


def test_the_service_document_names_the_entity_sets(caller):
    assert {"name": "imi_jobs", "kind": "EntitySet", "url": "imi_jobs"} in caller.get("").json()["value"]
