"""Corrections: what workers ask to have changed in their hours, and what the office answered."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Self

from sqlalchemy import Computed, ForeignKey, Index, Text, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, joinedload, mapped_column, relationship

from flask_app.models.base import Base, Invalid, Refused, UtcDateTime, db, plain, words
from flask_app.models.job import Job
from flask_app.models.shift import Shift
from flask_app.models.shift_changes import add_shift, amend, check_times, locked
from flask_app.models.user import User

FORGOT, WRONG_JOB, WRONG_TIME, MISSING = "forgot", "job", "time", "missing"
NOTE_MAX = 300
ASKED_ALREADY = "You asked about this shift already. Take that back first, or wait for the answer."
WAITING, APPROVED, DECLINED, WITHDRAWN = "waiting", "approved", "declined", "withdrawn"


class Correction(Base):
    """A worker's request about one shift (`shift_id` None: a shift that was never punched, or is gone).

    `old_*` is what the shift was when it was asked; if it has changed since, the request can't be approved
    blindly. `new_*` is the whole shift as it should be.
    """

    __tablename__ = "corrections"
    __table_args__ = (
        Index("ix_corrections_user_id", "user_id", "asked_at"),
        Index("ix_corrections_state", "state", "asked_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    shift_id: Mapped[int | None]  # no foreign key: a shift may be deleted, the request stays
    kind: Mapped[str] = mapped_column(words(FORGOT, WRONG_JOB, WRONG_TIME, MISSING))
    asked_at: Mapped[datetime] = mapped_column(UtcDateTime)
    old_started_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    old_ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    old_job_id: Mapped[int | None] = mapped_column(ForeignKey("jobs.id"))
    new_started_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    new_ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    new_job_id: Mapped[int | None] = mapped_column(ForeignKey("jobs.id"))
    note: Mapped[str] = mapped_column(Text, default="")
    state: Mapped[str] = mapped_column(words(WAITING, APPROVED, DECLINED, WITHDRAWN), default=WAITING)
    decided_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    decided_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    answer: Mapped[str] = mapped_column(Text, default="")
    # The database keeps: one waiting request per shift.
    waiting_for: Mapped[int | None] = mapped_column(
        Computed("CASE WHEN state = 'waiting' THEN shift_id END", persisted=False), unique=True, deferred=True
    )

    user: Mapped[User] = relationship(foreign_keys=[user_id])
    decided_by: Mapped[User | None] = relationship(foreign_keys=[decided_by_id])
    old_job: Mapped[Job | None] = relationship(foreign_keys=[old_job_id])
    new_job: Mapped[Job | None] = relationship(foreign_keys=[new_job_id])

    @classmethod
    def ask(
        cls,
        user: User,
        kind: str,
        shift: Shift | None,
        started_at: datetime,
        ended_at: datetime | None,
        job: Job,
        *,
        note: str,
        at: datetime,
    ) -> Self:
        """Ask for a shift (None: a missing one) to be as given. Raises Invalid, or Refused."""
        note = plain(note)
        if len(note) > NOTE_MAX:
            raise Invalid({"note": f"The note is too long: at most {NOTE_MAX} characters."})
        person = locked(shift, None) if shift else User.locked(user.id)
        check_times(person, started_at, ended_at, now=at, but=shift)
        if shift and (started_at, ended_at, job.id) == (shift.started_at, shift.ended_at, shift.job_id):
            raise Invalid({"kind": "That's how the shift is already. Say what it should be."})
        asked = cls(user_id=user.id, kind=kind, asked_at=at, note=note, state=WAITING, answer="")
        asked.new_started_at, asked.new_ended_at, asked.new_job_id = started_at, ended_at, job.id
        if shift:
            asked.shift_id, asked.old_job_id = shift.id, shift.job_id
            asked.old_started_at, asked.old_ended_at = shift.started_at, shift.ended_at
        db.session.add(asked)
        try:
            db.session.flush()
        except IntegrityError:
            raise Invalid({"kind": ASKED_ALREADY}) from None
        return asked

    def withdraw(self, *, at: datetime) -> None:
        """Take the request back, unless it was decided."""
        self._lock_waiting()
        self.state, self.decided_at = WITHDRAWN, at

    def approve(self, *, by: User, at: datetime) -> None:
        """Do what was asked. Raises Refused if the shift isn't what it was when it was asked."""
        self._lock_waiting()
        self._refuse_own(by)
        job, start = self.new_job, self.new_started_at
        if job is None or start is None:
            raise Refused("This request is damaged. Decline it.")
        reason = f"Asked by {self.user.name}: {self.note}" if self.note else f"Asked by {self.user.name}."
        if self.shift_id is None:
            shift = add_shift(self.user, job, start, self.new_ended_at, by=by, at=at, reason=reason)
            self.shift_id = shift.id
        else:
            amend(self._unchanged(), start, self.new_ended_at, job, by=by, at=at, reason=reason)
        self._decide(APPROVED, by, at)

    def decline(self, *, by: User, at: datetime, answer: str = "") -> None:
        """Leave the hours as they are, and say why."""
        answer = plain(answer)
        if len(answer) > NOTE_MAX:
            raise Refused(f"The answer is too long: at most {NOTE_MAX} characters.")
        self._lock_waiting()
        self._refuse_own(by)
        self.answer = answer
        self._decide(DECLINED, by, at)

    def _decide(self, state: str, by: User, at: datetime) -> None:
        self.state, self.decided_by_id, self.decided_at = state, by.id, at

    def _lock_waiting(self) -> None:
        db.session.refresh(self, with_for_update=True)
        if self.state != WAITING:
            raise Refused("This request was decided already.")

    def _refuse_own(self, by: User) -> None:
        if by.id == self.user_id and User.has_other_admin(by):
            raise Refused("Another admin has to decide about your own hours.")

    def _unchanged(self) -> Shift:
        shift = db.session.get(Shift, self.shift_id, populate_existing=True)
        if shift is None:
            raise Refused("The shift was deleted meanwhile. Decline this, and say so.")
        locked(shift, None)
        if (shift.started_at, shift.ended_at, shift.job_id) != (
            self.old_started_at, self.old_ended_at, self.old_job_id,
        ):  # fmt: skip
            raise Refused(
                "The shift has changed since this was asked. Look at it; decline this if it is settled."
            )
        return shift

    @classmethod
    def waiting(cls) -> Sequence[Self]:
        """What waits for an answer, oldest first."""
        query = cls._whole().where(cls.state == WAITING).order_by(cls.asked_at, cls.id).limit(200)
        return list(db.session.scalars(query))

    @classmethod
    def waiting_count(cls) -> int:
        return db.session.scalar(select(func.count()).where(cls.state == WAITING)) or 0

    @classmethod
    def decided(cls, *, limit: int = 50) -> Sequence[Self]:
        """What was answered, latest first."""
        done = cls._whole().where(cls.state.in_((APPROVED, DECLINED)))
        return list(db.session.scalars(done.order_by(cls.decided_at.desc(), cls.id.desc()).limit(limit)))

    @classmethod
    def of(cls, user: User, *, limit: int = 100) -> Sequence[Self]:
        """What `user` asked, latest first."""
        mine = cls._whole().where(cls.user_id == user.id).order_by(cls.asked_at.desc(), cls.id.desc())
        return list(db.session.scalars(mine.limit(limit)))

    @classmethod
    def by_shift(cls, corrections: Iterable[Self]) -> dict[int, Self]:
        """Map a shift's id to the latest request about it; `corrections` come latest first."""
        found: dict[int, Self] = {}
        for one in corrections:
            if one.shift_id is not None and one.state != WITHDRAWN:
                found.setdefault(one.shift_id, one)
        return found

    @classmethod
    def _whole(cls) -> Any:
        people = (joinedload(cls.user), joinedload(cls.decided_by))
        return select(cls).options(*people, joinedload(cls.old_job), joinedload(cls.new_job))
