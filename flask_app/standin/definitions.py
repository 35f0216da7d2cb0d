"""The table's definition as metadata: the entity, its attributes, their choices. Shapes after example G11."""

import uuid
from typing import Any

from .schema import ENTITY_SET, KEY, NAME_COLUMN, TABLE, Column

Definition = dict[str, Any]

CRM = "Microsoft.Dynamics.CRM."
_SPACE = uuid.UUID("0c2f9a52-6f0f-4f0b-9b7e-5d1a3f7c8e21")  # fixed: a MetadataId outlives a restart
HIGHEST_NUMBER = 100_000_000_000  # of a decimal column, its default
# The older of the two properties has no word for it.
_VIRTUAL = {"MultiSelectPicklist": "Virtual"}
_TYPE_NAMES = {"Uniqueidentifier": "AttributeMetadata"}
_STATE_NAMES = {0: "Active", 1: "Inactive"}
_ENTITY_FLAGS: Definition = {
    "OwnershipType": "UserOwned",
    "TableType": "Standard",
    "DataProviderId": None,
    "ExternalName": None,
    "IsCustomEntity": True,
    "IsManaged": False,
    "IsPrivate": False,
    "IsActivity": False,
    "IsIntersect": False,
    "IsKnowledgeManagementEnabled": False,
    "ChangeTrackingEnabled": True,
    "IsOptimisticConcurrencyEnabled": True,
}


def metadata_id(name: str) -> str:
    """Return the MetadataId of something by its name."""
    return str(uuid.uuid5(_SPACE, name))


def label(text: str | None) -> Definition:
    """Return a text as a Label."""
    if text is None:
        return {"LocalizedLabels": [], "UserLocalizedLabel": None}
    localized = {
        "Label": text,
        "LanguageCode": 1033,
        "IsManaged": False,
        "MetadataId": metadata_id(f"label {text}"),
        "HasChanged": None,
    }
    return {"LocalizedLabels": [localized], "UserLocalizedLabel": localized}


def managed(value: Any, name: str) -> Definition:
    """Return a value as a managed property."""
    return {"Value": value, "CanBeChanged": True, "ManagedPropertyLogicalName": name}


def entity() -> Definition:
    """Return the definition of imi_job, without its attributes."""
    return {
        "MetadataId": metadata_id(TABLE),
        "LogicalName": TABLE,
        "SchemaName": "imi_Job",
        "EntitySetName": ENTITY_SET,
        "LogicalCollectionName": ENTITY_SET,
        "CollectionSchemaName": "imi_Jobs",
        "PrimaryIdAttribute": KEY,
        "PrimaryNameAttribute": NAME_COLUMN,
        "DisplayName": label("Job"),
        "DisplayCollectionName": label("Jobs"),
        "Description": label("A millwork job."),
        "ObjectTypeCode": 10042,
        **_ENTITY_FLAGS,
        "CanChangeTrackingBeEnabled": managed(True, "canchangetrackingbeenabled"),
        "CanCreateAttributes": managed(True, "cancreateattributes"),
        "IsAuditEnabled": managed(False, "canmodifyauditsettings"),
        "HasChanged": None,
    }


def type_name(column: Column) -> str:
    """Return the metadata type of a column, such as PicklistAttributeMetadata."""
    return _TYPE_NAMES.get(column.kind, f"{column.kind}AttributeMetadata")


def attribute(column: Column, number: int) -> Definition:
    """Return the definition of a column, without its choices; `number` is its place in the table."""
    return {
        "@odata.type": f"#{CRM}{type_name(column)}",
        "MetadataId": metadata_id(column.name),
        "LogicalName": column.name,
        "SchemaName": column.name,
        "EntityLogicalName": TABLE,
        "AttributeType": _VIRTUAL.get(column.kind, column.kind),
        "AttributeTypeName": {"Value": f"{column.kind}Type"},
        "AttributeOf": None,
        "ColumnNumber": number,
        "DisplayName": label(column.label),
        "Description": label(None),
        **_attribute_flags(column),
        **_attribute_format(column),
        "HasChanged": None,
    }


def _attribute_flags(column: Column) -> Definition:
    is_key = column.name == KEY
    return {
        "IsPrimaryId": is_key,
        "IsPrimaryName": column.name == NAME_COLUMN,
        "IsCustomAttribute": column.name.startswith("imi_"),
        "IsManaged": False,
        "IsLogical": False,
        "IsValidForRead": True,
        "IsValidForCreate": not column.read_only,
        "IsValidForUpdate": not column.read_only and not is_key,
        "RequiredLevel": managed("SystemRequired" if is_key else "None", "canmodifyrequirementlevelsettings"),
    }


def _attribute_format(column: Column) -> Definition:
    if column.length:
        return {"MaxLength": column.length, "Format": "TextArea" if column.kind == "Memo" else "Text"}
    if column.kind == "Decimal":
        limit = {"MinValue": -HIGHEST_NUMBER, "MaxValue": HIGHEST_NUMBER}
        return {**limit, "Precision": column.precision, "SourceType": 0}
    if column.kind == "DateTime":
        return {"Format": "DateAndTime", "DateTimeBehavior": {"Value": "UserLocal"}}
    return {}


def option_set(column: Column) -> Definition:
    """Return the choices of a column."""
    return {
        "@odata.type": f"#{CRM}OptionSetMetadata",
        "Options": [_option(column, value, text) for value, text in column.choices.items()],
        "Description": label(None),
        "DisplayName": label(column.label),
        "IsCustomOptionSet": column.kind in ("Picklist", "MultiSelectPicklist"),
        "IsGlobal": False,
        "IsManaged": False,
        "IsCustomizable": managed(True, "iscustomizable"),
        "Name": f"{TABLE}_{column.name}",
        "ExternalTypeName": None,
        "OptionSetType": "Picklist" if column.kind == "MultiSelectPicklist" else column.kind,
        "IntroducedVersion": "1.0",
        "MetadataId": metadata_id(f"options of {column.name}"),
        "HasChanged": None,
    }


def _option(column: Column, value: int, text: str) -> Definition:
    option: Definition = {
        "Value": value,
        "Label": label(text),
        "Description": label(None),
        "Color": None,
        "IsManaged": False,
        "ExternalValue": None,
        "MetadataId": None,
        "HasChanged": None,
    }
    if column.kind == "State":
        option = {"@odata.type": f"#{CRM}StateOptionMetadata", **option}
        option |= {"DefaultStatus": value + 1, "InvariantName": _STATE_NAMES[value]}
    if column.kind == "Status":
        option = {"@odata.type": f"#{CRM}StatusOptionMetadata", **option, "State": value - 1}
        option["TransitionData"] = None
    return option
