"""The actions on many rows: CreateMultiple, UpdateMultiple, BulkDelete. All of one happens, or nothing."""

import re
import uuid
from typing import Any

from .query import context
from .rows import NEW, check_reason, read_columns, row_key
from .schema import ENTITY_TYPE, KEY, TABLE, Row
from .table import Table
from .wire import Request, Response, bad_payload


class BulkOperations:
    """Answers the bulk actions."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def create(self, request: Request, _match: "re.Match[str]") -> Response:
        """Add the rows in Targets and answer their ids."""
        targets = [read_columns(target, request.columns) for target in _targets(request)]
        for columns in targets:
            check_reason(columns, NEW)
        with self._table.atomically():
            ids = [self._table.insert(columns)[KEY] for columns in targets]
        name = "Microsoft.Dynamics.CRM.CreateMultipleResponse"
        return Response(200, {"@odata.context": context(request, name, None), "Ids": ids})

    def update(self, request: Request, _match: "re.Match[str]") -> Response:
        """Change the rows in Targets, each named by its id."""
        targets = [read_columns(target, request.columns) for target in _targets(request)]
        with self._table.atomically():
            for columns in targets:
                check_reason(columns, self._table.get(_named(columns)))
                self._table.update(_named(columns), {k: v for k, v in columns.items() if k != KEY})
        return Response(204)

    def delete(self, request: Request, _match: "re.Match[str]") -> Response:
        """Delete the rows that BulkDelete's query names by id. Real jobs run later; this one has run."""
        with self._table.atomically():
            for row_id in _chosen(request.payload()):
                if self._table.has(row_id):
                    self._table.delete(row_id)
        name = "Microsoft.Dynamics.CRM.BulkDeleteResponse"
        return Response(200, {"@odata.context": context(request, name, None), "JobId": str(uuid.uuid4())})


def _targets(request: Request) -> list[dict[str, Any]]:
    targets = request.payload().get("Targets")
    if not isinstance(targets, list) or not all(isinstance(target, dict) for target in targets):
        raise bad_payload("The parameter 'Targets' must be a list of rows.")
    for target in targets:
        if str(target.get("@odata.type", "")).lstrip("#") != ENTITY_TYPE:
            raise bad_payload(f"Each item in 'Targets' must have the '@odata.type' {ENTITY_TYPE}.")
    return targets


def _named(columns: Row) -> str:
    if KEY not in columns:
        raise bad_payload(f"Each item in 'Targets' must name its {KEY}.")
    return str(columns[KEY])


def _chosen(payload: dict[str, Any]) -> list[str]:
    """Return the ids in the one kind of query that is understood: imi_jobid In (...)."""
    try:
        query = payload["QuerySet"][0]
        condition = query["Criteria"]["Conditions"][0]
        shape = (query["EntityName"], condition["AttributeName"], condition["Operator"])
        values = [row_key(value["Value"]) for value in condition["Values"]]
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        raise bad_payload("BulkDelete wants a QuerySet with one condition.") from error
    if shape != (TABLE, KEY, "In"):
        raise bad_payload(f"This stand-in's BulkDelete understands only {KEY} In (...).")
    return values
