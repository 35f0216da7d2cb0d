"""From the address to the data: what is right about the way to Dataverse, and what to do about the rest.

Only reads, never waits for a server that is busy, and tells nothing that is secret.
"""

import re
from collections.abc import Callable, Iterator
from datetime import date, timedelta

from flask_app.config import DataverseSettings
from flask_app.dataverse.column_steps import column_steps
from flask_app.dataverse.contract import ENTITY_SET, TABLE
from flask_app.dataverse.errors import DataverseClientError, DataverseProtocolError, DataverseRefused
from flask_app.dataverse.hours import HoursTable
from flask_app.dataverse.phases import PhaseTable
from flask_app.dataverse.probe import FAILED, OK, WARNING, Finding, Probe, Step, taken
from flask_app.dataverse.service import COUNT_LIMIT, DataverseService
from flask_app.dataverse.table import ID
from flask_app.dataverse.tokens import claims_of
from flask_app.dataverse.transport import origin_of

SOON = timedelta(days=30)  # a secret that expires within this is worth a warning

# Microsoft's own addresses; that a sovereign cloud has a sign-in of its own is why the authority can be set.
_USUAL = re.compile(
    r"https://[\w-]+\.(crm\d*|api\.crm\d*)\.(dynamics\.com|microsoftdynamics\.us|dynamics\.cn)", re.A
)


_TENANT = re.compile(r"authorization_uri=\"?https://[^/]+/([0-9a-fA-F-]{36})/")
_US_GOVERNMENT = (".microsoftdynamics.us", "https://login.microsoftonline.us")


def diagnose(
    to: DataverseSettings, *, today: date, writes_hours: bool = False, writes_phases: bool = False
) -> Iterator[Step]:
    """Yield the steps from the address to the approved rows; ends where it can't go on.

    With `writes_hours` or `writes_phases` also whether these could be written; if not, that is a warning.
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
            step = taken(name, look)
            yield step
            if step.outcome == FAILED:
                return
        columns = list(column_steps(probe))
        yield from columns
        if all(step.outcome != FAILED for step in columns):
            yield taken("Approved rows", lambda: _approved(probe))
        if writes_hours or writes_phases:
            yield _warned(taken("Right to write jobs", lambda: _right(probe, "prvWrite")))
        if writes_hours:
            yield _warned(taken("Column for hours", lambda: _hours_column(probe)))
        if writes_phases:
            yield _warned(taken("Column for phases", lambda: _phase_column(probe)))


def _warned(step: Step) -> Step:
    """Return a step that concerns only what is written: a sync works without it."""
    return Step(step.name, WARNING, step.sentence) if step.outcome == FAILED else step


def _hours_column(probe: Probe) -> Finding:
    column = HoursTable(probe).column()
    return OK, f"Hours can be written to it, with {column.precision} decimals."


def _phase_column(probe: Probe) -> Finding:
    phases = PhaseTable(probe).choices()
    return OK, f"Phases to choose from: {len(phases)}."


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
        return WARNING, f"The application user lacks {privilege}{TABLE}: what is written would be refused."
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
