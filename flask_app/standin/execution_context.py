"""The body of a webhook: a RemoteExecutionContext as JSON, after the page use-webhooks (example G12).

The example shows an Update. A Create's id among the OutputParameters, a Delete's Target and image and how a
choice is written are not on the page; they are as real bodies have them.
"""

import json
import uuid
from typing import Any

from . import clock
from .access import BUSINESS_UNIT_ID, ORGANIZATION_ID
from .schema import COLUMNS, KEY, NAME_COLUMN, TABLE, Row
from .table import Change

LARGEST_BODY = 256 * 1024  # bytes
LEFT_OUT = {"ParentContext", "InputParameters", "PreEntityImages", "PostEntityImages"}  # of a larger one
_CONTRACT = "{}:http://schemas.microsoft.com/xrm/2011/Contracts"
_ALWAYS: Row = {
    "BusinessUnitId": BUSINESS_UNIT_ID,
    "Depth": 1,
    "IsExecutingOffline": False,
    "IsInTransaction": False,
    "IsOfflinePlayback": False,
    "IsolationMode": 1,
    "Mode": 1,  # asynchronous
    "OrganizationId": ORGANIZATION_ID,
    "OrganizationName": "standin",
    "PrimaryEntityName": TABLE,
    "RequestId": None,
    "SecondaryEntityName": "none",
}


def execution_context(change: Change, correlation: str, step: str) -> Row:
    """Return what is told of a change that `correlation` belongs to, by the registered step of that id."""
    row = change.row
    told = _ALWAYS | {
        "InitiatingUserId": change.by,
        "UserId": change.by,
        "CorrelationId": correlation,
        "MessageName": change.message,
        "OperationCreatedOn": f"/Date({_milliseconds(clock.utc_now())}+0000)/",
        "OperationId": str(uuid.uuid4()),
        "OutputParameters": _pairs({"id": row[KEY]} if change.message == "Create" else {}),
        "OwningExtension": _reference("sdkmessageprocessingstep", step),
        "PrimaryEntityId": row[KEY],
    }
    name = _entity(row[KEY], {NAME_COLUMN: row[NAME_COLUMN], KEY: row[KEY]})
    images = _pairs({"AsynchronousStepPrimaryName": name})
    gone = change.message == "Delete"
    return told | {
        "InputParameters": _pairs({"Target": _target(change, {**change.written, **_by_whom(change)})}),
        "ParentContext": told | _request(change),
        "PostEntityImages": [] if gone else images,
        "PreEntityImages": images if gone else [],
        "SharedVariables": [],
        "Stage": 40,
    }


def message(context: Row) -> tuple[dict[str, str], bytes]:
    """Return the headers and the body to post; of what is too large, only what is left then."""
    headers = {
        "Content-Type": "application/json",
        "x-ms-dynamics-organization": "localhost",
        "x-ms-dynamics-entity-name": TABLE,
        "x-ms-dynamics-request-name": context["MessageName"],
        "x-ms-correlation-request-id": context["CorrelationId"],
    }
    body = _json(context)
    if len(body) > LARGEST_BODY:
        headers["x-ms-dynamics-msg-size-exceeded"] = "true"
        body = _json({name: value for name, value in context.items() if name not in LEFT_OUT})
    return headers, body


def _json(context: Row) -> bytes:
    # Slashes are escaped as in the example. Half a surrogate pair, which JSON lets in, becomes "?".
    return json.dumps(context, ensure_ascii=False).replace("/", r"\/").encode("utf-8", "replace")


def _request(change: Change) -> Row:
    """Return what a change's context says otherwise where it is that of the request itself."""
    inputs = {"Target": _target(change, {**change.sent, KEY: change.row[KEY]})}
    if change.message != "Delete":
        inputs["SuppressDuplicateDetection"] = False
    kind = {"__type": "KeyValuePairOfstringstring:#System.Collections.Generic"}
    changed = [kind | {"key": TABLE, "value": change.message}]
    return {
        "InputParameters": _pairs(inputs),
        "ParentContext": None,
        "PostEntityImages": [],
        "PreEntityImages": [],
        "SharedVariables": _pairs({"ChangedEntityTypes": changed}),
        "Stage": 30,
    }


def _target(change: Change, columns: Row) -> Any:
    row_id = change.row[KEY]
    if change.message == "Delete":
        return _typed("EntityReference", _reference(TABLE, row_id))
    written = {name: _value(name, value) for name, value in columns.items() if name != "versionnumber"}
    return _typed("Entity", _entity(row_id, written))


def _by_whom(change: Change) -> Row:
    return {
        "modifiedby": _typed("EntityReference", _reference("systemuser", change.by)),
        "modifiedonbehalfby": None,
    }


def _value(name: str, value: Any) -> Any:
    column = COLUMNS.get(name)
    if column and column.choices and isinstance(value, int):
        return _typed("OptionSetValue", {"Value": value})
    if column and column.kind == "DateTime" and isinstance(value, str):
        instant = clock.from_text(value)
        return f"/Date({_milliseconds(instant)})/" if instant else value
    return value


def _milliseconds(instant: Any) -> int:
    return int(instant.timestamp() * 1000)


def _pairs(values: Row) -> list[Row]:
    return [{"key": name, "value": value} for name, value in values.items()]


def _typed(name: str, value: Row) -> Row:
    return {"__type": _CONTRACT.format(name), **value}


def _reference(table: str, row_id: str) -> Row:
    return {"Id": row_id, "KeyAttributes": [], "LogicalName": table, "Name": None, "RowVersion": None}


def _entity(row_id: str, attributes: Row) -> Row:
    return {
        "Attributes": _pairs(attributes),
        "EntityState": None,
        "FormattedValues": [],
        "Id": row_id,
        "KeyAttributes": [],
        "LogicalName": TABLE,
        "RelatedEntities": [],
        "RowVersion": None,
    }
