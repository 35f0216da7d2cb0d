"""The pages of jobs that follow Dataverse: what was edited here, what Dataverse says, what it has no more."""

import html
import re
from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from flask_app.models import Job, committing, db
from flask_app.models.errors import RuleViolation
from flask_app.standin import Standin
from tests.conftest import NOW
from tests.connected import connected_quietly, sync, words

NOT_APPROVED = 826130002
MARK = "Edited here"
HAND_BACK = "Follow Dataverse again"


@pytest.fixture
def app(make_app: Callable[..., Flask], standin: Standin) -> Flask:
    return connected_quietly(make_app, standin)


@pytest.fixture
def grace(app: Flask, cast, log_in) -> FlaskClient:
    return log_in("grace")


@pytest.fixture
def row(app: Flask, standin: Standin) -> str:
    """A row of Dataverse whose job, 4512, is on the board."""
    row = standin.add(imi_imnumber="4512", imi_gc="Gilbane", imi_scopesummary="Reception desk")
    sync(app)
    return row


def job_of(app: Flask, im_number: str = "4512") -> Job:
    with app.app_context():
        return db.session.scalars(select(Job).where(Job.im_number == im_number)).one()


def page_of(browser: FlaskClient, job: Job) -> str:
    return words(browser.get(f"/show/job/{job.id}").text)


def version_in(page: str) -> str:
    return re.search(r'name="version" value="([^"]*)"', page)[1]


def edit(browser: FlaskClient, job: Job, **form: str) -> None:
    answer = browser.post(f"/update/job/{job.id}", data=form)
    assert answer.status_code == 302, answer.text


def follow(browser: FlaskClient, job: Job, field: str) -> str:
    """Hand a field back; return the page that comes then."""
    answer = browser.post(f"/follow/job/{job.id}", data={"field": field}, follow_redirects=True)
    assert (answer.status_code, answer.request.path) == (200, f"/show/job/{job.id}")
    return words(answer.text)


# --- edited here, and handed back


def test_a_form_that_was_open_during_a_sync_brings_no_old_text_back(
    app: Flask, grace: FlaskClient, row: str, standin: Standin
) -> None:
    job = job_of(app)
    form = {"version": version_in(grace.get(f"/edit/job/{job.id}").text)}
    standin.change(row, imi_gc="Suffolk")
    sync(app)

    form |= {"general_contractor": "Gilbane", "job_scope": "Desk", "estimated_hours": "40"}
    answer = grace.post(f"/update/job/{job.id}", data=form)
    assert answer.status_code == 409
    assert "Someone else changed this. It was “Gilbane”." in html.unescape(answer.text)
    assert job_of(app).job_scope == "Reception desk"
    shown = submitted_by_browser(answer.text)
    assert (shown["general_contractor"], shown["estimated_hours"]) == ("Suffolk", "40")
    edit(grace, job, **shown, version=version_in(answer.text))

    after = job_of(app)
    assert (after.general_contractor, after.job_scope) == ("Suffolk", "Desk")
    assert after.dataverse_says == {"job_scope": "Reception desk"}


def test_a_job_that_nobody_has_edited_is_not_marked(app: Flask, grace: FlaskClient, row: str) -> None:
    page = page_of(grace, job_of(app))

    assert (MARK in page, HAND_BACK in page) == (False, False)


def test_an_edited_field_is_marked_with_what_dataverse_says(
    app: Flask, grace: FlaskClient, row: str, standin: Standin
) -> None:
    edit(grace, job_of(app), general_contractor="Gilbane South")
    standin.change(row, imi_gc="Suffolk & Sons")
    sync(app)

    page = page_of(grace, job_of(app))

    assert "Gilbane South" in page
    assert MARK in page
    assert "Suffolk & Sons" in page
    assert HAND_BACK in page


def test_an_edited_field_is_handed_back_with_one_tap(
    app: Flask, grace: FlaskClient, row: str, standin: Standin
) -> None:
    edit(grace, job_of(app), general_contractor="Gilbane South")
    standin.change(row, imi_gc="Suffolk")
    sync(app)

    page = follow(grace, job_of(app), "general_contractor")

    assert "Job 4512 follows Dataverse again here." in page
    assert job_of(app).general_contractor == "Suffolk"
    assert MARK not in page
    standin.change(row, imi_gc="Turner")
    sync(app)
    assert job_of(app).general_contractor == "Turner"


def test_handing_one_field_back_leaves_the_others_the_shops(app: Flask, grace: FlaskClient, row: str) -> None:
    edit(grace, job_of(app), general_contractor="Gilbane South", job_scope="Desk, north wing")

    follow(grace, job_of(app), "general_contractor")

    job = job_of(app)
    assert (job.general_contractor, job.job_scope) == ("Gilbane", "Desk, north wing")
    assert job.dataverse_says == {"job_scope": "Reception desk"}


