"""The sync over real HTTPS, on both databases: what comes in, what is skipped, what fails."""

from collections.abc import Callable
from unicodedata import normalize

import pytest
from flask import Flask
from sqlalchemy import select

from flask_app.models import Job, SyncRun, db
from flask_app.models.sync_run import FAILED, SUCCEEDED, SyncChange
from flask_app.standin import Standin
from flask_app.sync import plan
from flask_app.sync.following import JobState, states
from tests.connected import connect, counted_statements, ledger, numbers, runs, sync

MakeApp = Callable[..., Flask]


@pytest.fixture
def shop(make_app: MakeApp, standin: Standin) -> Flask:
    return connect(make_app, standin)


def skips(app: Flask) -> list[tuple[str, str, str]]:
    """Return what the newest run could not take: id, number and reason."""
    return [(skip.dataverse_id, skip.im_number, skip.reason) for skip in runs(app)[0].skips]


def only_job(app: Flask) -> Job:
    with app.app_context():
        return db.session.scalars(select(Job)).one()


def test_approved_jobs_come_onto_the_board(shop: Flask, standin: Standin) -> None:
    standin.add(imi_imnumber="4512")
    standin.add(imi_imnumber="4513", imi_submittalstatus=826130002)
    standin.add(imi_imnumber="4514", statecode=1)

    result = sync(shop)

    assert (result.added, result.already_there, len(result.skipped), result.failed) == (1, 0, 0, False)
    assert numbers(shop) == ["4512"]


def test_a_second_sync_inserts_only_what_is_not_there(shop: Flask, standin: Standin) -> None:
    standin.add(imi_imnumber="4512")
    sync(shop)
    standin.add(imi_imnumber="4513")

    result = sync(shop)

    assert (result.added, result.already_there) == (1, 1)
    assert numbers(shop) == ["4512", "4513"]


def test_every_page_is_read(make_app: MakeApp) -> None:
    rows = ({"imi_imnumber": f"N{number}"} for number in range(11))
    with Standin(rows=rows, max_page_size=5) as standin:
        shop = connect(make_app, standin)
        assert sync(shop).added == 11

    run = runs(shop)[0]
    assert (run.pages, run.rows) == (3, 11)


def test_the_run_keeps_who_asked_and_what_came_of_it(shop: Flask, standin: Standin, cast) -> None:
    standin.add(imi_imnumber="4512")

    result = sync(shop, trigger="button", user_id=cast.grace)

    run = runs(shop)[0]
    assert (run.id, run.trigger, run.user_id, run.outcome) == (result.run_id, "button", cast.grace, SUCCEEDED)
    assert (run.added, run.already_there, run.skipped) == (1, 0, 0)
    assert run.message == "1 new job came in."
    assert run.finished_at is not None


def test_a_synced_job_belongs_to_nobody_and_keeps_its_source(shop: Flask, standin: Standin) -> None:
    row = standin.add(
        imi_imnumber=" 4512 ",
        imi_gc="Gilbane",
        imi_scopesummary="Desk",
        imi_jobnameaddress="Annex, 1 Elm",
    )

    sync(shop)

    job = only_job(shop)
    assert (job.user_id, job.source, job.dataverse_id) == (None, "dataverse", row)
    assert (job.im_number, job.im_key, job.general_contractor) == ("4512", "4512", "Gilbane")
    assert (job.job_scope, job.job_name_address) == ("Desk", "Annex, 1 Elm")
    assert (job.is_active, job.estimated_hours) == (True, None)


def test_a_job_typed_by_hand_is_left_as_it_is(shop: Flask, standin: Standin, add_job) -> None:
    add_job("im-4512", general_contractor="Typed")
    standin.add(imi_imnumber="IM-4512", imi_gc="Dataverse's")

    result = sync(shop)

    assert (result.added, result.already_there) == (0, 1)
    assert (only_job(shop).general_contractor, only_job(shop).source) == ("Typed", "manual")


def test_a_skipped_row_stands_in_the_ledger_with_its_reason(shop: Flask, standin: Standin) -> None:
    row = standin.add(imi_imnumber=None)

    result = sync(shop)

    assert [skip.reason for skip in result.skipped] == ["The IM number is missing."]
    assert skips(shop) == [(row, "", "The IM number is missing.")]
    assert runs(shop)[0].skipped == 1


@pytest.mark.parametrize("twin", ["im-4512", "  IM-4512\t", "Im-4512 "])
def test_of_two_rows_with_one_number_the_newer_counts(shop: Flask, standin: Standin, twin: str) -> None:
    older = standin.add(imi_imnumber=twin, createdon="2026-01-01T08:00:00Z", imi_gc="Older")
    standin.add(imi_imnumber="IM-4512", createdon="2026-01-02T08:00:00Z", imi_gc="Newer")

    sync(shop)

    assert only_job(shop).general_contractor == "Newer"
    [(row, number, reason)] = skips(shop)
    assert (row, number) == (older, twin.strip())
    assert reason == "Another row of Dataverse has the job with this IM number."


