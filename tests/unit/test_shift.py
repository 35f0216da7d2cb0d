"""Punching: one open shift, one instant between two jobs, one shift per form, and what a job has cost."""

from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import uuid4

import pytest

from flask_app.models import Job, Shift, User, committing, db
from flask_app.reporting.departments import Departments
from flask_app.reporting.job_hours import DepartmentTotal, job_totals
from flask_app.reporting.timesheet import TimeRules, Timesheet
from flask_app.timeclock.shift_rules import CLOCK_SLACK, AlreadyOn, JobClosed, PunchRefused
from tests import shop as builders
from tests.conftest import NOW, Cast

pytestmark = pytest.mark.usefixtures("app_context")
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
RULES = TimeRules(NOW.tzinfo)
Punch = Callable[..., Shift]


@pytest.fixture
def desk(add_job: Callable[..., int]) -> int:
    return add_job("4512")


@pytest.fixture
def doors(add_job: Callable[..., int]) -> int:
    return add_job("4513")


def punch_in(user_id: int, job_id: int, at: datetime = NOW, **form: str) -> Shift:
    worker, job = db.session.get_one(User, user_id), db.session.get_one(Job, job_id)
    return builders.punch_in(worker, job, at, **form)


def punch_out(shift: Shift, at: datetime) -> bool:
    return builders.punch_out(shift, at)


def shifts() -> list[tuple[int, datetime, datetime | None]]:
    """Every shift as the database has it, in the order in which they were punched."""
    db.session.expire_all()
    rows = db.session.query(Shift).order_by(Shift.id).all()
    return [(row.job_id, row.started_at, row.ended_at) for row in rows]


def test_a_punch_in_opens_a_shift_at_the_servers_time(cast, desk):
    punch_in(cast.ana, desk, note="  Sanding ")
    assert shifts() == [(desk, NOW, None)]
    assert Shift.open_of(db.session.get_one(User, cast.ana)).note == "Sanding"


def test_a_punch_out_ends_it(cast, desk):
    assert punch_out(punch_in(cast.ana, desk), NOW + HOUR)
    assert shifts() == [(desk, NOW, NOW + HOUR)]


def test_a_second_punch_out_changes_nothing(cast, desk):
    shift = punch_in(cast.ana, desk)
    punch_out(shift, NOW + HOUR)
    assert punch_out(shift, NOW + 2 * HOUR) is False
    assert shifts() == [(desk, NOW, NOW + HOUR)]


def test_a_punch_in_elsewhere_ends_the_open_shift_at_the_same_instant(cast, desk, doors):
    punch_in(cast.ana, desk)
    punch_in(cast.ana, doors, NOW + HOUR)
    assert shifts() == [(desk, NOW, NOW + HOUR), (doors, NOW + HOUR, None)]


def test_a_switch_that_is_refused_leaves_the_open_shift_open(cast, desk, doors):
    punch_in(cast.ana, desk)
    close(doors)
    with pytest.raises(JobClosed, match="Job 4513 is closed"):
        punch_in(cast.ana, doors, NOW + HOUR)
    assert shifts() == [(desk, NOW, None)]


def test_somebody_elses_punch_leaves_my_shift_alone(cast, desk, doors):
    punch_in(cast.ana, desk)
    punch_in(cast.luis, doors, NOW + HOUR)
    assert shifts() == [(desk, NOW, None), (doors, NOW + HOUR, None)]


def test_a_punch_in_on_the_job_one_is_on_is_refused(cast, desk):
    punch_in(cast.ana, desk)
    with pytest.raises(AlreadyOn, match="already on 4512"):
        punch_in(cast.ana, desk, NOW + MINUTE)
    assert shifts() == [(desk, NOW, None)]


def test_coming_back_to_the_same_job_is_a_new_shift(cast, desk):
    punch_out(punch_in(cast.ana, desk), NOW + HOUR)
    punch_in(cast.ana, desk, NOW + 2 * HOUR)
    assert len(shifts()) == 2


def close(job_id: int) -> None:
    committing(lambda: db.session.get_one(Job, job_id).edit({"status": 0}, at=NOW))


@pytest.mark.parametrize("who", ["zoe", "otis"])
def test_who_is_not_active_cannot_be_punched_in(cast, desk, who):
    with pytest.raises(PunchRefused, match="isn't active"):
        punch_in(getattr(cast, who), desk)
    assert shifts() == []


