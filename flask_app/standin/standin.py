"""The stand-in as a Python object: start it, fill it, order faults, look at what it was asked."""

import secrets
import tempfile
import threading
import uuid
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from . import web_api
from .access import OFFICE_USER_ID, Access
from .certificate import make_certificate, server_context
from .control import ROOT as CONTROL_ROOT
from .control import Control
from .delta import ChangeTracking
from .faults import Faults
from .generate import generate as generate_jobs
from .journal import Journal, Record
from .limits import Limits
from .registrations import Registrations
from .schema import APPROVED, COLUMNS, NEEDED, STATUS, Row, columns_of
from .server import Server
from .sharepoint import SharePoint
from .table import Table, etag
from .tokens import TokenDesk
from .webhooks import Webhooks
from .wire import ApiError, Request, Response, unknown_segment

EXAMPLE: Row = {
    "imi_gc": "Harbor & Pine Builders",
    "imi_scopesummary": "Reception desk and 12 wall panels, level 1",
    "imi_jobnameaddress": "Riverside Medical Center, 12 Canal Road, Port Alder, NY",
    "imi_submittalstatus": APPROVED,
}


# As in the published capture (example G7): a request's number comes twice, from the front and from the back.
_SERVER_HEADERS = [
    ("x-ms-service-request-id", str(uuid.uuid4())),
    ("CRM.ServiceId", "framework"),
    ("Set-Cookie", f"ARRAffinity={secrets.token_hex(32)}; path=/; secure; HttpOnly"),
]


