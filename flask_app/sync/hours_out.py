"""Hours go back to Dataverse: the sender of what is owed, and the rehearsal before the first time.

A pass leases some rows, reads what stands in Dataverse, writes only what differs, and settles the rows.
Killed at any point it leaves a lease that ends; two senders at once never have one row in hand.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from flask import current_app

from flask_app.clock import utc_now
from flask_app.config import settings
from flask_app.dataverse.client import CallStatistics
from flask_app.dataverse.errors import DataverseClientError, DataverseUnavailable
from flask_app.dataverse.hours import IDS_AT_ONCE, HoursColumn, HoursTable, number_of
from flask_app.dataverse.transport import Deadline
from flask_app.models import Job, OwedHours, User, WriteBack, committing, db
from flask_app.models.errors import RuleViolation
from flask_app.models.owed_hours import LEASE, PARKED, SAME, SENT, Owed, Settled
from flask_app.sync.approved_jobs import connection, service_of_app
from flask_app.sync.running import rest_after
from flask_app.words import _, noted, retold

PAGE_SECONDS = 50.0  # all requests of one page: a proxy in front gives up after 60
BATCH_SECONDS = 120.0  # all requests of one batch, waits included; well within the lease of its rows
CHECK_EVERY = timedelta(hours=24)
OFF_FOR_LONG = timedelta(hours=1)  # a sender that was away for longer may have missed changes
NEEDS_SOMEBODY = timedelta(minutes=10)  # until the next try after a failure that waiting alone does not mend
NO_SUCH_ROW = noted("Dataverse shows no such row: it was deleted, or we may not see it.")
_MOST_BATCHES = 100  # in one pass


class WriteBackRefused(RuleViolation):
    """Hours can't be written as things are; the text says why."""


@dataclass(slots=True)
class Pass:
    """What one pass of the sender did."""

    sent: int = 0
    same: int = 0
    parked: int = 0
    trouble: str = ""
    rest_until: datetime | None = None

    @property
    def sentence(self) -> str:
        parts = [noted("Hours written: %(count)s.", count=f"{self.sent:,}")]
        if self.same:
            parts.append(noted("Right already: %(count)s.", count=f"{self.same:,}"))
        if self.parked:
            parts.append(noted("Refused by Dataverse: %(count)s.", count=f"{self.parked:,}"))
        return " ".join([*parts, self.trouble]).strip()


@dataclass(frozen=True, slots=True)
class WouldChange:
    """What the first writing would do to one job's hours in Dataverse."""

    job: Job
    before: float | None
    now: float


def send_owed_hours(*, now: datetime) -> Pass | None:
    """Send what is owed; None if there is nothing to do. Dataverse's failures are told in the result."""
    if not committing(lambda: _has_work(now)):
        return None
    done = Pass()
    try:
        _send_all(done)
    except DataverseClientError as error:
        done.trouble = str(error)
        passing = isinstance(error, DataverseUnavailable)
        done.rest_until = rest_after(error) if passing else utc_now() + NEEDS_SOMEBODY
    except WriteBackRefused as refusal:
        done.trouble, done.rest_until = str(refusal), utc_now() + NEEDS_SOMEBODY
    committing(lambda: _note(done))
    return done


def would_change() -> tuple[str, list[WouldChange]]:
    """Return the organization's id, and what writing all hours now would change. Writes nothing.

    Raises WriteBackRefused.
    """
    table = hours_table()
    try:
        statistics = CallStatistics(deadline=Deadline(PAGE_SECONDS))
        organization, column = table.organization(statistics), table.column(statistics)
        present = dict(table.everything(statistics))
    except DataverseClientError as error:
        raise WriteBackRefused(retold(str(error))) from None
    totals = committing(lambda: OwedHours.totals(with_assumed=settings().writes_assumed_hours))
    found = []
    for job in committing(OwedHours.linked_jobs):
        minutes = totals.get(job.id, 0)
        if job.dataverse_id in present and not column.same(present[job.dataverse_id], minutes):
            before = number_of(present[job.dataverse_id])
            found.append(WouldChange(job, before, column.value(minutes)))
    return organization, found


def start(organization: str, *, everything: bool, by: User, at: datetime) -> None:
    """Begin to write to the organization that an admin has seen. Raises WriteBackRefused."""
    table = hours_table()
    try:
        statistics = CallStatistics(deadline=Deadline(PAGE_SECONDS))
        present, user = table.who_am_i(statistics)
        table.column(statistics)
    except DataverseClientError as error:
        raise WriteBackRefused(retold(str(error))) from None
    if present != organization:
        raise WriteBackRefused(
            _("This is another organization of Dataverse than the one you saw. Look again first.")
        )
    assumed = settings().writes_assumed_hours
    committing(
        lambda: WriteBack.start(organization, user, everything=everything, with_assumed=assumed, by=by, at=at)
    )


