"""From the address to the data: what is right about the way to Dataverse, and what to do about the rest.

Only reads, never waits for a server that is busy, and tells nothing that is secret.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial

import requests

from flask_app.config import DataverseSettings
from flask_app.dataverse.answers import Answer, error_for
from flask_app.dataverse.client import DataverseClient, Row
from flask_app.dataverse.contract import COLUMNS, ENTITY_SET, TABLE, Column
from flask_app.dataverse.errors import (
    DataverseClientError,
    DataverseProtocolError,
    DataverseRefused,
    DataverseUnavailable,
)
from flask_app.dataverse.hours import HoursTable
from flask_app.dataverse.service import COUNT_LIMIT, DataverseService, is_guid
from flask_app.dataverse.table import ID, says_nothing, types_of, what_is_amiss
from flask_app.dataverse.tokens import claims_of, sign_in_error
from flask_app.dataverse.transport import origin_of

OK, WARNING, FAILED = "ok", "warning", "failed"
SOON = timedelta(days=30)  # a secret that expires within this is worth a warning

# Microsoft's own addresses; that a sovereign cloud has a sign-in of its own is why the authority can be set.
_USUAL = re.compile(
    r"https://[\w-]+\.(crm\d*|api\.crm\d*)\.(dynamics\.com|microsoftdynamics\.us|dynamics\.cn)", re.A
)
SAMPLE = 50  # rows in which a value should be seen

_NO_ANSWER = {
    "Connection": "Check DATAVERSE_BASE_URL, the network and the firewall.",
    "Tenant": "Check DATAVERSE_AUTHORITY, the network and the firewall.",
}
_TENANT = re.compile(r"authorization_uri=\"?https://[^/]+/([0-9a-fA-F-]{36})/")
_US_GOVERNMENT = (".microsoftdynamics.us", "https://login.microsoftonline.us")


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that was looked at: its name, OK, WARNING or FAILED, and a sentence."""

    name: str
    outcome: str
    sentence: str


Finding = tuple[str, str]  # outcome, sentence


class Probe(DataverseClient):
    """A client that asks once, and that can go each step of the way by itself."""

    def __init__(self, to: DataverseSettings) -> None:
        super().__init__(
            to.base_url, to.tenant_id, to.client_id, to.client_secret, authority=to.authority,
            ca_bundle=to.ca_bundle, timeout_seconds=15, deadline_seconds=120, max_attempts=1,
        )  # fmt: skip
        self.settings = to

    def knock(self) -> Answer:
        """Ask without a token."""
        return self._once(f"{self._api}/WhoAmI")

    def discover(self) -> Answer:
        """Ask the sign-in about the tenant."""
        where = f"{origin_of(self.settings.authority)}/{self.settings.tenant_id}"
        return self._once(f"{where}/v2.0/.well-known/openid-configuration")

    def token(self) -> str:
        return self._tokens.token(self._call())

    def privileges(self, user_id: str, privilege: str) -> list[Row]:
        """Return the roles that grant the user a privilege, each with its Depth."""
        function = "Microsoft.Dynamics.CRM.RetrieveUserPrivilegeByPrivilegeName"
        if not is_guid(user_id):
            return []
        address = f"{self._api}/systemusers({user_id})/{function}(PrivilegeName='{privilege}')"
        granted = self._object(self._answer(self._request("GET", address, {}), self._call()))
        roles = granted.get("RolePrivileges")
        return [role for role in roles if isinstance(role, dict)] if isinstance(roles, list) else []

    def error(self, answer: Answer) -> DataverseClientError:
        document = answer.json_object() or {}
        if isinstance(document.get("error"), str):  # Entra's shape; Dataverse's is an object
            return sign_in_error(document, answer.status, self._scrub)
        return error_for(answer, self._scrub)

    def _once(self, address: str) -> Answer:
        return self._retrier.answer(requests.Request("GET", address).prepare(), self._call())


