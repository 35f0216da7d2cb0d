"""What the ledger says happened, in words: whole sentences for oneself, and for an admin about others."""

from datetime import datetime

from flask_app.models import Shift, User
from flask_app.timeclock.ledger import Punched, PunchedOut, Unchanged
from flask_app.web.access import current_user
from flask_app.web.presenting import clock, stamp
from flask_app.words import lazy

_SENTENCES = {  # about oneself, about somebody else
    "on": (lazy("You're on %(job)s since %(at)s."), lazy("%(name)s is on %(job)s since %(at)s.")),
    "off": (lazy("Punched out of %(job)s at %(at)s."), lazy("%(name)s punched out of %(job)s at %(at)s.")),
    "not on the clock": (lazy("You're not on the clock now."), lazy("%(name)s is not on the clock now.")),
    "counted": (
        lazy("This punch was already counted: %(job)s from %(since)s to %(at)s."),
        lazy("This punch was already counted: %(name)s on %(job)s from %(since)s to %(at)s."),
    ),
    "left before": (
        lazy("You already left %(job)s at %(at)s, so nothing was changed."),
        lazy("%(name)s had already left %(job)s at %(at)s, so nothing was changed."),
    ),
    "moved": (
        lazy("Your shift on %(job)s now ends at %(at)s."),
        lazy("%(name)s's shift on %(job)s now ends at %(at)s."),
    ),
    "assumed": (
        lazy("Your shift on %(job)s was open for very long. We used %(day)s. Tell us when you left."),
        lazy("%(name)s's shift on %(job)s was open for very long. We used %(day)s."),
    ),
    "too late": (
        lazy("It's too late to punch out of that shift. We used %(day)s. Tell us when you left instead."),
        lazy("%(name)s's shift on %(job)s has an assumed end, %(day)s. Correct it instead."),
    ),
}


def punched_in(done: Punched | Unchanged, worker: User) -> str:
    """Say what a punch in did."""
    if isinstance(done, Unchanged):
        return _repeated(done, worker)
    words = [_say("on", worker, done.shift, done.shift.started_at)]
    if done.ended and done.ended.assumed_at:
        words.append(_say("assumed", worker, done.ended, done.ended.ended_at))
    elif done.ended and done.was_assumed:
        words.append(_say("moved", worker, done.ended, done.ended.ended_at))
    return " ".join(words)


def _repeated(done: Unchanged, worker: User) -> str:
    if done.shift.is_open:
        return _say("on", worker, done.shift, done.shift.started_at)
    return f"{_say('counted', worker, done.shift, done.shift.ended_at)} {present(done.present, worker)}"


def punched_out(done: PunchedOut | Unchanged, worker: User) -> str:
    """Say what a punch out did, or why it did nothing, by how the person stands now."""
    shift = done.shift
    if isinstance(done, Unchanged) and done.present:
        return f"{_say('left before', worker, shift, shift.ended_at)} {present(done.present, worker)}"
    if shift.assumed_at:
        key = "assumed" if isinstance(done, PunchedOut) else "too late"
        return _say(key, worker, shift, shift.ended_at)
    is_news = isinstance(done, PunchedOut) or worker.id == current_user().id
    return _say("off" if is_news else "left before", worker, shift, shift.ended_at)


def present(shift: Shift | None, worker: User) -> str:
    """Say what somebody is on now."""
    if shift is None:
        return _say("not on the clock", worker, None, None)
    return _say("on", worker, shift, shift.started_at)


def _say(key: str, worker: User, shift: Shift | None, at: datetime | None) -> str:
    words = _SENTENCES[key][0 if worker.id == current_user().id else 1]
    return words % {
        "name": worker.name,
        "job": shift.job.im_number if shift else "",
        "since": clock(shift.started_at) if shift else "",
        "at": clock(at) if at else "",
        "day": stamp(at) if at else "",
    }
