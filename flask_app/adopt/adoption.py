"""One adoption: read the old database, decide about every row, write it, and give an account of all."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time
from typing import Any, TypeVar

from sqlalchemy import select

from flask_app.adopt.people_and_jobs import Taken, jobs, people
from flask_app.adopt.report import Account, RowFile
from flask_app.adopt.shifts import Rules, of_nobody, shifts
from flask_app.adopt.source import OldDatabase, OldDismissal, OldJob, OldPerson, OldShift
from flask_app.adopt.target import (
    ALL_JOBS,
    DISMISSALS,
    JOBS,
    LEFT_OUT,
    PEOPLE,
    SHIFTS,
    USERS,
    Kind,
    Written,
    gone_shifts,
    write_entities,
    write_set_aside,
    write_shifts,
)
from flask_app.adopt.wall_clocks import WallClocks
from flask_app.models import Audit, Dismissal, Shift, User, committing, db
from flask_app.models.adopted_row import AdoptedRow
from flask_app.models.audit import ADDED, SETTING
from flask_app.models.shop_rules import ASSUMED_END, DepartmentRule

T = TypeVar("T")

_SPAN = 20_000  # old numbers looked through at a time for rows that were deleted


@dataclass(slots=True)
class Adoption:
    """What one adoption works with. `progress` is told how many rows are done."""

    source: OldDatabase
    clocks: WallClocks
    now: datetime
    dry_run: bool
    file: RowFile
    progress: Callable[[int], None]

    def run(self) -> Account:
        """Move everything in (with `dry_run` only say what would be done) and return the account."""
        account = Account()
        try:
            self._move(account)
        finally:
            if self.dry_run:
                db.session.rollback()
        return account

    def _move(self, account: Account) -> None:
        people_here = self._people(account)
        jobs_here = self._jobs(account, people_here)
        self._shifts(account, people_here, jobs_here)
        self._dismissals(account, people_here)
        self._removed(account)
        if not self.dry_run:
            committing(lambda: self._write_down(account))

    def _people(self, account: Account) -> dict[int, int]:
        sources = {row.id: row for row in self.source.rows(OldPerson)}
        found = people(sources.values(), self.clocks.server_time)
        return self._entities(PEOPLE, USERS, found, sources, account)

    def _jobs(self, account: Account, people_here: Mapping[int, int]) -> dict[int, int]:
        sources = {row.id: row for row in self.source.rows(OldJob)}
        found = jobs(sources.values(), self.clocks.server_time)
        for taken in found:
            if taken.into is None:
                taken.values["user_id"] = people_here.get(taken.values["user_id"] or 0)
        return self._entities(ALL_JOBS, JOBS, found, sources, account)

    def _entities(
        self, kind: Kind[Any], table: str, found: list[Taken], sources: Mapping[int, Any], account: Account
    ) -> dict[int, int]:
        """Write people or jobs and return old number -> number here."""
        written = self._writing(lambda: write_entities(kind, found, sources, now=self.now))
        self._tell(table, written, sources, account)
        return {one.taken.old_id: one.new_id for one in written if one.new_id is not None}

    def _shifts(self, account: Account, people_here: Mapping[int, int], jobs_here: Mapping[int, int]) -> None:
        accounts: dict[int, list[int]] = {}
        for old, here in people_here.items():
            accounts.setdefault(here, []).append(old)
        ends = {code: rule.assumed_end for code, rule in DepartmentRule.all().items()}
        for here, old_ids in sorted(accounts.items()):
            rows = self.source.shifts_of(sorted(old_ids))
            written = self._writing(lambda: self._shifts_of(here, rows, jobs_here, ends))  # noqa: B023
            self._tell(SHIFTS, written, {row.id: row for row in rows}, account)
        nobodys = {row.id: row for row in self.source.shifts_of_nobody()}
        rules = Rules(self.clocks, self.now, ASSUMED_END, lambda old: jobs_here.get(old or 0))
        left = self._writing(lambda: write_set_aside(of_nobody(nobodys.values(), rules), nobodys))
        self._tell(SHIFTS, left, nobodys, account)

    def _shifts_of(
        self, person_id: int, rows: Sequence[OldShift], jobs_here: Mapping[int, int], ends: Mapping[str, time]
    ) -> list[Written]:
        person = User.locked(person_id)
        rules = Rules(
            self.clocks,
            self.now,
            ends.get(person.department, ASSUMED_END),
            lambda old: jobs_here.get(old or 0),
        )
        may_be_open = person.is_active and not _is_on_the_clock_here(person)
        found = shifts(rows, rules, may_be_open=may_be_open)
        return write_shifts(found, {row.id: row for row in rows}, person_id, now=self.now)

    def _dismissals(self, account: Account, people_here: Mapping[int, int]) -> None:
        rows = {row.id: row for row in self.source.rows(OldDismissal)}
        written = self._writing(lambda: [self._dismissal(row, people_here) for row in rows.values()])
        self._tell(DISMISSALS, written, rows, account)

    def _dismissal(self, row: OldDismissal, people_here: Mapping[int, int]) -> Written:
        person, by = people_here.get(row.user_id), people_here.get(row.dismissed_by or 0)
        taken = Taken(row.id)
        if person is None:
            taken.outcome, taken.rules = "set_aside", ["no_person"]
            return Written(taken, LEFT_OUT, None)
        if db.session.get(Dismissal, (row.dismissed_date, person)):
            return Written(taken, "unchanged", person)
        db.session.add(
            Dismissal(day=row.dismissed_date, user_id=person, by_id=by or person, created_at=self.now)
        )
        db.session.flush()
        return Written(taken, "added", person)

    def _removed(self, account: Account) -> None:
        """Take away here what the old program has deleted since an earlier adoption."""
        last = db.session.scalar(
            select(AdoptedRow.old_id).where(AdoptedRow.old_table == SHIFTS).order_by(AdoptedRow.old_id.desc())
            .limit(1)
        )  # fmt: skip
        for first in range(1, (last or 0) + 1, _SPAN):
            there = self.source.shift_ids(first, first + _SPAN - 1)
            removed, kept = self._writing(
                lambda: gone_shifts(first, first + _SPAN - 1, there)  # noqa: B023
            )
            if removed:
                account.done[SHIFTS, "removed, since the old program deleted it"] += removed
            if kept:
                account.done[SHIFTS, "kept although the old program deleted it"] += kept

    def _writing(self, work: Callable[[], T]) -> T:
        """Do one step as a transaction of its own; a dry run is one transaction, which is taken back."""
        if not self.dry_run:
            return committing(work)
        result = work()
        db.session.flush()
        return result

    def _tell(
        self, table: str, written: Sequence[Written], sources: Mapping[int, Any], account: Account
    ) -> None:
        for one in written:
            source = sources[one.taken.old_id]
            account.add(table, one, source)
            self.file.add(table, one, source)
        db.session.expunge_all()
        self.progress(len(written))

    def _write_down(self, account: Account) -> None:
        changes = {table: (None, f"{account.total(table):,}") for table in (USERS, JOBS, SHIFTS)}
        Audit.record(
            ADDED, SETTING, None, subject="Moved in from the old program", by=None, at=self.now,
            changes=changes,
        )  # fmt: skip


def _is_on_the_clock_here(person: User) -> bool:
    """Whether the person has an open shift here that no adoption brought."""
    shift = Shift.open_of(person)
    if shift is None:
        return False
    query = select(AdoptedRow.old_id).where(AdoptedRow.old_table == SHIFTS, AdoptedRow.new_id == shift.id)
    return db.session.scalar(query.limit(1)) is None