class Standin:
    """A small Dataverse on this machine. Use as a context manager, or call start() and stop()."""

    host = (
        "localhost"  # the name that it goes by; another one, set before start(), needs a way here (a proxy)
    )

    def __init__(
        self,
        rows: Iterable[Row] | None = None,
        generate: int = 0,
        port: int = 0,
        seed: int = 7,
        directory: Path | str | None = None,
        read_only: bool = False,
        status: str = "choice",
        without: Iterable[str] = (),
        access: Access | None = None,
        max_page_size: int = 5000,
        tenant_id: str | None = None,
        client_id: str | None = None,
        client_secret: str | None = None,
        log: Callable[[str], None] | None = None,
    ) -> None:
        """Fill the table with `rows` (columns missing get defaults) and `generate` made-up jobs.

        `port` 0 takes a free one; `directory` receives the certificate (a temporary one otherwise); `log` is
        called with one line per request answered. `status` is what imi_submittalstatus is: one of
        STATUS_SHAPES; `without` are columns that the table lacks; `access` is what the user may do.
        """
        self.tenant_id = tenant_id or str(uuid.uuid4())
        self.client_id = client_id or str(uuid.uuid4())
        self.client_secret = client_secret or secrets.token_urlsafe(24)
        self._given_secret = client_secret
        self._port = port
        self._directory = Path(directory) if directory else None
        self._journal = Journal(log)
        self.webhooks = Webhooks(log)
        self.sharepoint = SharePoint()
        self.access = access or Access(write=not read_only)
        self._columns = columns_of(status, without)
        self._table = Table(self.webhooks.publish, self._as_stored(NEEDED))
        self._fill(rows or (), generate_jobs(generate, seed))
        self._serve_with(ChangeTracking(self._table), max_page_size)
        self._temporary: tempfile.TemporaryDirectory[str] | None = None
        self._ca_bundle: Path | None = None
        self._desk: TokenDesk | None = None
        self._server: Server | None = None
        self._accepting: threading.Thread | None = None

    def _fill(self, rows: Iterable[Row], generated: Iterable[Row]) -> None:
        for row in rows:
            self.add(**row)
        for row in generated:
            self._table.insert(self._stored(row))

    def _serve_with(self, tracking: ChangeTracking, max_page_size: int) -> None:
        self.limits = Limits()
        self.faults = Faults(self._expire_tokens, tracking.expire)
        self._control = Control(self._table, self.faults, self.limits, self._journal, self.webhooks)
        self._web_api = web_api.WebApi(
            self._table, tracking, self.access, self._columns, self.sharepoint, Registrations(self.webhooks),
            max_page_size=max_page_size,
        )  # fmt: skip

    def start(self) -> Self:
        """Make the certificate and serve, with a fresh secret unless one was given."""
        if self._server is not None:
            raise RuntimeError("The stand-in is already running.")
        self.client_secret = self._given_secret or secrets.token_urlsafe(24)
        certificate, key = make_certificate(self._certificate_directory(), self.host)
        context = server_context(certificate, key)
        self._server = Server(self._port, context, self.faults, self._journal, self.host)
        self._ca_bundle = certificate
        self._desk = TokenDesk(self._server.base_url, self.tenant_id, self.client_id, self.client_secret)
        self._server.application = self._answer
        self._server.area_of = self._area_of
        # A short poll, because shutdown() waits for the accept loop to look up.
        self._accepting = threading.Thread(target=self._server.serve_forever, args=(0.005,), daemon=True)
        self._accepting.start()
        self.webhooks.start()
        return self

    def stop(self) -> None:
        """End at once: hanging requests are woken, connections closed. May be called twice."""
        if self._server is None or self._accepting is None:
            return
        self._server.stop()
        self._accepting.join()
        self.webhooks.stop()
        self._server = None
        if self._temporary is not None:
            self._temporary.cleanup()
            self._temporary = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def base_url(self) -> str:
        """The address of the organisation."""
        if self._desk is None:
            raise RuntimeError("The stand-in has not been started.")
        return self._desk.base_url

    @property
    def authority(self) -> str:
        """The address of the identity provider, to which the tenant id is appended."""
        return self.base_url

    @property
    def ca_bundle(self) -> str:
        """The path of the certificate to trust, PEM."""
        if self._ca_bundle is None:
            raise RuntimeError("The stand-in has not been started.")
        return str(self._ca_bundle)

    @property
    def requests(self) -> list[Record]:
        """The requests received, oldest first (the last 10,000). May be cleared."""
        return self._journal.records

    def environment(self) -> dict[str, str]:
        """Return the environment variables that point an application at this stand-in."""
        return {
            "DATAVERSE_BASE_URL": self.base_url,
            "DATAVERSE_TENANT_ID": self.tenant_id,
            "DATAVERSE_CLIENT_ID": self.client_id,
            "DATAVERSE_CLIENT_SECRET": self.client_secret,
            "DATAVERSE_AUTHORITY": self.authority,
            "DATAVERSE_CA_BUNDLE": self.ca_bundle,
        }

    def add(self, **columns: Any) -> str:
        """Add a job (approved and active unless told otherwise), return its id. Any JSON value is taken."""
        number = str(9000 + len(self._table))
        stored = self._stored({**EXAMPLE, "imi_imnumber": number, **columns})
        with self._table.as_user(OFFICE_USER_ID):
            return str(self._table.insert(stored)["imi_jobid"])

    def change(self, imi_jobid: str, **columns: Any) -> None:
        """Change some columns of a job; its modifiedon and version go up."""
        with self._table.as_user(OFFICE_USER_ID):
            self._table.update(imi_jobid, self._stored(columns))

    def delete(self, imi_jobid: str) -> None:
        """Delete a job."""
        with self._table.as_user(OFFICE_USER_ID):
            self._table.delete(imi_jobid)

    def rows(self) -> list[Row]:
        """Return copies of all jobs, oldest first."""
        return [{**row, "@odata.etag": etag(row)} for row in self._table.all()]

    def _stored(self, columns: Row) -> Row:
        """Return the columns as they are stored; a name that no table has is a slip of the caller's."""
        stored = {name: value for name, value in columns.items() if "@" not in name}
        unknown = sorted(stored.keys() - COLUMNS.keys())
        if unknown:
            raise ValueError(f"imi_jobs has no column {', '.join(unknown)}")
        return {name: self._as_stored(v) if name == STATUS else v for name, v in stored.items()}

    def _as_stored(self, status: Any) -> Any:
        """Of a status that is no plain choice, a number is stored as text."""
        is_text = self._columns[STATUS].edm == "Edm.String" if STATUS in self._columns else False
        return str(status) if is_text and type(status) is int else status

    def _certificate_directory(self) -> Path:
        if self._directory is None:
            self._temporary = tempfile.TemporaryDirectory(prefix="dataverse-standin-")
            return Path(self._temporary.name)
        self._directory.mkdir(parents=True, exist_ok=True)
        return self._directory

    def _expire_tokens(self) -> None:
        if self._desk is not None:
            self._desk.expire_all()

    def _area_of(self, request: Request) -> str:
        """Name the part of the stand-in that a request is for, as faults name it."""
        if web_api.covers(request.path):
            return "metadata" if web_api.is_metadata(request.path) else "api"
        if request.path.endswith("/oauth2/v2.0/token"):
            return "token"
        return "discovery" if request.path.endswith("/openid-configuration") else "other"

    def _answer(self, request: Request) -> Response:
        desk = self._desk
        if desk is None:
            return Response(503)
        desk.audience = self.access.audience or desk.base_url
        if request.path.startswith(CONTROL_ROOT):
            return self._control.answer(request)
        if not web_api.covers(request.path):
            return desk.answer(request) or unknown_segment(request.path.strip("/")).response()
        if not desk.accepts(request.headers.get("Authorization")):
            return Response(401, headers=[("WWW-Authenticate", desk.challenge())])
        return self._limited(request)

    def _limited(self, request: Request) -> Response:
        try:
            with self.limits.request():
                response = self._web_api.answer(request)
        except ApiError as error:
            response = error.response()
        response.headers += [*_SERVER_HEADERS, *self.limits.headers()]
        return response
