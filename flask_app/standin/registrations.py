"""Webhooks registered over the Web API: service endpoints, messages, their filters, steps.

Names and values after Microsoft's pages about serviceendpoint, sdkmessage, sdkmessagefilter and
sdkmessageprocessingstep (learn.microsoft.com/power-apps/developer/data-platform/reference/entities/…) and
register-web-hook. How a header stands in `authvalue` is on none of them: public tools write
`<settings><setting name="…" value="…"/></settings>`, and Dataverse answers 0x80050203 in the System Job of a
post whose headers it can't read.
"""

import re
import uuid
from collections.abc import Iterable, Mapping
from xml.etree import ElementTree

from .filters import compile_filter
from .query import context
from .schema import TABLE, Row
from .webhooks import MESSAGES, Webhooks
from .wire import ApiError, Request, Response, bad_payload, bad_query

ENDPOINTS, STEPS = "serviceendpoints", "sdkmessageprocessingsteps"
SDK_MESSAGES, SDK_FILTERS = "sdkmessages", "sdkmessagefilters"
STEPS_OF_ENDPOINT = "serviceendpoint_sdkmessageprocessingstep"
WEBHOOK, HTTP_HEADER, ASYNCHRONOUS, POST_OPERATION = 8, 5, 1, 40

_TEXT, _NUMBER, _FLAG, _ID = "Edm.String", "Edm.Int32", "Edm.Boolean", "Edm.Guid"
_COLUMNS: dict[str, dict[str, str]] = {
    ENDPOINTS: {
        "serviceendpointid": _ID, "name": _TEXT, "description": _TEXT, "url": _TEXT, "contract": _NUMBER,
        "authtype": _NUMBER,
    },
    SDK_MESSAGES: {"sdkmessageid": _ID, "name": _TEXT},
    SDK_FILTERS: {"sdkmessagefilterid": _ID, "primaryobjecttypecode": _TEXT, "_sdkmessageid_value": _ID},
    STEPS: {
        "sdkmessageprocessingstepid": _ID, "name": _TEXT, "description": _TEXT, "mode": _NUMBER,
        "stage": _NUMBER, "rank": _NUMBER, "supporteddeployment": _NUMBER, "asyncautodelete": _FLAG,
        "filteringattributes": _TEXT, "_eventhandler_value": _ID, "_sdkmessageid_value": _ID,
        "_sdkmessagefilterid_value": _ID,
    },
}  # fmt: skip
_KEYS = {name: next(iter(columns)) for name, columns in _COLUMNS.items()}
_BINDS = {
    "eventhandler_serviceendpoint@odata.bind": ("_eventhandler_value", ENDPOINTS),
    "sdkmessageid@odata.bind": ("_sdkmessageid_value", SDK_MESSAGES),
    "sdkmessagefilterid@odata.bind": ("_sdkmessagefilterid_value", SDK_FILTERS),
}
_REFERENCE = re.compile(r"/?(?P<set>\w+)\((?P<key>[0-9a-fA-F-]{36})\)")
_BROKEN = "0x80050203: The webhook call failed because of invalid http headers in authValue."


