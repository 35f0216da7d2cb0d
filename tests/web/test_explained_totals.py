"""Each total opens its own sum: what a link leads to adds up to the figure that was tapped."""

import re
from datetime import UTC, date, datetime, timedelta
from html import unescape

import pytest
import time_machine
from sqlalchemy import select

from flask_app.models import Job, Shift, User, committing, db
from flask_app.timeclock import people
from tests.connected import words

NOW = datetime(2026, 11, 20, 22, 0, tzinfo=UTC)  # a Friday, 5 PM
DAYS = "from=2026-11-02&to=2026-11-20"


@pytest.fixture
def grace(app, cast, add_job, log_in):
    """Ana works two jobs on three days, moves in between; Luis works one day."""
    jobs = add_job("4512", estimated_hours="100"), add_job("4513")
    with app.app_context():
        for who, day, job, minutes in (
            (cast.ana, 3, 0, 300), (cast.ana, 3, 1, 100), (cast.ana, 10, 0, 480), (cast.ana, 19, 0, 65),
            (cast.luis, 10, 0, 120),
        ):  # fmt: skip
            start = datetime(2026, 11, day, 13 + 6 * (minutes == 100), 0, tzinfo=UTC)
            end = start + timedelta(minutes=minutes)
            db.session.add(Shift(user_id=who, job_id=jobs[job], started_at=start, ended_at=end))
        db.session.commit()
        ana, boss = db.session.get_one(User, cast.ana), db.session.get_one(User, cast.grace)
        moved = date(2026, 11, 9)
        committing(lambda: people.move(ana, "PAINT_SHOP", moved, by=boss, at=NOW, today=NOW.date()))
    with time_machine.travel(NOW, tick=False):
        yield log_in("grace")


def linked_figures(page: str, target: str) -> list[tuple[str, str]]:
    """Each (address, figure) of a page whose link leads to that page."""
    found = re.findall(rf'<a href="({target}[^"]*)">([0-9]+:[0-9]{{2}})</a>', page)
    return [(unescape(address), figure) for address, figure in found]


def worked(page: str) -> str:
    return re.search(r"<dt>Worked</dt><dd>([0-9:]+)", page)[1]


@pytest.mark.parametrize("report", ["/reports/hours", "/reports/quarterly"])
def test_every_figure_of_hours_leads_to_shifts_that_add_up_to_it(grace, report):
    links = linked_figures(grace.get(f"{report}?{DAYS}").text, "/reports/shifts")
    figures = {figure for _, figure in links}
    assert {"6:40", "9:05", "2:00", "17:45"} <= figures  # Ana in each department, Luis, all
    for address, figure in links:
        assert worked(grace.get(address).text) == figure, address


def test_weeks_and_departments_of_the_start_page_lead_to_their_shifts(grace):
    links = linked_figures(grace.get("/reports").text, "/reports/shifts")
    assert ("/reports/shifts?department=PAINT_SHOP&from=2026-11-09&to=2026-11-15", "8:00") in links
    for address, figure in links:
        assert worked(grace.get(address).text) == figure, address


def test_weeks_departments_and_pace_of_a_job_lead_to_their_shifts(app, grace):
    with app.app_context():
        job = db.session.scalar(select(Job.id).where(Job.im_number == "4512"))
    page = grace.get(f"/reports/jobs/{job}").text
    links = linked_figures(page, "/reports/shifts")
    assert {figure for _, figure in links} == {"5:00", "10:00", "1:05", "2:00", "9:05"}
    for address, figure in links:
        assert worked(grace.get(address).text) == figure, address
    assert "Tue 11/10/2026 10:00 Thu 11/19/2026 1:05 All 11:05" in words(page)
    assert "11:05 over 10 working days is 1:06 a day." in words(page)


def test_possible_hours_say_which_days_they_are(grace, cast):
    page = grace.get(f"/reports/quarterly?{DAYS}").text
    links = linked_figures(page, "/reports/possible")
    mine = [(address, figure) for address, figure in links if f"person={cast.ana}&" in address]
    assert [figure for _, figure in mine] == ["32:30", "65:00"]
    for address, figure in links:
        assert f"{figure}</td></tr></tfoot>" in grace.get(address).text
    assert "Mon 11/02, Tue 11/03, Wed 11/04" in grace.get(mine[0][0]).text


def test_days_of_one_person_add_up_to_the_range(grace, cast):
    page = words(grace.get(f"/reports/shifts?{DAYS}&person={cast.ana}").text)
    assert "8:00–13:00 + 14:00–15:40 6:40" in page
    assert "All 15:45" in page
