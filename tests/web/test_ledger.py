"""The ledger and the rehearsal: what a run has cost and done, what one would do, and odd texts in it."""

import html
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from flask_app.clock import utc_now
from flask_app.models import Base, Job, SyncRun, committing, db
from flask_app.models.sync_run import SUCCEEDED, SyncChange, SyncSkip, write_ledger
from flask_app.standin import Standin
from tests.connected import connected_quietly, counted_statements, numbers, runs, sync, words

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>{{ 7777*7777 }}</del>&lt; 🪑 \u202eשולחן"
LONG = ("Oak & 'ash' 🪑 <b> " * 300)[:4000]


@pytest.fixture
def app(make_app: Callable[..., Flask], standin: Standin) -> Flask:
    return connected_quietly(make_app, standin)


@pytest.fixture
def grace(app: Flask, cast, log_in) -> FlaskClient:
    return log_in("grace")


def page_of_run(browser: FlaskClient, app: Flask) -> str:
    answer = browser.get(f"/sync/run/{runs(app)[0].id}")
    assert answer.status_code == 200
    return answer.text


def whole_database(app: Flask) -> dict[str, Any]:
    """Return every row of every table."""
    with app.app_context():
        return {
            table.name: sorted(map(repr, db.session.execute(select(table)).all()))
            for table in Base.metadata.sorted_tables
        }


# --- one run


def test_a_run_tells_what_it_has_cost(app: Flask, grace: FlaskClient) -> None:
    with app.app_context():
        run = committing(lambda: SyncRun.take(trigger="schedule", user_id=None, now=utc_now()))
        cost = {"requests": 71, "retries": 13, "waited": 86.5, "pages": 43, "rows": 98765, "seconds": 123.4}
        committing(lambda: run.finish(now=utc_now(), outcome=SUCCEEDED, message="It went well.", **cost))

    page = words(page_of_run(grace, app))

    assert [
        figure for figure in ("71", "13", "86.5", "43", "98,765", "123.4") if f" {figure} " not in page
    ] == []
    assert "It went well." in page


def test_the_retries_and_waits_of_a_run_are_in_its_row(
    app: Flask, grace: FlaskClient, standin: Standin
) -> None:
    standin.add(imi_imnumber="4512")
    standin.faults.throttle(seconds=7)
    standin.faults.fail(503, retry_after=4)

    sync(app)

    run = runs(app)[0]
    assert (run.retries, run.waited, run.pages, run.rows) == (2, 11.0, 1, 1)
    assert run.requests >= 3
    assert " 11.0 " in words(page_of_run(grace, app))


def test_a_failed_run_tells_what_it_has_cost_too(app: Flask, grace: FlaskClient, standin: Standin) -> None:
    standin.faults.fail(503, times=None, retry_after=2)

    sync(app)

    run = runs(app)[0]
    assert (run.retries, run.waited) == (4, 8.0)
    assert run.message in words(page_of_run(grace, app))


def test_a_run_tells_what_it_changed_and_what_it_could_not_take(
    app: Flask, grace: FlaskClient, standin: Standin
) -> None:
    row, gone = standin.add(imi_imnumber="4512", imi_gc="Gilbane"), standin.add(imi_imnumber="4513")
    sync(app)
    standin.change(row, imi_gc="Suffolk", imi_imnumber="9999")
    standin.delete(gone)
    bad = standin.add(imi_imnumber="x" * 51)
    sync(app)

    page = words(page_of_run(grace, app))

    for text in ("Gilbane", "Suffolk", "9999", "It was deleted in Dataverse.", bad):
        assert text in page
    assert "The IM number is longer than 50 characters." in page


@pytest.mark.parametrize("number", ["999999", "2147483648", "99999999999999999999"])
def test_a_run_that_does_not_exist_is_a_page_that_says_so(grace: FlaskClient, number: str) -> None:
    answer = grace.get(f"/sync/run/{number}")

    assert (answer.status_code, "There is no such run" in answer.text) == (404, True)


