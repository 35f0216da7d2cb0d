"""What holds for every shift, whoever writes it. Pure but for one question: which other shift is in the way.

Punches are kept to the second, but every rule is on the minute as the clock shows it (`to_minute`): whoever
left at 11:30:10 and came at 11:30 was never in two places, and 7:02 is not before 7:02:40.
"""

from dataclasses import dataclass
from datetime import datetime, time, timedelta, tzinfo
from uuid import UUID

from flask_app.clock import day_of, shown_at, to_minute
from flask_app.models.errors import RuleViolation, ValidationError
from flask_app.models.shift import NOTE_MAX, Shift
from flask_app.models.shop_rules import DepartmentRule
from flask_app.models.types import plain
from flask_app.models.user import User
from flask_app.words import _

CLOCK_SLACK = timedelta(minutes=2)  # by how much the clocks of two web hosts may differ
DOUBLE_TAP = timedelta(seconds=3)  # a punch out so soon after the punch in may be a finger's second tap
LONGEST_TYPED = timedelta(hours=24)  # a typed shift that is longer has a wrong date in it
USUAL_SHIFT = timedelta(hours=8)  # of whoever began after their department's usual end


class PunchRefused(RuleViolation):
    """A punch that can't be taken; the text is for the worker."""


class JobClosed(PunchRefused):
    """The job is not on the active board."""


class NoSuchJob(PunchRefused):
    """The job is not there."""


class AlreadyOn(PunchRefused):
    """The worker is on this very job already."""


class TooSoon(PunchRefused):
    """A punch out a moment after the punch in: whoever means it says so a second time."""


class Overlaps(ValidationError):
    """The person has another shift at that time: `other`. Controllers say when it was, in shop time."""

    def __init__(self, other: Shift) -> None:
        self.other = other
        super().__init__(
            {"started_at": _("There is another shift at that time, on %(job)s.", job=other.job.im_number)}
        )


@dataclass(frozen=True, slots=True)
class PunchRules:
    """The shop's zone, and from which length on an end is doubted: nobody works that long in one stretch."""

    zone: tzinfo
    longest: timedelta = timedelta(hours=16)

    def doubts(self, started_at: datetime, at: datetime) -> bool:
        """Whether a shift from `started_at` to `at` is too long to have ended by that punch."""
        return to_minute(at) - to_minute(started_at) > self.longest

    def assumed_end(self, shift: Shift, rule: DepartmentRule, *, now: datetime) -> datetime:
        """Return when somebody with such a shift probably left: at the department's usual end of its day."""
        end = on_its_day(shift, rule.assumed_end, self.zone)
        return min(end if end > shift.started_at else shift.started_at + USUAL_SHIFT, now)


def on_its_day(shift: Shift, at: time, zone: tzinfo) -> datetime:
    """Return the instant at which clocks in `zone` showed `at` on the day on which the shift began."""
    return shown_at(day_of(shift.started_at, zone), at, zone)


def same_minute(one: datetime | None, other: datetime | None) -> bool:
    """Whether two punches are shown alike."""
    return one == other or (one is not None and other is not None and to_minute(one) == to_minute(other))


def end_of(started_at: datetime, ended_at: datetime | None) -> datetime | None:
    """Return an end that the database takes: never a few seconds before a start of the same minute."""
    is_same = ended_at is not None and same_minute(started_at, ended_at)
    return max(started_at, ended_at) if ended_at is not None and is_same else ended_at


def check_times(
    person: User, started_at: datetime, ended_at: datetime | None, *, now: datetime, but: Shift | None = None
) -> None:
    """Raise ValidationError unless `person` (locked) may have a shift then; `but`: the one being changed."""
    problems = {}
    if started_at > now + CLOCK_SLACK:
        problems["started_at"] = _("This start is in the future.")
    if ended_at is not None and ended_at > now + CLOCK_SLACK:
        problems["ended_at"] = _("This end is in the future.")
    elif ended_at is not None and to_minute(ended_at) < to_minute(started_at):
        problems["ended_at"] = _("The end is before the start.")
    elif ended_at is not None and to_minute(ended_at) - to_minute(started_at) > LONGEST_TYPED:
        problems["ended_at"] = _("A shift can't be longer than 24 hours. Check the dates.")
    if problems:
        raise ValidationError(problems)
    if other := Shift.overlapping(person, started_at, ended_at, but=but):
        raise Overlaps(other)


def no_earlier(last: datetime, at: datetime) -> datetime:
    """Return `at`, or the last punch if that came from a host whose clock is a little ahead."""
    if at < last - CLOCK_SLACK:
        raise PunchRefused(
            _("The server's clock is behind your last punch, so this punch can't be right. Tell an admin.")
        )
    return max(at, last)


def checked_note(text: str) -> str:
    text = plain(text)
    if len(text) > NOTE_MAX:
        raise PunchRefused(_("This is too long: at most %(most)s characters.", most=NOTE_MAX))
    return text


def checked_key(text: str) -> str | None:
    if not text:
        return None
    try:
        return str(UUID(text))
    except ValueError:
        raise PunchRefused(_("The form is damaged. Reload the page and try again.")) from None
