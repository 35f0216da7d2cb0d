"""The table as it may turn out to be: whole syncs over HTTPS against each shape of it."""

from collections.abc import Callable, Iterator

import pytest
from flask import Flask

from flask_app.models import Job, SyncRun, db
from flask_app.standin import Access, Standin
from flask_app.standin.schema import Column
from tests.connected import connect, numbers, sync

NEEDED, AWAITING, APPROVED = 826130000, 826130002, 826130004
SHAPES = ("choice", "multi-select", "text")
both_rights = pytest.mark.parametrize("metadata", [True, False], ids=["metadata", "no-metadata"])
every_shape = pytest.mark.parametrize("status", SHAPES)


@pytest.fixture
def start(make_app: Callable[..., Flask]) -> Iterator[Callable[..., tuple[Standin, Flask]]]:
    """Return a function that starts a stand-in of some shape and an application on it."""
    running: list[Standin] = []

    def run(**shape: object) -> tuple[Standin, Flask]:
        standin = Standin(**shape).start()  # type: ignore[arg-type]
        running.append(standin)
        return standin, connect(make_app, standin)

    yield run
    for standin in running:
        standin.stop()


def states(app: Flask) -> dict[str, str]:
    with app.app_context():
        return {job.im_number: job.upstream_state for job in db.session.query(Job)}


def warnings(app: Flask) -> list[str]:
    with app.app_context():
        run = SyncRun.latest(limit=1)[0]
        return [line for line in (run.warnings or "").split("\n") if line]


def asked(standin: Standin, part: str) -> list[str]:
    """Return the filters of the requests to a part of the Web API, in their order."""
    return [one.query.get("$filter", "") for one in standin.requests if one.path.endswith(part)]


@both_rights
@every_shape
def test_a_sync_reads_follows_counts_and_tells_what_is_gone(start, status, metadata) -> None:
    standin, app = start(status=status, access=Access(metadata=metadata))
    rows = {number: standin.add(imi_imnumber=number) for number in ("1", "2", "3", "4", "5")}
    standin.add(imi_imnumber="6", imi_submittalstatus=NEEDED)
    standin.add(imi_imnumber="7", statecode=1)
    assert sync(app).added == 5
    assert (numbers(app), warnings(app)) == (["1", "2", "3", "4", "5"], [])

    # What has changed only: two requests, one for the rows and one for the count.
    standin.change(rows["1"], imi_gc="Suffolk")
    standin.change(rows["2"], imi_submittalstatus=AWAITING)
    standin.change(rows["3"], statecode=1)
    late = standin.add(imi_imnumber="8")
    standin.requests.clear()
    result = sync(app, trigger="login")
    assert (result.failed, result.added, result.updated, result.gone) == (False, 1, 1, 2)
    assert len(asked(standin, "/imi_jobs")) == 2

    # Everything, with a look at those that are not among the approved any more.
    standin.change(late, imi_submittalstatus=NEEDED)
    standin.delete(rows["4"])
    standin.change(rows["2"], imi_submittalstatus=APPROVED)
    result = sync(app)
    assert (result.failed, result.gone) == (False, 2)
    assert states(app) == {
        "1": "approved", "2": "approved", "3": "deactivated", "4": "deleted", "5": "approved",
        "8": "not_approved",
    }  # fmt: skip


@both_rights
@every_shape
def test_the_table_is_found_out_once_in_a_process(start, status, metadata) -> None:
    standin, app = start(status=status, access=Access(metadata=metadata))
    standin.add(imi_imnumber="1")
    sync(app)
    standin.requests.clear()
    sync(app)
    assert asked(standin, "/Attributes") == []
    assert [one.status for one in standin.requests if one.path.endswith("/imi_jobs")] == [200]


@both_rights
def test_a_multi_select_status_may_hold_more_than_approved(start, metadata) -> None:
    standin, app = start(status="multi-select", access=Access(metadata=metadata))
    standin.add(imi_imnumber="1", imi_submittalstatus=f"{NEEDED},{APPROVED}")
    row = standin.add(imi_imnumber="2", imi_submittalstatus=f"{APPROVED}, {AWAITING}")
    standin.add(imi_imnumber="3", imi_submittalstatus=f"{NEEDED},{AWAITING}")
    sync(app)
    assert numbers(app) == ["1", "2"]
    standin.change(row, imi_submittalstatus=f"{NEEDED},{AWAITING}")
    assert sync(app, trigger="login").gone == 1


@pytest.mark.parametrize("status", SHAPES)
def test_without_metadata_the_forms_are_tried_in_turn(start, status) -> None:
    standin, app = start(status=status, access=Access(metadata=False))
    standin.add(imi_imnumber="1")
    sync(app)
    forms = [
        "imi_submittalstatus eq 826130004",
        "Microsoft.Dynamics.CRM.ContainValues(PropertyName='imi_submittalstatus',PropertyValues=['826130004'])",
        "imi_submittalstatus eq '826130004'",
    ]
    tried = forms[: SHAPES.index(status) + 1]
    assert asked(standin, "/imi_jobs") == [f"{form} and statecode eq 0" for form in tried]
    assert numbers(app) == ["1"]


TEXTS = {
    "imi_gc": "general_contractor",
    "imi_scopesummary": "job_scope",
    "imi_jobnameaddress": "job_name_address",
}


