"""Moving in: old databases of any size and dirt, both versions of the schema, every row accounted for.

    python -m tests.proof.moving_in [--shifts 120000 1000000]

Each size moves in by `flask adopt` in a process of its own: how long it took and the most memory it needed.
Then the combinations of schema, zone of the old host, NULL starts, long IM numbers and seeds, with fewer
shifts. After each: every row is in the report once, every instant that the old rows determine is what it
really was, the old database is as it was, and a second run changes nothing.
"""

import argparse
import csv
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from zoneinfo import ZoneInfo

from sqlalchemy import Engine, create_engine, text

from flask_app import migrations
from flask_app.models.database import PROJECT, make_engine
from tests.adopt.old_shop import OldShop
from tests.adopt.old_years import OldYears, Truth
from tests.proof.mariadb import Database
from tests.proof.shop import KEY
from tests.servers import new_database

_UNSURE = ("hour_that", "clock_unsure", "clock_out", "surplus_open", "left_open")  # marks in the report
_RUN = """import resource, sys
from flask_app.cli import adopt
import server
with server.app.app_context():
    adopt.main(sys.argv[1:], standalone_mode=False)
used = resource.getrusage(resource.RUSAGE_SELF)  # its ru_maxrss would be that of who started this process
most = next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM"))
print("MAX_KB", most, "CPU", round(used.ru_utime + used.ru_stime))
"""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shifts", type=int, nargs="*", default=[120_000, 1_000_000])
    parser.add_argument("--small", type=int, default=20_000, help="shifts of each combination")
    options = parser.parse_args()
    utc = ZoneInfo("UTC")
    runs = [(True, OldYears(shifts=shifts)) for shifts in options.shifts]
    small = OldYears(jobs=1500, shifts=options.small)
    for later in (False, True):
        runs += [(later, replace(small, truth={}, seed=seed)) for seed in (7, 11)]
        runs += [(later, replace(small, truth={}, wide=True, null_starts=True, server=utc))]
    problems: list[str] = []
    with tempfile.TemporaryDirectory() as name, Database(Path(name, "database")) as database:
        for number, (later, years) in enumerate(runs):
            folder = Path(name, f"report{number}")
            problems += move_in(database.url, number, years, later_version=later, folder=folder)
    for problem in problems:
        print("WRONG:", problem)
    sys.exit(1 if problems else 0)


def move_in(server: str, number: int, years: OldYears, *, later_version: bool, folder: Path) -> list[str]:
    """Fill an old database, move it in twice, print the figures, and return what is wrong."""
    old_url, new_url = new_database(server, f"old{number}"), new_database(server, f"new{number}")
    old, new = (create_engine(url, connect_args={"ssl_disabled": True}) for url in (old_url, new_url))
    shop = OldShop(old, later_version=later_version)
    years.fill(shop)
    schema = make_engine(new_url)
    migrations.upgrade(schema)
    schema.dispose()
    before = checksum(old)
    figures, said = adopt(old_url, new_url, years, folder / "first")
    problems = [] if "Every row is accounted for" in said else [f"run {number}: {said}"]
    rows = report_of(folder / "first")
    problems += wrong_rows(rows, years) + wrong_instants(new, rows, years.truth)
    _, again = adopt(old_url, new_url, years, folder / "second")
    problems += second_run(report_of(folder / "second"), again)
    if checksum(old) != before:
        problems.append("the old database was written")
    tell(number, years, later_version, figures, rows)
    for engine in (old, new):
        engine.dispose()
    return problems


