import csv
import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import bcrypt
import pytest
from sqlalchemy import select, text

from flask_app.adopt import adoption, set_aside
from flask_app.adopt.report import RULES
from flask_app.adopt.source import OldDatabase
from flask_app.adopt.target import write_shifts
from flask_app.clock import utc_now
from flask_app.models import (
    AdoptedRow,
    Audit,
    DepartmentStay,
    Dismissal,
    Employment,
    Job,
    Shift,
    User,
    committing,
    db,
)
from flask_app.models.database import make_engine
from flask_app.reporting.hours import Selection
from flask_app.reporting.hours_report import hours_report
from flask_app.reporting.timesheet import TimeRules
from flask_app.reporting.utilization_report import quarterly_report
from flask_app.sync.approved_jobs import sync_approved_jobs
from flask_app.timeclock.entries import Actor
from tests.adopt.old_shop import OldShop, job, person, shift
from tests.conftest import dataverse_settings


@pytest.fixture
def old_url(new_mariadb):
    return new_mariadb()


@pytest.fixture(params=[True, False], ids=["later", "first"])
def old_shop(request, old_url):
    engine = make_engine(old_url)
    yield OldShop(engine, later_version=request.param)
    engine.dispose()


@pytest.fixture
def adopt(app, old_url, tmp_path):
    """Run the command as an operator does; return what it printed and the lines of the newest CSV."""

    def run(*options: str):
        arguments = ["adopt", "--from", old_url, "--report", str(tmp_path), *options]
        result = app.test_cli_runner().invoke(args=arguments)
        files = sorted(tmp_path.glob("*.csv"), key=lambda path: path.stat().st_mtime_ns)
        rows = list(csv.DictReader(files[-1].read_text(encoding="utf-8-sig").splitlines())) if files else []
        return result, {(row["table"], int(row["number"])): row for row in rows}

    return run


def local(*parts: Any) -> str:
    return datetime(*parts).isoformat(sep=" ")  # noqa: DTZ001  # as the old program stored it


def here(entity, number):
    return db.session.get(entity, number, populate_existing=True)


def test_everything_keeps_its_number_and_its_instants(app, old_shop, adopt):
    password = bcrypt.hashpw(b"Island-2026!", bcrypt.gensalt(4)).decode()
    old_shop.add("users", [person(7, password=password.replace("$2b$", "$2y$"))])
    old_shop.add("jobs", [job(31, user_id=7)])
    old_shop.add(
        "shifts", [shift(900, local(2026, 1, 5, 7, 2), local(2026, 1, 5, 11, 30, 9), job_id=31, user_id=7)]
    )
    result, rows = adopt()
    assert result.exit_code == 0, result.output
    assert "Every row is accounted for: 3." in result.output
    assert {key: row["outcome"] for key, row in rows.items()} == {
        ("users", 7): "taken", ("jobs", 31): "repaired", ("shifts", 900): "taken",
    }  # fmt: skip
    with app.app_context():
        one = here(Shift, 900)
        assert (one.user_id, one.job_id) == (7, 31)
        assert one.started_at == datetime(2026, 1, 5, 12, 2, tzinfo=UTC)
        assert one.ended_at == datetime(2026, 1, 5, 16, 30, 9, tzinfo=UTC)
        assert (here(Job, 31).im_number, here(Job, 31).estimated_hours) == ("4531", 40)
    client = app.test_client()
    answer = client.post("/login", data={"email": "ana7@shop.example", "password": "Island-2026!"})
    assert answer.headers["Location"] == "/dashboard"


