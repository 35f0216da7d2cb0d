"""What moving in set aside: shown with its reason, fixed one by one or together, dismissed, taken back."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from flask_app.adopt.set_aside import RULE_WORDS
from flask_app.clock import utc_now
from flask_app.models import AdoptedRow, Audit, Shift, User, committing, db
from flask_app.models.adopted_row import SET_ASIDE

TUESDAY = datetime(2024, 1, 9, 12, 0, tzinfo=UTC)  # 7:00 AM in the shop


@pytest.fixture
def set_aside(app, cast, add_job):
    """Set aside an old shift; return its old number."""
    job = add_job("4512")
    made = iter(range(801, 2000))

    def put(rules: str, start: datetime | None, end: datetime | None, **columns) -> int:
        number = next(made)
        stored = {"created_at": start and str(start)[:19], "updated_at": end and str(end)[:19]}
        values = {"person_id": cast.ana, "job_id": job, **columns}
        source = {"id": str(number), "user_id": "7", "job_id": "31", "note": "2nd coat", **stored}
        row = AdoptedRow(
            old_table="shifts", old_id=number, outcome=SET_ASIDE, rules=rules, source=source,
            started_at=start, ended_at=end, **values,
        )  # fmt: skip
        with app.app_context():
            committing(lambda: db.session.add(row))
        return number

    return put


def shifts(app) -> list[tuple[datetime, datetime | None]]:
    with app.app_context():
        rows = db.session.scalars(select(Shift).order_by(Shift.started_at))
        return [(shift.started_at, shift.ended_at) for shift in rows]


def row(app, number: int) -> AdoptedRow:
    with app.app_context():
        return db.session.get_one(AdoptedRow, ("shifts", number))


def test_the_list_says_what_the_old_row_said_and_why_it_waits(log_in, set_aside):
    number = set_aside("ends_before_it_starts", TUESDAY, TUESDAY - timedelta(hours=1))
    set_aside("no_person impossible_date", None, None, person_id=None, job_id=None)
    page = log_in("grace").get("/admin/old_shifts").text
    for words in (
        "Ana Duarte", "4512", "01/09/2024 7:00 AM", "01/09/2024 6:00 AM", "It ends before it starts.",
        "Person 7 of the old program", "Job 31 of the old program", "Its person does not exist.",
    ):  # fmt: skip
        assert words in page, words
    assert f"/admin/old_shifts/{number}" in page


def test_the_office_tells_of_old_shifts_only_while_some_wait(log_in, set_aside):
    browser = log_in("grace")
    assert "Old shifts to fix" not in browser.get("/office").text
    number = set_aside("no_times", None, None)
    assert "Old shifts to fix" in browser.get("/office").text
    browser.post(f"/admin/old_shifts/{number}/dismiss", data={"reason": "never worked"})
    assert "Old shifts to fix" not in browser.get("/office").text


def test_they_are_found_by_reason_by_name_by_job_and_by_old_number(log_in, set_aside, cast):
    ana = set_aside("no_start", None, TUESDAY)
    luis = set_aside("no_times", None, None, person_id=cast.luis, job_id=None)
    browser = log_in("grace")
    for asked, found, left_out in (
        ("rule=no_start", ana, luis), ("q=duarte", ana, luis), ("q=4512", ana, luis),
        (f"q={luis}", luis, ana),
        ("q=romero&rule=no_times", luis, ana),
    ):  # fmt: skip
        page = browser.get(f"/admin/old_shifts?{asked}").text
        assert f'/admin/old_shifts/{found}"' in page, asked
        assert f'/admin/old_shifts/{left_out}"' not in page, asked
    assert "No old shift matches that." in browser.get("/admin/old_shifts?q=duarte&rule=no_times").text


def test_hundreds_are_shown_by_pages(log_in, set_aside):
    numbers = [set_aside("no_times", None, None) for _ in range(60)]
    browser = log_in("grace")
    first, second = (browser.get(f"/admin/old_shifts?page={page}").text for page in (1, 2))
    assert f'/admin/old_shifts/{numbers[0]}"' in first
    assert f'/admin/old_shifts/{numbers[59]}"' not in first
    assert f'/admin/old_shifts/{numbers[59]}"' in second


def form(**fields: str) -> dict[str, str]:
    day = {"start_day": "2024-01-09", "start_time": "07:00", "end_day": "2024-01-09", "end_time": "11:00"}
    return {"job": "4512", "note": "2nd coat", "reason": "He was there", **day, **fields}


def test_one_is_fixed_through_the_ledger_and_audited(app, log_in, set_aside, cast):
    number = set_aside("no_start", None, TUESDAY + timedelta(hours=4))
    browser = log_in("grace")
    page = browser.get(f"/admin/old_shifts/{number}").text
    assert 'value="11:00"' in page
    assert 'value="2nd coat"' in page
    answer = browser.post(f"/admin/old_shifts/{number}", data=form(user_id=str(cast.ana)))
    assert answer.location == "/admin/old_shifts"
    assert shifts(app) == [(TUESDAY, TUESDAY + timedelta(hours=4))]
    with app.app_context():
        [shift] = db.session.scalars(select(Shift))
        [entry] = Audit.of("shift", shift.id)
        assert (entry.reason, entry.by_id, shift.edited_at is not None) == ("He was there", cast.grace, True)
        settled = db.session.get_one(AdoptedRow, ("shifts", number))
        assert (settled.new_id, settled.settled_by_id) == (shift.id, cast.grace)
    again = browser.post(f"/admin/old_shifts/{number}", data=form(user_id=str(cast.ana)))
    assert again.status_code == 422
    assert len(shifts(app)) == 1


def test_what_the_ledger_refuses_is_said_beside_its_field_and_the_row_waits_on(app, log_in, set_aside, cast):
    number = set_aside("no_start", None, TUESDAY)
    answer = log_in("grace").post(
        f"/admin/old_shifts/{number}", data=form(user_id=str(cast.ana), end_time="06:00")
    )
    assert (answer.status_code, shifts(app)) == (422, [])
    assert "The end is before the start." in answer.text
    assert row(app, number).settled_at is None


def test_one_is_dismissed_with_a_reason_and_taken_back(app, log_in, set_aside, cast):
    number = set_aside("no_times", None, None)
    browser, address = log_in("grace"), f"/admin/old_shifts/{number}"
    assert browser.post(f"{address}/dismiss", data={"reason": ""}).status_code == 422
    browser.post(f"{address}/dismiss", data={"reason": "A test punch"})
    assert row(app, number).settled_how == "dismissed: A test punch"
    assert "A test punch" in browser.get("/admin/old_shifts?settled=yes").text
    browser.post(f"{address}/take_back")
    assert row(app, number).settled_at is None
    with app.app_context():
        entries = db.session.scalars(
            select(Audit).where(Audit.subject.startswith("Old shift")).order_by(Audit.id)
        )
        assert [(entry.changes["set_aside"], entry.person_id) for entry in entries] == [
            (["waiting", "dismissed"], cast.ana), (["dismissed", "waiting"], cast.ana),
        ]  # fmt: skip


def test_a_fixed_one_is_taken_back_only_when_its_shift_is_gone(app, log_in, set_aside, cast):
    number = set_aside("no_start", None, TUESDAY)
    browser, address = log_in("grace"), f"/admin/old_shifts/{number}"
    browser.post(address, data=form(user_id=str(cast.ana)))
    browser.post(f"{address}/take_back")
    assert row(app, number).settled_at is not None
    browser.post(f"/delete/shift/{row(app, number).new_id}", data={"reason": "wrong after all"})
    browser.post(f"{address}/take_back")
    assert (row(app, number).settled_at, row(app, number).new_id) == (None, None)


def test_several_are_shown_before_they_are_fixed_together(app, log_in, set_aside):
    fine = set_aside("ends_before_it_starts", TUESDAY, TUESDAY - timedelta(hours=1))
    nobodys = set_aside("ends_before_it_starts no_person", TUESDAY, TUESDAY, person_id=None)
    browser = log_in("grace")
    asked = {"how": "zero", "row": [str(fine), str(nobodys)], "rule": "ends_before_it_starts"}
    page = browser.post("/admin/old_shifts", data=asked).text
    assert shifts(app) == []
    assert "This one has to be fixed by itself." in page
    seconds = int(TUESDAY.timestamp())
    assert f'value="{fine}:{seconds}:{seconds}"' in page
    shown = {"how": "zero", "row": [f"{fine}:{seconds}:{seconds}"], "reason": "The old clock-out"}
    assert browser.post("/admin/old_shifts/apply", data={**shown, "reason": ""}).status_code == 422
    browser.post("/admin/old_shifts/apply", data=shown)
    assert shifts(app) == [(TUESDAY, TUESDAY)]
    assert row(app, nobodys).settled_at is None


@pytest.mark.parametrize(
    ("rule", "how", "at", "start", "end"),
    [
        ("longer_than_a_day", "usual_end", "", TUESDAY, TUESDAY + timedelta(hours=8, minutes=30)),
        ("longer_than_a_day", "end_at", "14:00", TUESDAY, TUESDAY + timedelta(hours=7)),
        ("no_start", "begin_at", "06:30", TUESDAY - timedelta(minutes=30), TUESDAY + timedelta(hours=4)),
    ],
)  # fmt: skip
def test_all_of_one_reason_are_fixed_by_what_makes_it_safe(app, log_in, set_aside, rule, how, at, start, end):
    is_start = rule == "no_start"
    number = set_aside(
        rule, None if is_start else TUESDAY, TUESDAY + (timedelta(hours=4) if is_start else timedelta(days=3))
    )
    asked = {"how": how, "at": at, "all": "yes", "rule": rule}
    page = log_in("grace").post("/admin/old_shifts", data=asked).text
    assert f'value="{number}:{int(start.timestamp())}:{int(end.timestamp())}"' in page


def test_a_missing_start_is_where_the_last_punch_of_that_day_ended(app, log_in, set_aside):
    """Also where that punch was set aside itself, and never that of another day."""
    set_aside("no_start", None, TUESDAY - timedelta(days=1))
    first = set_aside("no_start", None, TUESDAY + timedelta(hours=3))
    second = set_aside("no_start", None, TUESDAY + timedelta(hours=5))
    page = (
        log_in("grace")
        .post("/admin/old_shifts", data={"how": "after_last", "row": [str(first), str(second)]})
        .text
    )
    at = [int((TUESDAY + timedelta(hours=hours)).timestamp()) for hours in (3, 5)]
    assert f'value="{second}:{at[0]}:{at[1]}"' in page
    assert "Nothing tells the missing time." in page


def test_several_are_dismissed_at_once(app, log_in, set_aside):
    numbers = [set_aside("no_times", None, None) for _ in range(3)]
    browser = log_in("grace")
    page = browser.post("/admin/old_shifts", data={"how": "dismiss", "all": "yes"}).text
    assert "Dismiss 3 shifts" in page
    browser.post(
        "/admin/old_shifts/apply",
        data={"how": "dismiss", "row": [str(n) for n in numbers], "reason": "empty"},
    )
    assert all(row(app, number).settled_at for number in numbers)


def test_ones_own_old_shift_is_for_another_admin(app, log_in, set_aside, cast):
    with app.app_context():
        luis = db.session.get_one(User, cast.luis)
        committing(lambda: luis.edit({"department": "ADMINISTRATIVE"}, at=utc_now()))
    number = set_aside("no_start", None, TUESDAY, person_id=cast.grace)
    answer = log_in("grace").post(f"/admin/old_shifts/{number}", data=form(user_id=str(cast.grace)))
    assert "Another admin has to decide about your own hours." in answer.text
    assert shifts(app) == []


@pytest.mark.parametrize("text", ["", "x", "1:2", "1:9999999999:1", "99999999999", "1:-1:4", "٣", "1:x:y"])
def test_damaged_rows_of_the_preview_change_nothing(app, log_in, set_aside, text):
    set_aside("ends_before_it_starts", TUESDAY, TUESDAY)
    answer = log_in("grace").post(
        "/admin/old_shifts/apply", data={"how": "zero", "row": [text], "reason": "why"}
    )
    assert answer.status_code == 302
    assert shifts(app) == []


def test_every_reason_has_its_words():
    assert all(str(words).endswith(".") for words in RULE_WORDS.values())