def adopt(old_url: str, new_url: str, years: OldYears, folder: Path) -> tuple[str, str]:
    """Run the command; return its seconds and the most memory it had, in words, and what it printed."""
    env = {**os.environ, "DATABASE_URL": new_url, "SECRET_KEY": KEY, "FLASK_RUN_FROM_CLI": "true"}
    options = ["--from", old_url, "--report", str(folder), "--stored-zone", years.server.key]
    began = monotonic()
    done = subprocess.run(
        [sys.executable, "-c", _RUN, *options], cwd=PROJECT, env=env, capture_output=True, text=True
    )
    seconds = monotonic() - began
    found = re.search(r"MAX_KB (\d+) CPU (\d+)", done.stdout)
    used = f"{found[2]} s of a processor, at most {int(found[1]) // 1024} MB" if found else "it broke off"
    return f"{seconds:.0f} s, {used}", done.stdout + done.stderr


def report_of(folder: Path) -> list[dict[str, str]]:
    [path] = folder.glob("*.csv")
    with path.open(encoding="utf-8-sig", newline="") as file:
        return [
            {name: row[name] for name in ("table", "number", "outcome", "rules", "done")}
            for row in csv.DictReader(file)
        ]


def wrong_rows(rows: list[dict[str, str]], years: OldYears) -> list[str]:
    """Every old row stands in the report once."""
    counts = Counter(row["table"] for row in rows)
    wanted = {"users": years.people, "jobs": years.jobs, "shifts": len(years.truth)}
    twice = [key for key, n in Counter((row["table"], row["number"]) for row in rows).items() if n > 1]
    wrong = [f"{name}: {counts[name]} rows of {n}" for name, n in wanted.items() if counts[name] != n]
    return wrong + [f"{key} stands there twice" for key in twice]


def wrong_instants(new: Engine, rows: list[dict[str, str]], truth: Mapping[int, Truth]) -> list[str]:
    """What the report doesn't mark as uncertain is exact: starts to the minute, ends to the second."""
    rules = {int(row["number"]): row["rules"] for row in rows if row["table"] == "shifts"}
    wrong: list[str] = []
    with new.connect().execution_options(stream_results=True) as connection:
        for number, start, end in connection.execute(text("SELECT id, created_at, updated_at FROM shifts")):
            real, marks = truth[number], rules[number]
            start_unsure = any(f"start_{m}" in marks or f"start_in_the_{m}" in marks for m in _UNSURE)
            end_unsure = any(mark in marks for mark in _UNSURE[2:]) or "end_in_the" in marks
            if not start_unsure and _minute(start) != _minute(real.start):
                wrong.append(f"shift {number} begins {start}, really {real.start} ({marks})")
            if not end_unsure and _second(end) != real.end:
                wrong.append(f"shift {number} ends {end}, really {real.end} ({marks})")
    return wrong[:10]


def second_run(rows: list[dict[str, str]], said: str) -> list[str]:
    changed = [row for row in rows if row["done"] not in ("unchanged", "kept", "left out")]
    return [f"the second run changed {row}" for row in changed[:5]] + (
        [] if "Every row is accounted for" in said else [f"the second run: {said[-2000:]}"]
    )


def checksum(engine: Engine) -> list[tuple[object, ...]]:
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text("CHECKSUM TABLE users, jobs, shifts"))]


def tell(number: int, years: OldYears, later: bool, figures: str, rows: list[dict[str, str]]) -> None:
    how = f"{'later' if later else 'first'} schema, {years.server.key}, seed {years.seed}"
    how += (", wide" if years.wide else "") + (", NULL starts" if years.null_starts else "")
    outcomes = Counter(f"{row['table']} {row['outcome']}" for row in rows)
    rules = Counter(rule for row in rows for rule in row["rules"].split())
    print(f"{number}: {len(years.truth):,} shifts ({how}): {figures}")
    print("   ", ", ".join(f"{name} {n:,}" for name, n in sorted(outcomes.items())))
    print("   ", ", ".join(f"{name} {n:,}" for name, n in sorted(rules.items())), flush=True)


def _minute(instant: datetime) -> datetime:
    return instant.replace(second=0, microsecond=0, tzinfo=UTC)


def _second(instant: datetime | None) -> datetime | None:
    return instant.replace(tzinfo=UTC) if instant else None


if __name__ == "__main__":
    main()