def test_a_number_changed_in_dataverse_is_said_and_not_taken_for_a_new_job(
    shop: Flask, standin: Standin
) -> None:
    row = standin.add(imi_imnumber="4512")
    sync(shop)
    standin.change(row, imi_imnumber="9999")

    sync(shop)

    assert numbers(shop) == ["4512"]
    with shop.app_context():
        [change] = db.session.scalars(select(SyncChange)).all()
    assert (change.field, change.old, change.new) == ("im_number", "4512", "9999")


@pytest.mark.parametrize(
    "dirt",
    [
        {"imi_imnumber": "   "},
        {"imi_imnumber": True},
        {"imi_imnumber": 1e300},
        {"imi_imnumber": "x" * 51},
        {"imi_imnumber": "ß" * 40},  # 80 characters in capitals
        {"imi_imnumber": "45\ue00012"},
        {"imi_imnumber": "45\ud83d"},
        {"imi_gc": ["a", "list"]},
        {"imi_gc": "half \ud83d a face"},
        {"imi_gc": "g" * 100_000},
        {"imi_jobnameaddress": "é" * 40_000},  # fewer characters than a TEXT has bytes, but more bytes
        {"imi_jobnameaddress": "a" * 100_000},
    ],
    ids=lambda dirt: "-".join(f"{column}-{value!a:.12}" for column, value in dirt.items()),
)
def test_a_dirty_row_is_skipped_and_the_rest_comes_in(shop: Flask, standin: Standin, dirt: dict) -> None:
    standin.add(imi_imnumber="1")
    row = standin.add(imi_imnumber="2")
    standin.change(row, **dirt)
    standin.add(imi_imnumber="3")

    result = sync(shop)

    assert (result.failed, result.added, len(result.skipped)) == (False, 2, 1)
    assert numbers(shop) == ["1", "3"]
    [(known_as, _number, reason)] = skips(shop)
    assert known_as == row
    assert reason.endswith(".")


def test_numbers_that_come_as_numbers_and_blanks_of_every_kind_make_no_second_job(
    shop: Flask, standin: Standin
) -> None:
    for number in (4512, 4513.0, "4514\u00a0", "45\u200b15", "２４５８ (4391)", "IM 7"):
        standin.change(standin.add(), imi_imnumber=number)
    assert sync(shop).added == 6
    kept = ["2458 (4391)", "4512", "4513", "4514", "4515", "IM 7"]
    assert sorted(normalize("NFKC", number) for number in numbers(shop)) == kept

    for number in ("4512", 4512.0, "4513", " 45 14", "4515\ufeff", "2458(4391)", "im7"):
        standin.change(standin.add(), imi_imnumber=number)
    result = sync(shop)

    assert (result.added, len(result.skipped)) == (0, 7)


def test_text_in_every_script_arrives_unharmed(shop: Flask, standin: Standin) -> None:
    text = "Ünïcødé 木工 🪚 'quoted' \"twice\" %s :x \\ ; --"
    standin.add(imi_imnumber="№ 7–β", imi_gc=text, imi_scopesummary=text)

    sync(shop)

    job = only_job(shop)
    assert (job.im_number, job.general_contractor, job.job_scope) == ("№ 7–β", text, text)