def test_a_shift_on_a_job_that_was_closed_meanwhile_can_be_ended(cast, desk):
    shift = punch_in(cast.ana, desk)
    close(desk)
    assert punch_out(shift, NOW + HOUR)


@pytest.mark.parametrize("note", ["x" * 501, "木" * 501])
def test_a_note_that_is_too_long_is_refused(cast, desk, note):
    with pytest.raises(PunchRefused, match=r"too long: at most 500"):
        punch_in(cast.ana, desk, note=note)
    assert shifts() == []


@pytest.mark.parametrize("note", ["🔨" * 500, "'; DROP TABLE shifts; --", "<b>", "a\0b", "x" * 500 + "   "])
def test_any_other_note_is_kept_in_one_line_of_visible_text(cast, desk, note):
    shift = punch_in(cast.ana, desk, note=note)
    db.session.refresh(shift)
    assert shift.note == note.replace("\0", "").strip()


@pytest.mark.parametrize("later", [timedelta(0), MINUTE, 30 * timedelta(days=1)])
def test_the_same_form_again_gives_the_same_shift(cast, desk, later):
    key = str(uuid4())
    first = punch_in(cast.ana, desk, key=key)
    assert punch_in(cast.ana, desk, NOW + later, key=key).id == first.id
    assert shifts() == [(desk, NOW, None)]


def test_a_form_replayed_after_the_punch_out_does_not_punch_in_again(cast, desk):
    key = str(uuid4())
    punch_out(punch_in(cast.ana, desk, key=key), NOW + HOUR)
    punch_in(cast.ana, desk, NOW + 2 * HOUR, key=key)
    assert shifts() == [(desk, NOW, NOW + HOUR)]


def test_a_form_replayed_after_its_job_was_closed_gives_the_same_answer(cast, desk):
    key = str(uuid4())
    first = punch_in(cast.ana, desk, key=key)
    close(desk)
    assert punch_in(cast.ana, desk, NOW + HOUR, key=key).id == first.id


def test_a_form_is_the_same_however_its_key_is_written(cast, desk, doors):
    key = uuid4()
    first = punch_in(cast.ana, desk, key=str(key))
    assert punch_in(cast.ana, doors, NOW + HOUR, key=key.hex.upper()).id == first.id


def test_somebody_elses_form_is_refused(cast, desk):
    key = str(uuid4())
    punch_in(cast.ana, desk, key=key)
    with pytest.raises(PunchRefused, match="already used this form"):
        punch_in(cast.luis, desk, key=key)
    assert len(shifts()) == 1


@pytest.mark.parametrize("key", ["1", "x" * 36, "0" * 33, "\0", "' OR 1=1"])
def test_a_damaged_key_is_refused(cast, desk, key):
    with pytest.raises(PunchRefused, match="damaged"):
        punch_in(cast.ana, desk, key=key)
    assert shifts() == []


def test_a_host_whose_clock_is_a_little_behind_ends_the_shift_at_its_start(cast, desk):
    punch_out(punch_in(cast.ana, desk), NOW - CLOCK_SLACK)
    assert shifts() == [(desk, NOW, NOW)]


def test_a_host_whose_clock_is_a_little_behind_begins_no_shift_before_the_last_one_ended(cast, desk, doors):
    punch_out(punch_in(cast.ana, desk), NOW + HOUR)
    punch_in(cast.ana, doors, NOW + HOUR - CLOCK_SLACK)
    assert shifts() == [(desk, NOW, NOW + HOUR), (doors, NOW + HOUR, None)]


def test_a_host_whose_clock_is_a_little_behind_switches_at_the_start(cast, desk, doors):
    punch_in(cast.ana, desk)
    punch_in(cast.ana, doors, NOW - MINUTE)
    assert shifts() == [(desk, NOW, NOW), (doors, NOW, None)]


@pytest.mark.parametrize("what", ["out", "switch", "in"])
def test_a_clock_that_is_far_behind_is_told_not_believed(cast, desk, doors, what):
    shift, early = punch_in(cast.ana, desk), NOW - CLOCK_SLACK - timedelta(seconds=1)
    if what == "in":
        punch_out(shift, NOW)
    before = shifts()
    with pytest.raises(PunchRefused, match="clock is behind"):
        punch_out(shift, early) if what == "out" else punch_in(cast.ana, doors, early)
    assert shifts() == before


