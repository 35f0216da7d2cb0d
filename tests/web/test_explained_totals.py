"""Each total opens its own sum: what a link leads to adds up to the figure that was tapped."""

import csv
import io
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
    assert {figure for _, figure in links} == {"5:00", "10:00", "1:05", "2:00", "9:05", "16:05"}
    for address, figure in links:
        assert worked(grace.get(address).text) == figure, address
    assert "Tue 11/10/2026 10:00 Thu 11/19/2026 1:05 All 11:05" in words(page)
    assert "11:05 over 10 working days is 1:06 per day." in words(page)


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
    assert "8:00 AM–1:00 PM + 2:00 PM–3:40 PM 6:40" in page
    assert "All 15:45" in page


@pytest.fixture
def busy(app, grace, cast):
    """Today: Ana is on 4512 since 3 PM, after a shift whose end was assumed; Luis has left 4513."""
    minutes = timedelta(minutes=1)
    with app.app_context():
        jobs = {job.im_number: job.id for job in db.session.scalars(select(Job))}
        for who, job, begun, length, is_assumed in (
            (cast.ana, "4513", 360, 90, True), (cast.ana, "4512", 120, None, False),
            (cast.luis, "4513", 400, 100, False),
        ):  # fmt: skip
            start = NOW - begun * minutes
            end = None if length is None else start + length * minutes
            marks = {"assumed_at": NOW if is_assumed else None}
            db.session.add(
                Shift(user_id=who, job_id=jobs[job], started_at=start, ended_at=end, note="", **marks)
            )
        db.session.commit()
    return grace


def test_the_sums_of_today_lead_to_the_shifts_of_today(busy, log_in, cast):
    links = linked_figures(busy.get("/todays_activity").text, "/reports/shifts")
    day = "from=2026-11-20&to=2026-11-20"
    assert dict(links) == {
        f"/reports/shifts?{day}": "5:10",
        f"/reports/shifts?department=PAINT_SHOP&{day}": "3:30",
        f"/reports/shifts?department=CNC_SHOP&{day}": "1:40",
        f"/reports/shifts?person={cast.luis}&{day}": "1:40",
    }
    for address, figure in links:
        assert worked(busy.get(address).text) == figure, address
    for browser, page in ((busy, "/todays_activity?wall=1"), (log_in("ana"), "/todays_activity")):
        assert linked_figures(browser.get(page).text, "/reports") == []


def test_today_says_how_much_of_its_sums_may_change(busy):
    page = words(busy.get("/todays_activity").text)
    assert "Hours worked today 5:10 2:00 on the clock 1:30 assumed" in page
    assert "Paint shop 1 1 0 3:30 2:00 on the clock 1:30 assumed" in page
    assert "All 1 2 1 5:10 2:00 on the clock 1:30 assumed" in page


def test_the_sums_of_a_jobs_page_lead_to_its_shifts(app, busy, log_in):
    job = job_id(app, "4512")
    page = busy.get(f"/show/job/{job}").text
    links = re.findall(r'<a[^>]* href="(/reports/shifts[^"]*)">(?:<span[^>]*>)?([0-9]+:[0-9]{2})<', page)
    assert [figure for _, figure in links] == ["18:05", "2:00", "5:00", "11:05"]
    for address, figure in links:
        assert worked(busy.get(unescape(address)).text) == figure, address
    worker = log_in("ana").get(f"/show/job/{job}").text
    assert "/reports" not in worker
    assert re.findall(r'<a[^>]* href="#shifts"[^>]*>(?:<span[^>]*>)?([0-9:]+)<', worker) == [
        "18:05", "2:00", "5:00", "11:05",
    ]  # fmt: skip
    assert 'id="shifts"' in worker


def test_a_jobs_page_says_how_much_of_its_sums_may_change(app, busy):
    page = words(busy.get(f"/show/job/{job_id(app, '4512')}").text)
    assert "Includes 2:00 on the clock" in page
    assert "Paint shop 11:05 1 person 2:00 on the clock" in page
    page = words(busy.get(f"/show/job/{job_id(app, '4513')}").text)
    assert "Includes 1:30 with an assumed end" in page
    assert "Paint shop 1:30 1 person 1:30 assumed" in page


