"""Random histories of a shop against a small model of what should be.

    python -m tests.proof.model [--histories 10000] [--seed 20261125] [--engine sqlite|mariadb]

They come in lots of 250, each with a seed of its own that is printed: one lot is run again by its seed alone.

Two people, two jobs, an admin and the clock-out do things in any order, with kills in the middle and forms
that are sent again. After every step the database has exactly the shifts that the model has. The model knows
nothing of SQL, sessions or locks; it is written from the rules in the README.
"""

import argparse
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from flask import Flask
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from sqlalchemy import delete, select, text

from flask_app import create_app, migrations
from flask_app.config import Config
from flask_app.models import Correction, Job, Shift, User, committing, db
from flask_app.models.errors import RuleViolation
from flask_app.timeclock import corrections, ledger
from flask_app.timeclock.clock_out import clock_out, due_ends
from flask_app.timeclock.ledger import Actor, PunchRules
from tests.servers import new_database, private_mariadb

ZONE = ZoneInfo("America/New_York")
RULES = PunchRules(ZONE)
START = datetime(2026, 10, 30, 11, 0, tzinfo=UTC)  # a Friday: the night in which clocks go back is near
LONGEST, TYPED, SLACK = timedelta(hours=16), timedelta(hours=24), timedelta(minutes=2)
ASSUMED_END, CLOCK_OUT_AT, USUAL = time(15, 30), time(18, 0), timedelta(hours=8)
people, jobs = st.integers(0, 1), st.integers(0, 1)
steps = st.one_of(st.integers(0, 180), st.integers(0, 12 * 3600), st.integers(0, 40 * 3600))
back = st.integers(0, 30 * 60)  # minutes before now that somebody types


LOT = 250


class Refused(Exception):
    """The model says that this can't be done."""


def minute(moment: datetime) -> datetime:
    return moment.replace(second=0)


@dataclass(slots=True)
class Held:
    """A shift as it should be."""

    job: int
    start: datetime
    end: datetime | None = None
    assumed: bool = False
    key: int | None = None
    edited: datetime | None = None

    def as_row(self) -> tuple[object, ...]:
        return (self.job, self.start, self.end, self.assumed)


@dataclass(slots=True)
class Asked:
    """A request that a shift should be otherwise."""

    person: int
    shift: Held | None
    old: tuple[datetime, datetime | None] | None
    start: datetime
    end: datetime
    at: datetime


@dataclass(slots=True)
class Shop:
    """The model: each person's shifts, which jobs are open."""

    shifts: tuple[list[Held], list[Held]] = field(default_factory=lambda: ([], []))
    is_open: list[bool] = field(default_factory=lambda: [True, True])

    def last(self, person: int) -> Held | None:
        """The open shift, else the one that began last."""
        mine = self.shifts[person]
        return (
            next((s for s in mine if s.end is None), None)
            or max(enumerate(mine), key=lambda pair: (pair[1].start, pair[0]), default=(0, None))[1]
        )

    def overlaps(self, person: int, start: datetime, end: datetime | None, but: Held | None = None) -> bool:
        return any(
            (s.end is None or minute(s.end) > minute(start))
            and (end is None or minute(s.start) < minute(end))
            for s in self.shifts[person]
            if s is not but
        )

    def check(
        self, person: int, start: datetime, end: datetime | None, now: datetime, but: Held | None
    ) -> None:
        if start > now + SLACK or (end is not None and end > now + SLACK):
            raise Refused
        if end is not None and not timedelta(0) <= minute(end) - minute(start) <= TYPED:
            raise Refused
        if self.overlaps(person, start, end, but):
            raise Refused

    def punch_in(self, person: int, job: int, now: datetime, key: int) -> None:
        if any(s.key == key for of in self.shifts for s in of):
            if not any(s.key == key for s in self.shifts[person]):
                raise Refused
            return
        if not self.is_open[job]:
            raise Refused
        last, begins = self.last(person), now
        if last is not None:
            too_long = minute(now) - minute(last.start) > LONGEST
            if last.end is None and last.job == job and not too_long:
                raise Refused
            begins = self._leave(last, now, too_long)
        self.shifts[person].append(Held(job, begins, key=key))

    def _leave(self, last: Held, now: datetime, too_long: bool) -> datetime:
        if last.end is not None and not (last.assumed and not too_long):
            if now < last.end - SLACK:
                raise Refused
            return max(now, last.end)
        if too_long:
            last.end, last.assumed = assumed_end(last, now), True
            return now
        if now < last.start - SLACK:
            raise Refused
        last.end, last.assumed = max(now, last.start), False
        return last.end

    def punch_out(self, person: int, shift: Held, now: datetime) -> None:
        too_long = minute(now) - minute(shift.start) > LONGEST
        if shift.end is not None:
            present = any(s.end is None for s in self.shifts[person])
            settles = shift.assumed and not present and not too_long
            if not settles or self.overlaps(person, shift.start, now, shift):
                return
        self._leave(shift, now, too_long)

    def clock_out(self, now: datetime) -> None:
        for mine in self.shifts:
            for shift in mine:
                day = shift.start.astimezone(ZONE).date()
                due, end = (at(day, when) for when in (CLOCK_OUT_AT, ASSUMED_END))
                if shift.end is None and day.weekday() < 5 and shift.start < end and due <= now:
                    shift.end, shift.assumed = end, True

    def amend(self, person: int, shift: Held, start: datetime, end: datetime, now: datetime) -> None:
        start = shift.start if minute(start) == minute(shift.start) else start
        if shift.end is not None and minute(end) == minute(shift.end):
            end = shift.end
        end = max(start, end) if minute(start) == minute(end) else end
        if (start, end) == (shift.start, shift.end):
            return
        self.check(person, start, end, now, shift)
        if end != shift.end:
            shift.assumed = False
        shift.start, shift.end, shift.edited = start, end, now

    def approve(self, asked: Asked, now: datetime) -> None:
        shift = asked.shift
        if shift is None:
            self.check(asked.person, asked.start, asked.end, now, None)
            self.shifts[asked.person].append(Held(0, asked.start, asked.end, edited=now))
            return
        if shift not in self.shifts[asked.person] or asked.old is None:
            raise Refused
        old_start, old_end = asked.old
        new_start = minute(asked.start) != minute(old_start)
        new_end = old_end is None or minute(asked.end) != minute(old_end)
        if new_start and minute(shift.start) != minute(old_start):
            raise Refused
        if new_end and not _end_stands(shift, old_end, asked):
            raise Refused
        start, end = asked.start if new_start else shift.start, asked.end if new_end else shift.end
        if end is None:
            raise Refused
        self.amend(asked.person, shift, start, end, now)