def diagnose(to: DataverseSettings, *, today: date, writes_hours: bool = False) -> Iterator[Step]:
    """Yield the steps from the address to the approved rows; ends where it can't go on.

    With `writes_hours` also whether hours could be written; that they can't does not end it.
    """
    try:
        probe = Probe(to)
    except DataverseClientError as error:
        yield Step("Settings", FAILED, str(error))
        return
    looks: tuple[tuple[str, Callable[[], Finding]], ...] = (
        ("Address", lambda: _address(probe)),
        ("Connection", lambda: _connection(probe)),
        ("Tenant", lambda: _tenant(probe)),
        ("Secret", lambda: _secret(probe, today)),
        ("Token", lambda: _token(probe)),
        ("Application user", lambda: _user(probe)),
        ("Right to read jobs", lambda: _right(probe, "prvRead")),
    )
    with probe:
        for name, look in looks:
            step = _taken(name, look)
            yield step
            if step.outcome == FAILED:
                return
        columns = list(_columns(probe))
        yield from columns
        if all(step.outcome != FAILED for step in columns):
            yield _taken("Approved rows", lambda: _approved(probe))
        if writes_hours:
            yield _warned(_taken("Right to write hours", lambda: _right(probe, "prvWrite")))
            yield _warned(_taken("Column for hours", lambda: _hours_column(probe)))


def _taken(name: str, look: Callable[[], Finding]) -> Step:
    try:
        return Step(name, *look())
    except DataverseClientError as error:
        no_answer = isinstance(error, DataverseUnavailable) and error.status is None
        remedy = f" {_NO_ANSWER[name]}" if no_answer and name in _NO_ANSWER else ""
        return Step(name, FAILED, f"{error}{remedy}")


def _warned(step: Step) -> Step:
    """Return a step that concerns the hours only: a sync works without it."""
    return Step(step.name, WARNING, step.sentence) if step.outcome == FAILED else step


def _hours_column(probe: Probe) -> Finding:
    column = HoursTable(probe).column()
    return OK, f"Hours can be written to it, with {column.precision} decimals."


def _address(probe: Probe) -> Finding:
    given, used = probe.settings.base_url, probe.base_url
    if given != used:
        return WARNING, f"Of {given} only {used} is used. Set DATAVERSE_BASE_URL to that."
    if _USUAL.fullmatch(used) or used.startswith("https://localhost"):
        return OK, f"{used} is well formed."
    return WARNING, f"{used} is not one of Microsoft's usual addresses (https://yourorg.crm.dynamics.com)."


def _connection(probe: Probe) -> Finding:
    answer = probe.knock()
    if answer.status == 401:
        return OK, f"{answer.host} answers over TLS with a trusted certificate, and asks for a sign-in."
    return FAILED, (
        f"{answer.host} answers, but not as Dataverse does (HTTP {answer.status}). Check DATAVERSE_BASE_URL."
    )


def _tenant(probe: Probe) -> Finding:
    ours, authority = probe.settings.tenant_id, probe.settings.authority
    answer = probe.discover()
    document = answer.json_object() or {}
    if answer.status != 200:
        raise probe.error(answer)
    if not isinstance(document.get("token_endpoint"), str):
        return FAILED, f"{authority} is no sign-in of Microsoft's kind. Check DATAVERSE_AUTHORITY."
    host, needed = _US_GOVERNMENT
    if probe.base_url.endswith(host) and origin_of(authority) != needed:
        return WARNING, f"An address that ends in {host} usually needs DATAVERSE_AUTHORITY={needed}."
    named = _TENANT.search(probe.knock().headers.get("WWW-Authenticate", ""))
    if named and re.fullmatch(r"[0-9a-fA-F-]{36}", ours) and named[1].lower() != ours.lower():
        return (
            WARNING,
            f"Dataverse names the tenant {named[1]}, the settings another one. Check DATAVERSE_TENANT_ID.",
        )
    return OK, f"{authority} knows the tenant."


def _secret(probe: Probe, today: date) -> Finding:
    probe.token()
    expires = probe.settings.secret_expires
    if expires is None:
        return OK, "The client id and the secret are accepted. DATAVERSE_SECRET_EXPIRES may tell until when."
    if expires <= today + SOON:
        passed = "should have expired" if expires < today else "expires"
        return WARNING, f"The secret is accepted, but {passed} on {expires}. Make a new one in Entra."
    return OK, f"The client id and the secret are accepted, until {expires}."


