"""A small shop whose hours go to a stand-in, and everything that can happen on the way.

A history is a list of steps. Killed senders, lost answers, requests that arrive late, a second sender in the
middle of the first one's pass, outages, and people who change either side: after every step that leaves
nothing owed, Dataverse has exactly the total of the shop, or what somebody has set there since.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch

import time_machine
from flask import Flask
from hypothesis import strategies as st
from sqlalchemy import delete, update

from flask_app.dataverse.errors import DataverseUnavailable
from flask_app.dataverse.hours import HoursTable
from flask_app.models import HoursSent, Job, OwedHours, Shift, User, WriteBack, committing, db
from flask_app.models.errors import RuleViolation
from flask_app.standin import Standin
from flask_app.sync.hours_out import BATCH_SECONDS, send_owed_hours, start, would_change
from flask_app.timeclock import ledger
from flask_app.timeclock.ledger import Actor

Step = tuple[Any, ...]  # what happens, and its details

START = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
FIRST_SHIFT = datetime(2026, 6, 1, 4, 0, tzinfo=UTC)
JOBS = 2

# How a pass of the sender ends.
WELL, BEFORE, AFTER, UNSETTLED, LATE, LOST, LOST_LATE = (
    "well", "killed before the write", "killed after the write", "killed before it is settled",
    "killed, and its request comes late", "answer lost", "answer lost, and the request comes late",
)  # fmt: skip

# How late such a request may come, in minutes: until the row is looked at once more.
_LATEST = {LATE: 9, LOST_LATE: 4}

_job = st.integers(0, JOBS - 1)
_minutes = st.integers(1, 600)
_changes = st.one_of(
    st.tuples(st.just("work"), _job, _minutes),
    st.tuples(st.just("amend"), _job, _minutes),
    st.tuples(st.just("delete"), _job),
    st.tuples(st.just("by hand"), _job, st.integers(0, 100)),
)
_meanwhile = st.lists(st.one_of(_changes, st.just(("other sender",)), st.just(("wait", 6))), max_size=3)
_ends = st.sampled_from((WELL, BEFORE, AFTER, UNSETTLED, LATE, LOST, LOST_LATE))
# A sender mostly finds something to do: somebody worked, some time ago.
_sent = st.tuples(
    st.just("send"),
    _ends,
    _meanwhile,
    _job,
    _minutes,
    st.sampled_from((6, 1, 12, 0)),
    st.sampled_from((9, 4, 1)),
)
_others = st.one_of(
    _changes,
    st.tuples(st.just("wait"), st.sampled_from((1, 6, 60, 1440, 7 * 1440))),
    st.sampled_from((("outage",), ("back again",), ("throttle", 1), ("throttle", 4))),
    st.tuples(st.just("row deleted"), _job),
)
_step = st.integers(0, 9).flatmap(lambda n: _sent if n < 6 else _others)
HISTORIES = st.lists(_step, min_size=4, max_size=16)


class Killed(BaseException):
    """kill -9: nothing of the program runs after it."""


@dataclass(slots=True)
class Tracked:
    """One job as it should be."""

    job_id: int
    row_id: str
    shifts: dict[int, int] = field(default_factory=dict)  # id -> minutes
    by_hand: float | None = None  # what somebody has set in Dataverse since the last change in the shop
    gone: bool = False

    @property
    def hours(self) -> float:
        return float(f"{sum(self.shifts.values()) / 60 + 1e-9:.2f}")


class World:
    """The shop and the stand-in, for one history after the other."""

    def __init__(self, app: Flask, standin: Standin, *, worker: int, admin: int) -> None:
        self.app, self.standin, self.worker, self.admin = app, standin, worker, admin
        self.at, self.next_shift = START, FIRST_SHIFT
        self.jobs: list[Tracked] = []
        self.flying: list[tuple[datetime, dict[str, float]]] = []
        self.seen: Counter[str] = Counter()  # what the histories had in them
        self._numbers = iter(range(5000, 10_000_000))
        with app.app_context():
            organization, _ = would_change()
            by = db.session.get_one(User, admin)
            start(organization, everything=True, by=by, at=START)

    def play(self, history: Sequence[Step]) -> None:
        """Let a history happen, then let everything come to rest, and look."""
        with time_machine.travel(START, tick=False) as traveller:
            self._traveller = traveller
            self._open()
            try:
                for step in history:
                    self._do(step)
                    self.check()
                self._rest()
            finally:
                self.standin.faults.clear()
                self._close()

    def check(self) -> None:
        """Compare what nobody owes any more with what stands there."""
        there = {row["imi_jobid"]: row["imi_actualhours"] for row in self.standin.rows()}
        with self.app.app_context():
            rows = {one.job_id: one for one in db.session.query(OwedHours)}
            for one in self.jobs:
                owed = rows.get(one.job_id)
                at_rest = owed and not owed.lease and not owed.look_at and owed.version == owed.sent_version
                if at_rest and not one.gone and not self.flying:
                    right = {one.hours, one.by_hand}
                    self.seen["looked at and right"] += 1
                    assert (there[one.row_id] or 0.0) in right, (there[one.row_id], right)

    def _rest(self) -> None:
        self.standin.faults.clear()
        for _ in range(5):
            self._do(("wait", 15))
            self._pass()
            self.check()
        with self.app.app_context():
            assert OwedHours.count(now=self.at) == 0, "something is owed still"
            parked = {one.job_id for one in OwedHours.parked()}
        assert parked <= {one.job_id for one in self.jobs if one.gone}
        self._do(("wait", 1500))
        self._pass()  # and all totals are compared once more
        self.check()

    def _do(self, step: Step) -> None:
        what, *rest = step
        acts: dict[str, Callable[..., None]] = {
            "work": self._work, "amend": self._amend, "delete": self._delete, "by hand": self._by_hand,
            "send": self._send, "other sender": self._pass, "wait": self._wait, "outage": self._outage,
            "back again": self.standin.faults.clear, "throttle": self._throttle,
            "row deleted": self._row_deleted,
        }  # fmt: skip
        acts[what](*rest)

    def _work(self, job: int, minutes: int) -> None:
        begin, one = self.next_shift, self.jobs[job]
        self.next_shift += timedelta(minutes=minutes + 1)
        with self.app.app_context():
            by, worker = db.session.get_one(User, self.admin), db.session.get_one(User, self.worker)
            where, end = db.session.get_one(Job, one.job_id), begin + timedelta(minutes=minutes)
            how: dict[str, Any] = {"by": Actor(by), "at": self.at, "reason": "Told."}
            committing(lambda: ledger.add(worker, where, begin, end, **how))
            shift = db.session.query(Shift).filter_by(started_at=begin).one()
            one.shifts[shift.id] = minutes
        one.by_hand = None

    def _amend(self, job: int, minutes: int) -> None:
        one = self.jobs[job]
        if not one.shifts or minutes >= next(reversed(one.shifts.values())):
            return
        number = next(reversed(one.shifts))
        with self.app.app_context():
            by, shift = db.session.get_one(User, self.admin), db.session.get_one(Shift, number)
            end = shift.started_at + timedelta(minutes=minutes)
            how: dict[str, Any] = {"by": Actor(by), "at": self.at, "reason": "Told."}
            committing(lambda: ledger.amend(shift, shift.started_at, end, shift.job, **how))
        one.shifts[number], one.by_hand = minutes, None

    def _delete(self, job: int) -> None:
        one = self.jobs[job]
        if one.shifts:
            number, _ = one.shifts.popitem()
            with self.app.app_context():
                by, shift = db.session.get_one(User, self.admin), db.session.get_one(Shift, number)
                committing(lambda: ledger.delete(shift, by=Actor(by), at=self.at, reason="Told."))
            one.by_hand = None

    def _by_hand(self, job: int, hours: int) -> None:
        one = self.jobs[job]
        if not one.gone:
            self.standin.change(one.row_id, imi_actualhours=float(hours))
            one.by_hand = float(hours)

    def _row_deleted(self, job: int) -> None:
        if not self.jobs[job].gone:
            self.standin.delete(self.jobs[job].row_id)
            self.jobs[job].gone = True

    def _outage(self) -> None:
        self.standin.faults.fail(503, times=None)

    def _throttle(self, times: int) -> None:
        self.standin.faults.throttle(seconds=300, times=times)

    def _wait(self, minutes: int) -> None:
        end = self.at + timedelta(minutes=minutes)
        for arrives, hours in [one for one in self.flying if one[0] <= end]:
            self.at = max(self.at, arrives)
            self._arrive(hours)
        self.flying = [one for one in self.flying if one[0] > end]
        self.at = end
        self._traveller.move_to(end, tick=False)

    def _arrive(self, hours: dict[str, float]) -> None:
        for row_id, value in hours.items():
            one = next(one for one in self.jobs if one.row_id == row_id)
            if not one.gone:
                self.standin.change(row_id, imi_actualhours=value)

    def _pass(self) -> None:
        with self.app.app_context():
            send_owed_hours(now=self.at)

    def _send(
        self, ends: str, meanwhile: Sequence[Step], job: int, minutes: int, wait: int, late: int
    ) -> None:
        """Somebody works, and a sender makes a pass that ends so; between its reading and its writing there
        is `meanwhile`."""
        self._work(job, minutes)
        self._wait(wait)
        Sender(self, ends, meanwhile, timedelta(minutes=min(late, _LATEST.get(ends, 0)))).make_a_pass()

    def _open(self) -> None:
        self.at, self.next_shift = START, FIRST_SHIFT
        self.jobs, self.flying = [], []
        with self.app.app_context():
            for _ in range(JOBS):
                number = str(next(self._numbers))
                row_id = self.standin.add(imi_imnumber=number)
                job = Job(
                    im_number=number, general_contractor="G", job_scope="S", status=1, created_at=START,
                    dataverse_id=row_id,
                )  # fmt: skip
                db.session.add(job)
                db.session.flush()
                self.jobs.append(Tracked(job.id, row_id))
            state = WriteBack.current()
            state.rest_until = state.passed_at = state.checked_at = None
            db.session.commit()

    def _close(self) -> None:
        for one in self.jobs:
            if not one.gone:
                self.standin.delete(one.row_id)
        with self.app.app_context():
            db.session.rollback()
            for table in (HoursSent, OwedHours, Shift):
                db.session.execute(delete(table))
            db.session.execute(update(Job).values(dataverse_id=None))
            db.session.commit()
        with suppress(RuleViolation):
            self.standin.requests.clear()


class Sender:
    """One pass, with its end."""

    def __init__(self, world: World, ends: str, meanwhile: Sequence[Step], late: timedelta) -> None:
        self._world, self._ends, self._meanwhile, self._late = world, ends, meanwhile, late
        self._has_written = self._is_dead = False
        self._write, self._settle, self._release = HoursTable.write, OwedHours.settle, OwedHours.release

    def make_a_pass(self) -> None:
        with (
            patch.object(HoursTable, "write", lambda *what: self._written(*what)),
            patch.object(OwedHours, "settle", lambda *what, **how: self._settled(*what, **how)),
            patch.object(OwedHours, "release", lambda *what, **how: self._released(*what, **how)),
            suppress(Killed),
        ):
            self._world._pass()

    def _written(self, table: HoursTable, hours: dict[str, float], statistics: Any = None) -> Any:
        if self._has_written:  # the other sender's, or the second batch's
            return self._write(table, hours, statistics)
        self._has_written = True
        self._world.seen[self._ends] += 1
        deadline = self._world.at + timedelta(seconds=BATCH_SECONDS)
        for step in self._meanwhile:
            self._world._do(step)
        if self._world.at > deadline:  # the client sends nothing any more
            raise DataverseUnavailable("The deadline has passed.")
        if self._ends in (LATE, LOST_LATE):
            self._world.flying.append((self._world.at + self._late, dict(hours)))
        self._die_if(BEFORE, LATE)
        result = None if self._ends == LOST_LATE else self._write(table, hours, statistics)
        self._die_if(AFTER)
        if self._ends in (LOST, LOST_LATE):
            raise DataverseUnavailable("The answer was lost.")
        return result

    def _settled(self, *what: Any, **how: Any) -> Any:
        self._die_if(UNSETTLED)
        return self._settle(*what, **how)

    def _released(self, *what: Any, **how: Any) -> Any:
        """Do nothing in a dead program, though Python runs its `except`."""
        return None if self._is_dead else self._release(*what, **how)

    def _die_if(self, *ends: str) -> None:
        if self._ends in ends and not self._is_dead:
            self._is_dead = True
            raise Killed
