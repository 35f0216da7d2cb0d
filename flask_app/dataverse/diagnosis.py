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
from flask_app.words import noted, noted_number

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
        yield Step(noted("Settings"), FAILED, str(error))
        return
    looks: tuple[tuple[str, Callable[[], Finding]], ...] = (
        (noted("Address"), lambda: _address(probe)),
        (noted("Connection"), lambda: _connection(probe)),
        (noted("Tenant"), lambda: _tenant(probe)),
        (noted("Secret"), lambda: _secret(probe, today)),
        (noted("Token"), lambda: _token(probe)),
        (noted("Application user"), lambda: _user(probe)),
        (noted("Right to read jobs"), lambda: _right(probe, "prvRead")),
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
            yield taken(noted("Approved rows"), lambda: _approved(probe))
        for step in _writing(probe, writes_hours, writes_phases):
            yield _warned(step)


def _writing(probe: Probe, hours: bool, phases: bool) -> Iterator[Step]:
    if hours or phases:
        yield taken(noted("Right to write jobs"), lambda: _right(probe, "prvWrite"))
    if hours:
        yield taken(noted("Column for hours"), lambda: _hours_column(probe))
    if phases:
        yield taken(noted("Column for phases"), lambda: _phase_column(probe))


def _warned(step: Step) -> Step:
    """Return a step that concerns only what is written: a sync works without it."""
    return Step(step.name, WARNING, step.sentence) if step.outcome == FAILED else step


def _hours_column(probe: Probe) -> Finding:
    column = HoursTable(probe).column()
    return OK, noted("Hours can be written to it, with %(precision)s decimals.", precision=column.precision)


def _phase_column(probe: Probe) -> Finding:
    phases = PhaseTable(probe).choices()
    return OK, noted("Phases to choose from: %(phases)s.", phases=len(phases))


def _address(probe: Probe) -> Finding:
    given, used = probe.settings.base_url, probe.base_url
    if given != used:
        return WARNING, noted(
            "Of %(given)s only %(used)s is used. Set DATAVERSE_BASE_URL to that.", given=given, used=used
        )
    if _USUAL.fullmatch(used) or used.startswith("https://localhost"):
        return OK, noted("%(used)s is well formed.", used=used)
    return WARNING, noted(
        "%(used)s is not one of Microsoft's usual addresses (https://yourorg.crm.dynamics.com).", used=used
    )


def _connection(probe: Probe) -> Finding:
    answer = probe.knock()
    if answer.status == 401:
        return OK, noted(
            "%(host)s answers over TLS with a trusted certificate, and asks for a sign-in.", host=answer.host
        )
    return FAILED, (
        noted(
            "%(host)s answers, but not as Dataverse does (HTTP %(status)s). Check DATAVERSE_BASE_URL.",
            host=answer.host,
            status=answer.status,
        )
    )


def _tenant(probe: Probe) -> Finding:
    ours, authority = probe.settings.tenant_id, probe.settings.authority
    answer = probe.discover()
    document = answer.json_object() or {}
    if answer.status != 200:
        raise probe.error(answer)
    if not isinstance(document.get("token_endpoint"), str):
        return FAILED, noted(
            "%(authority)s is no sign-in of Microsoft's kind. Check DATAVERSE_AUTHORITY.", authority=authority
        )
    host, needed = _US_GOVERNMENT
    if probe.base_url.endswith(host) and origin_of(authority) != needed:
        return WARNING, noted(
            "An address that ends in %(host)s usually needs DATAVERSE_AUTHORITY=%(needed)s.",
            host=host,
            needed=needed,
        )
    named = _TENANT.search(probe.knock().headers.get("WWW-Authenticate", ""))
    if named and re.fullmatch(r"[0-9a-fA-F-]{36}", ours) and named[1].lower() != ours.lower():
        return (
            WARNING,
            noted(
                "Dataverse names the tenant %(named)s, the settings another one. Check DATAVERSE_TENANT_ID.",
                named=named[1],
            ),
        )
    return OK, noted("%(authority)s knows the tenant.", authority=authority)


def _secret(probe: Probe, today: date) -> Finding:
    probe.token()
    expires = probe.settings.secret_expires
    if expires is None:
        return OK, noted(
            "The client id and the secret are accepted. DATAVERSE_SECRET_EXPIRES may tell until when."
        )
    if expires <= today + SOON:
        if expires < today:
            sentence = noted("The secret is accepted, but should have expired on %(day)s.", day=expires)
        else:
            sentence = noted("The secret is accepted, but expires on %(day)s.", day=expires)
        return WARNING, f"{sentence} {_NEW_SECRET}"
    return OK, noted("The client id and the secret are accepted, until %(expires)s.", expires=expires)


def _token(probe: Probe) -> Finding:
    audience = claims_of(probe.token()).get("aud")
    if not isinstance(audience, str):
        return OK, noted("The token can't be looked into; Dataverse judges it by itself.")
    if origin_of(audience) != probe.base_url:
        return FAILED, (
            noted(
                "The token is for %(audience)s, not for %(base_url)s. Check that DATAVERSE_BASE_URL "
                "is the environment's own address.",
                audience=audience,
                base_url=probe.base_url,
            )
        )
    return OK, noted("The token is for %(audience)s.", audience=audience)


def _user(probe: Probe) -> Finding:
    me = probe.who_am_i()
    user, organization = me.get("UserId"), me.get("OrganizationId")
    return OK, noted(
        "Dataverse knows the application as user %(user)s of organization %(organization)s.",
        user=user,
        organization=organization,
    )


def _right(probe: Probe, privilege: str) -> Finding:
    reads = privilege == "prvRead"
    can = _MAY_READ if reads else _MAY_WRITE
    if reads:
        probe.list_records(ENTITY_SET, select=[ID], top=1)
    try:
        granted = probe.privileges(str(probe.who_am_i().get("UserId")), privilege + TABLE)
    except (DataverseRefused, DataverseProtocolError):
        # It has just read; how far that right reaches, and whether it may write, it may not tell.
        return (OK, can) if reads else _UNTOLD
    depths = {str(role.get("Depth")) for role in granted}
    if not depths and not reads:
        return WARNING, noted(
            "The application user lacks %(privilege)s%(table)s: what is written would be refused.",
            privilege=privilege,
            table=TABLE,
        )
    if depths and "Global" not in depths:
        return WARNING, noted(
            "The application user has %(right)s only in part (level %(level)s). Give its security role "
            "%(right)s at organization level, or jobs will be missing.",
            right=privilege + TABLE,
            level=", ".join(sorted(depths)),
        )
    return OK, can


_NEW_SECRET = noted("Make a new one in Entra.")
_MAY_READ = noted("The application user may read jobs.")
_MAY_WRITE = noted("The application user may change jobs.")
_UNTOLD = (
    WARNING,
    noted("Dataverse does not tell whether the application user may change jobs; a first write will."),
)


def _approved(probe: Probe) -> Finding:
    count = DataverseService(probe).approved_count()
    if count == 0:
        return (
            WARNING,
            noted("No active row is approved (imi_submittalstatus 826130004): a sync would bring nothing."),
        )
    if count is None:
        return OK, noted("Dataverse does not count the approved rows.")
    if count == COUNT_LIMIT:
        return OK, noted("%(n)s or more active rows are approved.", n=f"{count:,}")
    return OK, noted_number("One active row is approved.", "%(n)s active rows are approved.", count)