def _end_stands(shift: Held, old_end: datetime | None, asked: Asked) -> bool:
    if old_end is None and shift.end is not None:
        return shift.edited is None or shift.edited < asked.at
    if old_end is None or shift.end is None:
        return old_end is shift.end
    return minute(shift.end) == minute(old_end)


def at(day: object, when: time) -> datetime:
    return datetime.combine(day, when, tzinfo=ZONE).astimezone(UTC)  # type: ignore[arg-type]


def assumed_end(shift: Held, now: datetime) -> datetime:
    end = at(shift.start.astimezone(ZONE).date(), ASSUMED_END)
    return min(end if end > shift.start else shift.start + USUAL, now)


class Killed(BaseException):
    """The process ends before its commit."""


class History(RuleBasedStateMachine):
    """One history: the same steps are done to the model and by the program."""

    app: Flask  # set by prove()

    def __init__(self) -> None:
        super().__init__()
        self.context = self.app.app_context()
        self.context.push()
        self.model, self.now, self.next_key = Shop(), START, 0
        self.ids: dict[int, int] = {}  # of the model's shifts: their numbers in the database
        self.requests: list[tuple[Asked, int]] = []
        self.sent: list[tuple[int, int, int]] = []

    @initialize()
    def open_shop(self) -> None:
        def work() -> None:
            for table in (Correction, Shift):
                db.session.execute(delete(table))
            for job in db.session.scalars(select(Job)):
                job.status = 1

        committing(work)
        self.people = db.session.scalars(select(User).order_by(User.id)).all()
        self.jobs = db.session.scalars(select(Job).order_by(Job.id)).all()

    def teardown(self) -> None:
        self.context.pop()

    def both(self, expected: Callable[[], None], work: Callable[[], Any]) -> Any:
        """Do a step to the model and by the program: both do it, or both refuse it."""
        try:
            expected()
            refused = False
        except Refused:
            refused = True
        try:
            result = committing(work)
        except RuleViolation as violation:
            if not refused:
                raise AssertionError(f"the program refused: {violation}") from violation
            return None
        assert not refused, "the program did what should be refused"
        return result

    def pass_time(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    def shift_of(self, held: Held) -> Shift:
        return db.session.get_one(Shift, self.ids[id(held)], populate_existing=True)

    def pick(self, person: int, index: int) -> Held | None:
        mine = self.model.shifts[person]
        return mine[index % len(mine)] if mine else None

    @rule(person=people, job=jobs, seconds=steps)
    def punch_in(self, person: int, job: int, seconds: int) -> None:
        self.pass_time(seconds)
        self.next_key += 1
        self._punch_in(person, job, self.next_key)
        self.sent.append((person, job, self.next_key))

    @rule(index=st.integers(0, 9), person=people)
    def send_an_old_form_again(self, index: int, person: int) -> None:
        if self.sent:
            _, job, key = self.sent[index % len(self.sent)]
            self._punch_in(person, job, key)

    def _punch_in(self, person: int, job: int, key: int) -> None:
        worker, before = self.people[person], len(self.model.shifts[person])
        done = self.both(
            lambda: self.model.punch_in(person, job, self.now, key),
            lambda: ledger.punch_in(
                worker, self.jobs[job].id, by=Actor(worker), at=self.now, rules=RULES, key=str(UUID(int=key))
            ),
        )
        if len(self.model.shifts[person]) > before:
            self.ids[id(self.model.shifts[person][-1])] = done.shift.id

    @rule(person=people, index=st.integers(0, 9), seconds=steps, by_admin=st.booleans())
    def punch_out(self, person: int, index: int, seconds: int, by_admin: bool) -> None:
        self.pass_time(seconds)
        if held := self.pick(person, -1 - index % 3):
            by = Actor(self.people[2 if by_admin else person])
            self.both(
                lambda: self.model.punch_out(person, held, self.now),
                lambda: ledger.punch_out(self.shift_of(held), by=by, at=self.now, rules=RULES),
            )

    @rule(seconds=steps)
    def auto_clock_out(self, seconds: int) -> None:
        self.pass_time(seconds)
        self.model.clock_out(self.now)
        for shift, end in due_ends(ZONE, now=self.now)[0]:
            committing(lambda shift=shift, end=end: clock_out(shift, end, now=self.now))

    @rule(person=people, job=jobs, ago=back, length=st.integers(0, 26 * 60), seconds=st.integers(0, 59))
    def add(self, person: int, job: int, ago: int, length: int, seconds: int) -> None:
        start = minute(self.now) - timedelta(minutes=ago)
        end = start + timedelta(minutes=length)

        def expected() -> None:
            self.model.check(person, start, end, self.now, None)
            self.model.shifts[person].append(Held(job, start, end, edited=self.now))

        done = self.both(
            expected,
            lambda: ledger.add(
                self.people[person],
                self.jobs[job],
                start,
                end,
                by=Actor(self.people[2]),
                at=self.now,
                reason="R",
            ),
        )
        if done is not None:
            self.ids[id(self.model.shifts[person][-1])] = done.id

    @rule(person=people, index=st.integers(0, 9), ago=back, length=st.integers(0, 26 * 60))
    def amend(self, person: int, index: int, ago: int, length: int) -> None:
        if held := self.pick(person, index):
            start = minute(self.now) - timedelta(minutes=ago)
            end = start + timedelta(minutes=length)
            self.both(
                lambda: self.model.amend(person, held, start, end, self.now),
                lambda: ledger.amend(
                    shift := self.shift_of(held), start, end, shift.job, by=Actor(self.people[2]),
                    at=self.now, reason="R",
                ),
            )  # fmt: skip

    @rule(person=people, index=st.integers(0, 9))
    def delete(self, person: int, index: int) -> None:
        if held := self.pick(person, index):
            self.both(
                lambda: self.model.shifts[person].remove(held),
                lambda: ledger.delete(self.shift_of(held), by=Actor(self.people[2]), at=self.now, reason="R"),
            )

    @rule(person=people, index=st.integers(0, 9))
    def confirm(self, person: int, index: int) -> None:
        if held := self.pick(person, index):
            self.both(
                lambda: setattr(held, "assumed", False),
                lambda: ledger.confirm_end(self.shift_of(held), by=Actor(self.people[person]), at=self.now),
            )

    @rule(
        person=people,
        index=st.integers(0, 9),
        ago=back,
        length=st.integers(0, 20 * 60),
        missing=st.booleans(),
    )
    def ask(self, person: int, index: int, ago: int, length: int, missing: bool) -> None:
        held = None if missing else self.pick(person, index)
        start = minute(self.now) - timedelta(minutes=ago)
        end = start + timedelta(minutes=length)
        old = (held.start, held.end) if held else None
        asked = Asked(person, held, old, start, end, self.now)

        def expected() -> None:
            if held is not None and any(one.shift is held for one, _ in self.requests):
                raise Refused
            self.model.check(person, start, end, self.now, held)
            is_same = held is not None and held.end is not None and minute(held.start) == minute(start)
            if is_same and minute(held.end) == minute(end):
                raise Refused

        job = self.jobs[0] if held is None else self.shift_of(held).job
        kind = "missing" if held is None else "time"
        shift = self.shift_of(held) if held else None
        done = self.both(
            expected,
            lambda: corrections.ask(self.people[person], kind, shift, start, end, job, note="", at=self.now),
        )
        if done is not None:
            self.requests.append((asked, done.id))

    @rule(index=st.integers(0, 9), seconds=steps)
    def approve(self, index: int, seconds: int) -> None:
        if not self.requests:
            return
        self.pass_time(seconds)
        asked, number = self.requests[index % len(self.requests)]
        before = len(self.model.shifts[asked.person])
        request = db.session.get_one(Correction, number, populate_existing=True)
        with suppress(Refused):
            self.both(
                lambda: self.model.approve(asked, self.now),
                lambda: corrections.approve(request, by=self.people[2], at=self.now),
            )
        if len(self.model.shifts[asked.person]) > before:
            db.session.refresh(request)
            self.ids[id(self.model.shifts[asked.person][-1])] = request.shift_id
        db.session.refresh(request)
        if request.state != "waiting":
            self.requests.remove((asked, number))

    @rule(job=jobs)
    def close_or_open_a_job(self, job: int) -> None:
        self.model.is_open[job] = not self.model.is_open[job]

        def work() -> None:
            db.session.get_one(Job, self.jobs[job].id, populate_existing=True).status = int(
                self.model.is_open[job]
            )

        committing(work)

    @rule(person=people, job=jobs)
    def be_killed_while_punching(self, person: int, job: int) -> None:
        def work() -> None:
            worker = self.people[person]
            ledger.punch_in(worker, self.jobs[job].id, by=Actor(worker), at=self.now, rules=RULES)
            raise Killed

        with suppress(Killed, RuleViolation):
            committing(work)

    @invariant()
    def database_has_exactly_what_the_model_has(self) -> None:
        if not hasattr(self, "people"):
            return
        for person in (0, 1):
            columns = (Shift.id, Shift.job_id, Shift.started_at, Shift.ended_at, Shift.assumed_at)
            rows = db.session.execute(select(*columns).where(Shift.user_id == self.people[person].id)).all()
            there = {row[0]: (row[1], row[2], row[3], row[4] is not None) for row in rows}
            should = {
                self.ids[id(held)]: (self.jobs[held.job].id, *held.as_row()[1:])
                for held in self.model.shifts[person]
            }
            assert there == should, f"person {person}"
            assert sum(row[3] is None for row in rows) <= 1
        db.session.rollback()


def _people_and_jobs() -> None:
    for n, department in enumerate(("CUT_SHOP", "CUT_SHOP", "ADMINISTRATIVE")):
        db.session.add(
            User(
                first_name=f"P{n}", last_name="M", email=f"p{n}@shop.example", password="",
                department=department,                 created_at=START, approved_at=START,
            )
        )  # fmt: skip
    db.session.flush()
    for n in range(2):
        db.session.add(
            Job(im_number=f"451{n}", general_contractor="G", job_scope="S", status=1, created_at=START)
        )


def prove(url: str, histories: int, start_seed: int) -> None:
    """Run histories on a new database, lot by lot; an assertion names what differs, with the steps to it."""
    app = create_app(Config(database_url=url, secret_key="k" * 32))
    migrations.upgrade(app.extensions["engine"])
    with app.app_context():
        committing(_people_and_jobs)
    History.app, engine, done = app, app.extensions["engine"], 0
    while done < histories:
        lot, lot_seed = min(LOT, histories - done), start_seed + done // LOT
        run_lot(lot, lot_seed)
        done += lot
        with engine.connect() as connection:
            changes = connection.scalar(text("SELECT COUNT(*) FROM audit"))
        print(
            f"{engine.dialect.name}: {done:,} histories, the last lot by seed {lot_seed}: the database was"
            f" the model's after every step ({changes:,} changes)", flush=True,
        )  # fmt: skip
    engine.dispose()


def run_lot(histories: int, lot_seed: int) -> None:
    how = settings(
        max_examples=histories, stateful_step_count=30, deadline=None, database=None,
        phases=(Phase.generate, Phase.shrink), suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    machine = type("Lot", (History,), {})  # Hypothesis remembers the seed with the class
    run_state_machine_as_test(seed(lot_seed)(machine), settings=how)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--histories", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=20261125)
    parser.add_argument("--engine", choices=("sqlite", "mariadb"))
    options = parser.parse_args()
    # In memory where it can be: each step is a commit, and no step here pulls the plug.
    memory = Path("/dev/shm")  # noqa: S108  # a folder of its own is made there
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        if options.engine != "mariadb":
            prove(f"sqlite:///{folder}/model.db", options.histories, options.seed)
        if options.engine == "sqlite":
            return
        server = Path(folder, "mariadb")
        server.mkdir()
        with private_mariadb(server) as url:
            prove(new_database(url, "model"), options.histories, options.seed)


if __name__ == "__main__":
    main()
