"""What a sync leaves to an admin: held back, approved again but closed, other numbers, one number twice."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from flask_app.im_number import im_key
from flask_app.models import Job, SyncHold


@dataclass(frozen=True, slots=True)
class Renumbering:
    """A job that has another number in Dataverse. `along`: who gives up that number and follows with it.

    `in_the_way` has the number here as well as there, so that it can't be taken.
    """

    job: Job
    number: str
    along: Sequence[Job]
    in_the_way: Job | None


@dataclass(frozen=True, slots=True)
class Attention:
    """All of it, for the sync's page."""

    holds: Sequence[SyncHold]
    returned: Sequence[Job]
    renumbered: Sequence[Renumbering]
    twins: Sequence[Sequence[Job]]


def attention() -> Attention:
    """Return what waits for an admin now."""
    return Attention(SyncHold.current(), Job.returned_but_closed(), renumbered(), Job.twins())


def renumbering_of(job: Job) -> Renumbering | None:
    """Return how a job comes to its number in Dataverse, None if it has it."""
    return _renumberings([job])[0] if "im_number" in job.dataverse_says else None


def renumbered() -> list[Renumbering]:
    """Return the active jobs that have another number in Dataverse, by their numbers here."""
    return _renumberings(Job.numbered_otherwise())


def _renumberings(jobs: Sequence[Job]) -> list[Renumbering]:
    wanted = [im_key(job.dataverse_says["im_number"]) for job in jobs]
    holders: dict[str, Job | None] = dict.fromkeys(wanted)
    holders |= {job.im_key: job for job in [*Job.with_keys(wanted), *jobs]}

    def holder_of(key: str) -> Job | None:
        if key not in holders:
            holders[key] = Job.exactly(key)
        return holders[key]

    return [_renumbering(job, holder_of) for job in jobs]


def _renumbering(job: Job, holder_of: Callable[[str], Job | None]) -> Renumbering:
    """Follow who has the wanted number, whose own wanted number, and so on: see Numbered.renumbering()."""
    number = job.dataverse_says["im_number"]
    along: list[Job] = []
    holder = holder_of(im_key(number))
    while holder is not None and holder is not job:
        if holder in along or "im_number" not in holder.dataverse_says:
            return Renumbering(job, number, (), holder)
        along.append(holder)
        holder = holder_of(im_key(holder.dataverse_says["im_number"]))
    return Renumbering(job, number, along, None)
