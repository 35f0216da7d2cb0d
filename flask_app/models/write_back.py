"""Whether hours go back to Dataverse, and to which organization: an admin decides, not a setting alone."""

from datetime import datetime
from typing import Self

from sqlalchemy import CheckConstraint, ForeignKey, Text, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, joinedload, mapped_column, relationship

from flask_app.models.audit import CHANGED, SETTING, Audit
from flask_app.models.database import Base, db
from flask_app.models.errors import ConcurrentUpdate
from flask_app.models.owed_hours import OwedHours
from flask_app.models.types import UtcDateTime, exact_string, words
from flask_app.models.user import User
from flask_app.words import _

WAITING, ON, STOPPED = "waiting", "on", "stopped"


class WriteBack(Base):
    """The one row about writing to Dataverse (id 1).

    `organization_id` is where we may write to: a copied database must not write into another environment.
    `user_id` is who we are there: what that user has changed was us. `checked_at` is when all totals were
    last compared with what was settled, `passed_at` when a sender last looked, `rest_until` until when
    Dataverse wants to be left alone, `trouble` why the last pass failed.
    """

    __tablename__ = "write_back"
    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    state: Mapped[str] = mapped_column(words(WAITING, ON, STOPPED), default=WAITING)
    organization_id: Mapped[str | None] = mapped_column(exact_string(36))
    user_id: Mapped[str | None] = mapped_column(exact_string(36))
    decided_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    decided_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    passed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    checked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    rest_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    trouble: Mapped[str] = mapped_column(Text, default="")

    decided_by: Mapped[User | None] = relationship()

    @classmethod
    def current(cls, *, locked: bool = False) -> Self:
        """Return the row, made if need be; `locked` until the commit."""
        query = select(cls).where(cls.id == 1).execution_options(populate_existing=True)
        row = db.session.scalar(query.with_for_update() if locked else query)
        if row is None:
            row = cls(id=1)
            db.session.add(row)
            try:
                db.session.flush()
            except IntegrityError:
                raise ConcurrentUpdate(_("Somebody else has begun with this at this very moment.")) from None
        return row

    @classmethod
    def seen(cls) -> Self | None:
        """Return the row for reading, None if nobody has ever started."""
        return db.session.scalar(select(cls).where(cls.id == 1).options(joinedload(cls.decided_by)))

    @classmethod
    def application_user(cls) -> str | None:
        """Return who we are to Dataverse, None as long as we have never written there."""
        return db.session.scalar(select(cls.user_id).where(cls.id == 1))

    @property
    def is_on(self) -> bool:
        return self.state == ON

    @classmethod
    def start(
        cls,
        organization_id: str,
        user_id: str,
        *,
        everything: bool,
        with_assumed: bool,
        by: User,
        at: datetime,
    ) -> None:
        """Write hours to this organization from now on: of all jobs, or of those whose hours change."""
        row = cls.current(locked=True)
        if everything:
            OwedHours.start_with_all()
        else:
            OwedHours.start_from_now(with_assumed=with_assumed)
        row.organization_id, row.user_id, row.checked_at, row.rest_until = organization_id, user_id, at, None
        what = "all jobs" if everything else "changes from now on"
        row._decide(ON, f"{what}, organization {organization_id}", by=by, at=at)

    @classmethod
    def stop(cls, *, by: User, at: datetime) -> None:
        """Write nothing more until somebody starts it again; what is owed is kept."""
        cls.current(locked=True)._decide(STOPPED, "", by=by, at=at)

    def _decide(self, state: str, reason: str, *, by: User, at: datetime) -> None:
        changes = {"state": (self.state, state)}
        Audit.record(
            CHANGED, SETTING, None, subject="Hours to Dataverse", by=by, at=at, changes=changes, reason=reason
        )
        self.state, self.decided_by_id, self.decided_at, self.trouble = state, by.id, at, ""