def test_only_admins_read_the_ledger(app: Flask, cast, log_in) -> None:
    sync(app)
    address = f"/sync/run/{runs(app)[0].id}"

    assert log_in("ana").get(address).status_code == 403
    assert app.test_client().get(address).status_code == 302


# --- odd texts


@pytest.mark.parametrize("text", [HOSTILE, LONG], ids=["hostile", "long"])
def test_texts_from_dataverse_are_only_texts_everywhere(
    app: Flask, grace: FlaskClient, standin: Standin, text: str
) -> None:
    row = standin.add(imi_imnumber="<i>4512'\"", imi_gc=text, imi_jobnameaddress=text)
    standin.add(imi_imnumber=text)
    sync(app)
    job = f"/show/job/{only_id(app)}"
    pages = [page_of_run(grace, app)]
    standin.change(row, imi_gc="Gilbane", imi_imnumber=(text[:40] + "🪑").strip())
    pages.append(grace.post("/sync/rehearsal").text)
    sync(app)
    pages += [page_of_run(grace, app), *(grace.get(address).text for address in ("/sync", job, "/jobs"))]
    grace.post(job.replace("show", "update"), data={"general_contractor": "Here"})
    standin.change(row, imi_gc=text)
    sync(app)
    pages += [grace.get(job).text, page_of_run(grace, app), grace.post("/sync/rehearsal").text]

    for page in pages:
        assert page.rstrip().endswith("</html>") or "</ul>" in page
        assert [
            bit
            for bit in ("<script>alert", "<img src=x", "<i>4512", "Oak & 'ash'", "60481729")
            if bit in page
        ] == []
    told = " ".join(html.unescape(pages[2]).split())
    assert " ".join(text.split()) in told


def only_id(app: Flask) -> int:
    with app.app_context():
        return db.session.scalars(select(Job.id)).one()


# --- statements


def test_the_ledger_needs_no_more_statements_for_more_data(
    app: Flask, grace: FlaskClient, cast, add_job
) -> None:
    job_id = add_job()
    few = [statements(app, grace, fill(app, cast.grace, job_id, 1)) for _ in range(2)]
    many = [statements(app, grace, fill(app, cast.grace, job_id, 60)) for _ in range(20)]

    assert many[-1] == few[0]
    assert max(many[-1]) <= 14  # four of them: what waits for an admin


def fill(app: Flask, user_id: int, job_id: int, rows: int) -> int:
    """Write a run with so many changed fields and skipped rows; return its id."""
    change = {"job_id": job_id, "im_number": "4512", "field": "job_scope", "old": "a", "new": "b"}
    skip = {"dataverse_id": "x", "im_number": "", "reason": "The IM number is blank."}
    with app.app_context():

        def write() -> int:
            run = SyncRun.take(trigger="button", user_id=user_id, now=utc_now())
            assert run is not None
            write_ledger(SyncChange, [{"run_id": run.id, **change}] * rows)
            write_ledger(SyncSkip, [{"run_id": run.id, **skip}] * rows)
            assert run.finish(now=utc_now(), outcome=SUCCEEDED, message="Done.")
            return run.id

        return committing(write)


def statements(app: Flask, browser: FlaskClient, run_id: int) -> list[int]:
    """Return how many statements each page of the ledger needs."""
    counts = []
    for address in ("/sync", f"/sync/run/{run_id}"):
        with counted_statements(app) as sent:
            assert browser.get(address).status_code == 200
        counts.append(sum(statement.startswith("SELECT") for statement in sent))
    return counts


# --- rehearsal


@pytest.fixture
def changes_wait(app: Flask, standin: Standin, add_job) -> None:
    """Something of everything that a sync would do."""
    changed, gone = standin.add(imi_imnumber="4512", imi_gc="Gilbane"), standin.add(imi_imnumber="4513")
    sync(app)
    standin.change(changed, imi_gc="Suffolk")
    standin.delete(gone)
    add_job("4514", general_contractor="By hand")
    for number in ("4514", "4515", None):
        standin.add(imi_imnumber=number, imi_gc="Turner")


