"""Reading only what has changed: since when, what makes it read everything, and that no half of it counts."""

import tracemalloc
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from flask_app.clock import utc_now
from flask_app.dataverse.retries import CallStatistics
from flask_app.dataverse.service import DataverseService
from flask_app.dataverse.table import TableShape
from flask_app.models import Job, SyncRun, committing, db
from flask_app.models.sync_run import ABANDONED, FAILED, LEASE, SUCCEEDED
from flask_app.standin import Standin
from flask_app.sync.reading import ChangeSet, Snapshot, read_everything, watermark
from tests.connected import connect, numbers, runs, sync

OLD, NOW = "2026-01-01T00:00:00Z", datetime(2026, 11, 23, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def shop(make_app: Callable[..., Flask], standin: Standin) -> Flask:
    return connect(make_app, standin)


def stamp(instant: datetime) -> str:
    return f"{instant:%Y-%m-%dT%H:%M:%SZ}"


def login(app: Flask) -> SyncRun:
    """Sync as after a login; return the run's row."""
    result = sync(app, trigger="login")
    assert not result.failed, result.message
    return runs(app)[0]


def jobs(app: Flask) -> dict[str, tuple[str, str]]:
    """Map each IM number to contractor and upstream_state."""
    with app.app_context():
        rows = db.session.execute(select(Job.im_number, Job.general_contractor, Job.upstream_state))
        return {number: (contractor, upstream_state) for number, contractor, upstream_state in rows}


def asked(standin: Standin) -> list[str]:
    """Return what Dataverse was asked for."""
    return [r.query.get("$filter", "") for r in standin.requests if "imi_jobs" in r.path]


# --- from when on


def test_a_login_before_any_good_sync_reads_everything(shop: Flask, standin: Standin) -> None:
    standin.add(imi_imnumber="4512", modifiedon=OLD)

    run = login(shop)

    assert (run.is_full, run.added) == (True, 1)


def test_a_login_after_a_good_sync_that_found_nothing_reads_everything(shop: Flask, standin: Standin) -> None:
    sync(shop)
    assert runs(shop)[0].watermark is None
    standin.add(imi_imnumber="4512", createdon=OLD)

    assert (login(shop).is_full, numbers(shop)) == (True, ["4512"])


@pytest.mark.parametrize("trigger", ["schedule", "button", "command", "start"])
def test_everybody_else_reads_everything(shop: Flask, standin: Standin, trigger: str) -> None:
    standin.add(imi_imnumber="4512", modifiedon=OLD)
    sync(shop)

    sync(shop, trigger=trigger)

    assert [run.is_full for run in runs(shop)] == [True, True]
    assert not [path for path in asked(standin) if "modifiedon ge" in path]


def test_what_changed_within_the_overlap_before_the_last_sync_is_read_again(
    shop: Flask, standin: Standin
) -> None:
    """Dataverse stamps a row when its save begins; it can be seen only when the save has ended."""
    standin.add(imi_imnumber="4512", modifiedon=stamp(NOW))
    sync(shop)
    standin.add(imi_imnumber="4513", createdon=stamp(NOW - 4 * MINUTE))

    run = login(shop)

    assert (run.is_full, run.rows, run.added) == (False, 2, 1)


def test_the_next_login_asks_from_the_latest_change_on(shop: Flask, standin: Standin) -> None:
    standin.add(imi_imnumber="4511", modifiedon=OLD)
    standin.add(imi_imnumber="4512", modifiedon=stamp(NOW))
    sync(shop)
    standin.requests.clear()

    run = login(shop)

    assert run.watermark == NOW
    assert "modifiedon ge 2026-11-23T11:55:00Z" in asked(standin)[0]
    assert run.rows == 1


def test_a_run_after_failed_and_broken_ones_starts_where_the_last_good_one_ended(
    shop: Flask, standin: Standin
) -> None:
    row = standin.add(imi_imnumber="4512", imi_gc="Gilbane")
    sync(shop)
    good = runs(shop)[0].watermark
    standin.change(row, imi_gc="Suffolk")
    standin.faults.fail(403, times=None)
    assert sync(shop, trigger="login").failed
    standin.faults.clear()
    with shop.app_context():
        dead = SyncRun.take(trigger="login", user_id=None, now=utc_now() - 2 * LEASE)
        assert dead is not None
        db.session.commit()
    standin.requests.clear()

    run = login(shop)

    assert [row.outcome for row in runs(shop)] == [SUCCEEDED, ABANDONED, FAILED, SUCCEEDED]
    assert good is not None
    assert f"modifiedon ge {stamp(good - 5 * MINUTE)}" in asked(standin)[0]
    assert (run.is_full, jobs(shop)["4512"][0]) == (False, "Suffolk")


def test_a_watermark_is_never_in_the_future(shop: Flask, standin: Standin) -> None:
    standin.add(imi_imnumber="4512", modifiedon="2199-01-01T00:00:00Z")
    for trigger in ("button", "login"):
        sync(shop, trigger=trigger)
        run = runs(shop)[0]
        assert run.watermark == run.started_at


def test_a_watermark_from_a_clock_that_was_wrong_is_not_kept(shop: Flask, standin: Standin) -> None:
    """A host whose clock was ahead for a while: the others must not wait for its future."""
    row = standin.add(imi_imnumber="4512", modifiedon="2199-01-01T00:00:00Z")
    with time_machine.travel(utc_now() + timedelta(days=400), tick=True):
        sync(shop)
    standin.delete(row)
    sync(shop)

    run = runs(shop)[0]

    assert run.watermark is not None
    assert run.watermark <= run.started_at


def test_a_reading_without_a_time_leaves_the_watermark_where_it_was() -> None:
    news = ChangeSet(is_full=True)

    assert watermark(news, before=NOW - MINUTE, now=NOW) == NOW - MINUTE
    assert watermark(news, before=None, now=NOW) is None
    assert watermark(news, before=NOW + MINUTE, now=NOW) == NOW


UNREADABLE = (
    *("", "yesterday", "zzzz", "2026-11-23", "2026-11-23T12:00:00", "0001-01-01T00:00:00+14:00"),
    *("9999-12-31T23:59:59-14:00", None, 7, ["2199-01-01T00:00:00Z"]),
)


@pytest.mark.parametrize("unreadable", UNREADABLE)
def test_a_modifiedon_that_cannot_be_read_does_not_touch_the_watermark(
    make_app: Callable[..., Flask], unreadable: object
) -> None:
    client = Answering([told(1, stamp(NOW)), told(2, unreadable), told(3, stamp(NOW - MINUTE))])

    [page] = DataverseService(client, TableShape()).approved_pages()  # type: ignore[arg-type]

    assert page.latest == NOW
    assert [row.im_number for row in page.rows] == ["N1", "N2", "N3"]


@pytest.mark.parametrize(
    "times",
    [
        ("2026-11-23T12:00:00Z", "2026-11-23T13:30:00+02:00"),
        ("2026-11-23T07:00:00-05:00", "2026-11-23T11:59:59.9999999Z"),
        ("2026-11-23T12:00:00.0000000+00:00", "2026-11-23T11:59:59Z"),
        ("2026-11-23T12:00:00Z", "2026-11-24T01:00:00+14:00"),
    ],
)
def test_times_of_change_are_compared_as_instants_whatever_their_offsets_and_fractions(
    times: tuple[str, str],
) -> None:
    for order in (times, times[::-1]):
        client = Answering([told(n, text) for n, text in enumerate(order)])
        [page] = DataverseService(client, TableShape()).approved_pages()  # type: ignore[arg-type]
        assert page.latest == NOW


def some_times() -> st.SearchStrategy[datetime]:
    years = {
        "min_value": NOW.replace(tzinfo=None, year=1900),
        "max_value": NOW.replace(tzinfo=None, year=2200),
    }
    return st.datetimes(**years, timezones=st.timezones())  # type: ignore[arg-type]  # hypothesis' own types want none


@given(st.lists(some_times(), min_size=1, max_size=5))
def test_the_latest_of_any_times_is_the_latest_instant(times: list[datetime]) -> None:
    client = Answering([told(n, time.isoformat()) for n, time in enumerate(times)])

    [page] = DataverseService(client, TableShape()).approved_pages()  # type: ignore[arg-type]

    assert page.latest == max(time.astimezone(UTC) for time in times)


def test_the_latest_change_is_known_though_offsets_differ(shop: Flask, standin: Standin) -> None:
    """As texts, 13:30+02:00 is later than 12:00Z; as instants it is half an hour earlier."""
    standin.add(imi_imnumber="4511", modifiedon="2026-11-23T13:30:00+02:00")
    standin.add(imi_imnumber="4512", modifiedon="2026-11-23T12:00:00.5Z")
    standin.add(imi_imnumber="4513", modifiedon="no time")

    sync(shop)

    assert runs(shop)[0].watermark == NOW
    assert numbers(shop) == ["4511", "4512", "4513"]


class Answering:
    """A client at the network's edge whose one page holds these rows."""

    def __init__(self, rows: list[dict[str, Any]]) -> None:
        self._rows = rows

    def pages(self, *_arguments: Any, **_options: Any) -> Iterator[list[dict[str, Any]]]:
        yield self._rows


def told(n: int, modified: object) -> dict[str, Any]:
    return {**Pages.row(n), "modifiedon": modified}


def test_a_watermark_does_not_go_back(shop: Flask, standin: Standin) -> None:
    row = standin.add(imi_imnumber="4512", modifiedon=stamp(NOW))
    standin.add(imi_imnumber="4513", modifiedon=OLD)
    sync(shop)
    standin.delete(row)
    sync(shop)

    assert runs(shop)[0].watermark == NOW


# --- what changes don't tell


def test_a_deleted_row_makes_a_login_read_everything(shop: Flask, standin: Standin) -> None:
    standin.add(imi_imnumber="4511", modifiedon=OLD)
    gone = standin.add(imi_imnumber="4512", imi_gc="Gilbane")
    sync(shop)
    standin.delete(gone)

    run = login(shop)

    assert (run.is_full, run.gone) == (True, 1)
    assert jobs(shop)["4512"] == ("Gilbane", "deleted")
    assert login(shop).is_full is False  # once is enough


def test_one_row_deleted_and_another_one_new_does_not_go_unnoticed(shop: Flask, standin: Standin) -> None:
    gone = standin.add(imi_imnumber="4512")
    sync(shop)
    standin.delete(gone)
    standin.add(imi_imnumber="4513")

    run = login(shop)

    assert (run.is_full, run.gone, run.added) == (True, 1, 1)


def test_a_row_approved_without_a_trace_makes_a_login_read_everything(shop: Flask, standin: Standin) -> None:
    """An import may keep the times of the system it comes from."""
    standin.add(imi_imnumber="4511", modifiedon=stamp(NOW))
    sync(shop)
    standin.add(imi_imnumber="4512", createdon=OLD)

    run = login(shop)

    assert (run.is_full, numbers(shop)) == (True, ["4511", "4512"])


def test_rows_that_cannot_be_taken_do_not_make_every_login_read_everything(
    shop: Flask, standin: Standin
) -> None:
    standin.add(imi_imnumber="4511", modifiedon=OLD)
    bad = [standin.add(imi_imnumber=number) for number in (None, "4511", "x" * 51)]
    sync(shop)

    run = login(shop)

    assert (run.is_full, run.skipped) == (False, 3)
    standin.delete(bad[0])
    run = login(shop)
    assert (run.is_full, run.skipped) == (True, 2)


@pytest.fixture
def two_of_a_number(shop: Flask, standin: Standin) -> tuple[str, str]:
    """Two rows with one number, long unchanged: the newer one has the job, the other one waits."""
    waiting = standin.add(imi_imnumber="4512", imi_gc="Stiles", createdon="2025-01-01T00:00:00Z")
    first = standin.add(imi_imnumber="4512", imi_gc="Gilbane", createdon=OLD)
    standin.add(imi_imnumber="4600", modifiedon=stamp(NOW))
    assert [row.dataverse_id for row in sync(shop).skipped] == [waiting]
    return first, waiting


def test_a_row_that_waited_takes_the_job_though_it_has_not_changed_itself(
    shop: Flask, standin: Standin, two_of_a_number: tuple[str, str]
) -> None:
    standin.change(two_of_a_number[0], statecode=1)

    run = login(shop)

    assert (run.is_full, run.rows, run.skipped) == (False, 2, 0)
    assert jobs(shop)["4512"] == ("Stiles", "approved")


def test_a_row_that_waited_comes_in_when_its_number_is_given_up_in_the_shop(
    shop: Flask, two_of_a_number: tuple[str, str]
) -> None:
    """Dataverse tells of no change at all."""
    with shop.app_context():
        job = db.session.scalars(select(Job).where(Job.im_number == "4512")).one()
        committing(lambda: job.edit({"im_number": "4512-A"}, at=NOW))

    run = login(shop)

    assert (run.is_full, run.added, run.skipped) == (False, 1, 0)
    assert jobs(shop)["4512"] == ("Stiles", "approved")
    assert jobs(shop)["4512-A"] == ("Gilbane", "approved")


def test_more_approved_rows_than_dataverse_counts_are_still_followed(
    make_app: Callable[..., Flask],
) -> None:
    rows = [{"imi_imnumber": f"N{n}", "imi_gc": "Gilbane", "modifiedon": OLD} for n in range(5010)]
    with Standin(rows=rows) as standin:
        standin.add(imi_imnumber="4512")
        shop = connect(make_app, standin)
        sync(shop)
        ids = [row["imi_jobid"] for row in standin.rows()]
        standin.change(ids[0], imi_gc="Suffolk")
        standin.change(ids[1], statecode=1)
        standin.delete(ids[2])

        run = login(shop)

        # Dataverse says "5,000 or more": the daily run finds the deleted one.
        assert (run.is_full, run.rows, run.updated, run.gone) == (False, 3, 1, 1)
        assert (jobs(shop)["N0"], jobs(shop)["N1"][1]) == (("Suffolk", "approved"), "deactivated")
        for row_id in ids[3:20]:
            standin.delete(row_id)
        assert (login(shop).is_full, runs(shop)[0].gone) == (True, 18)


@pytest.mark.parametrize("odd", [None, "1", -1], ids=["null", "text", "not counted"])
def test_a_login_reads_everything_if_dataverse_does_not_count(
    shop: Flask, standin: Standin, odd: object
) -> None:
    standin.add(imi_imnumber="4512", modifiedon=OLD)
    sync(shop)
    standin.requests.clear()
    standin.faults.fail(200, body={"value": [], "@odata.count": odd})
    standin.faults.fail(200, body={"value": []} if odd is None else {"value": [], "@odata.count": odd})

    run = login(shop)

    assert (run.is_full, run.gone, run.rows) == (True, 0, 1)
    assert len(asked(standin)) == 3


# --- no half


def test_a_page_that_breaks_in_the_middle_of_the_changes_changes_nothing(
    make_app: Callable[..., Flask],
) -> None:
    rows = [{"imi_imnumber": f"N{n}", "imi_gc": "Gilbane"} for n in range(12)]
    with Standin(rows=rows, max_page_size=5) as standin:
        shop = connect(make_app, standin)
        sync(shop)
        before, mark = jobs(shop), runs(shop)[0].watermark
        for row in standin.rows():
            standin.change(row["imi_jobid"], imi_gc="Suffolk")
        standin.faults.cut_json(times=None, page=2)

        assert sync(shop, trigger="login").failed

        assert jobs(shop) == before
        assert runs(shop)[0].pages == 1
        standin.faults.clear()
        assert (login(shop).updated, mark is not None) == (12, True)


def test_a_count_that_cannot_be_read_changes_nothing(
    shop: Flask, standin: Standin, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = standin.add(imi_imnumber="4512", imi_gc="Gilbane")
    sync(shop)
    standin.change(row, imi_gc="Suffolk")
    count = DataverseService.approved_count

    def count_after_the_fall(service: DataverseService, statistics: CallStatistics) -> int | None:
        standin.faults.html(times=None)
        return count(service, statistics)

    monkeypatch.setattr(DataverseService, "approved_count", count_after_the_fall)

    assert sync(shop, trigger="login").failed

    assert jobs(shop)["4512"][0] == "Gilbane"


# --- the lease, and memory


def test_a_run_shows_signs_of_life_while_it_asks_about_many_rows_that_are_gone(
    shop: Flask, standin: Standin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each 40 of them, and then each one, are a request that may have to wait: the lease outlives them."""
    ids = [standin.add(imi_imnumber=f"N{n}") for n in range(600)]
    sync(shop)
    for row_id in ids[:100]:
        standin.delete(row_id)
    held: list[int] = []
    hold = SyncRun.hold

    def noted(run: SyncRun, **values: Any) -> bool:
        held.append(len(asked(standin)))
        return hold(run, **values)

    monkeypatch.setattr(SyncRun, "hold", noted)
    standin.requests.clear()

    assert sync(shop).gone == 100

    assert len(asked(standin)) == 1 + 3 + 100
    assert held[-1] - held[0] >= 102


class Pages:
    """A client at the network's edge: pages of rows, made when they are asked for."""

    def __init__(self, pages: int, size: int) -> None:
        self._pages, self._size = pages, size

    def pages(self, *_arguments: Any, **_options: Any) -> Iterator[list[dict[str, Any]]]:
        for page in range(self._pages):
            yield [self.row(page * self._size + n) for n in range(self._size)]

    @staticmethod
    def row(n: int) -> dict[str, Any]:
        texts = dict.fromkeys(
            ("imi_gc", "imi_scopesummary", "imi_jobnameaddress"), f"Some forty characters of row {n:9}"
        )
        number = {"imi_jobid": f"00000000-0000-4000-8000-{n:012}", "imi_imnumber": f"N{n}"}
        times = {"createdon": OLD, "modifiedon": OLD, "statecode": 0, "imi_submittalstatus": 826130004}
        return {**texts, **number, **times, "imi_scopesummary": "x" * 200 + str(n)}


def test_reading_a_hundred_thousand_rows_that_are_known_does_not_pile_up_pages() -> None:
    pages, size = 20, 5000
    read = service_of(pages, size).approved_pages()
    digests = {row.dataverse_id: row.fingerprint for page in read for row in page.rows}
    one_page = peak_of(lambda: list(Pages(1, size).pages()))

    peak = peak_of(
        lambda: read_everything(service_of(pages, size), Snapshot(digests, set()), CallStatistics())
    )

    assert len(digests) == pages * size
    assert peak < 8 * one_page  # the ids, the page at hand and the next one; not twenty


def service_of(pages: int, size: int) -> DataverseService:
    return DataverseService(Pages(pages, size), TableShape())  # type: ignore[arg-type]


def peak_of(work: Callable[[], object]) -> int:
    """Return the most bytes that Python held at once during `work`."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