def hours_table() -> HoursTable:
    """Return the application's one table of hours: what the column is like is read once.

    Ends the transaction. Raises WriteBackRefused if hours are not to be written at all.
    """
    db.session.commit()  # nobody waits for the database while we wait for Dataverse
    if not settings().writes_hours:
        raise WriteBackRefused(_("Writing hours is off. Set DATAVERSE_WRITE_BACK=hours to use it."))
    connection()
    extensions = current_app.extensions
    if "hours_table" not in extensions or extensions["hours_table"][0] is not service_of_app():
        extensions["hours_table"] = (service_of_app(), HoursTable(service_of_app().client))
    table: HoursTable = extensions["hours_table"][1]
    return table


def _has_work(now: datetime) -> bool:
    """Say whether a pass is due; owes what has changed unnoticed and what was linked since the last one."""
    state = WriteBack.current()
    if not state.is_on or (state.rest_until and now < state.rest_until <= now + CHECK_EVERY):
        return False
    OwedHours.take_in()
    was_off = state.passed_at is None or not now - OFF_FOR_LONG <= state.passed_at <= now + OFF_FOR_LONG
    if was_off or state.checked_at is None or state.checked_at <= now - CHECK_EVERY:
        OwedHours.reconcile(with_assumed=settings().writes_assumed_hours)
        state.checked_at = now
    state.passed_at = now
    return OwedHours.count(now=now) > 0


def _send_all(done: Pass) -> None:
    table = hours_table()
    allowed = committing(WriteBack.current).organization_id
    if table.organization() != allowed:
        raise WriteBackRefused(
            noted(
                "This is another organization of Dataverse than the one that hours may be written to, so "
                "nothing was written. If that is right, start the writing again on the page about it."
            )
        )
    table.column()
    for _batch in range(_MOST_BATCHES):
        lease = uuid4().hex
        owed = committing(lambda: _take(lease))  # noqa: B023  # run at once
        if not owed:
            return
        try:
            settled = list(_sent(table, owed))
        except BaseException:
            # A request may have come through although its answer has not, or may still do so.
            committing(lambda: OwedHours.release(lease, look_at=utc_now() + LEASE))  # noqa: B023
            raise
        committing(lambda: OwedHours.settle(lease, settled, at=utc_now()))  # noqa: B023
        committing(lambda: OwedHours.release(lease))  # noqa: B023
        for outcome in (SENT, SAME, PARKED):
            count = sum(one.outcome == outcome for one in settled)
            setattr(done, outcome, getattr(done, outcome) + count)
        if len(settled) < len(owed):
            raise DataverseUnavailable(noted("Dataverse did not take some of the hours for the moment."))


def _take(lease: str) -> list[Owed]:
    # The limit: one reading of Dataverse.
    if not WriteBack.current().is_on:
        return []
    return OwedHours.take(
        lease, limit=IDS_AT_ONCE, now=utc_now(), with_assumed=settings().writes_assumed_hours
    )


def _sent(table: HoursTable, owed: list[Owed]) -> Iterator[Settled]:
    """Write what differs; yield what became of each row. One that is only refused for now is left out."""
    statistics, column = CallStatistics(deadline=Deadline(BATCH_SECONDS)), table.column()
    present = table.present([one.row_id for one in owed], statistics)
    differ: dict[str, Owed] = {}
    for one in owed:
        if settled := _without_writing(one, present, column):
            yield settled
        else:
            differ[one.row_id] = one
    hours = {row_id: column.value(one.minutes) for row_id, one in differ.items()}
    refusals = table.write(hours, statistics) if hours else {}
    for row_id, refusal in refusals.items():
        before = number_of(present[row_id])
        told = (differ[row_id], SENT if refusal is None else PARKED, before, hours[row_id])
        if not isinstance(refusal, DataverseUnavailable):
            yield Settled(*told, reason=str(refusal or ""))


def _without_writing(owed: Owed, present: Mapping[str, Any], column: HoursColumn) -> Settled | None:
    """Return what became of a row that needs no writing or can't be written; None if it is to be written."""
    if owed.row_id not in present:
        return Settled(owed, PARKED, reason=NO_SUCH_ROW)
    before = present[owed.row_id]
    if column.same(before, owed.minutes):
        return Settled(owed, SAME)
    if reason := column.refuses(owed.minutes):
        return Settled(owed, PARKED, number_of(before), column.value(owed.minutes), reason)
    return None


def _note(done: Pass) -> None:
    state = WriteBack.current(locked=True)
    state.trouble, state.rest_until = done.trouble, done.rest_until