def worked(cast: Cast, job_id: int, *, at: datetime, minutes: int | None, who: str = "ana") -> Shift:
    shift = punch_in(getattr(cast, who), job_id, at)
    if minutes is not None:
        punch_out(shift, at + minutes * MINUTE)
    return shift


def test_a_jobs_totals_are_those_of_its_shifts(cast, desk, doors):
    start = NOW.replace(second=40)
    worked(cast, desk, at=start, minutes=90)
    worked(cast, desk, at=start + 3 * HOUR, minutes=30)
    worked(cast, doors, at=start + 5 * HOUR, minutes=500)
    worked(cast, desk, at=start + HOUR, minutes=None, who="luis")
    now = start + 4 * HOUR
    job = db.session.get_one(Job, desk)
    totals = job_totals(job, Departments.read(), RULES, now=now)
    first = NOW.date()
    assert totals == [
        DepartmentTotal("CNC_SHOP", 1, 1, 180, first, open=180),
        DepartmentTotal("CUT_SHOP", 2, 1, 120, first),
    ]
    shown = Timesheet(Shift.on_job(job, limit=99), rules=TimeRules(now.tzinfo), now=now)
    assert sum(total.minutes for total in totals) == shown.minutes


def test_a_shift_from_a_clock_ahead_of_ours_takes_nothing_from_the_total(cast, desk):
    worked(cast, desk, at=NOW + MINUTE, minutes=None)
    assert [
        total.minutes
        for total in job_totals(db.session.get_one(Job, desk), Departments.read(), RULES, now=NOW)
    ] == [0]


def test_a_job_without_shifts_has_no_totals(desk):
    job = db.session.get_one(Job, desk)
    assert (
        job_totals(job, Departments.read(), RULES, now=NOW),
        Shift.on_job(job, limit=9),
        Shift.open_on(job),
    ) == ([], [], [])


def test_who_is_on_the_clock_is_who_has_not_punched_out(cast, desk, doors):
    worked(cast, desk, at=NOW, minutes=5, who="grace")
    worked(cast, doors, at=NOW + MINUTE, minutes=None)
    worked(cast, desk, at=NOW, minutes=None, who="luis")
    jobs = [db.session.get_one(Job, job_id) for job_id in (desk, doors)]
    shifts, count = Shift.longest_open(limit=9)
    assert ([shift.user.first_name for shift in shifts], count) == (["Luis", "Ana"], 2)
    shifts, count = Shift.longest_open(limit=1)
    assert ([shift.user.first_name for shift in shifts], count) == (["Luis"], 2)
    assert [shift.user.first_name for shift in Shift.open_on(jobs[0])] == ["Luis"]
    people = Shift.people_on(jobs)
    assert {job_id: [user.first_name for user in on] for job_id, on in people.items()} == {
        desk: ["Luis"],
        doors: ["Ana"],
    }
    assert Shift.people_on([]) == {}


def test_recent_jobs_are_the_active_ones_the_last_first_and_once_each(cast, desk, doors, add_job):
    closed = add_job("4514")
    for hours, job in enumerate((desk, doors, closed, desk)):
        worked(cast, job, at=NOW + hours * HOUR, minutes=30)
    close(closed)
    ana, luis = db.session.get_one(User, cast.ana), db.session.get_one(User, cast.luis)
    assert [job.id for job in Shift.recent_jobs(ana)] == [desk, doors]
    assert [job.id for job in Shift.recent_jobs(ana, limit=1)] == [desk]
    assert Shift.recent_jobs(luis) == []


def test_my_shifts_are_those_that_began_in_the_time_asked_for(cast, desk):
    for hours in range(4):
        worked(cast, desk, at=NOW + hours * HOUR, minutes=59)
    worked(cast, desk, at=NOW + HOUR, minutes=5, who="luis")
    mine = Shift.of(db.session.get_one(User, cast.ana), start=NOW + HOUR, end=NOW + 3 * HOUR)
    assert [shift.started_at for shift in mine] == [NOW + 2 * HOUR, NOW + HOUR]


def test_the_pages_of_a_jobs_shifts_lose_and_repeat_nothing(cast, desk):
    for minute in range(7):
        worked(cast, desk, at=NOW + minute * MINUTE, minutes=0)
    job = db.session.get_one(Job, desk)
    pages = [Shift.on_job(job, limit=3, offset=offset) for offset in (0, 3, 6)]
    assert [len(page) for page in pages] == [3, 3, 1]
    ids = [shift.id for page in pages for shift in page]
    assert ids == sorted(set(ids), reverse=True)