def test_people_who_moved_in_have_their_dated_rows_and_are_counted_in_reports(app, old_shop, adopt):
    old_shop.add("users", [person(7)])
    old_shop.add("jobs", [job(31, user_id=7)])
    old_shop.add(
        "shifts", [shift(900, local(2026, 1, 5, 7, 0), local(2026, 1, 5, 11, 30), job_id=31, user_id=7)]
    )
    assert adopt()[0].exit_code == 0
    rules, day = TimeRules(ZoneInfo("America/New_York")), date(2026, 1, 5)
    how: dict[str, Any] = {"now": utc_now(), "period": ""}
    with app.app_context():
        one = here(User, 7)
        assert list(DepartmentStay.of(one).values) == [one.department]
        assert Employment.by_person()[7] == [(None, None)]
        (hours, _) = hours_report(Selection(day, day), rules, **how).sections[0].rows(None, 0)
        (used, _) = quarterly_report(Selection(day, day), rules, **how).sections[0].rows(None, 0)
    assert (hours.ids["person"], 270 in hours.cells) == (7, True)
    assert used.cells[3:7] == [1, 270, 390, 69.2]  # shifts, worked, possible, utilization


def test_one_im_number_is_one_job_and_one_email_one_account(app, old_shop, adopt):
    old_shop.add("users", [
        person(1, deleted_date="2025-05-01 16:00:00", email="BO@shop.example"),
        person(2, email="bo@shop.example"),
        person(3, email=None), person(4, department="Paint Shop"), person(5, department=None),
    ])  # fmt: skip
    old_shop.add("jobs", [
        job(1, im_number="4512", status=0), job(2, im_number=" 4512"), job(3, im_number=""),
        job(4, im_number="77", estimated_hours="TBD"), job(5, im_number="78", estimated_hours="1,200"),
    ])  # fmt: skip
    old_shop.add("shifts", [shift(1, local(2026, 1, 5, 7, 2), local(2026, 1, 5, 9, 0), job_id=1, user_id=1)])
    _, rows = adopt()
    assert rows["users", 1]["outcome"] == rows["jobs", 1]["outcome"] == "merged"
    with app.app_context():
        assert (here(Shift, 1).user_id, here(Shift, 1).job_id) == (2, 2)
        assert [here(User, n).department for n in (4, 5)] == ["PAINT_SHOP", "UNASSIGNED"]
        assert (here(User, 3).email, here(User, 1)) == ("no-email-3@moved-in.invalid", None)
        assert here(Job, 3).im_number == "OLD 3"
        assert (here(Job, 4).estimated_hours, here(Job, 4).context) == (None, "Estimated hours: TBD")
        assert here(Job, 5).estimated_hours == 1200


def test_what_cannot_be_a_shift_is_set_aside_with_its_reason(app, old_shop, adopt):
    old_shop.add("users", [person(1)])
    old_shop.add("jobs", [job(1)])
    old_shop.add("shifts", [
        shift(1, None, None), shift(2, None, local(2026, 1, 5, 9, 0)),
        shift(3, local(2026, 1, 5, 9, 0), local(2026, 1, 5, 8, 0)),
        shift(4, local(2026, 1, 5, 9, 0), local(2026, 1, 8, 8, 0)),
        shift(5, local(2026, 1, 6, 9, 0), local(2026, 1, 6, 10, 0), job_id=99),
        shift(6, local(2026, 1, 6, 9, 0), local(2026, 1, 6, 10, 0), user_id=99),
        shift(7, local(1970, 1, 1, 0, 0), local(1970, 1, 1, 1, 0)),
    ])  # fmt: skip
    _, rows = adopt()
    reasons = [rows["shifts", number]["rules"] for number in range(1, 8)]
    assert reasons == [
        "no_times", "no_start", "ends_before_it_starts", "longer_than_a_day", "no_job", "no_person",
        "impossible_date",
    ]  # fmt: skip
    with app.app_context():
        assert db.session.scalars(select(Shift)).all() == []
        waiting = AdoptedRow.waiting()
        assert [row.old_id for row in waiting] == list(range(1, 8))
        assert waiting[2].source["updated_at"] == "2026-01-05 08:00:00"


