"""SharePoint folders of jobs: what the daily sync reads, what is shown, what is not."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient

from flask_app.clock import utc_now
from flask_app.dataverse.folders import safe_address, sharepoint_host
from flask_app.models import Job, JobFolder, TaskRun
from flask_app.standin import Standin
from flask_app.sync.folders import FOLDERS, refresh_folders
from flask_app.utils.scheduler_tasks import automated_job_sync
from tests.conftest import Cast
from tests.connected import connect, sync, words

SITE = "https://millwork.sharepoint.com/sites/jobs"
SIX = datetime(2026, 11, 23, 11, tzinfo=UTC)  # 6 AM in New York
CHECK = timedelta(minutes=10)


@pytest.fixture
def app(make_app: Callable[..., Flask], standin: Standin) -> Flask:
    return connect(make_app, standin, settings={"sharepoint_links": True, "login_sync_minutes": 0})


@pytest.fixture
def job(app: Flask, standin: Standin) -> str:
    row = standin.add(imi_imnumber="4512")
    sync(app)
    return row


def refresh(app: Flask, at: datetime | None = None) -> str | None:
    with app.app_context():
        done = refresh_folders(now=at or utc_now())
        return done.sentence if done else None


def check_at(app: Flask, at: datetime) -> None:
    with time_machine.travel(at, tick=False):
        automated_job_sync(app)


def address(app: Flask) -> str | None:
    with app.app_context():
        job = Job.numbered("4512")
        assert job is not None
        folder = JobFolder.of(job)
        return folder.address if folder else None


def page(app: Flask, browser: FlaskClient) -> str:
    with app.app_context():
        job = Job.numbered("4512")
        assert job is not None
        return browser.get(f"/show/job/{job.id}").text


def test_a_job_s_page_leads_to_its_folder(
    app: Flask, cast: Cast, job: str, standin: Standin, log_in: Callable[[str], FlaskClient]
) -> None:
    ana = log_in("ana")
    assert "No SharePoint folder yet" in words(page(app, ana))
    standin.sharepoint.add_folder(job, "4512 Reception desk")

    assert refresh(app) == "Folders known: 1."

    assert f'href="{SITE}/imi_job/4512%20Reception%20desk"' in page(app, ana)
    assert "your own Microsoft account" in words(page(app, ana))


def test_what_is_known_is_not_asked_again(app: Flask, job: str, standin: Standin) -> None:
    standin.sharepoint.add_folder(job, "4512")
    refresh(app)
    standin.requests.clear()

    refresh(app, utc_now() + timedelta(days=1))

    assert [one.path.rpartition("/")[2] for one in standin.requests] == [
        "sharepointsites", "sharepointdocumentlocations",
    ]  # fmt: skip


def test_a_folder_that_is_gone_or_another_one_is_followed(app: Flask, job: str, standin: Standin) -> None:
    first = standin.sharepoint.add_folder(job, "4512")
    refresh(app)
    standin.sharepoint.remove_folder(first)
    standin.sharepoint.add_folder(job, "4512b")
    refresh(app, utc_now() + timedelta(days=1))
    assert address(app) == f"{SITE}/imi_job/4512b"

    standin.sharepoint.remove_folder(next(iter(standin.sharepoint._locations)))
    refresh(app, utc_now() + timedelta(days=2))
    assert address(app) is None


@pytest.mark.parametrize(
    "evil",
    [
        "http://millwork.sharepoint.com/sites/jobs",
        "https://evil.example/sites/jobs",
        "https://millwork.sharepoint.com.evil.example/",
        "https://millwork.sharepoint.com@evil.example/",
        "https://other.sharepoint.com/sites/jobs",
        "javascript:alert(1)",
        "https://millwork.sharepoint.com:8443/",
        "https://evil.example\\.sharepoint.com/",
    ],
)
def test_only_the_organization_s_own_sharepoint_is_shown(
    app: Flask, job: str, standin: Standin, evil: str
) -> None:
    standin.sharepoint.add_folder(job, "x", absolute=evil)

    assert "outside of the organization's SharePoint: 1" in (refresh(app) or "")
    assert address(app) is None


@pytest.mark.parametrize("trouble", ["no right", "outage"])
def test_without_an_answer_what_is_known_stays(app: Flask, job: str, standin: Standin, trouble: str) -> None:
    standin.sharepoint.add_folder(job, "4512")
    refresh(app)
    if trouble == "no right":
        standin.sharepoint.allowed = False
    else:
        standin.faults.fail(503, times=None)

    told = refresh(app, utc_now() + timedelta(days=1))

    assert "could not be read" in (told or "")
    assert address(app) == f"{SITE}/imi_job/4512"


def test_folders_that_could_not_be_read_after_the_daily_sync_are_read_at_the_next_look(
    app: Flask, job: str, standin: Standin, cast: Cast, log_in: Callable[[str], FlaskClient]
) -> None:
    standin.sharepoint.add_folder(job, "4512")
    standin.sharepoint.allowed = False
    check_at(app, SIX)
    assert "could not be read" in words(log_in("grace").get("/sync").text)
    assert address(app) is None

    standin.sharepoint.allowed = True
    check_at(app, SIX + CHECK)
    check_at(app, SIX + 2 * CHECK)

    assert address(app) == f"{SITE}/imi_job/4512"
    assert "Folders known: 1." in words(log_in("grace").get("/sync").text)
    with app.app_context():
        claim = TaskRun.last(FOLDERS)
        assert claim is not None
        assert (claim.attempts, claim.finished_at) == (2, SIX + CHECK)


def test_folders_wait_for_a_daily_sync_that_worked(app: Flask, job: str, standin: Standin) -> None:
    standin.faults.fail(503, times=None)
    check_at(app, SIX)
    with app.app_context():
        assert TaskRun.last(FOLDERS) is None


def test_switched_off_nothing_is_read(make_app: Callable[..., Flask], standin: Standin) -> None:
    assert refresh(connect(make_app, standin)) is None
    assert not [one for one in standin.requests if "sharepoint" in one.path]


def test_an_address_is_quoted_for_its_link() -> None:
    assert sharepoint_host(SITE) == "millwork.sharepoint.com"
    hosts = {"millwork.sharepoint.com"}
    assert safe_address(f'{SITE}/a"b<c', hosts) == f"{SITE}/a%22b%3Cc"
    assert safe_address(f"{SITE}/a%20b", hosts) == f"{SITE}/a%20b"
