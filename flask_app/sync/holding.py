"""What is too much to be believed: answers that would mark very many jobs as gone, or blank a field.

Nothing of that kind is applied until an admin has confirmed it; the rest of the run is. Pure, like deciding:
what an admin has said so far comes in as `standing`. Hooks tell of rows a few at a time, so what they have
told of within the last hour counts together with what an answer says.
"""

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field
from datetime import timedelta
from types import MappingProxyType

from flask_app.dataverse.service import NO_CONTRACTOR, NO_SCOPE
from flask_app.models.job import APPROVED, FOLLOWED
from flask_app.models.sync_hold import APPLIED, CLEARED, CONFIRMED, DISMISSED, GONE, OPEN
from flask_app.sync.decision import Change, Decision

LEAST = 10  # jobs; so many may always change at once
SHARE = 5  # more than one in so many of those that follow Dataverse is too much
TOGETHER = timedelta(hours=1)  # what hooks tell within this is one answer
# What a field says when Dataverse says nothing.
BLANK = {"general_contractor": NO_CONTRACTOR, "job_scope": NO_SCOPE, "job_name_address": ""}
KINDS = (GONE, *FOLLOWED)
_NONE: Mapping[str, int] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Standing:
    """What was held back before and what an admin has said about it: OPEN is nothing yet."""

    state: str
    job_ids: frozenset[int]


@dataclass(frozen=True, slots=True)
class Held:
    """What one answer says of so many jobs that it is not applied: GONE, or a field that would be blank.

    `out_of` is how many jobs follow Dataverse; `state` is OPEN, or DISMISSED if an admin has refused it.
    `hooked`: of so many others, hooks have told the same just before.
    """

    kind: str
    job_ids: frozenset[int]
    out_of: int
    state: str
    hooked: int = 0


@dataclass(slots=True)
class Holding:
    """What is held back, and what has become of that which was: kind -> APPLIED or CLEARED."""

    held: list[Held] = field(default_factory=list)
    settled: dict[str, str] = field(default_factory=dict)


def hold_back(
    decision: Decision,
    *,
    followed: int,
    empty: Set[str],
    standing: Mapping[str, Standing],
    hooked: Mapping[str, int] = _NONE,
) -> Holding:
    """Take out of the decision what is too much; return that.

    `followed` is how many jobs followed an approved row before, `empty` the fields of which no row says
    anything: nobody knows then whether somebody took the texts out or they are hidden from us. `hooked` is
    of how many jobs hooks have told the same within TOGETHER, by kind.
    """
    holding = Holding()
    for kind in KINDS:
        job_ids = frozenset(_concerned(decision, kind))
        told = hooked.get(kind, 0)
        held = _held(kind, job_ids, followed, kind in empty, standing.get(kind), told)
        if held:
            _take_back(decision, kind, held.job_ids)
            holding.held.append(held)
        before = standing.get(kind)
        if before and (held is None or before.state == CONFIRMED):
            holding.settled[kind] = APPLIED if before.state == CONFIRMED else CLEARED
    return holding


def _held(
    kind: str, job_ids: frozenset[int], followed: int, is_empty: bool, before: Standing | None, hooked: int
) -> Held | None:
    """Return what of these jobs is held; of what an admin has confirmed, exactly that is let through."""

    def is_too_much(some: frozenset[int]) -> bool:
        count = len(some) + hooked
        return bool(some) and (is_empty or (count >= LEAST and count * SHARE > followed + hooked))

    rest = job_ids - before.job_ids if before and before.state == CONFIRMED else job_ids
    if not is_too_much(rest):
        return None
    if before and before.state == DISMISSED and not is_too_much(rest - before.job_ids):
        return Held(kind, rest & before.job_ids, followed, DISMISSED)
    return Held(kind, rest, followed, OPEN, hooked)


def _concerned(decision: Decision, kind: str) -> Iterable[int]:
    if kind == GONE:
        return (job.id for job in decision.gone if decision.before[job.id].upstream_state == APPROVED)
    return (change.job_id for change in decision.changes if _blanks(change, kind))


def _blanks(change: Change, name: str) -> bool:
    return change.field == name and change.new == BLANK[name] and change.old not in ("", BLANK[name])


def _take_back(decision: Decision, kind: str, job_ids: Set[int]) -> None:
    """Leave these jobs as they were, as far as this kind goes."""
    if kind == GONE:
        for job_id in job_ids:
            decision.updates[job_id].upstream_state = APPROVED
        decision.gone = [job for job in decision.gone if job.id not in job_ids]
    else:
        decision.changes = [
            one for one in decision.changes if one.job_id not in job_ids or not _blanks(one, kind)
        ]
        for job_id in job_ids:
            job = decision.updates[job_id]
            setattr(job, kind, getattr(decision.before[job_id], kind))
            job.fingerprint = ""  # so that its row is looked at again by the next reading
    for job_id in job_ids:
        if decision.updates[job_id] == decision.before[job_id]:
            del decision.updates[job_id]
