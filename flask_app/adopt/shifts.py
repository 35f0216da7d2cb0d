"""One person's old shifts in our words: what is taken over, repaired, merged, or set aside for an admin."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from itertools import pairwise

from flask_app.adopt.people_and_jobs import Taken
from flask_app.adopt.source import OldShift
from flask_app.adopt.wall_clocks import AUTOMATIC, SKIPPED, TWICE, UNSURE, Instant, WallClocks
from flask_app.clock import day_of, shown_at
from flask_app.models.adopted_row import SET_ASIDE
from flask_app.models.types import plain

LONGEST = timedelta(hours=24)  # a longer one was forgotten, or its date is wrong
STILL_OPEN = timedelta(hours=16)  # an open shift that began before was forgotten
SECONDS = timedelta(minutes=2)  # the old form was opened before it was sent: shifts overlap by that much
FIRST_YEAR, LAST_YEAR = 2000, 2999
# What a mark of an instant is called in the report.
_RULES = {
    TWICE: "{}_in_the_hour_that_came_twice",
    SKIPPED: "{}_in_the_hour_that_was_skipped",
    UNSURE: "{}_clock_unsure",
    AUTOMATIC: "{}_by_the_old_clock_out",
}


@dataclass(frozen=True, slots=True)
class Rules:
    """What decides: the clocks, when it is, the assumed end (shop time), which jobs there are."""

    clocks: WallClocks
    now: datetime
    assumed_end: time
    job_of: Callable[[int | None], int | None]  # old number -> the number of the job that it is now


@dataclass(slots=True)
class _Found:
    row: OldShift
    taken: Taken
    start: datetime
    end: datetime | None


def shifts(rows: Sequence[OldShift], rules: Rules, *, may_be_open: bool) -> list[Taken]:
    """Return what becomes of each of one person's shifts; `values` lack the person.

    `may_be_open`: the person is active, so the latest open shift may go on.
    """
    taken = [Taken(row.id) for row in rows]
    found = [one for row, t in zip(rows, taken, strict=True) if (one := _read(row, t, rules)) is not None]
    found.sort(key=lambda one: (one.start, one.row.id))
    found = _without_twins(found)
    _end_forgotten(found, rules, may_be_open=may_be_open)
    _mark_overlaps(found)
    for one in found:
        one.taken.values |= {"created_at": one.start, "updated_at": one.end}
    return taken


def _read(row: OldShift, taken: Taken, rules: Rules) -> _Found | None:
    """Return the shift with its instants, None if it has to be set aside."""
    job_id = rules.job_of(row.job_id)
    taken.values = {"job_id": job_id, "note": plain(row.note or "", lines=True), "assumed": False}
    if not (_has_a_year(row.created_at) and _has_a_year(row.updated_at)):
        _set_aside(taken, "impossible_date")
        return None
    start, end = _instants(row, taken, rules)
    taken.values |= {"created_at": start, "updated_at": end}
    if start is None:
        _set_aside(taken, "no_start" if end else "no_times")
        return None
    if problem := _problem(job_id, start, end, rules.now):
        _set_aside(taken, problem)
        return None
    return _Found(row, taken, start, end)


def _has_a_year(stored: datetime | None) -> bool:
    return stored is None or FIRST_YEAR <= stored.year <= LAST_YEAR


def _instants(row: OldShift, taken: Taken, rules: Rules) -> tuple[datetime | None, datetime | None]:
    began = ended = None
    if row.created_at is not None:
        began = rules.clocks.start(row.created_at, stored_end=row.updated_at)
        _mark(taken, "start", began)
    if row.updated_at is not None:
        ended = rules.clocks.end(row.updated_at, start=began.at if began else None)
        _mark(taken, "end", ended)
    return began.at if began else None, ended.at if ended else None


def _problem(job_id: int | None, start: datetime, end: datetime | None, now: datetime) -> str:
    if job_id is None:
        return "no_job"
    last = end or start
    if end is not None and end < start:
        return "ends_before_it_starts"
    if last > now + timedelta(days=1):
        return "impossible_date"
    return "longer_than_a_day" if last - start > LONGEST else ""


def _set_aside(taken: Taken, rule: str) -> None:
    taken.outcome = SET_ASIDE
    taken.rules.append(rule)


def _mark(taken: Taken, which: str, instant: Instant) -> None:
    taken.rules += [_RULES[mark].format(which) for mark in instant.marks]


def _without_twins(found: list[_Found]) -> list[_Found]:
    """One punch that was sent twice is one shift: the same job and times."""
    kept: dict[tuple[object, ...], _Found] = {}
    for one in found:
        same = (one.start, one.end, one.taken.values["job_id"])
        first = kept.setdefault(same, one)
        if first is not one:
            first.taken.values["note"] = first.taken.values["note"] or one.taken.values["note"]
            one.taken.merge(first.row.id, "sent_twice")
    return list(kept.values())


def _end_forgotten(found: Sequence[_Found], rules: Rules, *, may_be_open: bool) -> None:
    """Of several open shifts only the latest may go on, if it is fresh; the others get an assumed end."""
    open_ones = [one for one in found if one.end is None]
    goes_on = open_ones[-1] if open_ones and may_be_open else None
    if goes_on and rules.now - goes_on.start > STILL_OPEN:
        goes_on = None
    following = {id(one): after for one, after in pairwise(found)}
    for one in open_ones:
        if one is not goes_on:
            after = following.get(id(one))
            one.end = _assumed_end(one.start, after.start if after else rules.now, rules)
            one.taken.values["assumed"] = True
            one.taken.repair("surplus_open" if goes_on or one is not open_ones[-1] else "left_open")


def _assumed_end(start: datetime, next_start: datetime, rules: Rules) -> datetime:
    """Return the department's usual end on the day of the start, or the next punch in if that came before;
    never before the start."""
    zone = rules.clocks.zones["shop"]
    usual = shown_at(day_of(start, zone), rules.assumed_end, zone)
    return max(start, min(usual, next_start))


def _mark_overlaps(found: Iterable[_Found]) -> None:
    """Overlaps stay as they were punched: they are told, and an admin can correct them."""
    latest: datetime | None = None
    for one in found:
        if latest is not None and one.start < latest:
            by = min(latest, one.end or latest) - one.start
            one.taken.rules.append("overlaps_by_seconds" if by <= SECONDS else "overlaps")
        if one.end is not None:
            latest = one.end if latest is None else max(latest, one.end)


def of_nobody(rows: Iterable[OldShift], rules: Rules) -> list[Taken]:
    """Set aside the shifts whose person is not in the old database."""
    found = []
    for row in rows:
        taken = Taken(row.id)
        _read(row, taken, rules)
        _set_aside(taken, "no_person")
        found.append(taken)
    return found
