"""Jobs: what people punch in on. A job is known by its IM number."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from sqlalchemy import (
    ColumnElement,
    ForeignKey,
    Numeric,
    SmallInteger,
    String,
    Text,
    and_,
    case,
    func,
    or_,
    select,
)
from sqlalchemy.orm import Mapped, mapped_column

from flask_app.im_number import LONGEST, im_key
from flask_app.models.audit import ADDED, CHANGED, JOB, Audit
from flask_app.models.database import Base, db
from flask_app.models.errors import RuleViolation, ValidationError
from flask_app.models.numbered import Numbered, parse_number
from flask_app.models.types import FieldTexts, UtcDateTime, exact_string, plain
from flask_app.models.user import User
from flask_app.words import _, noted

ACTIVE, INACTIVE = 1, 0
MANUAL, DATAVERSE = "manual", "dataverse"
IM_NUMBER_MAX = LONGEST
# What a job takes over from its row in Dataverse, until somebody edits it in the shop.
FOLLOWED = ("general_contractor", "job_scope", "job_name_address")
# How that row stands there.
APPROVED, NOT_APPROVED, DEACTIVATED, DELETED = "approved", "not_approved", "deactivated", "deleted"
MISSING = "missing"  # Dataverse does not show it, but has not said that it does not exist
GONE_STATES = (NOT_APPROVED, DEACTIVATED, DELETED, MISSING)
MAX_ESTIMATE = 999_999.0


class Job(Numbered, Base):
    """One job on the board. `user_id` is who typed it in, None for a job that came from Dataverse."""

    __tablename__ = "jobs"

    id: Mapped[int] = mapped_column(primary_key=True)
    general_contractor: Mapped[str] = mapped_column(Text)
    job_scope: Mapped[str] = mapped_column(Text)
    job_name_address: Mapped[str] = mapped_column(Text, default="")  # one text, as in Dataverse
    estimated_hours: Mapped[float | None] = mapped_column(Numeric(8, 2, asdecimal=False))
    context: Mapped[str] = mapped_column(Text, default="")
    status: Mapped[int] = mapped_column(SmallInteger, default=ACTIVE, index=True)
    source: Mapped[str] = mapped_column(String(20), default=MANUAL)
    dataverse_id: Mapped[str | None] = mapped_column(exact_string(36), unique=True)
    upstream_state: Mapped[str] = mapped_column(
        "dataverse_standing", String(20), default=""
    )  # "": not from there
    dataverse_since: Mapped[datetime | None] = mapped_column(UtcDateTime)  # when `upstream_state` was lost
    # When it was approved again although the shop had closed it, until somebody has decided about it.
    returned_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    fingerprint: Mapped[str] = mapped_column("dataverse_fingerprint", String(24), default="")
    # Field -> what Dataverse says, for the fields that are the shop's own by now.
    dataverse_says: Mapped[dict[str, str]] = mapped_column(FieldTexts, nullable=True, default=dict)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))

    @property
    def is_active(self) -> bool:
        return self.status == ACTIVE

    @property
    def name(self) -> str:
        """What people call it: its name and address up to the first comma; without one, its contractor."""
        first = self.job_name_address.strip().partition("\n")[0].partition(",")[0]
        return first.strip() or self.general_contractor

    @classmethod
    def create(cls, values: Mapping[str, Any], *, by: User, at: datetime) -> Self:
        """Add a job typed in by an admin, or raise ValidationError."""
        filled = {"im_number": "", "general_contractor": "", "job_scope": "", **values}
        job = cls(**_checked(filled), user_id=by.id, source=MANUAL, created_at=at)
        db.session.add(job)
        job._flush_number()
        job._write_down(ADDED, {}, by=by, at=at)
        return job

    def edit(self, values: Mapping[str, Any], *, at: datetime, by: User | None = None) -> None:
        """Change these fields; the others stay as they are. Raises ValidationError."""
        self.lock()  # a sync may be changing it at this moment
        values = _checked({field: new for field, new in values.items() if new != getattr(self, field, new)})
        before, key = self._seen(), self.im_key
        for field, value in values.items():
            if self.dataverse_id and (field in FOLLOWED or field == "im_number"):
                self._make_own(field)
            setattr(self, field, value)
        if "status" in values:
            self.returned_at = None
        self.updated_at = at
        self._drop_same_number()
        self._flush_number(key)
        self._write_down(CHANGED, before, by=by, at=at)

    def lock(self) -> Self:
        """Read the job again and keep others from changing it until the transaction ends."""
        db.session.refresh(self, with_for_update=True)
        return self

    def _seen(self) -> dict[str, object]:
        return {field: getattr(self, field) for field in _CHECKS}

    def _write_down(
        self, action: str, before: Mapping[str, object], *, by: User | None, at: datetime, reason: str = ""
    ) -> None:
        changes = {field: (before.get(field), value) for field, value in self._seen().items()}
        subject = f"Job {self.im_number}"
        Audit.record(action, JOB, self.id, subject=subject, by=by, at=at, changes=changes, reason=reason)

    def _make_own(self, field: str) -> None:
        """From now on a sync leaves this field alone; what Dataverse says is kept beside it."""
        says = getattr(self, field)
        self.dataverse_says = {field: says, **self.dataverse_says}

    def _drop_same_number(self) -> None:
        """The number that Dataverse has as well, typed in here, is nothing of the shop's own."""
        if im_key(self.dataverse_says.get("im_number", "")) == self.im_key:
            self.dataverse_says = {
                name: says for name, says in self.dataverse_says.items() if name != "im_number"
            }

    def follow_again(self, field: str, *, at: datetime, by: User | None = None) -> list[tuple[str, str]]:
        """Hand a field back to Dataverse: it says now what Dataverse said last.

        With an IM number, jobs that have it here and another one there follow along: see renumbering().
        Returns the IM number before and now of each job concerned.
        """
        db.session.refresh(self, with_for_update=True)
        if field not in self.dataverse_says:
            raise RuleViolation(_("There is nothing to hand back to Dataverse here."))
        steps = self.renumbering() if field == "im_number" else [(self, self.dataverse_says[field])]
        before, numbers = [job._seen() for job, _to in steps], [job.im_number for job, _to in steps]
        if field == "im_number":
            self._renumber(steps)
        else:
            setattr(self, field, self.dataverse_says[field])
        for (job, _to), seen in zip(steps, before, strict=True):
            job.dataverse_says = {name: says for name, says in job.dataverse_says.items() if name != field}
            job.updated_at = at
            job._write_down(CHANGED, seen, by=by, at=at, reason=noted("It follows Dataverse again here."))
        return [(number, job.im_number) for number, (job, _to) in zip(numbers, steps, strict=True)]

    @property
    def is_gone(self) -> bool:
        """Whether Dataverse does not have it as an approved job any more."""
        return self.upstream_state not in ("", APPROVED)

    @classmethod
    def gone_but_active(cls, *, limit: int = 200) -> Sequence[Self]:
        """The jobs on the active board that are not approved in Dataverse any more, the latest first."""
        rule = (cls.status == ACTIVE, cls.upstream_state.in_(GONE_STATES))
        query = select(cls).where(*rule).order_by(cls.dataverse_since.desc(), cls.id).limit(limit)
        return db.session.scalars(query).all()

    @classmethod
    def returned_but_closed(cls, *, limit: int = 200) -> Sequence[Self]:
        """The jobs that Dataverse has approved again after the shop had closed them, the latest first."""
        rule = (cls.status == INACTIVE, cls.upstream_state == APPROVED, cls.returned_at.is_not(None))
        query = select(cls).where(*rule).order_by(cls.returned_at.desc(), cls.id).limit(limit)
        return db.session.scalars(query).all()

    @classmethod
    def numbered_otherwise(cls, *, limit: int = 200) -> Sequence[Self]:
        """The jobs on the active board that have another number in Dataverse, by their numbers."""
        rule = (cls.status == ACTIVE, cls.dataverse_says.is_not(None), cls.upstream_state == APPROVED)
        found = db.session.scalars(select(cls).where(*rule).order_by(cls.im_order, cls.id))
        return [job for job in found if "im_number" in job.dataverse_says][:limit]

    def stay_closed(self) -> None:
        """It was approved again, and somebody has seen that it is to stay closed."""
        self.returned_at = None

    @classmethod
    def board(cls, *, status: int, search: str = "", page: int = 1, per_page: int = 20) -> "JobPage":
        """Return one page of the board: jobs that have every word of `search` somewhere."""
        search = plain(search)
        rule = [cls.status == status, *cls.having(search)]
        counts, total = cls._counts(status, cls.having(search))
        pages = max(1, -(-total // per_page))
        page = min(max(1, page), pages)
        query = (
            select(cls)
            .where(*rule)
            .order_by(*_best_first(search))
            .limit(per_page)
            .offset((page - 1) * per_page)
        )
        return JobPage(db.session.scalars(query).all(), total, page, pages, counts)

    @classmethod
    def by_key(cls) -> dict[str, Self]:
        """Every job, by what makes its IM number the same as another."""
        return {job.im_key: job for job in db.session.scalars(select(cls))}

    @classmethod
    def suggestions(cls, search: str, *, limit: int = 8) -> Sequence[Self]:
        """The jobs that have every word of `search` somewhere, active before closed, the best first."""
        search = plain(search)
        query = select(cls).where(*cls.having(search)).order_by(cls.status.desc(), *_best_first(search))
        return db.session.scalars(query.limit(limit)).all()

    @classmethod
    def having(cls, search: str) -> list[ColumnElement[bool]]:
        """The rule that a job has every word of `search` somewhere, or all of it as its number."""
        words = [word for word in search.split()[:8] if im_key(word)]
        if not words:
            return []
        every_word = and_(*(_has_word(word) for word in words))
        return [or_(every_word, Job.im_key.contains(im_key(search), autoescape=True))]

    @classmethod
    def kept_open(cls, job_id: int) -> Self | None:
        """Return the job as it is now, locked against whoever closes it, not against other punches."""
        query = select(cls).where(cls.id == job_id).with_for_update(read=True)
        return db.session.scalar(query.execution_options(populate_existing=True))

    @classmethod
    def counts(cls) -> dict[int, int]:
        """Return how many jobs each status has."""
        return cls._counts(ACTIVE, ())[0]

    @classmethod
    def _counts(cls, status: int, rules: Sequence[ColumnElement[bool]]) -> tuple[dict[int, int], int]:
        """Return how many jobs each status has, and how many with that status keep the rules."""
        kept = func.sum(case((and_(*rules), 1), else_=0)) if rules else func.count()
        rows = db.session.execute(select(cls.status, func.count(), kept).group_by(cls.status)).all()
        found = {row_status: (count, int(keeping)) for row_status, count, keeping in rows}
        counts = {ACTIVE: 0, INACTIVE: 0, **{known: count for known, (count, _kept) in found.items()}}
        return counts, found.get(status, (0, 0))[1]


@dataclass(frozen=True, slots=True)
class JobPage:
    """One page of jobs out of `total`; `page` counts from 1 and is within `pages`."""

    jobs: Sequence[Job]
    total: int
    page: int
    pages: int
    counts: Mapping[int, int]  # how many jobs each status has, searched for or not


def _has_word(word: str) -> ColumnElement[bool]:
    columns = (Job.general_contractor, Job.job_scope, Job.job_name_address)
    texts = (column.icontains(word, autoescape=True) for column in columns)
    return or_(Job.im_key.contains(im_key(word), autoescape=True), *texts)


def _best_first(search: str) -> tuple[Any, ...]:
    newest = (Job.created_at.desc(), Job.id.desc())
    if not (key := im_key(search)):
        return newest
    starts = Job.im_key.startswith(key, autoescape=True)
    return (case((Job.im_key == key, 0), (Job.has_beside(key), 1), (starts, 2), else_=3), *newest)


def problems_of(values: Mapping[str, Any]) -> dict[str, str]:
    """Return what is wrong with the values of a job's fields: a sentence for each field."""
    return _look_at(values)[1]


def _checked(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of `values` that are a job's, as they are kept; or raise ValidationError, all at once."""
    kept, problems = _look_at(values)
    if problems:
        raise ValidationError(problems)
    return kept


def _look_at(values: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    kept: dict[str, Any] = {}
    problems: dict[str, str] = {}
    for field, check in _CHECKS.items():
        try:
            if field in values:
                kept[field] = check(values[field])
        except ValueError as problem:
            problems[field] = str(problem)
    return kept, problems


def _general_contractor(text: str) -> str:
    if not text:
        raise ValueError(_("Enter the general contractor."))
    return _at_most(255, text)


def _job_scope(text: str) -> str:
    if not text:
        raise ValueError(_("Enter the scope."))
    return _at_most(2000, text)


def _at_most(length: int, text: str) -> str:
    if len(text) > length:
        raise ValueError(_("This is too long: at most %(most)s characters.", most=f"{length:,}"))
    return text


def _estimated_hours(hours: float | None) -> float | None:
    if hours is not None and not 0 <= hours <= MAX_ESTIMATE:
        raise ValueError(_("Enter hours between 0 and %(most)s.", most=f"{MAX_ESTIMATE:,.0f}"))
    return hours


def _status(status: int) -> int:
    if status not in (ACTIVE, INACTIVE):
        raise ValueError(_("The status should be 1 (active) or 0 (inactive)."))
    return status


_CHECKS: dict[str, Any] = {
    "im_number": parse_number,
    "general_contractor": _general_contractor,
    "job_scope": _job_scope,
    "job_name_address": lambda text: _at_most(2000, text),
    "estimated_hours": _estimated_hours,
    "context": lambda text: _at_most(2000, text),
    "status": _status,
}
