"""Jobs that a person keeps at the top of their own board."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ForeignKey, Integer, delete, func, literal, select, union_all
from sqlalchemy.orm import Mapped, mapped_column

from flask_app.models.database import Base, db
from flask_app.models.job import ACTIVE, Job
from flask_app.models.shift import Shift
from flask_app.models.types import UtcDateTime
from flask_app.models.user import User

MOST = 12  # pins that are shown; more would be a board of their own


class PinnedJob(Base):
    """A job that one person has pinned. It stays so while the job is closed, and is back when it opens."""

    __tablename__ = "pinned_jobs"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), primary_key=True, autoincrement=False)
    job_id: Mapped[int] = mapped_column(ForeignKey("jobs.id"), primary_key=True, autoincrement=False)
    pinned_at: Mapped[datetime] = mapped_column(UtcDateTime)

    @classmethod
    def pin(cls, user: User, job: Job, *, at: datetime) -> None:
        """Pin a job; twice is the same as once."""
        User.locked(user.id)  # two taps at once
        if not db.session.get(cls, (user.id, job.id)):
            db.session.add(cls(user_id=user.id, job_id=job.id, pinned_at=at))
            db.session.flush()

    @classmethod
    def unpin(cls, user: User, job: Job) -> None:
        db.session.execute(delete(cls).where(cls.user_id == user.id, cls.job_id == job.id))

    @classmethod
    def has(cls, user: User, job: Job) -> bool:
        return db.session.get(cls, (user.id, job.id)) is not None


def jobs_at_hand(user: User, *, recent: int = 6) -> Sequence[tuple[Job, bool]]:
    """Return the active jobs that `user` has pinned, then those worked on last, each with whether it is so;
    the latest first."""
    pins = select(PinnedJob.job_id, PinnedJob.pinned_at.label("last"), literal(1, Integer).label("pinned"))
    pins = pins.where(PinnedJob.user_id == user.id)
    worked = Shift.latest_jobs(user)
    both = union_all(pins, select(worked.c.job_id, worked.c.last, literal(0, Integer))).subquery()
    pinned = func.max(both.c.pinned).label("pinned")
    each = (
        select(both.c.job_id, func.max(both.c.last).label("last"), pinned).group_by(both.c.job_id).subquery()
    )
    query = select(Job, each.c.pinned).join(each, each.c.job_id == Job.id).where(Job.status == ACTIVE)
    query = query.order_by(each.c.pinned.desc(), each.c.last.desc(), Job.id.desc()).limit(MOST + recent)
    found = [(job, bool(is_pinned)) for job, is_pinned in db.session.execute(query)]
    return [*[one for one in found if one[1]][:MOST], *[one for one in found if not one[1]][:recent]]