class Registrations:
    """The rows about webhooks; each step that is there is a registration with `webhooks`."""

    def __init__(self, webhooks: Webhooks) -> None:
        self._webhooks = webhooks
        self._rows: dict[str, dict[str, Row]] = {name: {} for name in _COLUMNS}
        for message in (*MESSAGES, "Retrieve"):
            number = self._keep(SDK_MESSAGES, {"name": message})
            self._keep(SDK_FILTERS, {"primaryobjecttypecode": TABLE, "_sdkmessageid_value": number})
            self._keep(SDK_FILTERS, {"primaryobjecttypecode": "account", "_sdkmessageid_value": number})
        self._secrets: dict[str, str] = {}  # of the endpoints: what can be written and never read

    def listed(self, request: Request, match: "re.Match[str]") -> Response:
        """Answer a list of one of the four."""
        return self._answer(request, match["set"], self._rows[match["set"]].values())

    def steps_of(self, request: Request, match: "re.Match[str]") -> Response:
        """Answer the steps of one endpoint."""
        key = self._known(ENDPOINTS, match["key"])
        steps = [row for row in self._rows[STEPS].values() if row["_eventhandler_value"] == key]
        return self._answer(request, STEPS, steps)

    def create(self, request: Request, match: "re.Match[str]") -> Response:
        """Add an endpoint or a step."""
        name, sent = match["set"], request.payload()
        columns = self._read(name, sent)
        key = str(uuid.UUID(str(sent.get(_KEYS[name]) or uuid.uuid4())))
        if key in self._rows[name]:
            raise ApiError(412, "0x80040237", "A record with matching key values already exists.")
        if name == ENDPOINTS:
            _check_endpoint(columns)
            self._secrets[key] = str(sent.get("authvalue") or "")
        else:
            _check_step(columns)
        self._keep(name, {_KEYS[name]: key, **columns})
        self._register(key if name == ENDPOINTS else columns["_eventhandler_value"])
        return Response(204, headers=[("OData-EntityId", f"{request.api_root}/{name}({key})")])

    def update(self, request: Request, match: "re.Match[str]") -> Response:
        """Change an endpoint; its steps post in the new way from now on."""
        key, sent = self._known(ENDPOINTS, match["key"]), request.payload()
        changed = {**self._rows[ENDPOINTS][key], **self._read(ENDPOINTS, sent)}
        _check_endpoint(changed)
        self._rows[ENDPOINTS][key] = changed
        self._secrets[key] = str(sent.get("authvalue", self._secrets[key]))
        self._register(key)
        return Response(204)

    def delete(self, request: Request, match: "re.Match[str]") -> Response:
        """Remove a row; with an endpoint its steps go as well (CascadeConfiguration Delete: Cascade)."""
        name, key = match["set"], self._known(match["set"], match["key"])
        del self._rows[name][key]
        for step, row in list(self._rows[STEPS].items()):
            if row["_eventhandler_value"] == key:
                del self._rows[STEPS][step]
                self._webhooks.forget(step)
        self._webhooks.forget(key)
        return Response(204)

    def _register(self, endpoint: str) -> None:
        there, secret = self._rows[ENDPOINTS][endpoint], self._secrets[endpoint]
        headers = _pairs_of(secret) if there["authtype"] == HTTP_HEADER else None
        broken = _BROKEN if there["authtype"] == HTTP_HEADER and headers is None else ""
        steps = self._rows[STEPS].items()
        for key, step in [one for one in steps if one[1]["_eventhandler_value"] == endpoint]:
            self._webhooks.forget(key)
            message = self._rows[SDK_MESSAGES][step["_sdkmessageid_value"]]["name"]
            columns = _parts(step["filteringattributes"])
            self._webhooks.register(
                there["url"], [message], headers, attributes=columns, step=key, broken=broken
            )

    def _keep(self, name: str, columns: Mapping[str, object]) -> str:
        row: Row = {**dict.fromkeys(_COLUMNS[name]), _KEYS[name]: str(uuid.uuid4()), **columns}
        self._rows[name][row[_KEYS[name]]] = row
        return str(row[_KEYS[name]])

    def _known(self, name: str, text: str) -> str:
        key = text.strip().lower()
        if key not in self._rows[name]:
            raise ApiError(404, "0x80040217", f"{name.removesuffix('s')} With Id = {text} Does Not Exist")
        return key

    def _read(self, name: str, sent: Mapping[str, object]) -> Row:
        """Return the columns of a body, references among them; whatever is not known is refused."""
        columns: Row = {}
        for column, value in sent.items():
            if column in _BINDS and name == STEPS:
                own, target = _BINDS[column]
                columns[own] = self._referred(target, str(value))
            elif column in _COLUMNS[name] and not column.startswith("_"):
                columns[column] = value
            elif (name, column) != (ENDPOINTS, "authvalue"):
                raise bad_query(f"Could not find a property named '{column}' on type '{name}'.")
        return columns

    def _referred(self, target: str, text: str) -> str:
        reference = _REFERENCE.fullmatch(text)
        if not reference or reference["set"] != target:
            raise bad_payload(f"The reference '{text}' does not lead to one of {target}.")
        return self._known(target, reference["key"])

    def _answer(self, request: Request, name: str, rows: Iterable[Row]) -> Response:
        chosen = _chosen(request, name)
        text = request.query.get("$filter")
        keep = compile_filter(text, _COLUMNS[name], name) if text else lambda _row: True
        shown = [
            {one: row[one] for one in {_KEYS[name]: 0, **dict.fromkeys(chosen or row)}}
            for row in rows
            if keep(row)
        ]
        return Response(200, {"@odata.context": context(request, name, chosen or None), "value": shown})


def _parts(text: object) -> list[str]:
    return [part for part in str(text or "").split(",") if part]


def _chosen(request: Request, name: str) -> tuple[str, ...]:
    """Return the columns that are asked for; whatever is not known is refused."""
    if unknown := request.query.keys() - {"$select", "$filter", "$orderby"}:
        raise bad_query(f"The query parameter {min(unknown)} is not supported.")
    chosen = tuple(_parts(request.query.get("$select")))
    for column in chosen:
        if column not in _COLUMNS[name]:
            raise bad_query(f"Could not find a property named '{column}' on type '{name}'.")
    return chosen


def _pairs_of(secret: str) -> dict[str, str] | None:
    """Return the header's pairs, None if the text can't be read."""
    try:
        root = ElementTree.fromstring(secret)  # noqa: S314  # what a client on this machine has sent
        return {one.attrib["name"]: one.attrib["value"] for one in root.iter("setting")}
    except (ElementTree.ParseError, KeyError):
        return None


def _check_endpoint(columns: Row) -> None:
    if (columns.get("contract"), columns.get("authtype")) != (WEBHOOK, HTTP_HEADER):
        raise bad_payload("This stand-in knows webhooks (contract 8) with HttpHeader (authtype 5) only.")
    if not columns.get("name") or not columns.get("url"):
        raise bad_payload("A webhook needs a name and a url.")


def _check_step(columns: Row) -> None:
    if missing := {own for own, _target in _BINDS.values()} - columns.keys():
        raise bad_payload(f"A step of a webhook needs {', '.join(sorted(missing))}.")
    if (columns.get("mode"), columns.get("stage")) != (ASYNCHRONOUS, POST_OPERATION):
        raise bad_payload("This stand-in runs asynchronous (mode 1) steps in PostOperation (stage 40) only.")
