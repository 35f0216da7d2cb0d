"""A sync's plan: what is new, set against the board; to be shown (a rehearsal) or carried out (a run)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from flask_app.dataverse.service import DataverseJob, InvalidRow, is_guid
from flask_app.im_number import im_key, order_of
from flask_app.models.job import APPROVED
from flask_app.models.sync_hold import DISMISSED, GONE, OPEN, SyncHold, in_words
from flask_app.models.sync_run import Leftover, SyncChange, SyncSkip, write_ledger
from flask_app.sync.decision import Change, Decision, decide, values_of
from flask_app.sync.following import (
    fingerprints,
    followed,
    insert_jobs,
    note_returned,
    states,
    update_jobs,
)
from flask_app.sync.holding import BLANK, TOGETHER, Held, Holding, Standing, hold_back
from flask_app.sync.reading import ChangeSet, Snapshot
from flask_app.words import noted, noted_number

_MOST_KEPT = 2000  # rows of the ledger per run and kind; the counts are always of all


def known() -> Snapshot:
    """Return what the shop knows of Dataverse before a reading."""
    return Snapshot(fingerprints(), {leftover.dataverse_id for leftover in Leftover.everything()})


@dataclass(frozen=True, slots=True)
class Plan:
    """What a sync does. `skipped`: all rows that can't be jobs; `news_of_skipped`: those not known yet."""

    decision: Decision
    holding: Holding
    already_there: int
    is_full: bool
    skipped: Sequence[InvalidRow]
    news_of_skipped: Sequence[InvalidRow]
    leftovers: Mapping[str, Mapping[str, object]]  # as they will be, of the rows that were looked at
    resolved: Sequence[str]  # ids of leftovers that are none any more, or others than before

    @property
    def new(self) -> Sequence[DataverseJob]:
        return self.decision.new

    @property
    def changes(self) -> Sequence[Change]:
        """Every change of a job that is there, as the ledger tells it."""
        decision = self.decision
        return [
            *decision.linked,
            *(
                Change(job.id, job.im_number, "upstream_state", "approved", job.upstream_state)
                for job in decision.gone
            ),
            *decision.returned,
            *decision.changes,
        ]

    def counts(self) -> dict[str, int]:
        return {
            "added": len(self.decision.new),
            "already_there": self.already_there,
            "updated": len({change.job_id for change in self.decision.changes}),
            "linked": len(self.decision.linked),
            "returned": len(self.decision.returned),
            "held": sum(len(one.job_ids) for one in self.holding.held if one.state == OPEN),
            "gone": len(self.decision.gone),
        }

    def carry_out(self, run_id: int, *, at: datetime) -> None:
        """Write all of it; the caller commits."""
        insert_jobs([_as_job(row) for row in self.decision.new], at=at)
        update_jobs(self.decision.updates.values(), at=at)
        note_returned([change.job_id for change in self.decision.returned], at=at)
        self._write_holding(run_id, at)
        Leftover.remove(self.resolved)
        write_ledger(Leftover, [{"dataverse_id": row_id, **row} for row_id, row in self.leftovers.items()])
        # What is known to be unusable is told again by the daily run, not by every login's.
        told = self.skipped if self.is_full else self.news_of_skipped
        write_ledger(SyncSkip, [{"run_id": run_id, **_as_skip(row)} for row in told[:_MOST_KEPT]])
        write_ledger(
            SyncChange, [{"run_id": run_id, **asdict(change)} for change in self.changes[:_MOST_KEPT]]
        )

    def _write_holding(self, run_id: int, at: datetime) -> None:
        for kind, state in self.holding.settled.items():
            SyncHold.settle(kind, state)
        for one in self.holding.held:
            SyncHold.write(one.kind, one.job_ids, out_of=one.out_of, state=one.state, run_id=run_id, at=at)

    def summary(self) -> str:
        """Return the run in words, whole sentences, to be stored."""
        sentences = [sentence for count, sentence in self._told() if count]
        if not sentences and not self.holding.held:
            sentences = [self._nothing()]
        sentences += [_held_back(one) for one in self.holding.held]
        if skipped := len(self.skipped):
            sentences.append(
                noted_number("1 row could not be taken.", "%(n)s rows could not be taken.", skipped)
            )
        return " ".join(sentences)

    def _told(self) -> Iterator[tuple[int, str]]:
        """Yield how many jobs each sentence is about, and the sentence."""
        counts = self.counts()
        n = counts["added"]
        yield n, noted_number("1 new job came in.", "%(n)s new jobs came in.", n)
        yield from self._told_of_links()
        n = counts["returned"]
        yield (
            n,
            noted_number(
                "1 job is approved in Dataverse again.", "%(n)s jobs are approved in Dataverse again.", n
            ),
        )
        n = counts["updated"]
        yield n, noted_number("1 job changed in Dataverse.", "%(n)s jobs changed in Dataverse.", n)
        n = counts["gone"]
        yield (
            n,
            noted_number(
                "1 job is not approved in Dataverse any more.",
                "%(n)s jobs are not approved in Dataverse any more.",
                n,
            ),
        )

    def _told_of_links(self) -> Iterator[tuple[int, str]]:
        links = self.decision.linked
        n = sum(not link.old for link in links)
        yield (
            n,
            noted_number(
                "1 job typed in here follows Dataverse now.",
                "%(n)s jobs typed in here follow Dataverse now.",
                n,
            ),
        )
        n = sum(bool(link.old) for link in links)
        yield (
            n,
            noted_number(
                "1 job follows another row of Dataverse now: its own is no approved one.",
                "%(n)s jobs follow other rows of Dataverse now: their own are no approved ones.",
                n,
            ),
        )

    def _nothing(self) -> str:
        if not self.is_full:
            return noted("Nothing has changed in Dataverse.")
        if self.already_there:
            return noted("Nothing new: every approved job is on the board already.")
        return noted("Dataverse has no approved jobs.")