def test_the_sums_of_the_jobs_report_lead_to_the_shifts_of_each_job(busy):
    links = linked_figures(busy.get("/reports/jobs").text, "/reports/shifts")
    assert sorted(figure for _, figure in links) == ["0:00", "11:05", "18:05", "4:50"]
    for address, figure in links:
        assert worked(busy.get(address).text) == figure, address


def test_the_jobs_report_says_of_each_sum_how_much_of_it_may_change(app, busy):
    with app.app_context():
        (shift,) = db.session.scalars(
            select(Shift).where(Shift.started_at < NOW - timedelta(days=17)).limit(1)
        )
        later = db.session.scalar(select(Shift).where(Shift.started_at > datetime(2026, 11, 19, tzinfo=UTC)))
        shift.assumed_at = later.assumed_at = NOW
        db.session.commit()
    page = words(busy.get("/reports/jobs").text)
    assert "18:05 2:00 on the clock 6:05 assumed" in page
    assert "11:05 1:05 assumed" in page  # of the last ten working days
    with busy.get("/reports/jobs?format=csv") as file:
        (line,) = [
            row for row in csv.DictReader(io.StringIO(file.text)) if row["Last 10 working days"] == "11:05"
        ]
    assert (line["Of it on the clock"], line["Of it assumed"]) == ("2:00", "6:05")
    assert line["Last 10 working days, assumed"] == "1:05"


def test_the_report_of_a_job_says_how_much_of_its_sums_may_change(app, busy):
    page = words(busy.get(f"/reports/jobs/{job_id(app, '4512')}").text)
    assert "Worked 18:05 2:00 on the clock" in page
    assert "Mon 11/16/2026 3:05 2:00 on the clock 18:05" in page  # its week
    assert "Paint shop 1 3 11:05 2:00 on the clock" in page


def test_weeks_of_the_start_page_say_how_much_of_them_may_change(busy):
    page = words(busy.get("/reports").text)
    assert "4:35 2:00 on the clock 1:30 assumed" in page  # the week of those who paint
    assert "6:15 2:00 on the clock 1:30 assumed" in page  # of all


def test_a_day_in_hours_says_how_much_of_it_may_change(busy):
    page = words(busy.get("/reports/hours?from=2026-11-16&to=2026-11-20").text)
    assert "Ana Duarte Paint shop 1:05 3:30 2:00 on the clock 1:30 assumed 4:35 2:00 on the clock" in page
    with busy.get("/reports/hours?from=2026-11-16&to=2026-11-20&format=csv") as file:
        ana, luis = csv.DictReader(io.StringIO(file.text))
    if luis["Department"] == "Paint shop":
        ana, luis = luis, ana
    assert (ana["Fri Nov 20"], ana["Fri Nov 20, on the clock"], ana["Fri Nov 20, assumed"]) == (
        "3:30",
        "2:00",
        "1:30",
    )
    assert (luis["Fri Nov 20, on the clock"], luis["Fri Nov 20, assumed"]) == ("0:00", "0:00")
    assert "Thu Nov 19, assumed" not in ana


def test_shifts_of_one_mark_say_how_much_of_them_may_change(busy):
    page = words(busy.get(f"/reports/shifts?{DAYS}&only=assumed").text)
    assert "Worked 1:30 Of it assumed 1:30" in page
    assert "1:30 1:30 assumed" in page


def test_somebodys_day_and_week_say_how_much_of_them_may_change(busy, log_in):
    ana = log_in("ana")
    may_change = "Includes 2:00 on the clock and 1:30 with an assumed end"
    assert f"Today so far: 3:30 h {may_change}" in words(ana.get("/dashboard").text)
    page = words(ana.get("/my/hours").text)
    assert page.count(may_change) == 4  # this week and this month, the day and its week
    assert "Fri Nov 20 On the clock Assumed end 3:30" in page
    assert may_change in page[page.index("Total") :]


def job_id(app, number: str) -> int:
    with app.app_context():
        return db.session.scalar(select(Job.id).where(Job.im_number == number))
