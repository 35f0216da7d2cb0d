"""check-dataverse: each step of the way, right and wrong, over HTTPS; by the command and on the page."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from itertools import count
from typing import Any

import pytest
from flask import Flask

from flask_app.clock import utc_now
from flask_app.dataverse.errors import DataverseUnavailable
from flask_app.dataverse.retries import Retrier
from flask_app.models import Job, SyncRun, db
from flask_app.standin import Access, Standin
from flask_app.standin.schema import PHASES
from flask_app.sync.check import FAILED, OK, WARNING, Step, board_step, check, would_work
from tests.connected import connect, connected_quietly, sync, words
from tests.servers import free_port

TODAY = date(2026, 11, 25)
WAY = ["Address", "Connection", "Tenant", "Secret", "Token", "Application user", "Right to read jobs"]
OTHER_TENANT = "11111111-2222-3333-4444-555555555555"


@pytest.fixture
def app(make_app: Callable[..., Flask], standin: Standin) -> Flask:
    return connected_quietly(make_app, standin)


def steps(app: Flask, **settings: Any) -> dict[str, tuple[str, str]]:
    """Return what the check says of each step, under changed settings."""
    config = app.extensions["settings"]
    app.extensions["settings"] = replace(config, dataverse=replace(config.dataverse, **settings))
    with app.app_context():
        return {step.name: (step.outcome, step.sentence) for step in check(today=TODAY)}


def last(told: dict[str, tuple[str, str]]) -> tuple[str, str, str]:
    name = list(told)[-1]
    return (name, *told[name])


def test_a_way_that_is_right_is_right_at_every_step(app: Flask, standin: Standin) -> None:
    for status in (826130004, 826130004, 826130000):
        standin.add(imi_submittalstatus=status)

    told = steps(app)

    assert list(told)[: len(WAY)] == WAY
    assert {outcome for outcome, _ in told.values()} == {OK}
    assert told["Approved rows"] == (OK, "2 active rows are approved.")
    assert told["imi_submittalstatus"] == (OK, "It is a PicklistType: whether the job is approved.")


@pytest.mark.parametrize(
    ("settings", "step", "words"),
    [
        ({"base_url": "https://nohost.invalid"}, "Connection", "The name nohost.invalid cannot be resolved"),
        ({"base_url": "http://localhost"}, "Settings", "no address of the form https://host"),
        ({"ca_bundle": None}, "Connection", "The TLS certificate of localhost is not trusted here"),
        ({"ca_bundle": "/dev/null"}, "Settings", "The CA bundle /dev/null cannot be read as certificates."),
        ({"tenant_id": OTHER_TENANT}, "Tenant", "does not know the tenant; check the tenant id."),
        ({"client_secret": "not it"}, "Secret", "does not accept the client secret"),
        ({"client_id": "nobody"}, "Secret", "does not know the client id in this tenant"),
    ],
)
def test_a_setting_that_is_wrong_is_found_at_its_step(
    app: Flask, settings: dict[str, Any], step: str, words: str
) -> None:
    name, outcome, sentence = last(steps(app, **settings))
    assert (name, outcome) == (step, FAILED)
    assert words in sentence


@pytest.mark.parametrize(
    ("which", "step", "remedy"),
    [
        ("base_url", "Connection", "Check DATAVERSE_BASE_URL"),
        ("authority", "Tenant", "Check DATAVERSE_AUTHORITY"),
    ],
)
def test_where_nobody_answers_the_setting_is_named(app: Flask, which: str, step: str, remedy: str) -> None:
    name, outcome, sentence = last(steps(app, **{which: f"https://localhost:{free_port()}"}))
    assert (name, outcome) == (step, FAILED)
    assert remedy in sentence


@pytest.mark.parametrize(
    ("access", "step", "words"),
    [
        (
            {"audience": "https://other.crm.dynamics.com"},
            "Token",
            "The token is for https://other.crm.dynamics",
        ),
        (
            {"member": False},
            "Application user",
            "is not a member of this Dataverse organization; add it there.",
        ),
        ({"read": False}, "Right to read jobs", "lacks the privilege prvReadimi_job; add it"),
    ],
)
def test_a_right_that_is_missing_is_found_at_its_step(
    app: Flask, standin: Standin, access: dict[str, Any], step: str, words: str
) -> None:
    standin.access = standin._web_api._access = replace(standin.access, **access)
    name, outcome, sentence = last(steps(app))
    assert (name, outcome) == (step, FAILED)
    assert words in sentence


@pytest.mark.parametrize(
    ("order", "words"),
    [
        (lambda faults: faults.throttle(seconds=30, times=None), "it asks for 30 seconds of rest"),
        (lambda faults: faults.fail(503, times=None), "is out of order for the moment (HTTP 503)"),
        (lambda faults: faults.html(times=None), "answers, but not as Dataverse does (HTTP 200)"),
        (lambda faults: faults.drop(times=None), "could not be made or broke off"),
    ],
    ids=["throttled", "down", "web page", "dropped"],
)
def test_a_server_in_trouble_is_told_at_once(app: Flask, standin: Standin, order: Any, words: str) -> None:
    order(standin.faults)
    name, outcome, sentence = last(steps(app))
    assert (name, outcome) == ("Connection", FAILED)
    assert words in sentence


@pytest.mark.parametrize("where", ["api", "metadata", "token", "discovery"])
@pytest.mark.parametrize(
    "order",
    [
        lambda faults, **where: faults.fail(503, times=None, **where),
        lambda faults, **where: faults.html(times=None, **where),
        lambda faults, **where: faults.drop(times=None, **where),
    ],
    ids=["down", "web page", "dropped"],
)
def test_wherever_something_goes_wrong_a_step_says_so(
    app: Flask, standin: Standin, order: Any, where: str
) -> None:
    order(standin.faults, where=where)
    told = steps(app)
    assert FAILED in {outcome for outcome, _ in told.values()}
    assert all(sentence for _, sentence in told.values())


@pytest.mark.parametrize("metadata", [True, False])
def test_a_request_that_fails_at_any_point_of_the_way_is_told(
    make_app: Any, monkeypatch: pytest.MonkeyPatch, metadata: bool
) -> None:
    answer, requests = Retrier.answer, count()
    fails_at = -1

    def ask(self: Retrier, *arguments: Any) -> Any:
        if next(requests) == fails_at:
            raise DataverseUnavailable("It is out of order for the moment.")
        return answer(self, *arguments)

    monkeypatch.setattr(Retrier, "answer", ask)
    with Standin(access=Access(metadata=metadata), rows=[{}]) as standin:
        app = connect(make_app, standin, settings={"write_back": "hours", "phase_rules": True})
        assert FAILED not in {outcome for outcome, _ in steps(app).values()}
        for number in range(next(requests)):
            fails_at, requests = number, count()
            told = [sentence for outcome, sentence in steps(app).values() if outcome != OK]
            assert "It is out of order for the moment." in " ".join(told)


def test_rights_to_write_are_looked_at_where_something_is_written(app: Flask, standin: Standin) -> None:
    assert not [name for name in steps(app) if "write" in name]

    config = app.extensions["settings"]
    app.extensions["settings"] = replace(config, phase_rules=True)
    told = steps(app)
    assert told["Right to write jobs"] == (OK, "The application user may change jobs.")
    assert told["Column for phases"] == (OK, f"Phases to choose from: {len(PHASES)}.")

    standin.access.write = False
    outcome, sentence = steps(app)["Right to write jobs"]
    assert (outcome, "lacks prvWriteimi_job" in sentence) == (WARNING, True)
    assert would_work([Step(name, *found) for name, found in steps(app).items()])


def test_a_status_that_is_hidden_is_found_without_the_right_to_metadata_too(make_app: Any) -> None:
    access = Access(metadata=False, secured=frozenset({"imi_submittalstatus"}))
    with Standin(access=access, rows=[{}]) as standin:
        told = steps(connect(make_app, standin))
    assert told["imi_submittalstatus"][0] == FAILED
    assert "Check whether column security hides it" in told["imi_submittalstatus"][1]


@pytest.mark.parametrize("metadata", [True, False])
@pytest.mark.parametrize("status", ["choice", "multi-select", "text"])
def test_every_shape_of_the_table_is_right(make_app: Any, status: str, metadata: bool) -> None:
    with Standin(status=status, access=Access(metadata=metadata)) as standin:
        standin.add()
        told = steps(connect(make_app, standin))
    assert told["Approved rows"] == (OK, "One active row is approved.")
    assert ("Columns" in told) is not metadata
    assert {outcome for name, (outcome, _) in told.items() if name != "Columns"} == {OK}


@pytest.mark.parametrize("metadata", [True, False])
@pytest.mark.parametrize(
    ("column", "outcome"),
    [
        ("imi_gc", WARNING),
        ("imi_actualhours", WARNING),
        ("imi_imnumber", FAILED),
        ("imi_submittalstatus", FAILED),
    ],
)
def test_a_missing_column_is_named(make_app: Any, metadata: bool, column: str, outcome: str) -> None:
    with Standin(without=[column], access=Access(metadata=metadata)) as standin:
        told = steps(connect(make_app, standin))
    assert told[column][0] == outcome
    assert f"has no column {column}." in told[column][1]
    assert ("Approved rows" in told) is (outcome == WARNING)


@pytest.mark.parametrize(("column", "outcome"), [("imi_gc", WARNING), ("imi_submittalstatus", FAILED)])
def test_a_column_that_column_security_hides_is_named(make_app: Any, column: str, outcome: str) -> None:
    with Standin(access=Access(secured=frozenset({column})), rows=[{}]) as standin:
        told = steps(connect(make_app, standin))
    assert told[column][0] == outcome
    assert "column security profile" in told[column][1]


def test_rights_to_ones_own_rows_only_are_a_warning(app: Flask, standin: Standin) -> None:
    standin.access.depth = "Basic"
    outcome, sentence = steps(app)["Right to read jobs"]
    assert outcome == WARNING
    assert "prvReadimi_job at organization level" in sentence


@pytest.mark.parametrize(
    ("expires", "outcome", "words"),
    [
        (date(2027, 3, 1), OK, "accepted, until 2027-03-01."),
        (date(2026, 12, 25), WARNING, "but expires on 2026-12-25."),
        (date(2026, 11, 24), WARNING, "but should have expired on 2026-11-24."),
    ],
)
def test_a_secret_that_expires_soon_is_told(app: Flask, expires: date, outcome: str, words: str) -> None:
    told = steps(app, secret_expires=expires)["Secret"]
    assert told[0] == outcome
    assert words in told[1]


def test_an_address_with_more_than_the_host_is_a_warning(app: Flask, standin: Standin) -> None:
    outcome, sentence = steps(app, base_url=f"{standin.base_url}/main.aspx")["Address"]
    assert outcome == WARNING
    assert f"only {standin.base_url} is used" in sentence


def test_no_approved_rows_are_a_warning(app: Flask) -> None:
    assert steps(app)["Approved rows"][0] == WARNING


def test_the_board_step_tells_how_many_would_be_new_and_changes_nothing(app: Flask, standin: Standin) -> None:
    standin.add()
    sync(app)
    standin.add()
    standin.add(imi_imnumber=None)
    standin.requests.clear()
    with app.app_context():
        steps_taken = [*check(today=TODAY), board_step(now=utc_now())]
        assert (db.session.query(Job).count(), db.session.query(SyncRun).count()) == (1, 1)
    assert would_work(steps_taken)
    said = "Approved rows: 3. New jobs among them: 1. Rows that can't be taken: 1; a sync says why."
    assert steps_taken[-1].sentence == said
    assert {one.method for one in standin.requests if "/api/data/" in one.path} == {"GET"}


def test_no_step_tells_a_secret(app: Flask, standin: Standin) -> None:
    said = [*steps(app).values(), *steps(app, client_secret="hush-hush-hush").values()]
    shown = " ".join(sentence for _, sentence in said)
    assert standin.client_secret not in shown
    assert "hush-hush-hush" not in shown
    assert "eyJ" not in shown


def test_the_command_tells_each_step_and_its_exit_status_says_whether_a_sync_would_work(
    app: Flask, standin: Standin
) -> None:
    standin.add()
    good = app.test_cli_runner().invoke(args=["check-dataverse"])
    assert good.exit_code == 0, good.output
    assert "ok       Board: Approved rows: 1. New jobs among them: 1." in good.output
    assert good.output.endswith("A sync would work.\n")

    standin.access.read = False
    bad = app.test_cli_runner().invoke(args=["check-dataverse"])
    assert bad.exit_code == 1
    assert "failed   Right to read jobs: " in bad.output


def test_the_command_says_when_there_is_nothing_to_check(make_app: Callable[..., Flask]) -> None:
    told = make_app().test_cli_runner().invoke(args=["check-dataverse"])
    assert (told.exit_code, "Dataverse is not connected." in told.output) == (1, True)


def test_a_sync_that_is_switched_off_would_not_work_and_is_checked_all_the_same(
    app: Flask, standin: Standin
) -> None:
    app.extensions["settings"] = replace(app.extensions["settings"], use_dataverse=False)
    told = steps(app)
    assert told["Settings"] == (FAILED, "Job sync is switched off (USE_DATAVERSE=false).")
    assert told["Approved rows"][0] == WARNING


def test_the_first_admin_is_led_to_the_check_until_a_sync_has_worked(
    app: Flask, standin: Standin, cast: Any, log_in: Any
) -> None:
    standin.add()
    grace, ana = log_in("grace"), log_in("ana")
    for address in ("/dashboard", "/office", "/sync"):
        assert "No sync has worked yet" in words(grace.get(address).text)
    assert "No sync has worked yet" not in words(ana.get("/dashboard").text)

    page = words(grace.post("/sync/check").text)
    assert "A sync would work" in page
    assert "Approved rows: 1. New jobs among them: 1." in page

    sync(app)
    for address in ("/dashboard", "/office", "/sync"):
        assert "No sync has worked yet" not in words(grace.get(address).text)


def test_the_page_says_what_is_wrong(app: Flask, standin: Standin, cast: Any, log_in: Any) -> None:
    standin.access.member = False
    page = words(log_in("grace").post("/sync/check").text)
    assert "A sync would not work" in page
    assert "is not a member of this Dataverse organization" in page
