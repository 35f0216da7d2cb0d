"""Production phases go to Dataverse by the shop's rules: forward only, never over what was set by hand."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from flask_app.config import settings
from flask_app.dataverse.client import CallStatistics
from flask_app.dataverse.errors import (
    DataverseClientError,
    DataverseConflict,
    DataverseProtocolError,
    DataverseRefused,
)
from flask_app.dataverse.phases import IDS_AT_ONCE, Phase, PhaseTable, Standing
from flask_app.dataverse.transport import Deadline
from flask_app.models import Job, User, committing, db
from flask_app.models.errors import RuleViolation
from flask_app.models.job_phase import (
    BY_HAND,
    CLOSED,
    FIRST_PUNCH,
    PARKED,
    WRITTEN,
    JobPhase,
    PhaseRule,
    PhaseSent,
    PhaseState,
    work_done,
)
from flask_app.sync.approved_jobs import connection, service_of_app
from flask_app.sync.hours_out import NO_SUCH_ROW, PAGE_SECONDS
from flask_app.sync.running import rest_after
from flask_app.words import _, noted, retold

SECONDS = 240.0  # all requests of one pass: it has to end before its claim does
GLANCE_SECONDS = 10.0  # for a page that only shows the choices
ENOUGH = 30.0  # of these; with less left, no other job is begun


class PhasesRefused(RuleViolation):
    """Phases can't be written as things are; the text says why."""


@dataclass(frozen=True, slots=True)
class WouldMove:
    """What the rules would do to one job's phase."""

    job: Job
    before: int | None
    now: int


@dataclass(slots=True)
class PhasePass:
    """What one pass did."""

    counts: dict[str, int] = field(default_factory=dict)
    trouble: str = ""
    rest_until: datetime | None = None  # Dataverse wants to be left alone until then

    def count(self, outcome: str) -> None:
        self.counts[outcome] = self.counts.get(outcome, 0) + 1

    @property
    def sentence(self) -> str:
        told = ", ".join(f"{outcome}: {count}" for outcome, count in sorted(self.counts.items()))
        return f"Phases {told or 'unchanged'}. {self.trouble}".strip()


@dataclass(frozen=True, slots=True)
class Pen:
    """What a pass writes with: the table, the order of the phases, and how much time is left."""

    table: PhaseTable
    order: Mapping[int, int]
    statistics: CallStatistics


def target(job: Job, minutes: int, rules: Iterable[PhaseRule]) -> int | None:
    """Return the furthest phase that the rules lead a job to, None if to none.

    `minutes` is what was worked on it, -1 if nobody has ever punched in on it.
    """
    reached = [rule for rule in rules if _holds(rule, job, minutes)]
    return max(reached, key=lambda rule: rule.position).phase if reached else None


def _holds(rule: PhaseRule, job: Job, minutes: int) -> bool:
    if rule.event == CLOSED:
        return not job.is_active
    if rule.event == FIRST_PUNCH:
        return minutes >= 0
    return bool(job.estimated_hours) and minutes * 100 >= (job.estimated_hours or 0) * 60 * (
        rule.percent or 0
    )


def is_forward(before: int | None, now: int, order: Mapping[int, int]) -> bool:
    """Say whether a phase lies behind another in the order of the options; one that isn't known stays."""
    return before is None or (before in order and order[now] > order[before])


def phase_table() -> PhaseTable:
    """Return the table of phases; ends the transaction.

    Raises PhasesRefused if phases are not to be written at all.
    """
    db.session.commit()  # nobody waits for the database while we wait for Dataverse
    if not settings().writes_phases:
        raise PhasesRefused(_("Writing phases is off. Set DATAVERSE_PHASE_RULES=true to use it."))
    connection()
    return PhaseTable(service_of_app().client)