def plan_for(news: ChangeSet, *, now: datetime) -> Plan:
    """Set the news against the board as it is in this transaction, and decide."""
    stored = {leftover.dataverse_id: leftover for leftover in Leftover.everything()}
    rows = {**_another_look(stored, news), **news.rows}
    keys = sorted({im_key(row.im_number) for row in rows.values()})
    decision = decide(rows.values(), news.gone, states(sorted(rows.keys() | news.gone.keys()), keys))
    holding = _hold_back(decision, news, now)
    left_out = [InvalidRow(row.dataverse_id, row.im_number, reason) for row, reason in decision.left_out]
    unusable = [*news.dirty, *left_out]
    leftovers = {row.dataverse_id: _as_leftover(row, rows) for row in unusable if is_guid(row.dataverse_id)}
    looked_at = rows.keys() | news.gone.keys() | leftovers.keys()
    untouched = [_as_dirty(leftover) for row_id, leftover in stored.items() if row_id not in looked_at]
    same = {row_id for row_id, row in leftovers.items() if row_id in stored and _same(stored[row_id], row)}
    return Plan(
        decision=decision,
        holding=holding,
        already_there=news.unchanged + sum(row_id in news.rows for row_id in _with_job(rows, decision)),
        is_full=news.is_full,
        skipped=[*unusable, *untouched],
        news_of_skipped=[row for row in unusable if row.dataverse_id not in same],
        leftovers={row_id: row for row_id, row in leftovers.items() if row_id not in same},
        resolved=sorted((stored.keys() & looked_at) - same),
    )


def _hold_back(decision: Decision, news: ChangeSet, now: datetime) -> Holding:
    """Take out of the decision what is too much to be believed."""
    standing = {
        hold.kind: Standing(hold.state, frozenset(hold.job_ids)) for hold in SyncHold.current(locked=True)
    }
    if not (decision.gone or decision.changes or standing):
        return Holding()
    hooked = _told_by_hooks(now) if decision.gone or decision.changes else {}
    return hold_back(decision, followed=followed(), empty=set(news.empty), standing=standing, hooked=hooked)


def _told_by_hooks(now: datetime) -> dict[str, int]:
    """Return of how many jobs hooks have told of late what may be too much together, by kind.

    What an admin has confirmed does not count, nor what was before it.
    """
    jobs: dict[str, set[int]] = {}
    confirmed = SyncHold.last_confirmed()
    for change in SyncChange.losses_by_hooks(since=now - TOGETHER, blanks=set(BLANK.values())):
        kind = _loss_of(change)
        hold = confirmed.get(kind)
        if kind and not (hold and hold.covers(change.job_id, change.run_id)):
            jobs.setdefault(kind, set()).add(change.job_id)
    return {kind: len(some) for kind, some in jobs.items()}


def _loss_of(change: SyncChange) -> str:
    """Return the kind of what a change takes away, "" if it takes nothing."""
    if change.field == "upstream_state":
        return GONE if change.new != APPROVED else ""
    return change.field if change.new == BLANK.get(change.field) else ""


def _another_look(stored: Mapping[str, Leftover], news: ChangeSet) -> dict[str, DataverseJob]:
    """Return the usable leftovers of which this reading says nothing: what was in their way may be gone."""
    said = news.rows.keys() | news.gone.keys() | {row.dataverse_id for row in news.dirty}
    return {
        row_id: DataverseJob(**leftover.row)
        for row_id, leftover in stored.items()
        if leftover.row and row_id not in said
    }


def _with_job(rows: Mapping[str, DataverseJob], decision: Decision) -> set[str]:
    without = {row.dataverse_id for row in decision.new} | {row.dataverse_id for row, _ in decision.left_out}
    return rows.keys() - without


def _as_job(row: DataverseJob) -> dict[str, object]:
    values = {**values_of(row), "dataverse_id": row.dataverse_id}
    key = im_key(row.im_number)
    return {**values, "im_key": key, "im_order": order_of(key), "dataverse_fingerprint": row.fingerprint}


def _as_leftover(row: InvalidRow, rows: Mapping[str, DataverseJob]) -> dict[str, object]:
    usable = rows.get(row.dataverse_id)
    values = {"im_number": row.im_number[:255], "reason": row.reason[:255]}
    return {**values, "row": asdict(usable) if usable else None}


def _same(stored: Leftover, row: Mapping[str, object]) -> bool:
    return (stored.im_number, stored.reason, stored.row) == (row["im_number"], row["reason"], row["row"])


def _as_dirty(leftover: Leftover) -> InvalidRow:
    return InvalidRow(leftover.dataverse_id, leftover.im_number, leftover.reason)


def _as_skip(row: InvalidRow) -> dict[str, object]:
    return {
        "dataverse_id": row.dataverse_id,
        "im_number": row.im_number[:255],
        "reason": row.reason[:255],
    }


_LOOK = noted("An admin has to look at it.")


def _held_back(held: Held) -> str:
    says = in_words(held.kind, len(held.job_ids), held.out_of)
    if held.state == DISMISSED:
        dismissed = noted("An admin has dismissed that: they stay as they are.")
        return f"{says} {dismissed}"
    if held.hooked:
        others = noted(
            "Webhooks have told the same of others within the last hour: %(count)s.", count=f"{held.hooked:,}"
        )
        says = f"{says} {others}"
    too_much = noted("That is too much to be believed: nothing of it was done.")
    return f"{says} {too_much} {_LOOK}"
