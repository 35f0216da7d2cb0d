"""Production phases that go to Dataverse: the shop's rules, and what is known of each job's phase there."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Self

from sqlalchemy import CheckConstraint, ForeignKey, String, Text, func, select
from sqlalchemy.orm import Mapped, joinedload, mapped_column, relationship

from flask_app.models.audit import CHANGED, SETTING, Audit
from flask_app.models.database import Base, db
from flask_app.models.job import Job
from flask_app.models.shift import Shift
from flask_app.models.types import UtcDateTime, clock_minutes, exact_string, words
from flask_app.models.user import User

FIRST_PUNCH, SHARE, CLOSED = "first_punch", "share", "closed"
EVENTS = (FIRST_PUNCH, SHARE, CLOSED)
OFF, ON = "off", "on"
WRITTEN, BY_HAND, PARKED = "written", "by_hand", "parked"  # what became of a job's phase


class PhaseRule(Base):
    """Which phase an event leads to. `label` is what the phase was called when the rule was made; `percent`
    of the estimate is only for SHARE, `position` the phase's place in the order of the options."""

    __tablename__ = "phase_rules"

    event: Mapped[str] = mapped_column(words(*EVENTS), primary_key=True)
    phase: Mapped[int]
    label: Mapped[str] = mapped_column(String(200))
    position: Mapped[int]
    percent: Mapped[int | None]

    @classmethod
    def all(cls) -> Sequence[Self]:
        return db.session.scalars(select(cls)).all()


class PhaseState(Base):
    """The one row (id 1) about writing phases: whether it is on, where to, who started it."""

    __tablename__ = "phase_state"
    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    state: Mapped[str] = mapped_column(words(OFF, ON), default=OFF)
    organization_id: Mapped[str | None] = mapped_column(exact_string(36))
    decided_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    decided_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    trouble: Mapped[str] = mapped_column(Text, default="")

    decided_by: Mapped[User | None] = relationship()

    @property
    def is_on(self) -> bool:
        return self.state == ON

    @classmethod
    def seen(cls) -> Self | None:
        """Return the row, None if nobody has ever started."""
        return db.session.get(cls, 1, populate_existing=True)

    @classmethod
    def start(
        cls,
        organization_id: str,
        rules: Sequence[PhaseRule],
        standing: Mapping[str, int | None],
        *,
        by: User,
        at: datetime,
    ) -> None:
        """Write phases by these rules from now on. `standing` is the phase of each row now: what is there is
        taken for set by nobody in particular, and may be moved forward."""
        for old in PhaseRule.all():
            db.session.delete(old)
        db.session.flush()
        db.session.add_all(rules)
        known = JobPhase.known()
        for job_id, row_id in linked_rows().items():
            one = known.get(job_id) or JobPhase(job_id=job_id)
            one.expected, one.intended, one.settled, one.by_hand = standing.get(row_id), None, None, False
            one.row_id, one.trouble = row_id, ""
            db.session.add(one)
        row = cls.seen() or cls(id=1, state=OFF)
        db.session.add(row)
        row.organization_id = organization_id
        row._decide(ON, by=by, at=at)

    @classmethod
    def stop(cls, *, by: User, at: datetime) -> None:
        """Write no phase until somebody starts it again."""
        if row := cls.seen():
            row._decide(OFF, by=by, at=at)

    def _decide(self, state: str, *, by: User, at: datetime) -> None:
        changes = {"state": (self.state, state)}
        Audit.record(CHANGED, SETTING, None, subject="Phases to Dataverse", by=by, at=at, changes=changes)
        self.state, self.decided_by_id, self.decided_at, self.trouble = state, by.id, at, ""


class JobPhase(Base):
    """What is known of one job's phase in Dataverse.

    `expected` is what stands there as far as we know: what we wrote last, or what was there when the writing
    was switched on. `intended` is what we were about to write: a killed program does not know whether it has.
    Anything else there was set by hand (`by_hand`), and is never touched again. `settled` is the phase that
    the rules led to when this was last decided, `trouble` why Dataverse refuses it.
    """

    __tablename__ = "job_phases"

    job_id: Mapped[int] = mapped_column(ForeignKey("jobs.id"), primary_key=True, autoincrement=False)
    row_id: Mapped[str] = mapped_column(exact_string(36))
    expected: Mapped[int | None]
    intended: Mapped[int | None]
    settled: Mapped[int | None]
    by_hand: Mapped[bool] = mapped_column(default=False)
    trouble: Mapped[str] = mapped_column(Text, default="")

    job: Mapped[Job] = relationship()

    @classmethod
    def known(cls) -> dict[int, Self]:
        return {one.job_id: one for one in db.session.scalars(select(cls))}

    @classmethod
    def of(cls, job_id: int) -> Self:
        return db.session.get_one(cls, job_id, populate_existing=True)

    @classmethod
    def parked(cls, *, limit: int = 200) -> Sequence[Self]:
        """Return what Dataverse refuses, with the jobs, by their numbers."""
        query = select(cls).join(cls.job).options(joinedload(cls.job)).where(cls.trouble != "")
        return db.session.scalars(query.order_by(Job.im_order, Job.id).limit(limit)).all()

    @classmethod
    def try_again(cls) -> int:
        """Let what was refused be decided once more; return how many jobs."""
        parked = cls.parked(limit=100_000)
        for one in parked:
            one.trouble, one.settled = "", None
        return len(parked)


class PhaseSent(Base):
    """One change of a phase in Dataverse, one that was refused, or a phase found to be set by hand."""

    __tablename__ = "phases_sent"

    id: Mapped[int] = mapped_column(primary_key=True)
    job_id: Mapped[int] = mapped_column(ForeignKey("jobs.id"), index=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    outcome: Mapped[str] = mapped_column(String(20))
    before: Mapped[int | None] = mapped_column("phase_before")
    now: Mapped[int | None] = mapped_column("phase_now")
    reason: Mapped[str] = mapped_column(Text, default="")

    job: Mapped[Job] = relationship()

    @classmethod
    def latest(cls, *, limit: int = 50) -> Sequence[Self]:
        query = select(cls).options(joinedload(cls.job)).order_by(cls.id.desc()).limit(limit)
        return db.session.scalars(query).all()


def linked_rows() -> dict[int, str]:
    """Map the jobs that follow a row in Dataverse to that row."""
    query = select(Job.id, Job.dataverse_id).where(Job.dataverse_id.is_not(None))
    return {job_id: str(row_id) for job_id, row_id in db.session.execute(query)}


def work_done() -> dict[int, tuple[Job, int]]:
    """Map the jobs that follow a row to the job and its worked minutes; -1 if nobody ever punched in on it.

    Of an open shift nothing counts yet, but it is a punch.
    """
    minutes = func.coalesce(func.sum(clock_minutes(Shift.ended_at) - clock_minutes(Shift.started_at)), 0)
    sums = select(Shift.job_id, minutes.label("minutes")).group_by(Shift.job_id).subquery()
    query = select(Job, sums.c.minutes).outerjoin(sums, sums.c.job_id == Job.id)
    rows = db.session.execute(query.where(Job.dataverse_id.is_not(None)))
    return {job.id: (job, -1 if worked is None else int(worked)) for job, worked in rows}