def read_choices() -> list[Phase]:
    """Return the phases in their order. Raises PhasesRefused."""
    table = phase_table()
    try:
        return table.choices(CallStatistics(deadline=Deadline(GLANCE_SECONDS)))
    except DataverseClientError as error:
        raise PhasesRefused(retold(str(error))) from None


def would_move(rules: Sequence[PhaseRule]) -> tuple[str, list[Phase], list[WouldMove]]:
    """Return the organization's id, the phases, and what these rules would change now. Writes nothing."""
    table = phase_table()
    try:
        statistics = CallStatistics(deadline=Deadline(PAGE_SECONDS))
        organization, choices = table.organization(statistics), table.choices(statistics)
        there = table.everything(statistics)
    except DataverseClientError as error:
        raise PhasesRefused(retold(str(error))) from None
    order, moves = _order(choices), []
    for job, minutes in committing(work_done).values():
        wanted, row = target(job, minutes, rules), there.get(str(job.dataverse_id))
        if wanted is not None and row and row.phase != wanted and is_forward(row.phase, wanted, order):
            moves.append(WouldMove(job, row.phase, wanted))
    return organization, choices, moves


def start_phases(organization: str, rules: Sequence[PhaseRule], *, by: User, at: datetime) -> None:
    """Begin to write by these rules to the organization that an admin has seen. Raises PhasesRefused."""
    table = phase_table()
    try:
        statistics = CallStatistics(deadline=Deadline(PAGE_SECONDS))
        present, there = table.organization(statistics), table.everything(statistics)
    except DataverseClientError as error:
        raise PhasesRefused(retold(str(error))) from None
    if present != organization:
        raise PhasesRefused(
            _("This is another organization of Dataverse than the one you saw. Look again first.")
        )
    standing = {row_id: row.phase for row_id, row in there.items()}
    committing(lambda: PhaseState.start(organization, rules, standing, by=by, at=at))


def send_phases(*, now: datetime) -> PhasePass | None:
    """Write the phases that the rules lead to; None if it is off. The caller has a claim: one at a time."""
    state = committing(PhaseState.seen)
    if not settings().writes_phases or state is None or not state.is_on:
        return None
    done = PhasePass()
    try:
        _send(phase_table(), str(state.organization_id), done, now)
    except DataverseClientError as error:
        done.trouble, done.rest_until = str(error), rest_after(error)
    committing(lambda: _note(done.trouble))
    return done


def _note(trouble: str) -> None:
    if state := PhaseState.seen():
        state.trouble = trouble


def _send(table: PhaseTable, organization: str, done: PhasePass, now: datetime) -> None:
    pending = committing(_pending)
    if not pending:
        return
    deadline = Deadline(SECONDS)
    statistics = CallStatistics(deadline=deadline)
    if table.organization(statistics) != organization:
        raise DataverseRefused(
            noted(
                "This is another organization of Dataverse than the one that phases may be written to, so "
                "nothing was written. If that is right, start it again on the page about it."
            )
        )
    pen = Pen(table, _order(table.choices(statistics)), statistics)
    pending = [(job, wanted) for job, wanted in pending if wanted is None or wanted in pen.order]
    for first in range(0, len(pending), IDS_AT_ONCE):
        if deadline.remaining() < ENOUGH:
            return  # the next pass goes on
        _send_some(pen, pending[first : first + IDS_AT_ONCE], done, now, deadline)


def _send_some(
    pen: Pen, some: Sequence[tuple[Job, int | None]], done: PhasePass, now: datetime, deadline: Deadline
) -> None:
    there = pen.table.standing([str(job.dataverse_id) for job, _phase in some], pen.statistics)
    for job, wanted in some:
        if deadline.remaining() < ENOUGH:
            return
        if row := there.get(str(job.dataverse_id)):
            _move(pen, job, row, wanted, done, now)
        else:
            committing(lambda: _miss(job, wanted, at=now))  # noqa: B023  # run at once
            done.count(PARKED)