def test_of_several_open_shifts_one_stays_open_and_the_others_get_an_assumed_end(app, old_shop, adopt):
    # Stored in shop time, cut to the minute.
    now = utc_now().replace(second=0)
    begin = (now - timedelta(hours=1)).astimezone(app.extensions["settings"].shop_timezone)
    old_shop.add("users", [person(1), person(2, deleted_date="2026-02-01 16:00:00")])
    old_shop.add("jobs", [job(1)])
    old_shop.add("shifts", [
        shift(1, local(2026, 1, 5, 7, 0), None), shift(2, local(2026, 1, 5, 10, 0), None),
        shift(3, local(2026, 1, 6, 16, 0), None), shift(4, begin.replace(tzinfo=None, second=0), None),
        shift(5, begin.replace(tzinfo=None, second=0), None, user_id=2),
    ])  # fmt: skip
    adopt()
    with app.app_context():
        ends = [here(Shift, number).ended_at for number in range(1, 5)]
        assert ends == [
            datetime(2026, 1, 5, 15, 0, tzinfo=UTC),  # the next punch in
            datetime(2026, 1, 5, 20, 30, tzinfo=UTC),  # the department's usual end
            datetime(2026, 1, 6, 21, 0, tzinfo=UTC),  # began after it
            None,
        ]
        assert [here(Shift, n).assumed_at is not None for n in range(1, 6)] == [True, True, True, False, True]


def test_a_punch_that_was_sent_twice_is_one_shift_and_overlaps_stay_as_punched(app, old_shop, adopt):
    same = (local(2026, 1, 5, 7, 0), local(2026, 1, 5, 8, 0, 40))
    old_shop.add("users", [person(1)])
    old_shop.add("jobs", [job(1)])
    old_shop.add("shifts", [
        shift(1, *same), shift(2, *same, note="desk"),
        shift(3, local(2026, 1, 5, 8, 0), local(2026, 1, 5, 9, 0)),
        shift(4, local(2026, 1, 5, 8, 30), local(2026, 1, 5, 9, 30)),
    ])  # fmt: skip
    _, rows = adopt()
    assert [rows["shifts", n]["rules"] for n in range(1, 5)] == [
        "",
        "sent_twice",
        "overlaps_by_seconds",
        "overlaps",
    ]
    with app.app_context():
        assert (here(Shift, 1).note, here(Shift, 2)) == ("desk", None)


def test_again_takes_what_changed_there_and_leaves_what_changed_here(app, old_shop, adopt):
    old_shop.add("users", [person(1), person(2)])
    old_shop.add("jobs", [job(1)])
    old_shop.add("shifts", [
        shift(n, local(2026, 1, 5 + n, 7, 0), local(2026, 1, 5 + n, 8, 0)) for n in range(1, 6)
    ])  # fmt: skip
    adopt()
    _, rows = adopt()
    assert {row["done"] for row in rows.values()} == {"unchanged"}
    with app.app_context():
        committing(lambda: setattr(here(Shift, 2), "note", "the shop's"))
        committing(lambda: setattr(here(User, 2), "last_name", "Here"))
        committing(lambda: setattr(here(Shift, 5), "note", "the shop's"))
    old_shop.run("UPDATE shifts SET note = 'theirs' WHERE id IN (1, 2)")
    old_shop.run("UPDATE users SET last_name = 'There'")
    old_shop.run("DELETE FROM shifts WHERE id IN (4, 5)")
    old_shop.add("shifts", [shift(6, local(2026, 2, 5, 7, 0), local(2026, 2, 5, 8, 0))])
    result, rows = adopt()
    done = {number: rows["shifts", number]["done"] for number in (1, 2, 3, 6)}
    assert done == {1: "updated", 2: "kept", 3: "unchanged", 6: "added"}
    assert "1 removed, since the old program deleted it" in result.output
    assert "1 kept although the old program deleted it" in result.output
    with app.app_context():
        assert [here(Shift, n).note for n in (1, 2, 5)] == ["theirs", "the shop's", "the shop's"]
        assert here(Shift, 4) is None
        assert [here(User, n).last_name for n in (1, 2)] == ["There", "Here"]


