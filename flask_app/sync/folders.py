"""Links to the jobs' SharePoint folders: read once a day, and only what is not known yet."""

from dataclasses import dataclass
from datetime import datetime

from flask_app.config import settings
from flask_app.dataverse.client import CallStatistics
from flask_app.dataverse.errors import DataverseClientError
from flask_app.dataverse.folders import FolderTable, Location, safe_address
from flask_app.dataverse.transport import Deadline
from flask_app.models import JobFolder, committing
from flask_app.sync.approved_jobs import service_of_app
from flask_app.sync.running import rest_after
from flask_app.words import noted

FOLDERS = "job_folders"  # the task's name
SECONDS = 300.0  # all its requests together
_MOST_ASKED = 500  # addresses in one go, a request each: the others follow on the next day


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What came of a reading of the folders: a sentence, and whether it `worked`.

    `rest_until`: Dataverse wants to be left alone until then.
    """

    sentence: str
    worked: bool = True
    rest_until: datetime | None = None


def refresh_folders(*, now: datetime) -> Refreshed | None:
    """Read where the active jobs' folders are; None if that is off.

    An outage or a missing right leaves what is known as it is; the sentence says why.
    """
    if not (settings().sharepoint_links and settings().syncs):
        return None
    try:
        return Refreshed(_refresh(FolderTable(service_of_app().client), now))
    except DataverseClientError as error:
        sentence = noted("SharePoint's folders could not be read: %(reason)s", reason=error)
        return Refreshed(sentence, worked=False, rest_until=rest_after(error))


def _refresh(table: FolderTable, now: datetime) -> str:
    statistics = CallStatistics(deadline=Deadline(SECONDS))
    jobs, known = committing(JobFolder.linked_jobs), committing(JobFolder.known)
    hosts = table.hosts(statistics)
    found: dict[int, Location] = {}
    for location in table.locations(sorted(jobs), statistics):
        found.setdefault(jobs[location.row_id], location)  # of several, the first by its id
    folders: dict[int, tuple[str, str, str]] = {}
    asked = refused = 0
    for job_id, location in found.items():
        folder = known.get(job_id)
        same = folder and (folder.location_id, folder.relative) == (
            location.location_id,
            location.relative[:400],
        )
        if folder and same and safe_address(folder.address, hosts):
            folders[job_id] = (location.location_id, location.relative, folder.address)
        elif asked < _MOST_ASKED:
            asked += 1
            address = safe_address(table.address(location, statistics), hosts)
            refused += not address
            if address:
                folders[job_id] = (location.location_id, location.relative, address)
    committing(lambda: JobFolder.write(folders, set(jobs.values()), at=now))
    told = noted("Folders known: %(count)s.", count=f"{len(folders):,}")
    if not refused:
        return told
    outside = noted(
        "Not shown, being outside of the organization's SharePoint: %(count)s.", count=f"{refused:,}"
    )
    return f"{told} {outside}"
