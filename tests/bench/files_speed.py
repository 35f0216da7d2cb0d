"""How fast is a month as a file, beside an earlier version of the program, and is its memory flat?

    python -m tests.bench.files_speed [--before 52a26c0] [--shifts 100000] [--repeat 7] [--engine mariadb]

Each version runs in a process and on a database of its own, filled alike; they take turns. Printed are the
medians, their ratio, and by how much a process grew while it wrote a file with every shift.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from sqlalchemy import create_engine, text

from flask_app.clock import utc_now
from tests.servers import private_mariadb

ROOT = Path(__file__).parents[2]
PEOPLE, JOBS = 500, 2000


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--before", default="52a26c0", help="the commit to compare with")
    parser.add_argument("--shifts", type=int, default=100_000)
    parser.add_argument("--repeat", type=int, default=7)
    parser.add_argument("--engine", choices=("mariadb", "sqlite"), default="mariadb")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, databases(Path(name), options.engine) as urls:
        folder = Path(name)
        add = ["git", "worktree", "add", "--detach", folder / "tree", options.before]
        subprocess.run(add, cwd=ROOT, check=True, capture_output=True)
        try:
            compare(folder / "tree", urls, options)
        finally:
            subprocess.run(["git", "worktree", "remove", "--force", folder / "tree"], cwd=ROOT, check=True)


def compare(old_tree: Path, urls: list[str], options: argparse.Namespace) -> None:
    with worker(old_tree, urls[0], options.shifts) as before, worker(ROOT, urls[1], options.shifts) as now:
        today = utc_now().date()
        month = f"from={today - timedelta(days=30)}&to={today}"
        for report in ("shifts", "hours"):
            path = f"/reports/{report}?{month}&format=csv"
            taken = [(ask(before, path), ask(now, path)) for _ in range(options.repeat + 1)][1:]
            old, new = (statistics.median(run[side]["seconds"] for run in taken) for side in (0, 1))
            old_cpu, new_cpu = (statistics.median(run[side]["cpu"] for run in taken) for side in (0, 1))
            lines = f"{report}, a month as CSV ({taken[0][1]['lines']:,} lines)"
            times = f"{options.before} {old:.3f} s, now {new:.3f} s: {old / new:.2f} times as fast"
            print(f"{lines}: {times} (by CPU {old_cpu:.3f} s, {new_cpu:.3f} s: {old_cpu / new_cpu:.2f})")
        for form in ("csv", "xlsx"):
            first = ask(now, f"/reports/shifts?{month}&format={form}")
            whole = ask(now, f"/reports/shifts?from=2020-01-01&to={today}&format={form}")
            grown = (whole["peak"] - first["peak"]) / 1024
            print(f"every shift as {form}: {whole['seconds']:.1f} s, {whole['bytes'] / 1e6:.1f} MB, "
                  f"memory +{grown:.1f} MiB over the month's {first['bytes'] / 1e6:.1f} MB")  # fmt: skip


@contextmanager
def databases(folder: Path, engine: str) -> Iterator[list[str]]:
    if engine == "sqlite":
        yield [f"sqlite:///{folder}/before.db", f"sqlite:///{folder}/now.db"]
        return
    with private_mariadb(folder) as server:
        administrator = create_engine(
            server, connect_args={"ssl_disabled": True}, isolation_level="AUTOCOMMIT"
        )
        with administrator.connect() as connection:
            for name in ("before_db", "now_db"):
                connection.execute(text(f"CREATE DATABASE {name} CHARACTER SET utf8mb4"))
        administrator.dispose()
        yield [f"{server}/before_db", f"{server}/now_db"]


@contextmanager
def worker(tree: Path, url: str, shifts: int) -> Iterator[subprocess.Popen[str]]:
    script, sizes = str(ROOT / "tests/bench/files_worker.py"), map(str, (PEOPLE, JOBS, shifts))
    command = [sys.executable, script, url, *sizes]
    environ = {**os.environ, "PYTHONPATH": str(tree)}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, cwd=tree, env=environ) as process:
        assert process.stdout.readline() == "ready\n"
        yield process
        process.stdin.close()


def ask(process: subprocess.Popen[str], path: str) -> dict[str, float]:
    process.stdin.write(path + "\n")
    process.stdin.flush()
    return json.loads(process.stdout.readline())


if __name__ == "__main__":
    main()
