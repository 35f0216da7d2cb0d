"""What became of every row of the old database: counts for the terminal, a page, a CSV of all rows."""

import csv
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import IO, Any

from flask_app.adopt.target import Written, texts
from flask_app.words import Words, lazy

EXAMPLES = 50  # rows that the page shows for each rule; the CSV has all of them
HEADER = ("table", "number", "outcome", "rules", "done", "number here", "row")
# Each rule in words, as the report and the office's page say it.
RULES: dict[str, Words] = {
    "same_email": lazy(
        "The same email as another account (case apart): one account, all shifts moved to it."
    ),
    "same_im_number": lazy("The same IM number as another job: one job, all shifts moved to it."),
    "sent_twice": lazy("The same punch, sent twice: one shift."),
    "no_email": lazy("No email: the account stays, but nobody can log in to it."),
    "password_unusable": lazy("The password can't be checked: give a new one under People."),
    "no_name": lazy("No name."),
    "name_cut": lazy("The name was longer than 100 characters."),
    "department_spelled": lazy("The department was spelled by hand."),
    "no_department": lazy("No department, or none that exists: choose one under People."),
    "hidden_from_production": lazy("Hidden from production in the old program: on the inactive board here."),
    "no_im_number": lazy("No IM number: the job is called OLD and its number."),
    "im_number_cut": lazy("The IM number was longer than 50 characters."),
    "estimate_spelled": lazy("The estimate was written otherwise (0040, 1,200) and is now a number."),
    "estimate_unreadable": lazy("The estimate is no number: it stands in the job's note."),
    "new_number": lazy("Its number was taken here already: it has a new one."),
    "was_here_already": lazy(
        "It was here already and was left as it is; what belongs to it was joined to it."
    ),
    "surplus_open": lazy("Open although the person punched in again: an assumed end."),
    "left_open": lazy("Left open: an assumed end."),
    "overlaps": lazy(
        "Overlaps another shift of the person by more than two minutes: left as it was punched."
    ),
    "overlaps_by_seconds": lazy("Overlaps another shift by less than two minutes: left as it was punched."),
    "end_by_the_old_clock_out": lazy("The old auto clock-out wrote the end: nobody punched it."),
    "start_in_the_hour_that_came_twice": lazy("The start lies in the hour that came twice that night."),
    "end_in_the_hour_that_came_twice": lazy("The end lies in the hour that came twice that night."),
    "start_in_the_hour_that_was_skipped": lazy("The start lies in the hour that was skipped that night."),
    "end_in_the_hour_that_was_skipped": lazy("The end lies in the hour that was skipped that night."),
    "start_clock_unsure": lazy("Two clocks can have written the start: the likelier one was chosen."),
    "no_times": lazy("It has neither start nor end."),
    "no_start": lazy("It has no start."),
    "no_job": lazy("Its job does not exist."),
    "no_person": lazy("Its person does not exist."),
    "ends_before_it_starts": lazy("It ends before it starts."),
    "impossible_date": lazy("Its date is impossible."),
    "longer_than_a_day": lazy("It is longer than a day."),
}


@dataclass(slots=True)
class Account:
    """The account of every row that was read: counts, and some rows for each rule."""

    rows: Counter[tuple[str, str]] = field(default_factory=Counter)  # (table, outcome)
    rules: Counter[tuple[str, str]] = field(default_factory=Counter)  # (table, rule)
    done: Counter[tuple[str, str]] = field(default_factory=Counter)  # (table, action)
    examples: dict[tuple[str, str], list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))

    def add(self, table: str, one: Written, source: Any) -> None:
        self.rows[table, one.taken.outcome] += 1
        self.done[table, one.action] += 1
        for rule in one.taken.rules:
            self.rules[table, rule] += 1
            if len(self.examples[table, rule]) < EXAMPLES:
                self.examples[table, rule].append(texts(source))

    def total(self, table: str) -> int:
        return sum(count for (of, _), count in self.rows.items() if of == table)

    def lines(self) -> Iterator[str]:
        """Yield the account as lines of text."""
        for table in sorted({table for table, _ in self.rows}):
            outcomes = ", ".join(f"{n:,} {o.replace('_', ' ')}" for o, n in _of(self.rows, table))
            done = ", ".join(f"{n:,} {action}" for action, n in _of(self.done, table))
            yield f"{table}: {self.total(table):,} rows: {outcomes}  ({done})"
            yield from (f"    {n:>7,}  {RULES.get(rule, rule)}" for rule, n in _of(self.rules, table))


def _of(counter: Mapping[tuple[str, str], int], table: str) -> list[tuple[str, int]]:
    return sorted(((name, n) for (of, name), n in counter.items() if of == table), key=lambda one: -one[1])


@contextmanager
def csv_of_rows(path: Path) -> Iterator["RowFile"]:
    """Open the CSV that has a line for every row of the old database."""
    with path.open("w", newline="", encoding="utf-8-sig") as file:
        yield RowFile(file)


class RowFile:
    """Writes the lines as they come, so that a million rows need no memory."""

    def __init__(self, file: IO[str]) -> None:
        self._writer = csv.writer(file)
        self._writer.writerow(HEADER)

    def add(self, table: str, one: Written, source: Any) -> None:
        taken = one.taken
        said = "; ".join(f"{name}={value}" for name, value in texts(source).items() if name != "password")
        here = "" if one.new_id is None else one.new_id
        row = (table, taken.old_id, taken.outcome, " ".join(taken.rules), one.action, here, said)
        self._writer.writerow(row)


def write_page(path: Path, account: Account, head: Iterable[str]) -> None:
    """Write the account as a page that needs nothing else."""
    path.write_text("".join(_page(account, head)), encoding="utf-8")


def _page(account: Account, head: Iterable[str]) -> Iterator[str]:
    yield '<!doctype html><html lang="en"><meta charset="utf-8"><title>Moving in</title>'
    yield "<style>body{font:16px/1.5 system-ui;max-width:70rem;margin:2rem auto;padding:0 1rem}"
    yield "table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.25rem .75rem;"
    yield "border-bottom:1px solid #ccc;vertical-align:top}</style><h1>Moving in</h1>"
    yield from (f"<p>{escape(line)}</p>" for line in head)
    for table in sorted({table for table, _ in account.rows}):
        yield f"<h2>{escape(table)}: {account.total(table):,} rows</h2><table>"
        for outcome, n in _of(account.rows, table):
            yield f"<tr><td>{escape(outcome.replace('_', ' '))}<td>{n:,}"
        yield "</table>"
        for rule, n in _of(account.rules, table):
            yield f"<details><summary>{n:,} — {escape(str(RULES.get(rule, rule)))}</summary><table>"
            yield from _examples(account.examples[table, rule])
            yield "</table></details>"


def _examples(rows: list[dict[str, Any]]) -> Iterator[str]:
    names = [name for name in rows[0] if name != "password"]
    yield "<tr>" + "".join(f"<th>{escape(name)}" for name in names)
    for row in rows:
        cells = ("" if row[name] is None else row[name][:200] for name in names)
        yield "<tr>" + "".join(f"<td>{escape(cell)}" for cell in cells)