def test_a_rehearsal_shows_everything_and_changes_nothing(
    app: Flask, grace: FlaskClient, changes_wait
) -> None:
    before = whole_database(app)

    answer = grace.post("/sync/rehearsal")

    page = words(answer.text)
    assert answer.status_code == 200
    for text in ("4515 Turner", "4512", "Gilbane", "Suffolk", "4513", "It was deleted in Dataverse.", "4514"):
        assert text in page
    assert "The IM number is missing." in page
    assert "1 new job came in." in page
    assert whole_database(app) == before


def test_what_was_rehearsed_is_what_the_sync_then_does(app: Flask, grace: FlaskClient, changes_wait) -> None:
    rehearsed = words(grace.post("/sync/rehearsal").text)

    assert sync(app).message in rehearsed
    assert numbers(app) == ["4512", "4513", "4514", "4515"]


def test_a_rehearsal_says_why_dataverse_could_not_be_read(
    app: Flask, grace: FlaskClient, standin: Standin, changes_wait
) -> None:
    before = whole_database(app)
    standin.faults.fail(503, times=None)

    answer = grace.post("/sync/rehearsal", follow_redirects=True)

    assert (answer.status_code, answer.request.path) == (200, "/sync")
    assert "503" in words(answer.text)
    assert whole_database(app) == before


def test_a_rehearsal_does_not_get_in_the_way_of_a_sync(
    app: Flask, grace: FlaskClient, standin: Standin
) -> None:
    with app.app_context():
        committing(lambda: SyncRun.take(trigger="schedule", user_id=None, now=utc_now()))
    standin.add(imi_imnumber="4512")

    assert grace.post("/sync/rehearsal").status_code == 200
    assert len(runs(app)) == 1


def test_without_a_dataverse_there_is_nothing_to_rehearse(app: Flask, grace: FlaskClient) -> None:
    app.extensions["settings"] = replace(app.extensions["settings"], dataverse=None)

    answer = grace.post("/sync/rehearsal", follow_redirects=True)

    assert "Dataverse is not connected." in words(answer.text)


# --- the command


def test_the_command_rehearses_field_by_field_and_changes_nothing(app: Flask, changes_wait) -> None:
    before = whole_database(app)

    result = app.test_cli_runner().invoke(args=["sync-jobs", "--dry-run"])

    assert result.exit_code == 0
    lines = result.output.splitlines()
    assert "4512: general_contractor 'Gilbane' -> 'Suffolk'" in lines
    assert "4513: upstream_state 'approved' -> 'deleted'" in lines
    assert lines[-1].startswith("A sync would say: 1 new job came in.")
    assert lines[-1].endswith("Nothing was changed.")
    assert sum(line.startswith("New: ") for line in lines) == 1
    assert sum("The IM number is missing." in line for line in lines) == 1
    assert whole_database(app) == before


def test_the_commands_rehearsal_fails_with_a_sentence_when_dataverse_does(
    app: Flask, standin: Standin, changes_wait
) -> None:
    before = whole_database(app)
    standin.faults.fail(503, times=None)

    result = app.test_cli_runner().invoke(args=["sync-jobs", "--dry-run"])

    assert (result.exit_code, result.output.startswith("Error: ")) == (1, True)
    assert "503" in result.output
    assert whole_database(app) == before


@pytest.mark.parametrize("options", [["--dry-run"], []], ids=["rehearsal", "sync"])
def test_texts_from_dataverse_do_not_steer_the_terminal(
    app: Flask, standin: Standin, options: list[str]
) -> None:
    standin.add(imi_imnumber="4512", imi_gc="\x1b[2JGilbane\nNew: 1", imi_scopesummary="Desk\r\x07")
    standin.add(imi_imnumber="45\x1b]0;owned\x07\ud83d13")

    output = app.test_cli_runner().invoke(args=["sync-jobs", *options]).output

    assert [character for character in output if not character.isprintable()] == ["\n"] * output.count("\n")
    assert sum(line.startswith("New: ") for line in output.splitlines()) == len(options)