def test_numbers_that_are_taken_here_become_others_and_known_people_are_joined(app, cast, old_shop, adopt):
    with app.app_context():
        ana = here(User, cast.ana)
        taken, email = ana.id, ana.email
    old_shop.add("users", [person(taken), person(50, email=email.upper())])
    old_shop.add("jobs", [job(1, user_id=50)])
    old_shop.add("shifts", [shift(1, local(2026, 1, 5, 7, 0), local(2026, 1, 5, 8, 0), user_id=50)])
    _, rows = adopt()
    assert rows["users", taken]["rules"].endswith("new_number")
    assert "was_here_already" in rows["users", 50]["rules"]
    with app.app_context():
        assert here(Shift, 1).user_id == cast.ana
        assert here(User, cast.ana).first_name == "Ana"


def test_a_dry_run_says_all_of_it_and_changes_nothing(app, old_shop, adopt):
    old_shop.add("users", [person(1)])
    old_shop.add("jobs", [job(1)])
    old_shop.add("shifts", [shift(1, local(2026, 1, 5, 7, 0), local(2026, 1, 5, 8, 0))])
    dry, rows = adopt("--dry-run")
    assert "Nothing was changed: this was a dry run." in dry.output
    assert rows["shifts", 1]["done"] == "added"
    with app.app_context():
        for entity in (User, Job, Shift, AdoptedRow, Audit):
            assert db.session.scalars(select(entity)).all() == []


def test_who_is_dismissed_today_stays_so(app, old_shop, adopt):
    if not old_shop.later_version:
        return
    old_shop.add("users", [person(1), person(2)])
    old_shop.add(
        "dismissed_workers", [{"id": 1, "user_id": 1, "dismissed_date": "2026-01-05", "dismissed_by": 2}]
    )
    adopt()
    with app.app_context():
        [one] = db.session.scalars(select(Dismissal))
        assert (one.user_id, one.day.isoformat(), one.by_id) == (1, "2026-01-05", 2)


def test_the_old_database_cannot_be_written_through_this_connection(old_shop, old_url):
    with OldDatabase(old_url) as source, pytest.raises(Exception, match="READ ONLY"):
        source._open.execute(text("DELETE FROM shifts"))


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("mysql+pymysql://root:hunter2secret@127.0.0.1:1/none", "can't be reached"),
        ("hunter2secret", "--from should look like"),
        ("sqlite:///hunter2secret.db", "--from should look like"),
    ],
)
def test_an_address_that_does_not_work_is_one_sentence_without_the_password(app, tmp_path, url, says):
    result = app.test_cli_runner().invoke(args=["adopt", "--from", url, "--report", str(tmp_path)])
    assert result.exit_code == 1
    assert says in result.output
    assert "hunter2secret" not in result.output


def test_our_own_database_is_not_taken_for_the_old_one(app, mariadb_url, tmp_path):
    result = app.test_cli_runner().invoke(args=["adopt", "--from", mariadb_url, "--report", str(tmp_path)])
    assert "This is a database of Island Time" in result.output


def test_database_url_at_the_old_database_says_so_and_gives_the_command(make_app, old_shop, old_url):
    result = make_app(database_url=old_url).test_cli_runner().invoke(args=["db", "upgrade"])
    place = old_url.replace("root@", "user:password@")
    assert result.exit_code == 1
    assert "DATABASE_URL points at the old program's database" in result.output
    assert f"flask --app server adopt --from {place}" in result.output


