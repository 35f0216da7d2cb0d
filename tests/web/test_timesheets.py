"""Time sheets to sign: everybody's own, and for the office those of all."""

import re
from datetime import timedelta

import pytest
import time_machine

from flask_app.models import Job, TimeRule, User, committing, db
from tests.conftest import NOW
from tests.connected import words
from tests.shop import punch_in, punch_out

HOUR = timedelta(hours=1)
DAYS = "from=2026-11-16&to=2026-11-29"


@pytest.fixture
def shop(app, cast, add_job):
    """Ana has worked on a Monday and the Monday before; Luis on one of them."""
    job = add_job("4512")
    with app.app_context():
        committing(lambda: TimeRule.begin(30, 240))
        desk = db.session.get_one(Job, job)
        for person, start, hours in (
            (cast.ana, NOW - 7 * 24 * HOUR, 6),
            (cast.luis, NOW, 3),
            (cast.ana, NOW, 4),
            (cast.ana, NOW + 5 * HOUR, 3),
        ):
            punch_out(punch_in(db.session.get_one(User, person), desk, start), start + hours * HOUR)
    with time_machine.travel(NOW + 12 * HOUR, tick=False):
        yield app


def sheets(page: str) -> list[str]:
    return [words(part) for part in re.findall(r'<section class="card sheet".*?</section>', page, re.DOTALL)]


def test_a_sheet_has_every_shift_the_totals_once_and_lines_to_sign(shop, log_in):
    (sheet,) = sheets(log_in("ana").get(f"/my/timesheet?{DAYS}").text)
    assert sheet.startswith("Ana Duarte Time sheet: Mon 11/16/2026 – Sun 11/29/2026. Cut shop")
    assert "Mon Nov 16 4512 7:02 AM 1:02 PM 6:00 0:30 5:30 Week of Mon Nov 16 6:00 0:30 5:30" in sheet
    assert "Mon Nov 23 4512 7:02 AM 11:02 AM 4:00 0:30 6:30 4512 12:02 PM 3:02 PM 3:00" in sheet
    assert sheet.count("Total") == 1
    assert sheet.endswith("Total 13:00 1:00 12:00 Employee signature Date Supervisor signature Date")


def test_the_office_prints_everybody_who_worked_or_one_or_a_department(shop, log_in, cast):
    grace = log_in("grace")
    for narrowed, names in (
        ("", ["Ana Duarte", "Luis Romero"]),
        (f"&person={cast.luis}", ["Luis Romero"]),
        ("&department=CUT_SHOP", ["Ana Duarte"]),
        ("&department=PAINT_SHOP", []),
    ):
        found = sheets(grace.get(f"/reports/timesheets?{DAYS}{narrowed}").text)
        assert [" ".join(sheet.split()[:2]) for sheet in found] == names


def test_a_sheets_total_is_that_of_the_hours_report(shop, log_in, cast):
    grace = log_in("grace")
    hours = words(grace.get(f"/reports/hours?{DAYS}&person={cast.ana}").text)
    assert "Worked 13:00 Meal 1:00 Paid 12:00" in hours
    assert (
        "Total 13:00 1:00 12:00" in sheets(grace.get(f"/reports/timesheets?{DAYS}&person={cast.ana}").text)[0]
    )


def test_a_quarter_is_for_one_person_at_a_time(shop, log_in, cast):
    grace = log_in("grace")
    everybody = grace.get("/reports/timesheets?preset=quarter")
    assert (everybody.status_code, "Choose one employee" in everybody.text) == (422, True)
    assert grace.get(f"/reports/timesheets?preset=quarter&person={cast.ana}").status_code == 200
    assert log_in("ana").get("/my/timesheet?from=nonsense").status_code == 422


def test_hours_and_the_persons_page_lead_to_the_sheet(shop, log_in, cast):
    grace = log_in("grace")
    assert 'href="/my/timesheet?' in log_in("ana").get("/my/hours").text
    assert 'href="/reports/timesheets?' in grace.get(f"/reports/hours?{DAYS}").text
    assert f'href="/reports/timesheets?person={cast.ana}"' in grace.get(f"/edit/user/{cast.ana}").text
