"""What a job's IM number brings with it: its key, its order, who else has it, taking Dataverse's number."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Self

from sqlalchemy import ColumnElement, String, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, mapped_column, validates

from flask_app.im_number import (
    LONGEST,
    LONGEST_ORDER,
    im_key,
    is_twin_key,
    numbers_in,
    order_key,
    tidy,
    twin_key,
)
from flask_app.models.database import db
from flask_app.models.errors import ConcurrentUpdate, RuleViolation, ValidationError
from flask_app.models.types import exact_string, plain
from flask_app.words import _


class Numbered:
    """The part of a job that is its IM number. `im_key` is unique: what makes two numbers the same.

    A job whose key was another job's already when the rule changed has a twin key, until it gets a number of
    its own or the other one gives the number up.
    """

    if TYPE_CHECKING:
        id: Mapped[int]
        dataverse_says: Mapped[dict[str, str]]

    im_number: Mapped[str] = mapped_column(String(LONGEST))
    im_key: Mapped[str] = mapped_column(exact_string(LONGEST), unique=True)
    im_order: Mapped[str] = mapped_column(exact_string(LONGEST_ORDER), default="")  # what to sort by

    @validates("im_number")
    def _keep_key(self, _name: str, im_number: str) -> str:
        self.im_key, self.im_order = im_key(im_number), order_key(im_number)
        return im_number

    @classmethod
    def exactly(cls, im_number: str) -> Self | None:
        """The job whose number this is, active or not."""
        return db.session.scalar(select(cls).where(cls.im_key == im_key(plain(im_number))))

    @classmethod
    def numbered(cls, im_number: str) -> Self | None:
        """The job with this IM number, active or not; if none has it, the only one with it as one of two."""
        if job := cls.exactly(im_number):
            return job
        key = im_key(plain(im_number))
        found = db.session.scalars(select(cls).where(cls.has_beside(key))).all() if key else []
        with_both = [job for job in found if key in numbers_in(im_key(job.im_number))]
        return with_both[0] if len(with_both) == 1 else None

    @classmethod
    def with_keys(cls, keys: Sequence[str]) -> Sequence[Self]:
        """The jobs that have one of these keys."""
        return db.session.scalars(select(cls).where(cls.im_key.in_(keys))).all() if keys else []

    @classmethod
    def has_beside(cls, key: str) -> ColumnElement[bool]:
        """The rule that a number such as 2458 (4391) has `key` as one of its two."""
        first = cls.im_key.startswith(f"{key}(", autoescape=True)
        return or_(first, cls.im_key.endswith(f"({key})", autoescape=True))

    @classmethod
    def twins(cls) -> list[list[Self]]:
        """Return the jobs that have one number, by the rule for keys: whose it is, then the others."""
        is_twin = cls.im_key.contains(twin_key("", 0).rstrip("0"), autoescape=True)
        twins = db.session.scalars(select(cls).where(is_twin).order_by(cls.im_order, cls.id)).all()
        keys = sorted({im_key(twin.im_number) for twin in twins})
        owners = {job.im_key: job for job in cls.with_keys(keys)}
        groups: dict[str, list[Self]] = {key: [owners[key]] if key in owners else [] for key in keys}
        for twin in twins:
            groups[im_key(twin.im_number)].append(twin)
        return sorted(groups.values(), key=lambda group: group[0].im_order)

    def _flush_number(self, given_up: str = "") -> None:
        """Flush, or raise ValidationError if another job has the number; `given_up` is the key before."""
        with db.session.no_autoflush:
            others = select(type(self).im_number).where(type(self).im_key == self.im_key)
            other = db.session.scalar(others.where(type(self).id != self.id) if self.id else others)
        if other is not None:
            raise ValidationError({"im_number": _("There is already a job %(job)s.", job=other)})
        try:
            db.session.flush()
        except IntegrityError:
            raise ValidationError(
                {"im_number": _("There is already a job %(job)s.", job=self.im_number)}
            ) from None
        if given_up and given_up != self.im_key and not is_twin_key(given_up):
            self._hand_on(given_up)

    @classmethod
    def _hand_on(cls, key: str) -> None:
        """Give a key that is free now to the job that has been waiting for it, if one has."""
        is_twin = cls.im_key.startswith(twin_key(key, 0)[:-1], autoescape=True)
        for twin in db.session.scalars(select(cls).where(is_twin).order_by(cls.id)):
            if im_key(twin.im_number) == key:
                twin.im_key = key
                db.session.flush()
                return

    def renumbering(self) -> list[tuple[Self, str]]:
        """Return whom to give which number so that this job takes Dataverse's: itself, and who is in its way.

        Two jobs that were swapped there are swapped here together, and so on round any ring or along any
        row. Raises RuleViolation if one that is in the way has no other number in Dataverse.
        """
        steps: list[tuple[Self, str]] = []
        job: Self | None = self
        while job is not None and job.id not in {done.id for done, _ in steps}:
            if "im_number" not in job.dataverse_says:
                raise RuleViolation(
                    _("Job %(job)s has that number here. Give it another one first.", job=job.im_number)
                )
            number = number_from(job.dataverse_says["im_number"])
            steps.append((job, number))
            job = self._holder_of(im_key(number))
        if job is not None and job is not self:  # a ring that does not come back to this one
            other, number = steps[-1]
            raise RuleViolation(
                _(
                    "Job %(job)s here has the number %(number)s in Dataverse as well.",
                    job=other.im_number,
                    number=number,
                )
            )
        return steps

    @classmethod
    def _holder_of(cls, key: str) -> Self | None:
        """Return the job that has this key now, locked until the commit."""
        query = select(cls).where(cls.im_key == key).with_for_update()
        return db.session.scalar(query.execution_options(populate_existing=True))

    @classmethod
    def _renumber(cls, steps: Sequence[tuple[Self, str]]) -> None:
        """Give each job its new number; for a moment none has any, since each key may be another's."""
        given_up = [job.im_key for job, _to in steps]
        for job, _to in steps:
            job.im_key = twin_key("", job.id)
        db.session.flush()
        for job, number in steps:
            job.im_number = number
        try:
            db.session.flush()
        except IntegrityError:
            raise ConcurrentUpdate(
                _("Another job with this IM number was saved at this very moment.")
            ) from None
        for key in set(given_up) - {job.im_key for job, _to in steps}:
            if not is_twin_key(key):
                cls._hand_on(key)


def number_from(text: str) -> str:
    """Return an IM number as it is kept, or raise ValidationError with what is wrong with it."""
    try:
        return parse_number(text)
    except ValueError as problem:
        raise ValidationError({"im_number": str(problem)}) from None


def parse_number(text: str) -> str:
    """Return an IM number as it is kept; ValueError says what is wrong with it."""
    text = tidy(text)
    if not im_key(text):
        raise ValueError(_("Enter the IM number."))
    if len(text) > LONGEST or len(im_key(text)) > LONGEST:
        raise ValueError(_("This is too long: at most %(most)s characters.", most=LONGEST))
    return text