def test_the_first_sync_links_what_moved_in_and_hours_stay(make_app, old_shop, old_url, standin, tmp_path):
    old_shop.add("users", [person(1)])
    old_shop.add("jobs", [job(1, im_number=" 4512"), job(2, im_number="4513")])
    old_shop.add("shifts", [shift(1, local(2026, 1, 5, 7, 0), local(2026, 1, 5, 8, 0))])
    row = standin.add(imi_imnumber="4512", imi_gc="Gilbane", imi_scopesummary="Reception desk")
    app = make_app(dataverse=dataverse_settings(standin))
    arguments = ["adopt", "--from", old_url, "--report", str(tmp_path)]
    assert app.test_cli_runner().invoke(args=arguments).exit_code == 0
    with app.app_context():
        result = sync_approved_jobs(trigger="command")
        assert (result.added, result.linked) == (0, 1)
        assert (here(Job, 1).dataverse_id, here(Job, 2).dataverse_id) == (row, None)
        assert (here(Shift, 1).job_id, here(Job, 1).estimated_hours) == (1, 40)


def test_a_date_that_no_zone_can_move_is_set_aside(app, old_shop, adopt):
    old_shop.add("users", [person(1)])
    old_shop.add("jobs", [job(1)])
    never = local(9999, 12, 31, 23, 59, 59)
    old_shop.add("shifts", [shift(1, local(2026, 1, 5, 7, 0), never), shift(2, never, None)])
    _, rows = adopt()
    assert [rows["shifts", n]["rules"] for n in (1, 2)] == ["impossible_date", "impossible_date"]


def test_what_an_admin_settled_stays_settled_and_the_rest_is_told_anew(app, cast, old_shop, adopt):
    old_shop.add("users", [person(51)])
    old_shop.add("jobs", [job(1, user_id=51)])
    wrong = (local(2026, 1, 5, 9, 0), local(2026, 1, 5, 8, 0))
    old_shop.add("shifts", [shift(n, *wrong, user_id=51) for n in (1, 2, 3)])
    adopt()
    with app.app_context():
        grace = Actor(here(User, cast.grace))
        start = datetime(2026, 1, 5, 14, 0, tzinfo=UTC)
        how: dict[str, Any] = {"by": grace, "at": utc_now(), "reason": "He was there"}
        made = committing(lambda: set_aside.repair(1, here(User, 51), here(Job, 1), start, start, **how)).id
        committing(lambda: set_aside.dismiss(2, **how))
    old_shop.run("UPDATE shifts SET updated_at = '2026-01-05 10:00:00' WHERE id = 3")
    _, rows = adopt()
    assert [rows["shifts", n]["done"] for n in (1, 2, 3)] == ["kept", "kept", "added"]
    with app.app_context():
        assert here(Shift, made).started_at == start
        assert AdoptedRow.waiting_count() == 0
        assert here(AdoptedRow, ("shifts", 1)).new_id == made


def test_a_killed_adoption_is_finished_by_the_next_one(app, old_shop, adopt, monkeypatch):
    old_shop.add("users", [person(1), person(2)])
    old_shop.add("jobs", [job(1)])
    old_shop.add("shifts", [
        shift(n, local(2026, 1, 5 + n, 7, 0), local(2026, 1, 5 + n, 8, 0), user_id=1 + n % 2)
        for n in range(1, 9)
    ])  # fmt: skip
    write = write_shifts
    with monkeypatch.context() as patch:
        patch.setattr(adoption, "write_shifts", lambda *a, **k: 1 / 0 if a[2] == 2 else write(*a, **k))
        result, _ = adopt()
        assert isinstance(result.exception, ZeroDivisionError)
    result, _ = adopt()
    assert "Every row is accounted for: 11." in result.output
    with app.app_context():
        assert [one.id for one in db.session.scalars(select(Shift).order_by(Shift.id))] == list(range(1, 9))


def test_every_rule_that_the_adoption_can_give_has_its_words():
    """The report and the office's page say each of them."""
    room = Path(adoption.__file__).parent
    code = "".join(path.read_text() for path in room.glob("*.py") if path.name != "report.py")
    given = set(re.findall(r'(?:repair|merge|append|_set_aside)\((?:[^()"]*, )?"(\w+)"', code))
    assert given
    assert given <= RULES.keys()
