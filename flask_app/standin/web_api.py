"""The Web API's addresses under /api/data/v9.x and who answers them."""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from . import metadata
from .access import BUSINESS_UNIT_ID, ORGANIZATION_ID, USER_ID, Access
from .batch import Batch
from .bulk import BulkOperations
from .definitions import CRM
from .delta import ChangeTracking
from .listing import Listing
from .query import check_options, context
from .registrations import ENDPOINTS, SDK_FILTERS, SDK_MESSAGES, STEPS, STEPS_OF_ENDPOINT, Registrations
from .render import wants
from .rows import RowOperations
from .schema import ENTITY_SET, Column
from .sharepoint import FUNCTION, LOCATIONS, SITES, SharePoint
from .table import Table
from .wire import ApiError, Request, Response, unknown_segment

Answer = Callable[[Request, "re.Match[str]"], Response]
Route = tuple["re.Pattern[str]", dict[str, Answer]]

_ROOT = re.compile(r"/api/data/(v9\.[0-2])(?:/(.*))?")
_WRITES = {"POST", "PATCH", "PUT", "DELETE"}

_ENTITY = r"EntityDefinitions\((?P<entity>[^()]*)\)"
_CAST = r"(?:/Microsoft\.Dynamics\.CRM\.(?P<cast>\w+))"
_PRIVILEGE = re.compile(
    rf"systemusers\((?P<user>[^()]*)\)/{re.escape(CRM)}RetrieveUserPrivilegeByPrivilegeName"
    r"\(PrivilegeName='(?P<privilege>\w+)'\)"
)
_METADATA: tuple[tuple[str, Answer], ...] = (
    ("EntityDefinitions", metadata.entities),
    (_ENTITY, metadata.one_entity),
    (rf"{_ENTITY}/(?P<related>Keys|\w+Relationships)", metadata.related),
    (rf"{_ENTITY}/Attributes{_CAST}?", metadata.attributes),
    (rf"{_ENTITY}/Attributes\((?P<attribute>[^()]*)\){_CAST}?", metadata.one_attribute),
    (rf"{_ENTITY}/Attributes\((?P<attribute>[^()]*)\){_CAST}/OptionSet", metadata.choices),
    (r"RetrieveMetadataChanges\(Query=@p1\)", metadata.metadata_changes),
)


def covers(path: str) -> bool:
    """Say whether a path lies in the Web API."""
    return _ROOT.fullmatch(path) is not None


def is_metadata(path: str) -> bool:
    """Say whether a path of the Web API asks about tables and columns."""
    root = _ROOT.fullmatch(path)
    return bool(root and (root[2] or "").startswith(("EntityDefinitions", "RetrieveMetadataChanges")))


class WebApi:
    """Routes a request to what answers it. Authentication and faults are the server's business."""

    def __init__(
        self,
        table: Table,
        tracking: ChangeTracking,
        access: Access,
        columns: Mapping[str, Column],
        sharepoint: SharePoint,
        registrations: Registrations,
        *,
        max_page_size: int,
    ) -> None:
        self._access = access
        self._columns = columns
        self._batch = Batch(table, self.answer)
        self._routes: list[Route] = [
            *_row_routes(table, tracking, access, max_page_size),
            *((re.compile(pattern), {"GET": answer}) for pattern, answer in _METADATA),
            *_registration_routes(registrations),
            (re.compile(SITES), {"GET": sharepoint.sites}),
            (re.compile(LOCATIONS), {"GET": sharepoint.locations}),
            (
                re.compile(rf"{LOCATIONS}\((?P<key>[^()]*)\)/{re.escape(FUNCTION)}"),
                {"GET": sharepoint.address},
            ),
            (re.compile(r"WhoAmI(?:\(\))?"), {"GET": _who_am_i}),
            (_PRIVILEGE, {"GET": self._privileges}),
            (re.compile(""), {"GET": _service_document}),
            (re.compile(r"\$batch"), {"POST": self._batch.run}),
        ]

    def _privileges(self, request: Request, match: "re.Match[str]") -> Response:
        """Answer RetrieveUserPrivilegeByPrivilegeName, of the one user that there is."""
        check_options(request, set())
        if match["user"].lower() != USER_ID:
            raise ApiError(404, "0x80040217", f"systemuser With Id = {match['user']} Does Not Exist")
        where = f"{request.api_root}/$metadata#{CRM}RetrieveUserPrivilegeByPrivilegeNameResponse"
        granted = self._access.granted(match["privilege"])
        return Response(200, {"@odata.context": where, "RolePrivileges": granted})

    def answer(self, request: Request) -> Response:
        """Answer one request; a refusal comes back as a response too."""
        try:
            return self._routed(request)
        except ApiError as error:
            response = error.response()
            _annotate(response, request.prefers().get("odata.include-annotations", ""))
            return response

    def _routed(self, request: Request) -> Response:
        root = _ROOT.fullmatch(request.path)
        if root is None:
            raise unknown_segment(request.path.strip("/"))
        resource = root[2] or ""
        request = replace(
            request,
            api_root=f"{request.origin}/api/data/{root[1]}",
            columns=self._columns,
            secured=self._access.secured,
        )
        for pattern, methods in self._routes:
            match = pattern.fullmatch(resource)
            if match:
                return self._allowed(request, methods)(request, match)
        raise unknown_segment(resource.partition("/")[0].partition("(")[0])

    def _allowed(self, request: Request, methods: dict[str, Answer]) -> Answer:
        answer = methods.get(request.method)
        if answer is None:
            message = f"The requested resource does not support http method '{request.method}'."
            raise ApiError(405, "", message, [("Allow", ",".join(methods))])
        if answer != self._batch.run:  # of a batch, each request inside is judged by itself
            self._check_access(request, answer)
        return answer

    def _check_access(self, request: Request, answer: Answer) -> None:
        access = self._access
        if answer.__module__ == Registrations.__module__:
            access.check_registration(request.method)
        elif request.method in _WRITES:
            access.check("prvWrite", allowed=access.write)
        elif answer.__module__ == metadata.__name__:
            access.check("prvRead", allowed=access.metadata, about="Attribute")
        else:
            access.check("prvRead", allowed=access.read or answer in (*_OF_EVERYBODY, self._privileges))


