"""The demo's hours: a day shift that works at any hour of trying, estimates, and what waits for an admin."""

import random
from collections.abc import Sequence
from datetime import date, datetime, timedelta

from flask_app.clock import day_bounds
from flask_app.config import settings
from flask_app.models import Job, SetupMark, Shift, User
from flask_app.models.correction import WRONG_TIME
from flask_app.models.job import ACTIVE
from flask_app.models.setup_mark import HIDDEN
from flask_app.timeclock import ledger
from flask_app.timeclock.clock_out import BY_ITSELF, REASON
from flask_app.timeclock.corrections import ask
from flask_app.timeclock.ledger import Actor, PunchRules

_SEED = 4711
_NOTES = (
    "", "", "", "", "Sanding", "Assembly", "Second coat", "Waiting for hardware", "Edge banding",
    "Loaded the truck",
)  # fmt: skip
_BEGINS, _ENDS = 7, 15.5  # hours of the shop's day
_LATE_CREW = 4  # who is on the clock outside of the day shift
_FORGETS, _ASKS = 3, 5  # which of the crew; their days end early enough
_SHARES = (1.2, 0.96, 0.55, 0.7, 0.35, 1.05, 0.9, 0.45)  # of their estimates that jobs have used up


def add_shifts(people: Sequence[User], *, now: datetime) -> None:
    """Two weeks of work up to now, and a crew on the clock."""
    jobs = Job.board(status=ACTIVE, per_page=24).jobs
    crew = _active(people, is_admin=False)
    if not (crew and jobs) or _has_worked(crew[0]):
        return
    [admin, *_others] = _active(people, is_admin=True)
    _estimate(jobs, _work(crew, jobs, now), by=admin, now=now)
    SetupMark.put(HIDDEN, by=admin, at=now)  # this shop is set up


def _active(people: Sequence[User], *, is_admin: bool) -> list[User]:
    return [person for person in people if person.is_active and person.is_admin is is_admin]


def _has_worked(person: User) -> bool:
    return bool(Shift.longest_open(limit=1)[1] or Shift.recent_jobs(person))


def _work(crew: Sequence[User], jobs: Sequence[Job], now: datetime) -> dict[int, float]:
    """Let everybody work; return the minutes of each job."""
    dice = random.Random(_SEED)  # noqa: S311  # not a secret
    minutes: dict[int, float] = {}
    for n, person in enumerate(crew):
        mine = dice.sample(jobs, 4)
        _leave_something_to_do(n, _two_weeks(n, person, mine, minutes, dice, now), now)
        if n != _FORGETS:  # a punch within 16 hours would count as that end
            _today(n, person, mine, now, dice)
    return minutes


def _two_weeks(
    n: int,
    person: User,
    jobs: Sequence[Job],
    minutes: dict[int, float],
    dice: random.Random,
    now: datetime,
) -> Shift:
    """Let somebody work the last two weeks, each at a pace of their own; return the last shift."""
    today = now.astimezone(settings().shop_timezone).date()
    days = [day for back in range(14, 0, -1) if (day := today - timedelta(days=back)).weekday() < 5]
    pace, done = 1 - 0.07 * (n % 6), list[Shift]()  # how much of the possible hours
    for day in days:
        if day == days[-1] or dice.random() < 0.8 + 0.2 * pace:
            done += _work_a_day(person, jobs, day, pace, minutes, dice)
    return done[-1]


def _work_a_day(
    person: User, jobs: Sequence[Job], day: date, pace: float, minutes: dict[int, float], dice: random.Random
) -> list[Shift]:
    def at(hours: float) -> datetime:
        return _at(day, hours) + timedelta(minutes=dice.randint(-9, 9), seconds=dice.randint(0, 59))

    done = []
    afternoon = 12.6 + (_ENDS - 12.6) * pace
    for job, begins, ends in ((dice.choice(jobs), _BEGINS, 12), (dice.choice(jobs), 12.6, afternoon)):
        shift = _punch_in(person, job, at(begins), dice)
        ledger.punch_out(shift, by=Actor(person), at=at(ends), rules=_rules())
        minutes[job.id] = minutes.get(job.id, 0) + (ends - begins) * 60
        done.append(shift)
    return done


def _today(n: int, person: User, jobs: Sequence[Job], now: datetime, dice: random.Random) -> None:
    """On a working day people came at seven; outside of its hours a few are there, since a while."""
    day = now.astimezone(settings().shop_timezone).date()
    begins = _at(day, _BEGINS) + timedelta(minutes=dice.randint(-9, 9), seconds=dice.randint(0, 59))
    is_day = day.weekday() < 5 and _at(day, _BEGINS + 0.5) <= now <= _at(day, _ENDS)
    if is_day and dice.random() < 0.8:
        _punch_in(person, dice.choice(jobs), begins, dice)
    elif not is_day and n % (_LATE_CREW - 1) == 0:
        _punch_in(person, dice.choice(jobs), now - timedelta(minutes=dice.randint(15, 200)), dice)


def _estimate(jobs: Sequence[Job], minutes: dict[int, float], *, by: User, now: datetime) -> None:
    """Give most jobs an estimate: some are over it, some nearly."""
    for n, job in enumerate(jobs):
        if n % 8 != 7:
            hours = minutes.get(job.id, 0) / 60 / _SHARES[n % len(_SHARES)] or 40
            job.edit({"estimated_hours": float(max(4, round(hours)))}, at=now, by=by)


def _leave_something_to_do(n: int, last: Shift, now: datetime) -> None:
    """One asks for a correction of the last shift, one forgot to punch out: that end was assumed."""
    if last.ended_at is None:
        return
    if n == _ASKS:
        end = last.ended_at + timedelta(minutes=25)
        ask(last.user, WRONG_TIME, last, last.started_at, end, last.job, note="I loaded the truck", at=now)
    if n == _FORGETS:
        person, usual = last.user, _at(last.started_at.astimezone(settings().shop_timezone).date(), _ENDS)
        began = last.ended_at + timedelta(minutes=5)
        shift = ledger.punch_in(person, last.job_id, by=Actor(person), at=began, rules=_rules()).shift
        ledger.assume_end(shift, usual, by=BY_ITSELF, at=now, reason=REASON)


def _punch_in(person: User, job: Job, at: datetime, dice: random.Random) -> Shift:
    note = dice.choice(_NOTES)
    return ledger.punch_in(person, job.id, by=Actor(person), at=at, rules=_rules(), note=note).shift


def _at(day: date, hours: float) -> datetime:
    return day_bounds(day, settings().shop_timezone)[0] + timedelta(hours=hours)


def _rules() -> PunchRules:
    return PunchRules(settings().shop_timezone, settings().longest_shift)
