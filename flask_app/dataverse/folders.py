"""Where the documents of jobs are in SharePoint, as Dataverse tells it.

The tables sharepointsite and sharepointdocumentlocation, and the function
RetrieveAbsoluteAndSiteCollectionUrl of a location (see Microsoft's Web API reference). A row is there once
somebody has opened the documents of a job.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import quote, urlsplit
from uuid import UUID

from flask_app.dataverse.client import CallStatistics, DataverseClient
from flask_app.dataverse.rows import is_guid, text_of

_LOCATIONS, _SITES = "sharepointdocumentlocations", "sharepointsites"
_ID, _JOB = "sharepointdocumentlocationid", "_regardingobjectid_value"
_IDS_AT_ONCE = 40  # in one filter, as with jobs
# SharePoint Online's own hosts, in all clouds.
_SHAREPOINT = (".sharepoint.com", ".sharepoint.us", ".sharepoint-mil.us", ".sharepoint.cn", ".sharepoint.de")


@dataclass(frozen=True, slots=True)
class Location:
    """One folder of a job: its row's id, the job's row, and the address below its site as it stands there."""

    location_id: str
    row_id: str
    relative: str


class FolderTable:
    """Reads where folders are. Every method raises DataverseClientError."""

    def __init__(self, client: DataverseClient) -> None:
        self._client = client

    def hosts(self, statistics: CallStatistics | None = None) -> set[str]:
        """Return the hosts of the organization's own SharePoint sites."""
        rows = self._client.rows(_SITES, select=["absoluteurl"], statistics=statistics)
        return {host for row in rows if (host := sharepoint_host(text_of(row, "absoluteurl")))}

    def locations(self, ids: Sequence[str], statistics: CallStatistics | None = None) -> Iterator[Location]:
        """Yield the folders of these rows of imi_jobs."""
        for first in range(0, len(ids), _IDS_AT_ONCE):
            wanted = " or ".join(f"{_JOB} eq {UUID(row_id)}" for row_id in ids[first : first + _IDS_AT_ONCE])
            rows = self._client.rows(
                _LOCATIONS,
                select=[_ID, "relativeurl", _JOB],
                orderby=[_ID],
                filter_clause=wanted,
                statistics=statistics,
            )
            for row in rows:
                location, job = text_of(row, _ID).lower(), text_of(row, _JOB).lower()
                if is_guid(location) and is_guid(job):
                    yield Location(location, job, text_of(row, "relativeurl"))

    def address(self, location: Location, statistics: CallStatistics | None = None) -> str:
        """Return the whole address of a folder, "" if Dataverse does not say."""
        function = "RetrieveAbsoluteAndSiteCollectionUrl"
        answer = self._client.bound_function(
            _LOCATIONS, location.location_id, function, statistics=statistics
        )
        return text_of(answer, "AbsoluteUrl")


def safe_address(address: str, hosts: set[str]) -> str:
    """Return the address as it may stand in a link, "" unless it is one of https on one of these hosts."""
    return quote(address, safe=":/?&=#%()+,;@!$'*~") if sharepoint_host(address) in hosts else ""


def sharepoint_host(address: str) -> str:
    """Return the host of an https address of SharePoint Online, "" for any other address."""
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        return ""
    host = (parts.hostname or "").lower()
    plain = host.isascii() and "@" not in parts.netloc and "\\" not in address and port in (None, 443)
    return host if parts.scheme == "https" and plain and host.endswith(_SHAREPOINT) else ""