def test_more_rows_are_skipped_than_the_ledger_keeps_and_all_are_counted(
    shop: Flask, standin: Standin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flask_app.sync.plan._MOST_KEPT", 3)
    for _ in range(5):
        standin.add(imi_imnumber=None)

    sync(shop)

    assert (runs(shop)[0].skipped, len(skips(shop))) == (5, 3)


def test_an_empty_answer_is_a_success_with_nothing(shop: Flask) -> None:
    result = sync(shop)

    assert (result.failed, result.added, result.message) == (False, 0, "Dataverse has no approved jobs.")
    assert ledger(shop) == [("button", SUCCEEDED)]


def test_a_broken_second_page_inserts_nothing(make_app: MakeApp) -> None:
    rows = ({"imi_imnumber": f"N{number}"} for number in range(11))
    with Standin(rows=rows, max_page_size=5) as standin:
        shop = connect(make_app, standin)
        standin.faults.fail(503, times=None, page=2)
        result = sync(shop)

    run = runs(shop)[0]
    assert numbers(shop) == []
    assert (result.failed, run.outcome, run.message) == (True, FAILED, result.message)
    assert (run.pages, run.rows, run.added) == (1, 5, 0)
    assert "503" in run.message


FAULTS: dict[str, Callable[[Standin], object]] = {
    "503": lambda standin: standin.faults.fail(503, times=None),
    "500 from the sign-in": lambda standin: standin.faults.fail(500, times=None, where="token"),
    "429 for an hour": lambda standin: standin.faults.throttle(3600, times=None),
    "silence": lambda standin: standin.faults.hang(600, times=None),
    "silent sign-in": lambda standin: standin.faults.hang(600, times=None, where="token"),
    "a trickle": lambda standin: standin.faults.trickle(0.05, times=None),
    "cut JSON": lambda standin: standin.faults.cut_json(times=None),
    "a web page": lambda standin: standin.faults.html(times=None),
    "dropped connections": lambda standin: standin.faults.drop(times=None),
    "a link elsewhere": lambda standin: standin.faults.foreign_next_link(
        "https://elsewhere.example/x", times=None
    ),
    "a link in a circle": lambda standin: standin.faults.repeat_next_link(),
    "401 for ever": lambda standin: standin.faults.fail(401, times=None),
    "403": lambda standin: standin.faults.fail(403, times=None),
    "no rows": lambda standin: standin.faults.fail(200, times=None, body={"value": None}),
    "no server": lambda standin: standin.stop(),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_whatever_dataverse_does_wrong_changes_nothing_and_is_said(
    make_app: MakeApp, standin: Standin, fault: str
) -> None:
    shop = connect(make_app, standin, timeout_seconds=0.2, deadline_seconds=1, max_attempts=2)
    standin.add(imi_imnumber="4512")
    FAULTS[fault](standin)

    result = sync(shop)

    assert result.failed
    assert numbers(shop) == []
    run = runs(shop)[0]
    assert (run.outcome, run.message, run.is_running) == (FAILED, result.message, False)
    assert result.message.endswith(".")
    assert standin.client_secret not in result.message


def test_a_wrong_secret_is_a_failure_that_does_not_tell_the_secret(
    make_app: MakeApp, standin: Standin
) -> None:
    shop = connect(make_app, standin, client_secret="not-the-secret-1234")

    result = sync(shop)

    assert result.failed
    assert "AADSTS7000215" in result.message
    assert "not-the-secret-1234" not in result.message


def test_after_a_failure_the_next_sync_runs(shop: Flask, standin: Standin) -> None:
    standin.add(imi_imnumber="4512")
    standin.faults.fail(403)
    sync(shop)

    assert sync(shop).added == 1
    assert ledger(shop) == [("button", SUCCEEDED), ("button", FAILED)]


@pytest.mark.parametrize("trouble", [ZeroDivisionError, KeyboardInterrupt])
def test_what_breaks_off_on_our_side_ends_the_run_before_it_is_raised(
    shop: Flask, standin: Standin, monkeypatch: pytest.MonkeyPatch, trouble: type[BaseException]
) -> None:
    standin.add(imi_imnumber="4512")
    monkeypatch.setattr(SyncRun, "finish", _finish_that_breaks_once(SyncRun.finish, trouble))

    with pytest.raises(trouble):
        sync(shop)

    assert numbers(shop) == []
    run = runs(shop)[0]
    assert (run.outcome, run.is_running) == (FAILED, False)
    assert run.message == "The sync broke off on our side; the log says why. It changed nothing."


def _finish_that_breaks_once(
    finish: Callable[..., bool], trouble: type[BaseException]
) -> Callable[..., bool]:
    left = [trouble()]

    def broken(run: SyncRun, **values: object) -> bool:
        if left:
            raise left.pop()
        return finish(run, **values)

    return broken


@pytest.mark.parametrize("database_url", ["mariadb"], indirect=True)  # SQLite lets nobody write in between
def test_a_job_typed_in_during_the_sync_is_not_doubled(
    shop: Flask, standin: Standin, add_job, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The admin's insert comes after the sync has looked and before it inserts: the sync looks again."""
    standin.add(imi_imnumber="4512")
    standin.add(imi_imnumber="4513")
    look, typed = states, []

    def look_and_let_somebody_type(ids: list[str], keys: list[str]) -> list[JobState]:
        known = look(ids, keys)
        if not typed:
            typed.append(add_job("4512"))
        return known

    monkeypatch.setattr(plan, "states", look_and_let_somebody_type)

    result = sync(shop)

    assert (result.added, result.already_there) == (1, 1)
    assert numbers(shop) == ["4512", "4513"]


def test_twenty_thousand_jobs_cost_tens_of_statements(make_app: MakeApp) -> None:
    with Standin(rows=({"imi_imnumber": f"N{number}"} for number in range(20_000))) as standin:
        shop = connect(make_app, standin)
        with counted_statements(shop) as sent_for_new:
            assert sync(shop).added == 20_000
        with counted_statements(shop) as sent_for_known:
            assert sync(shop).already_there == 20_000

    assert len(sent_for_new) < 50
    assert len(sent_for_known) < 30


@pytest.mark.parametrize("row_id", ["7" * 37, "é" * 36, "half \ud83d"], ids=["long", "accented", "half"])
def test_a_row_whose_id_is_no_guid_is_skipped(shop: Flask, standin: Standin, row_id: str) -> None:
    standin.add(imi_imnumber="1")
    row = {"imi_jobid": row_id, "imi_imnumber": "2"}
    good = {"imi_jobid": standin.rows()[0]["imi_jobid"], "imi_imnumber": "1"}
    standin.faults.fail(200, body={"value": [row, good]})

    result = sync(shop)

    assert (result.failed, result.added) == (False, 1)
    assert numbers(shop) == ["1"]
    assert [skip.reason for skip in result.skipped] == ["The imi_jobid is no GUID."]