@pytest.mark.parametrize("field", ["job_scope", "status", "dataverse_says", ""])
def test_a_field_that_is_not_the_shops_cannot_be_handed_back(
    app: Flask, grace: FlaskClient, row: str, field: str
) -> None:
    edit(grace, job_of(app), general_contractor="Gilbane South", sure="yes", status="0", estimated_hours="40")
    before = job_of(app)

    page = follow(grace, before, field)

    after = job_of(app)
    assert "There is nothing to hand back to Dataverse here." in page
    assert (after.status, after.estimated_hours, after.job_scope) == (0, 40, "Reception desk")
    assert after.dataverse_says == before.dataverse_says


def test_a_job_typed_by_hand_has_nothing_to_hand_back(app: Flask, grace: FlaskClient, add_job) -> None:
    add_job("4600")
    edit(grace, job_of(app, "4600"), general_contractor="Turner")

    page = follow(grace, job_of(app, "4600"), "general_contractor")

    assert "There is nothing to hand back to Dataverse here." in page
    assert MARK not in page


def test_of_two_admins_who_hand_the_same_field_back_the_second_is_told(
    app: Flask, grace: FlaskClient, row: str
) -> None:
    """What the second one's request has read is out of date by the time that it has the row's lock."""
    edit(grace, job_of(app), general_contractor="Gilbane South")
    with app.app_context():
        stale = db.session.scalars(select(Job)).one()
        db.session.commit()
        with app.app_context():
            first = db.session.scalars(select(Job)).one()
            committing(lambda: first.follow_again("general_contractor", at=NOW))

        assert stale.dataverse_says
        with pytest.raises(RuleViolation):
            committing(lambda: stale.follow_again("general_contractor", at=NOW))


def test_an_im_number_is_not_handed_back_while_another_job_has_it(
    app: Flask, grace: FlaskClient, row: str, standin: Standin, add_job
) -> None:
    standin.change(row, imi_imnumber="9999")
    sync(app)
    add_job("9999")

    page = follow(grace, job_of(app), "im_number")

    assert "Job 9999 has that number here. Give it another one first." in page
    assert job_of(app).dataverse_says == {"im_number": "9999"}


def test_an_im_number_that_is_too_long_in_capitals_is_not_handed_back(
    app: Flask, grace: FlaskClient, row: str, standin: Standin
) -> None:
    standin.change(row, imi_imnumber="ß" * 50)  # SS in capitals
    sync(app)

    page = follow(grace, job_of(app), "im_number")

    assert "This is too long: at most 50 characters." in page
    assert job_of(app).dataverse_says == {"im_number": "ß" * 50}


def test_a_worker_sees_no_way_to_hand_back_and_has_none(app: Flask, grace, log_in, row: str) -> None:
    job = job_of(app)
    edit(grace, job, general_contractor="Gilbane South")
    ana = log_in("ana")

    assert HAND_BACK not in page_of(ana, job)
    assert ana.post(f"/follow/job/{job.id}", data={"field": "general_contractor"}).status_code == 403
    assert job_of(app).general_contractor == "Gilbane South"


def test_nobody_hands_back_by_a_link_or_without_logging_in(app: Flask, grace, row: str) -> None:
    job = job_of(app)
    edit(grace, job, general_contractor="Gilbane South")

    assert grace.get(f"/follow/job/{job.id}?field=general_contractor").status_code == 405
    app.test_client().post(f"/follow/job/{job.id}", data={"field": "general_contractor"})
    assert job_of(app).general_contractor == "Gilbane South"


@pytest.mark.parametrize("job_id", ["999999", "99999999999999999999"])
def test_handing_back_on_a_job_that_does_not_exist_is_a_page_that_says_so(
    grace: FlaskClient, job_id: str
) -> None:
    answer = grace.post(f"/follow/job/{job_id}", data={"field": "general_contractor"})

    assert (answer.status_code, "There is no such job" in answer.text) == (404, True)


# --- the edit form

ODD = {
    "a line end of old Macs": "Desk\rPanels",
    "a line end of Windows": "Desk\r\nPanels",
    "mixed line ends": "Desk\n\r\n\rPanels",
    "blank edges": "  \n Desk \t\n",
    "markup": "<b>\"Desk\"</b> & 'Panels'</textarea>",
    "right to left": "\u202eDesk \u05e9\u05d5\u05dc\u05d7\u05df 🪑",
}


