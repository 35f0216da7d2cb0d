"""The pages about hours that go back to Dataverse."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from flask_app.clock import utc_now
from flask_app.models import Audit, Job, User, WriteBack, db
from flask_app.standin import Standin
from flask_app.utils.scheduler_tasks import automated_hours_out
from tests import shop
from tests.conftest import Cast
from tests.connected import connect, sync, words


@pytest.fixture
def app(make_app: Callable[..., Flask], standin: Standin) -> Flask:
    return connect(make_app, standin, settings={"write_back": "hours", "login_sync_minutes": 0})


@pytest.fixture
def worked(app: Flask, cast: Cast, standin: Standin) -> str:
    """A job of Dataverse with two hours; its row's id."""
    row = standin.add(imi_imnumber="4512", imi_gc="Gilbane")
    sync(app)
    with app.app_context():
        job, now = Job.numbered("4512"), utc_now()
        assert job is not None
        shift = shop.punch_in(db.session.get_one(User, cast.ana), job, now - timedelta(hours=3))
        shop.punch_out(shift, now - timedelta(hours=1))
    return row


@pytest.fixture
def admin(log_in: Callable[[str], FlaskClient], cast: Cast) -> FlaskClient:
    return log_in("grace")


def start(admin: FlaskClient, which: str = "all") -> str:
    page = admin.post("/sync/hours/rehearsal").text
    organization = page.partition('name="organization" value="')[2].partition('"')[0]
    form = {"which": which, "organization": organization}
    return words(admin.post("/sync/hours/start", data=form, follow_redirects=True).text)


def test_an_admin_sees_what_would_change_and_starts_it(
    app: Flask, admin: FlaskClient, worked: str, standin: Standin
) -> None:
    page = words(admin.post("/sync/hours/rehearsal").text)
    assert "1 job would change" in page
    assert "4512 Gilbane empty → 2.00" in page

    assert "Hours go to Dataverse from now on" in start(admin)
    assert "1 job" in words(admin.get("/sync/hours").text)
    automated_hours_out(app)

    assert [row["imi_actualhours"] for row in standin.rows()] == [2.0]
    assert "4512 empty → 2.00" in words(admin.get("/sync/hours").text)
    with app.app_context():
        [decision] = db.session.scalars(select(Audit).where(Audit.subject == "Hours to Dataverse"))
        assert decision.changes == {"state": ["waiting", "on"]}


def test_stop_holds_until_it_is_started_again(
    app: Flask, admin: FlaskClient, worked: str, standin: Standin
) -> None:
    start(admin)

    assert "Stopped" in words(admin.post("/sync/hours/stop", follow_redirects=True).text)
    automated_hours_out(app)

    assert [row["imi_actualhours"] for row in standin.rows()] == [None]


def test_what_dataverse_refuses_is_listed_with_its_reason_and_tried_again(
    app: Flask, admin: FlaskClient, worked: str, standin: Standin
) -> None:
    start(admin)
    standin.access.write = False
    automated_hours_out(app)
    page = words(admin.get("/sync/hours").text)
    assert "Refused by Dataverse 1" in page
    assert "prvWrite" in page

    standin.access.write = True
    assert "1 job will be tried again" in words(
        admin.post("/sync/hours/try-again", follow_redirects=True).text
    )
    automated_hours_out(app)

    assert [row["imi_actualhours"] for row in standin.rows()] == [2.0]


def test_a_form_for_another_organization_starts_nothing(app: Flask, admin: FlaskClient, worked: str) -> None:
    form = {"which": "all", "organization": "somewhere else"}
    page = words(admin.post("/sync/hours/start", data=form, follow_redirects=True).text)

    assert "another organization" in page
    with app.app_context():
        assert WriteBack.seen() is None


def test_switched_off_the_page_says_how_to_switch_it_on(app: Flask, admin: FlaskClient) -> None:
    app.extensions["settings"] = replace(app.extensions["settings"], write_back="")

    assert "DATAVERSE_WRITE_BACK=hours" in words(admin.get("/sync/hours").text)
    assert "Writing hours is off." in words(admin.post("/sync/hours/rehearsal", follow_redirects=True).text)


def test_the_check_looks_at_the_right_to_write_and_the_column(
    admin: FlaskClient, worked: str, standin: Standin
) -> None:
    assert "Hours can be written to it, with 2 decimals." in words(admin.post("/sync/check").text)

    standin.access.write = False
    page = words(admin.post("/sync/check").text)

    assert "lacks prvWriteimi_job" in page
    assert "A sync would work" in page
