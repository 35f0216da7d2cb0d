"""Registering our webhook with Dataverse: the service endpoint and its steps, looked at before made.

After Microsoft's page register-web-hook and its entity pages about serviceendpoint, sdkmessage,
sdkmessagefilter and sdkmessageprocessingstep. What is there already is left as it is if it is right.
"""

import json
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import SplitResult, urlsplit
from xml.sax.saxutils import quoteattr

from flask_app.config import DataverseSettings
from flask_app.dataverse.addresses import query_of
from flask_app.dataverse.answers import error_for
from flask_app.dataverse.client import CallStatistics, DataverseClient, Row
from flask_app.dataverse.contract import TABLE
from flask_app.dataverse.errors import DataverseConflict, DataverseRefused
from flask_app.dataverse.hooks import CREATE, DELETE, KEY_HEADER, UPDATE, WEBHOOK_PATH

NAME = "Island Time"
ENDPOINTS, STEPS = "serviceendpoints", "sdkmessageprocessingsteps"
# Of an update we are told only if it has changed one of these: not of our own hours and phases.
FILTERING = (
    "imi_gc", "imi_imnumber", "imi_jobnameaddress", "imi_scopesummary", "imi_submittalstatus", "statecode",
)  # fmt: skip
_WEBHOOK, _HTTP_HEADER = 8, 5  # serviceendpoint: contract, authtype
_ASYNCHRONOUS, _POST_OPERATION, _SERVER_ONLY = 1, 40, 0  # sdkmessageprocessingstep: mode, stage, deployment
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class Action:
    """One thing to do in Dataverse: what it is, a sentence, and doing it."""

    sentence: str
    do: Callable[[], object]


class WebhookRegistrar(DataverseClient):
    """A client that also makes and removes registrations. Its methods raise DataverseClientError."""

    def __init__(self, to: DataverseSettings) -> None:
        super().__init__(
            to.base_url, to.tenant_id, to.client_id, to.client_secret, authority=to.authority,
            ca_bundle=to.ca_bundle, deadline_seconds=300,
        )  # fmt: skip

    def registration(self, address: str, key: str) -> list[Action]:
        """Return what there is to do so that Dataverse posts to `address`, with the key in our header."""
        endpoint = self._endpoint(address)
        if endpoint is None:
            made, name = str(uuid.uuid4()), f"{NAME} {urlsplit(address).hostname}"
            new = {
                "serviceendpointid": made, "name": name, "url": address, "contract": _WEBHOOK,
                "authtype": _HTTP_HEADER, "authvalue": _header(key),
            }  # fmt: skip
            sentence = f"Make the webhook “{name}” to {address}, with the key in the header {KEY_HEADER}."
            actions, steps, endpoint = [Action(sentence, partial(self._create, ENDPOINTS, new))], [], made
        else:
            again = {"authtype": _HTTP_HEADER, "authvalue": _header(key)}
            sentence = f"Set the key of the webhook to {address} once more: it can't be read to be compared."
            actions = [Action(sentence, partial(self.update, ENDPOINTS, endpoint, again))]
            steps = self._steps(endpoint)
        return [*actions, *self._steps_to_change(endpoint, steps)]

    def removal(self, address: str) -> list[Action]:
        """Return what there is to do so that nothing is posted to `address` any more."""
        endpoint = self._endpoint(address)
        if endpoint is None:
            return []
        steps = [self._step_to_remove(step) for step in self._steps(endpoint)]
        gone = partial(self._remove, ENDPOINTS, endpoint)
        return [*steps, Action(f"Remove the webhook to {address}.", gone)]

    def _steps_to_change(self, endpoint: str, steps: list[Row]) -> Iterator[Action]:
        messages, filters = self._messages()
        for message, attributes in ((CREATE, ()), (UPDATE, FILTERING), (DELETE, ())):
            right, wrong = _sorted([step for step in steps if _is_of(step, messages[message])], attributes)
            yield from map(self._step_to_remove, wrong)
            if not right:
                binds = {
                    "eventhandler_serviceendpoint@odata.bind": f"/{ENDPOINTS}({endpoint})",
                    "sdkmessageid@odata.bind": f"/sdkmessages({messages[message]})",
                    "sdkmessagefilterid@odata.bind": f"/sdkmessagefilters({filters[message]})",
                }
                yield self._step_to_make(message, attributes, binds)

    def _step_to_make(self, message: str, attributes: Sequence[str], binds: Row) -> Action:
        new = {
            "sdkmessageprocessingstepid": str(uuid.uuid4()),
            "name": f"{NAME}: {message} of {TABLE}", "mode": _ASYNCHRONOUS, "stage": _POST_OPERATION,
            "rank": 1, "supporteddeployment": _SERVER_ONLY, "asyncautodelete": True,
            **({"filteringattributes": ",".join(attributes)} if attributes else {}),
            **binds,
        }  # fmt: skip
        only = f", only if it changes {', '.join(attributes)}" if attributes else ""
        sentence = f"Make an asynchronous step in PostOperation: {message} of {TABLE}{only}."
        return Action(sentence, partial(self._create, STEPS, new))

    def _step_to_remove(self, step: Row) -> Action:
        key = str(step.get("sdkmessageprocessingstepid"))
        return Action(f"Remove the step “{step.get('name')}”.", partial(self._remove, STEPS, key))

    def _endpoint(self, address: str) -> str | None:
        select = ["serviceendpointid", "name", "authtype", "url"]
        rows = self.list_records(ENDPOINTS, select=select, filter_clause=f"contract eq {_WEBHOOK}")
        return next((str(row["serviceendpointid"]) for row in rows if row.get("url") == address), None)

    def _steps(self, endpoint: str) -> list[Row]:
        select = ["name", "filteringattributes", "mode", "stage", "asyncautodelete", "_sdkmessageid_value"]
        where = f"{self._address(ENDPOINTS, endpoint)}/serviceendpoint_sdkmessageprocessingstep"
        query = query_of({"$select": ",".join(["sdkmessageprocessingstepid", *select])})
        return [row for page in self._pages(where + query, None, CallStatistics()) for row in page]

    def _messages(self) -> tuple[dict[str, str], dict[str, str]]:
        """Map Create, Update and Delete to the ids of the message and of its filter for our table."""
        named = " or ".join(f"name eq '{message}'" for message in (CREATE, UPDATE, DELETE))
        rows = self.list_records("sdkmessages", select=["sdkmessageid", "name"], filter_clause=named)
        messages = {str(row.get("name")): str(row.get("sdkmessageid")) for row in rows}
        rows = self.list_records(
            "sdkmessagefilters",
            select=["sdkmessagefilterid", "_sdkmessageid_value"],
            filter_clause=f"primaryobjecttypecode eq '{TABLE}'",
        )
        of = {str(row.get("_sdkmessageid_value")): str(row.get("sdkmessagefilterid")) for row in rows}
        for message in (CREATE, UPDATE, DELETE):
            if messages.get(message) not in of:
                raise DataverseRefused(f"Dataverse offers no step for {message} of {TABLE}.")
        return messages, {message: of[number] for message, number in messages.items()}

    def _create(self, entity_set: str, columns: dict[str, Any]) -> None:
        """Make a record whose id we have chosen; so it may be sent twice."""
        request = self._request("POST", self._address(entity_set), {"Content-Type": "application/json"})
        request.data = json.dumps(columns)
        try:
            self._done(request)
        except DataverseConflict:
            return  # there is one of this id: our own first attempt, whose answer was lost

    def _remove(self, entity_set: str, record_id: str) -> None:
        answer = self._answer(self._request("DELETE", self._address(entity_set, record_id), {}), self._call())
        if answer.status != 404 and not 200 <= answer.status < 300:
            raise error_for(answer, self._scrub)