def _token(probe: Probe) -> Finding:
    audience = claims_of(probe.token()).get("aud")
    if not isinstance(audience, str):
        return OK, "The token can't be looked into; Dataverse judges it by itself."
    if origin_of(audience) != probe.base_url:
        return FAILED, (
            f"The token is for {audience}, not for {probe.base_url}. "
            "Check that DATAVERSE_BASE_URL is the environment's own address."
        )
    return OK, f"The token is for {audience}."


def _user(probe: Probe) -> Finding:
    me = probe.who_am_i()
    user, organization = me.get("UserId"), me.get("OrganizationId")
    return OK, f"Dataverse knows the application as user {user} of organization {organization}."


def _right(probe: Probe, privilege: str) -> Finding:
    can = "may read jobs" if privilege == "prvRead" else "may change jobs"
    if privilege == "prvRead":
        probe.list_records(ENTITY_SET, select=[ID], top=1)
    try:
        granted = probe.privileges(str(probe.who_am_i().get("UserId")), privilege + TABLE)
    except (DataverseRefused, DataverseProtocolError):
        # It has just read; how far that right reaches, and whether it may write, it may not tell.
        return (OK, f"The application user {can}.") if privilege == "prvRead" else _UNTOLD
    depths = {str(role.get("Depth")) for role in granted}
    if not depths and privilege != "prvRead":
        return WARNING, f"The application user lacks {privilege}{TABLE}: hours would be refused."
    if depths and "Global" not in depths:
        return WARNING, (
            f"The application user {can} only in part ({', '.join(sorted(depths))} level). "
            f"Give its security role {privilege}{TABLE} at organization level, or jobs will be missing."
        )
    return OK, f"The application user {can}."


_UNTOLD = (
    WARNING,
    "Dataverse does not tell whether the application user may change jobs; a first write will.",
)


def _columns(probe: Probe) -> Iterator[Step]:
    """Look at every column of the contract: in the table's definition, or by asking for it."""
    try:
        definitions = probe.columns(TABLE)
    except (DataverseRefused, DataverseProtocolError) as error:
        if not says_nothing(error):
            yield Step("Columns", FAILED, str(error))
            return
        yield Step(
            "Columns",
            WARNING,
            "The application user may not read the table's definition: each column is tried.",
        )
        yield from (_taken(name, _tried(probe, column)) for name, column in COLUMNS.items())
    else:
        secured = {one.get("LogicalName") for one in definitions if one.get("IsSecured") is True}
        types = types_of(definitions)
        for name, column in COLUMNS.items():
            look = _seen if name in secured and name in types else _defined
            yield _taken(name, partial(look, probe, column, types))


def _tried(probe: Probe, column: Column) -> Callable[[], Finding]:
    def look() -> Finding:
        try:
            probe.list_records(ENTITY_SET, select=[column.name], top=1)
        except DataverseProtocolError as error:
            if "Could not find a property" not in error.message:
                raise
            return _amiss(column, what_is_amiss(column, {}))
        return OK, f"It is there: {column.purpose}."

    return look


def _defined(_: Probe, column: Column, types: dict[str, str]) -> Finding:
    if amiss := what_is_amiss(column, types):
        return _amiss(column, amiss)
    return OK, f"It is a {types[column.name]}: {column.purpose}."


def _seen(probe: Probe, column: Column, types: dict[str, str]) -> Finding:
    """Look whether anything is to be seen in a column with column security."""
    rows = probe.list_records(ENTITY_SET, select=[column.name], top=SAMPLE)
    if not rows or any(row.get(column.name) is not None for row in rows):
        return _defined(probe, column, types)
    return _amiss(
        column,
        f"The column {column.name} has column security and comes empty. Put the application user into a "
        "column security profile that may read it.",
    )


def _amiss(column: Column, amiss: str) -> Finding:
    if column.essential:
        return FAILED, f"{amiss} It says {column.purpose}: without it there can be no sync."
    return WARNING, f"{amiss} {column.without}"


def _approved(probe: Probe) -> Finding:
    count = DataverseService(probe).approved_count()
    if count == 0:
        return (
            WARNING,
            "No active row is approved (imi_submittalstatus 826130004): a sync would bring nothing.",
        )
    if count is None:
        return OK, "Dataverse does not count the approved rows."
    many = f"{count:,} or more" if count == COUNT_LIMIT else f"{count:,}"
    return OK, "One active row is approved." if count == 1 else f"{many} active rows are approved."
