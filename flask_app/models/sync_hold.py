"""What a sync has held back, being too much to be believed, until an admin says whether it is true."""

from collections.abc import Sequence, Set
from datetime import datetime
from typing import Self

from sqlalchemy import JSON, Computed, ForeignKey, String, func, select, update
from sqlalchemy.orm import Mapped, joinedload, mapped_column, relationship

from flask_app.models.audit import CHANGED, SETTING, Audit
from flask_app.models.database import Base, db
from flask_app.models.errors import RuleViolation
from flask_app.models.job import Job
from flask_app.models.types import UtcDateTime, words
from flask_app.models.user import User
from flask_app.words import _, noted

GONE = "gone"  # the kind; each other one is a field of jobs that would be blank
# Open: nobody has said anything. Confirmed: the next sync that still says so applies it, to these jobs.
# Dismissed: it is not applied while Dataverse goes on saying so. Applied and cleared (Dataverse does not say
# so any more): it is over.
OPEN, CONFIRMED, DISMISSED, APPLIED, CLEARED = "open", "confirmed", "dismissed", "applied", "cleared"
_WORDS = {
    GONE: noted("Dataverse says that %(count)s of %(out_of)s jobs are not approved any more."),
    "general_contractor": noted(
        "Dataverse has no general contractor any more for %(count)s of %(out_of)s jobs."
    ),
    "job_scope": noted("Dataverse has no scope any more for %(count)s of %(out_of)s jobs."),
    "job_name_address": noted("Dataverse has no name and address any more for %(count)s of %(out_of)s jobs."),
}
_CURRENT = "CASE WHEN state IN ('open', 'confirmed', 'dismissed') THEN kind END"


class SyncHold(Base):
    """One kind of change of `job_ids`, held back by the runs from `first_run_id` to `run_id`.

    `current_kind` is unique: of each kind there is one that is not over.
    """

    __tablename__ = "sync_holds"

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(40))
    state: Mapped[str] = mapped_column(words(OPEN, CONFIRMED, DISMISSED, APPLIED, CLEARED), default=OPEN)
    first_run_id: Mapped[int] = mapped_column(ForeignKey("sync_runs.id"))
    run_id: Mapped[int] = mapped_column(ForeignKey("sync_runs.id"), index=True)
    job_ids: Mapped[list[int]] = mapped_column(JSON)
    out_of: Mapped[int]  # how many jobs followed Dataverse
    since: Mapped[datetime] = mapped_column(UtcDateTime)
    decided_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    decided_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    current_kind: Mapped[str | None] = mapped_column(
        String(40), Computed(_CURRENT, persisted=False), unique=True, deferred=True
    )

    decided_by: Mapped[User | None] = relationship()

    @property
    def says(self) -> str:
        """What Dataverse said, a sentence."""
        return in_words(self.kind, len(self.job_ids), self.out_of)

    @property
    def is_current(self) -> bool:
        return self.state in (OPEN, CONFIRMED, DISMISSED)

    def covers(self, job_id: int, run_id: int) -> bool:
        """Whether what a run changed of a job was there when this was last held back, or is part of it."""
        return run_id <= self.run_id or job_id in self.job_ids

    @classmethod
    def current(cls, *, locked: bool = False) -> Sequence[Self]:
        """Return those that are not over; `locked` until the commit, so that nobody decides meanwhile."""
        query = select(cls).where(cls.state.in_((OPEN, CONFIRMED, DISMISSED))).order_by(cls.id)
        query = query.with_for_update() if locked else query.options(joinedload(cls.decided_by))
        return db.session.scalars(query.execution_options(populate_existing=True)).all()

    @classmethod
    def waiting_run(cls) -> int | None:
        """Return the latest run that has held back something about which nobody has decided."""
        return db.session.scalar(select(func.max(cls.run_id)).where(cls.state == OPEN))

    @classmethod
    def last_confirmed(cls) -> dict[str, Self]:
        """Map each kind to what an admin has confirmed last, be it applied by now or not."""
        query = select(cls).where(cls.state.in_((CONFIRMED, APPLIED))).order_by(cls.id)
        return {hold.kind: hold for hold in db.session.scalars(query)}

    @classmethod
    def of_run(cls, run_id: int) -> Sequence[Self]:
        """Return what this run held back."""
        query = select(cls).where(cls.first_run_id <= run_id, cls.run_id >= run_id).order_by(cls.id)
        return db.session.scalars(query.options(joinedload(cls.decided_by))).all()

    @classmethod
    def write(
        cls, kind: str, job_ids: Set[int], *, out_of: int, state: str, run_id: int, at: datetime
    ) -> None:
        """Note that a run held this back: on the row of its kind if one is not over, else on a new one."""
        values = {"job_ids": sorted(job_ids), "out_of": out_of, "state": state, "run_id": run_id}
        changed = db.session.execute(update(cls).where(cls.current_kind == kind).values(**values))
        if changed.rowcount == 0:  # type: ignore[attr-defined]
            db.session.add(cls(kind=kind, first_run_id=run_id, since=at, **values))
            db.session.flush()

    @classmethod
    def settle(cls, kind: str, state: str) -> None:
        """Note that what was held back is over: APPLIED or CLEARED."""
        db.session.execute(update(cls).where(cls.current_kind == kind).values(state=state))

    def decide(self, state: str, *, by: User, at: datetime) -> None:
        """Note what an admin says: CONFIRMED or DISMISSED. Raises RuleViolation if it is over."""
        db.session.refresh(self, with_for_update=True)
        if not self.is_current:
            raise RuleViolation(_("Already settled: Dataverse has answered again since."))
        before, self.state = self.state, state
        self.decided_by_id, self.decided_at = by.id, at
        subject, changes = f"What a sync held back ({self.kind})", {"state": (before, state)}
        Audit.record(CHANGED, SETTING, self.id, subject=subject, by=by, at=at, changes=changes)

    def jobs(self, *, limit: int) -> Sequence[Job]:
        """Return the first of the jobs, by their numbers."""
        query = select(Job).where(Job.id.in_(self.job_ids[:1000])).order_by(Job.im_order, Job.id).limit(limit)
        return db.session.scalars(query).all()


def in_words(kind: str, count: int, out_of: int) -> str:
    """Return what Dataverse says of so many jobs, a sentence to be stored or retold."""
    return noted(_WORDS[kind], count=f"{count:,}", out_of=f"{out_of:,}")