def webhook_address(clock: str, *, loopback: bool) -> str:
    """Return where hooks for the program at the address `clock` go; ValueError, a sentence, if none can.

    Dataverse posts to port 443 for https and 80 for http only (register-web-hook); in the clear we take no
    key. `loopback`: this machine is right too, for Dataverse is a stand-in on it.
    """
    parts = _plain_parts(clock)
    is_here = parts.hostname in _LOOPBACK
    if loopback and is_here:
        return f"{parts.scheme}://{parts.netloc}{WEBHOOK_PATH}"
    if parts.scheme != "https" or parts.port not in (None, 443) or is_here:
        raise ValueError("Dataverse needs a public https address on port 443.")
    return f"https://{parts.hostname}{WEBHOOK_PATH}"


def _plain_parts(clock: str) -> SplitResult:
    """Return the parts of an address that names a host and maybe a port, nothing else; else ValueError."""
    wanted = "Give the address at which people open the program: https://clock.example.com"
    try:
        parts = urlsplit(clock if "://" in clock else f"https://{clock}")
        parts.port  # noqa: B018  # one that is no number raises
    except ValueError:
        raise ValueError(wanted) from None
    more = (parts.path.strip("/"), parts.query, parts.username)
    if not parts.hostname or any(more):
        raise ValueError(wanted)
    return parts


def _header(key: str) -> str:
    """Return the pair of the header as `authvalue` takes it; see the stand-in's registrations.py."""
    return f"<settings><setting name={quoteattr(KEY_HEADER)} value={quoteattr(key)}/></settings>"


def _is_of(step: Row, message: str) -> bool:
    return bool(step.get("_sdkmessageid_value") == message)


def _sorted(steps: Sequence[Row], attributes: tuple[str, ...]) -> tuple[list[Row], list[Row]]:
    """Return the one step that is right, if there is one, and those that are wrong or too many."""
    right = [step for step in steps if _is_right(step, attributes)][:1]
    return right, [step for step in steps if step not in right]


def _is_right(step: Row, attributes: tuple[str, ...]) -> bool:
    told = {part.strip() for part in (step.get("filteringattributes") or "").split(",") if part.strip()}
    asynchronous = (step.get("mode"), step.get("stage")) == (_ASYNCHRONOUS, _POST_OPERATION)
    return asynchronous and told == set(attributes)