def _row_routes(table: Table, tracking: ChangeTracking, access: Access, max_page_size: int) -> list[Route]:
    listing = Listing(table, tracking, access, max_page_size)
    rows = RowOperations(table, access)
    bulk = BulkOperations(table)
    one: dict[str, Answer] = {"GET": rows.retrieve, "PATCH": rows.update, "DELETE": rows.delete}
    return [
        (re.compile(ENTITY_SET), {"GET": listing.rows, "POST": rows.create}),
        (re.compile(rf"{ENTITY_SET}/\$count"), {"GET": listing.count}),
        (re.compile(rf"{ENTITY_SET}\((?P<key>[^()]*)\)"), one),
        (re.compile(rf"{ENTITY_SET}/{re.escape(CRM)}CreateMultiple"), {"POST": bulk.create}),
        (re.compile(rf"{ENTITY_SET}/{re.escape(CRM)}UpdateMultiple"), {"POST": bulk.update}),
        (re.compile("BulkDelete"), {"POST": bulk.delete}),
    ]


def _registration_routes(registrations: Registrations) -> list[Route]:
    both, key = f"{ENDPOINTS}|{STEPS}", r"\((?P<key>[^()]*)\)"
    removal: dict[str, Answer] = {"DELETE": registrations.delete}
    return [
        (re.compile(f"(?P<set>{SDK_MESSAGES}|{SDK_FILTERS})"), {"GET": registrations.listed}),
        (re.compile(f"(?P<set>{both})"), {"GET": registrations.listed, "POST": registrations.create}),
        (re.compile(rf"(?P<set>{ENDPOINTS}){key}"), {"PATCH": registrations.update, **removal}),
        (re.compile(rf"(?P<set>{STEPS}){key}"), removal),
        (re.compile(rf"{ENDPOINTS}{key}/{STEPS_OF_ENDPOINT}"), {"GET": registrations.steps_of}),
    ]  # fmt: skip


def _service_document(request: Request, _match: "re.Match[str]") -> Response:
    check_options(request, set())
    sets = [{"name": name, "kind": "EntitySet", "url": name} for name in (ENTITY_SET, "EntityDefinitions")]
    return Response(200, {"@odata.context": f"{request.api_root}/$metadata", "value": sets})


def _who_am_i(request: Request, _match: "re.Match[str]") -> Response:
    check_options(request, set())
    return Response(
        200,
        {
            "@odata.context": context(request, f"{CRM}WhoAmIResponse", None),
            "BusinessUnitId": BUSINESS_UNIT_ID,
            "UserId": USER_ID,
            "OrganizationId": ORGANIZATION_ID,
        },
    )


_OF_EVERYBODY = (_service_document, _who_am_i)


def _annotate(response: Response, annotations: str) -> None:
    """Add the details that the caller's odata.include-annotations asks for (example G8)."""
    error: dict[str, Any] = (response.payload or {})["error"]
    link = "http://go.microsoft.com/fwlink/?LinkID=398563&error=Microsoft.Crm.CrmException%3a"
    details = {
        "Microsoft.PowerApps.CDS.ErrorDetails.OperationStatus": "0",
        "Microsoft.PowerApps.CDS.ErrorDetails.SubErrorCode": "-2146233088",
        "Microsoft.PowerApps.CDS.HelpLink": f"{link}{error['code'].removeprefix('0x')}&client=platform",
        "Microsoft.PowerApps.CDS.TraceText": "",
        "Microsoft.PowerApps.CDS.InnerError.Message": error["message"],
    }
    error |= {f"@{name}": text for name, text in details.items() if wants(annotations, name)}