def _pending() -> list[tuple[Job, int | None]]:
    """Return the jobs about whose phase something is to be decided, each with the phase it should have.

    Also those that follow their row only now, whatever the rules say: how the row stands is to be noted.
    """
    rules, known = PhaseRule.all(), JobPhase.known()
    wanted = ((job, target(job, minutes, rules)) for job, minutes in work_done().values())
    return [(job, phase) for job, phase in wanted if _is_open(known.get(job.id), job, phase)]


def _is_open(one: JobPhase | None, job: Job, wanted: int | None) -> bool:
    if one is None or one.row_id != job.dataverse_id:
        return True
    return wanted is not None and not one.by_hand and not one.trouble and one.settled != wanted


def _move(pen: Pen, job: Job, row: Standing, wanted: int | None, done: PhasePass, now: datetime) -> None:
    """Decide about one job and write if it is to be moved; a row that changes meanwhile waits.

    A phase that is neither the one that was written last nor the one at the start was set by hand, also if
    it is the very one that the rules lead to.
    """
    one = committing(lambda: _known(job, row))
    if wanted is None or one.settled == wanted or one.by_hand:
        return
    ours = {one.expected} if one.intended is None else {one.expected, one.intended}
    if row.phase not in ours:
        committing(lambda: _settle(job, BY_HAND, row.phase, None, at=now))
        done.count(BY_HAND)
    elif row.phase == wanted or not is_forward(row.phase, wanted, pen.order):
        committing(lambda: _keep(job, row.phase, wanted))
    else:
        committing(lambda: _intend(job, row.phase, wanted))
        try:
            pen.table.write(str(job.dataverse_id), wanted, row.etag, pen.statistics)
        except DataverseConflict:
            return
        except (DataverseRefused, DataverseProtocolError) as refusal:
            reason = str(refusal)
            committing(lambda: _settle(job, PARKED, row.phase, wanted, at=now, reason=reason))
            done.count(PARKED)
        else:
            committing(lambda: _settle(job, WRITTEN, row.phase, wanted, at=now))
            done.count(WRITTEN)


def _miss(job: Job, wanted: int | None, *, at: datetime) -> None:
    """Park a job whose row Dataverse does not show, or it would be asked about again and again."""
    one = _known(job, Standing(None, ""))
    one.trouble = NO_SUCH_ROW
    db.session.add(PhaseSent(job_id=job.id, at=at, outcome=PARKED, now=wanted, reason=one.trouble))


def _known(job: Job, row: Standing) -> JobPhase:
    """Return what is known of a job; of one that follows this row only now, how the row stands."""
    one = db.session.get(JobPhase, job.id, populate_existing=True)
    if one is None or one.row_id != job.dataverse_id:
        one = one or JobPhase(job_id=job.id)
        one.row_id, one.expected, one.intended, one.settled = str(job.dataverse_id), row.phase, None, None
        one.by_hand, one.trouble = False, ""
        db.session.add(one)
        db.session.flush()
    return one


def _intend(job: Job, before: int | None, wanted: int) -> None:
    one = JobPhase.of(job.id)
    one.expected, one.intended = before, wanted


def _keep(job: Job, present: int | None, wanted: int) -> None:
    one = JobPhase.of(job.id)
    one.expected, one.intended, one.settled, one.trouble = present, None, wanted, ""


def _settle(
    job: Job, outcome: str, before: int | None, wanted: int | None, *, at: datetime, reason: str = ""
) -> None:
    one = JobPhase.of(job.id)
    if outcome == WRITTEN:
        one.expected, one.intended, one.settled = wanted, None, wanted
    one.by_hand, one.trouble = outcome == BY_HAND, reason
    db.session.add(PhaseSent(job_id=job.id, at=at, outcome=outcome, before=before, now=wanted, reason=reason))


def _order(choices: Sequence[Phase]) -> dict[int, int]:
    return {phase.value: number for number, phase in enumerate(choices)}