@both_rights
@pytest.mark.parametrize(("column", "field"), TEXTS.items())
def test_a_column_that_is_missing_costs_a_warning_and_no_text(start, metadata, column, field) -> None:
    standin, app = start(access=Access(metadata=metadata))
    row = standin.add(imi_imnumber="1", **{column: "As it was"})
    sync(app)

    lacking, there = start(without=[column], access=Access(metadata=metadata), rows=standin.rows())
    app.extensions["dataverse"] = there.extensions["dataverse"]
    lacking.add(imi_imnumber="2")
    lacking.change(row, statecode=0)
    result = sync(app)

    assert (result.failed, result.added) == (False, 1)
    assert warnings(app) == [
        f"Dataverse's table imi_job has no column {column}. Jobs keep the text that they have."
    ]
    with app.app_context():
        jobs = {job.im_number: getattr(job, field) for job in db.session.query(Job)}
    defaults = {"imi_gc": "Unknown", "imi_scopesummary": "See Work Order", "imi_jobnameaddress": ""}
    assert jobs == {"1": "As it was", "2": defaults[column]}


def test_the_command_tells_the_warnings(start) -> None:
    standin, app = start(without=["imi_gc"])
    standin.add()
    told = app.test_cli_runner().invoke(args=["sync-jobs"])
    assert told.exit_code == 0, told.output
    assert "Warning: Dataverse's table imi_job has no column imi_gc. Jobs keep" in told.output


@both_rights
def test_a_column_that_comes_back_is_noticed_by_the_next_full_reading(start, metadata) -> None:
    lacking, app = start(without=["imi_gc"], access=Access(metadata=metadata))
    lacking.add(imi_imnumber="1", imi_gc="Suffolk")
    sync(app)
    assert len(warnings(app)) == 1
    lacking._web_api._columns = Standin()._columns  # the column is published
    sync(app)
    assert warnings(app) == []
    with app.app_context():
        assert db.session.query(Job).one().general_contractor == "Suffolk"


def test_a_column_that_is_taken_away_while_the_program_runs_costs_a_warning(start) -> None:
    standin, app = start()
    standin.add(imi_imnumber="1", imi_gc="Suffolk")
    sync(app)
    standin._web_api._columns = Standin(without=["imi_gc"])._columns
    assert not sync(app).failed
    assert len(warnings(app)) == 1


@both_rights
@pytest.mark.parametrize("column", ["statecode", "createdon", "modifiedon"])
def test_a_sync_does_without_the_standard_columns(start, metadata, column) -> None:
    standin, app = start(without=[column], access=Access(metadata=metadata))
    row = standin.add(imi_imnumber="1")
    inactive = standin.add(imi_imnumber="2", statecode=1)
    assert sync(app).added == (2 if column == "statecode" else 1)
    assert len(warnings(app)) == 1
    standin.change(row, imi_gc="Suffolk")
    standin.change(inactive, imi_submittalstatus=NEEDED)
    result = sync(app, trigger="login")
    assert (result.failed, result.updated) == (False, 1)
    with app.app_context():
        assert SyncRun.latest(limit=1)[0].is_full is (column == "modifiedon")


@both_rights
@pytest.mark.parametrize(
    ("column", "purpose"),
    [("imi_imnumber", "the job's IM number"), ("imi_submittalstatus", "whether the job is approved")],
)
def test_without_an_essential_column_the_run_fails_and_names_it(start, metadata, column, purpose) -> None:
    standin, app = start(without=[column], access=Access(metadata=metadata))
    standin.add()
    result = sync(app)
    assert result.failed
    assert f"no column {column}. It says {purpose}: without it there can be no sync." in result.message


@both_rights
def test_a_status_that_column_security_hides_fails_the_run_and_nobody_is_gone(start, metadata) -> None:
    standin, app = start(access=Access(metadata=metadata))
    for number in range(12):
        standin.add(imi_imnumber=str(number))
    sync(app)
    standin.access.secured = frozenset({"imi_submittalstatus"})
    result = sync(app)
    assert result.failed
    assert "imi_submittalstatus came empty on every row" in result.message
    assert set(states(app).values()) == {"approved"}


@both_rights
def test_a_status_that_is_hidden_from_a_reading_of_changes_is_looked_at_in_full(start, metadata) -> None:
    standin, app = start(access=Access(metadata=metadata))
    rows = [standin.add(imi_imnumber=str(number)) for number in range(12)]
    sync(app)
    standin.access.secured = frozenset({"imi_submittalstatus"})
    standin.change(rows[0], imi_gc="Suffolk")
    assert sync(app, trigger="login").failed
    assert set(states(app).values()) == {"approved"}


@both_rights
@pytest.mark.parametrize("count", [1, 12])
@pytest.mark.parametrize(("column", "field"), TEXTS.items())
def test_a_text_that_column_security_hides_is_kept_and_told(start, metadata, count, column, field) -> None:
    standin, app = start(access=Access(metadata=metadata))
    for number in range(count):
        standin.add(imi_imnumber=str(number), **{column: "As it was"})
    sync(app)
    standin.access.secured = frozenset({column})
    find_out_anew(app)
    result = sync(app)
    assert not result.failed
    if metadata or count == 12:
        assert "came empty on every row" in warnings(app)[0]
        with app.app_context():
            assert {getattr(job, field) for job in db.session.query(Job)} == {"As it was"}


def find_out_anew(app: Flask) -> None:
    """Let the application look at the table again, as after a restart."""
    app.extensions["dataverse"]._shape = None


def test_hidden_numbers_fail_the_run(start) -> None:
    standin, app = start(access=Access(secured=frozenset({"imi_imnumber"})))
    for number in range(12):
        standin.add(imi_imnumber=str(number))
    result = sync(app)
    assert result.failed
    assert "imi_imnumber came empty on every row" in result.message


def test_a_status_of_a_type_that_says_nothing_fails_the_run(start) -> None:
    standin, app = start()
    columns = {**standin._columns, "imi_submittalstatus": Column("imi_submittalstatus", "Boolean", "S")}
    standin._web_api._columns = columns
    result = sync(app)
    assert result.failed
    assert "The column imi_submittalstatus is a BooleanType, not a PicklistType." in result.message
