"""Where a job's documents are in SharePoint, as Dataverse told it last."""

from collections.abc import Mapping
from datetime import datetime
from typing import Self

from sqlalchemy import ForeignKey, String, Text, delete, select
from sqlalchemy.orm import Mapped, mapped_column

from flask_app.models.database import Base, db
from flask_app.models.job import ACTIVE, Job
from flask_app.models.types import UtcDateTime, exact_string


class JobFolder(Base):
    """One job's folder. `location_id` and `relative` are those of its row in Dataverse: while they are the
    same, the address is not asked again."""

    __tablename__ = "job_folders"

    job_id: Mapped[int] = mapped_column(ForeignKey("jobs.id"), primary_key=True, autoincrement=False)
    location_id: Mapped[str] = mapped_column(exact_string(36))
    relative: Mapped[str] = mapped_column(String(400))
    address: Mapped[str] = mapped_column(Text)
    seen_at: Mapped[datetime] = mapped_column(UtcDateTime)

    @classmethod
    def of(cls, job: Job) -> Self | None:
        return db.session.get(cls, job.id)

    @classmethod
    def known(cls) -> dict[int, Self]:
        """Return all folders by job."""
        return {folder.job_id: folder for folder in db.session.scalars(select(cls))}

    @classmethod
    def linked_jobs(cls) -> dict[str, int]:
        """Map the rows of Dataverse that active jobs follow to these jobs."""
        query = select(Job.dataverse_id, Job.id).where(Job.dataverse_id.is_not(None), Job.status == ACTIVE)
        return {str(row_id): job_id for row_id, job_id in db.session.execute(query)}

    @classmethod
    def write(cls, folders: Mapping[int, tuple[str, str, str]], looked_at: set[int], *, at: datetime) -> None:
        """Write job -> (location_id, relative, address); forget those of other jobs that were looked at."""
        known = cls.known()
        for job_id, (location_id, relative, address) in folders.items():
            folder = known.get(job_id) or cls(job_id=job_id)
            folder.location_id, folder.relative, folder.address = location_id, relative[:400], address
            folder.seen_at = at
            db.session.add(folder)
        gone = sorted((known.keys() & looked_at) - folders.keys())
        for first in range(0, len(gone), 500):
            db.session.execute(delete(cls).where(cls.job_id.in_(gone[first : first + 500])))
