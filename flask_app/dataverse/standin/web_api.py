"""The Web API's addresses under /api/data/v9.x and who answers them."""

import re
import uuid
from collections.abc import Callable

from .listing import Listing
from .paging import Pager
from .query import context
from .rows import RowOperations
from .schema import ENTITY_SET, TABLE
from .table import Table
from .wire import ApiError, Request, Response, unknown_segment

Answer = Callable[[Request, "re.Match[str]"], Response]

_ROOT = re.compile(r"/api/data/(v9\.[0-2])(?:/(.*))?")
_WRITES = {"POST", "PATCH", "PUT", "DELETE"}
# Fixed, so that an application's own record of who it is stays the same from one start to the next.
_SPACE = uuid.UUID("5a7c1f2e-94d0-4a37-8f0e-2d6b1c9e4f10")
USER_ID = str(uuid.uuid5(_SPACE, "user"))


def covers(path: str) -> bool:
    """Say whether a path lies in the Web API."""
    return _ROOT.fullmatch(path) is not None


class WebApi:
    """Routes a request to what answers it. Authentication and faults are the server's business."""

    def __init__(self, table: Table, *, read_only: bool, max_page_size: int) -> None:
        self._read_only = read_only
        listing = Listing(table, Pager(), max_page_size)
        rows = RowOperations(table)
        self._routes: list[tuple[re.Pattern[str], dict[str, Answer]]] = [
            (re.compile(r"WhoAmI(?:\(\))?"), {"GET": _who_am_i}),
            (re.compile(ENTITY_SET), {"GET": listing.rows, "POST": rows.create}),
            (re.compile(rf"{ENTITY_SET}/\$count"), {"GET": listing.count}),
            (
                re.compile(rf"{ENTITY_SET}\((?P<key>[^()]*)\)"),
                {"GET": rows.retrieve, "PATCH": rows.update, "DELETE": rows.delete},
            ),
        ]

    def answer(self, request: Request) -> Response:
        """Answer one request; a refusal comes back as a response too."""
        try:
            return self._routed(request)
        except ApiError as error:
            return error.response()

    def _routed(self, request: Request) -> Response:
        root = _ROOT.fullmatch(request.path)
        if root is None:
            raise unknown_segment(request.path.strip("/"))
        resource = root[2] or ""
        request = request.with_root(f"{request.origin}/api/data/{root[1]}")
        for pattern, methods in self._routes:
            match = pattern.fullmatch(resource)
            if match:
                return self._allowed(request, methods)(request, match)
        raise unknown_segment(resource.partition("/")[0].partition("(")[0])

    def _allowed(self, request: Request, methods: dict[str, Answer]) -> Answer:
        if request.method not in methods:
            message = f"The requested resource does not support http method '{request.method}'."
            raise ApiError(405, "", message, [("Allow", ",".join(methods))])
        if self._read_only and request.method in _WRITES:
            raise _missing_privilege()
        return methods[request.method]


def _who_am_i(request: Request, _match: "re.Match[str]") -> Response:
    return Response(
        200,
        {
            "@odata.context": context(request, "Microsoft.Dynamics.CRM.WhoAmIResponse", None),
            "BusinessUnitId": str(uuid.uuid5(_SPACE, "business unit")),
            "UserId": USER_ID,
            "OrganizationId": str(uuid.uuid5(_SPACE, "organization")),
        },
    )


def _missing_privilege() -> ApiError:
    privilege = uuid.uuid5(_SPACE, "prvWriteimi_job")
    message = (
        f"Principal user (Id={USER_ID}, type=8) is missing prvWrite{TABLE} privilege (Id={privilege}) "
        f"on OTC=10042 for entity '{TABLE}' (LocalizedName='Job'). context.Caller={USER_ID}"
    )
    return ApiError(403, "0x80040220", message)
