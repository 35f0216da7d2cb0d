"""The document folders of jobs: sharepointsites, sharepointdocumentlocations, as far as readers need them.

After the entity pages sharepointsite and sharepointdocumentlocation and the function
RetrieveAbsoluteAndSiteCollectionUrl. That a location mostly has a relative address and no absolute one is how
the integration makes them; which columns a list shows without $select is not mirrored.
"""

import re
import uuid
from typing import Any

from .query import check_options, context
from .wire import ApiError, Request, Response, bad_query

LOCATIONS, SITES = "sharepointdocumentlocations", "sharepointsites"
FUNCTION = "Microsoft.Dynamics.CRM.RetrieveAbsoluteAndSiteCollectionUrl()"
_ONE_JOB = re.compile(r"_regardingobjectid_value eq ([0-9a-fA-F-]{36})")
_COLUMNS = {
    LOCATIONS: {"sharepointdocumentlocationid", "relativeurl", "absoluteurl", "_regardingobjectid_value"},
    SITES: {"sharepointsiteid", "absoluteurl", "isdefault"},
}


class SharePoint:
    """One site, and folders below it. `allowed` False: the user may not read them."""

    def __init__(self, site: str = "https://millwork.sharepoint.com/sites/jobs") -> None:
        self.allowed = True
        self._sites = [{"sharepointsiteid": str(uuid.uuid4()), "absoluteurl": site, "isdefault": True}]
        self._locations: dict[str, dict[str, Any]] = {}

    def add_folder(self, imi_jobid: str, folder: str, absolute: str | None = None) -> str:
        """Give a job a folder below the site's imi_job library, or at an `absolute` address."""
        number = str(uuid.uuid4())
        self._locations[number] = {
            "sharepointdocumentlocationid": number,
            "relativeurl": folder,
            "absoluteurl": absolute,
            "_regardingobjectid_value": imi_jobid,
        }
        return number

    def remove_folder(self, number: str) -> None:
        """Take a folder away."""
        del self._locations[number]

    def sites(self, request: Request, _match: "re.Match[str]") -> Response:
        """Answer the list of sites."""
        self._check()
        check_options(request, {"$select", "$filter", "$orderby"})
        return _listed(request, SITES, self._sites)

    def locations(self, request: Request, _match: "re.Match[str]") -> Response:
        """Answer the folders of the jobs that the filter names."""
        self._check()
        check_options(request, {"$select", "$filter", "$orderby"})
        wanted = request.query.get("$filter", "")
        parts = [_ONE_JOB.fullmatch(part.strip()) for part in wanted.split(" or ")]
        jobs = {part[1].lower() for part in parts if part}
        if not all(parts):
            raise bad_query(
                f"This stand-in filters folders by _regardingobjectid_value only, not by {wanted}"
            )
        found = [row for row in self._locations.values() if row["_regardingobjectid_value"] in jobs]
        return _listed(request, LOCATIONS, found)

    def address(self, request: Request, match: "re.Match[str]") -> Response:
        """Answer the whole address of one folder."""
        self._check()
        row = self._locations.get(match["key"].lower())
        if row is None:
            raise ApiError(
                404, "0x80040217", f"sharepointdocumentlocation With Id = {match['key']} Does Not Exist"
            )
        site = self._sites[0]["absoluteurl"]
        name = "Microsoft.Dynamics.CRM.RetrieveAbsoluteAndSiteCollectionUrlResponse"
        found = row["absoluteurl"] or f"{site}/imi_job/{row['relativeurl']}"
        payload = {"@odata.context": context(request, name, None), "AbsoluteUrl": found}
        return Response(200, {**payload, "SiteCollectionUrl": site})

    def _check(self) -> None:
        if not self.allowed:
            message = "Principal user is missing prvReadSharePointDocumentLocation privilege"
            raise ApiError(403, "0x80040220", message)


def _chosen(request: Request, name: str) -> list[str]:
    chosen = [part.strip() for part in request.query.get("$select", "").split(",") if part.strip()]
    for column in chosen:
        if column not in _COLUMNS[name]:
            raise bad_query(f"Could not find a property named '{column}' on type '{name}'.")
    return chosen


def _listed(request: Request, name: str, rows: list[dict[str, Any]]) -> Response:
    chosen = _chosen(request, name)
    shown = [{key: row[key] for key in (chosen or row)} for row in rows]
    return Response(200, {"@odata.context": context(request, name, tuple(chosen) or None), "value": shown})