def submitted_by_browser(page: str) -> dict[str, str]:
    """Return what a browser would post if nothing were touched (HTML's rules)."""
    form: dict[str, str] = {}
    for name, text in re.findall(r'<textarea[^>]* name="(\w+)"[^>]*>\n?(.*?)</textarea>', page, re.DOTALL):
        lines = re.sub(r"\r\n|\r", "\n", html.unescape(text))
        form[name] = lines.replace("\n", "\r\n")
    for tag in re.findall(r'<input type="text"[^>]*>', page):
        name, value = (re.search(rf' {what}="([^"]*)"', tag) for what in ("name", "value"))
        assert name
        assert value
        form[name[1]] = re.sub(r"[\r\n]", "", html.unescape(value[1]))
    return form


@pytest.mark.parametrize("text", ODD.values(), ids=ODD)
def test_saving_another_field_leaves_dataverses_odd_texts_as_they_are(
    app: Flask, grace: FlaskClient, standin: Standin, text: str
) -> None:
    row = standin.add(imi_imnumber="4512", imi_gc=text, imi_scopesummary=text)
    sync(app)
    job = job_of(app)
    form = submitted_by_browser(grace.get(f"/edit/job/{job.id}").text)

    edit(grace, job, **{**form, "estimated_hours": "40"})

    saved = job_of(app)
    assert (saved.estimated_hours, saved.dataverse_says) == (40, {})
    assert (saved.general_contractor, saved.job_scope) == (text.strip(), text.strip())
    standin.change(row, imi_gc="Suffolk")
    sync(app)
    assert job_of(app).general_contractor == "Suffolk"


def test_a_contractor_longer_than_the_forms_limit_does_not_keep_other_fields_from_being_saved(
    app: Flask, grace: FlaskClient, standin: Standin
) -> None:
    long = ("Gilbane 🪑 " * 400)[:3999]
    standin.add(imi_imnumber="4512", imi_gc=long)
    sync(app)
    job = job_of(app)
    form = submitted_by_browser(grace.get(f"/edit/job/{job.id}").text)

    edit(grace, job, **{**form, "context": "Ask Luis"})

    saved = job_of(app)
    assert (saved.context, saved.general_contractor, saved.dataverse_says) == ("Ask Luis", long, {})
    answer = grace.post(f"/update/job/{job.id}", data={**form, "general_contractor": "x" + long})
    assert (answer.status_code, "at most 255 characters" in answer.text) == (422, True)


# --- what Dataverse has no more


@pytest.fixture(params=["not approved", "deactivated", "deleted"])
def gone(request, app: Flask, row: str, standin: Standin) -> Job:
    """A job whose row is no approved one any more."""
    if request.param == "not approved":
        standin.change(row, imi_submittalstatus=NOT_APPROVED)
    elif request.param == "deactivated":
        standin.change(row, statecode=1)
    else:
        standin.delete(row)
    sync(app)
    return job_of(app)


WORDS = {
    "not_approved": "It is not approved in Dataverse any more.",
    "deactivated": "It was deactivated in Dataverse.",
    "deleted": "It was deleted in Dataverse.",
}


def test_admins_are_told_what_dataverse_has_no_more_and_since_when(
    app: Flask, grace: FlaskClient, gone: Job
) -> None:
    with app.app_context():
        since = app.jinja_env.filters["stamp"](gone.dataverse_since)

    for page in (page_of(grace, gone), words(grace.get("/sync").text)):
        assert WORDS[gone.upstream_state] in page
        assert since in page


def test_workers_are_not_told_what_dataverse_has_no_more(log_in, cast, gone: Job) -> None:
    ana = log_in("ana")

    assert WORDS[gone.upstream_state] not in page_of(ana, gone)
    assert "Deactivate" not in page_of(ana, gone)
    assert ana.get("/sync").status_code == 403


def test_one_tap_deactivates_it_and_leads_back_to_the_list(app: Flask, grace: FlaskClient, gone: Job) -> None:
    answer = grace.post(f"/update/job/{gone.id}", data={"sure": "yes", "status": "0", "next": "/sync"})

    assert answer.location == "/sync"
    after = job_of(app)
    assert (after.is_active, after.upstream_state, after.dataverse_says) == (False, gone.upstream_state, {})
    page = words(grace.get("/sync").text)
    assert "Job 4512 is saved." in page
    assert WORDS[gone.upstream_state] not in page


def test_a_deactivation_leads_to_no_other_site(grace: FlaskClient, gone: Job) -> None:
    answer = grace.post(
        f"/update/job/{gone.id}", data={"sure": "yes", "status": "0", "next": "//evil.example"}
    )

    assert answer.location == f"/show/job/{gone.id}"
