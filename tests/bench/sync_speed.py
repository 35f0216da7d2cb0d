"""What does a sync of 20,000 jobs cost, beside what it cannot do without?

    python -m tests.bench.sync_speed [--rows 20000] [--repeat 5]

In each round, on a fresh database of each engine: the bare reading of the pages, a raw `executemany` of the
same rows, a sync of all of them (new), and another one (already there). Printed are medians, the ratios
new / (reading + executemany) and there / reading, and how many SQL statements each sync took.
"""

import argparse
import contextlib
import gc
import statistics
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from time import perf_counter
from typing import Any

from sqlalchemy import event, text

from flask_app import create_app, migrations
from flask_app.config import Config, DataverseSettings
from flask_app.dataverse.table import TableShape
from flask_app.models.database import make_engine
from flask_app.sync.approved_jobs import sync_approved_jobs
from tests.bench.read_pages import new_client, standin
from tests.servers import find_mariadbd, new_database, private_mariadb


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--repeat", type=int, default=5)
    options = parser.parse_args()
    with standin(round(options.rows / 0.6)) as settings, databases() as engines:
        for name, fresh in engines.items():
            rounds = [one_round(settings, fresh()) for _ in range(options.repeat)]
            report(name, rounds)


def one_round(settings: dict[str, str], url: str) -> dict[str, float]:
    """Measure once, everything on the same fresh database."""
    migrations.upgrade(make_engine(url))
    figures: dict[str, float] = {}
    client, shape = new_client(settings), TableShape()
    client.list_records("imi_jobs", top=1)  # the token and the connection
    with timed(figures, "reading"):
        rows = [
            row
            for page in client.pages(
                "imi_jobs", select=shape.columns, orderby=shape.order, filter_clause=shape.approved
            )
            for row in page
        ]
    insert_raw(url, rows, figures)
    app = create_app(Config(database_url=url, secret_key="k" * 32, dataverse=as_config(settings)))
    with app.app_context():
        count_statements(app.extensions["engine"], figures)
        # The token and the connection here too: both are there when a sync begins in a running program.
        sync_approved_jobs(trigger="command")
        with app.extensions["engine"].begin() as connection:
            for table in ("sync_changes", "sync_skips", "sync_runs", "jobs"):
                connection.execute(text(f"DELETE FROM {table}"))  # noqa: S608  # names of this list
        for name in ("new", "there"):
            figures["statements"] = 0
            with timed(figures, name):
                result = sync_approved_jobs(trigger="command")
            assert (result.added if name == "new" else result.already_there) == len(rows), result.message
            figures[f"{name} statements"] = figures["statements"]
    app.extensions["engine"].dispose()
    figures["rows"] = len(rows)
    return figures


def insert_raw(url: str, rows: list[dict[str, str]], figures: dict[str, float]) -> None:
    """Insert the same rows into the same table, with nothing around it, and take them out again."""
    engine = make_engine(url)
    columns = (
        "id", "context", "status", "source", "created_at", "im_number", "im_key", "im_order",
        "general_contractor", "job_scope", "job_name_address", "dataverse_id", "dataverse_standing",
        "dataverse_fingerprint",
    )  # fmt: skip
    marks = ", ".join(["?" if engine.dialect.name == "sqlite" else "%s"] * len(columns))
    statement = f"INSERT INTO jobs ({', '.join(columns)}) VALUES ({marks})"  # noqa: S608  # of this list
    connection = engine.raw_connection()
    cursor = connection.cursor()
    with timed(figures, "executemany"):
        values = [
            (number, "", 1, "dataverse", "2026-11-23 06:00:00", r["imi_imnumber"], r["imi_imnumber"],
             f"04{r['imi_imnumber']}", r["imi_gc"], r["imi_scopesummary"], r["imi_jobnameaddress"],
             r["imi_jobid"], "approved", "f" * 24)
            for number, r in enumerate(rows, start=1)
        ]  # fmt: skip
        cursor.execute("BEGIN")
        cursor.executemany(statement, values)
        connection.commit()
    cursor.execute("DELETE FROM jobs")
    connection.commit()
    connection.close()
    engine.dispose()


def count_statements(engine: object, figures: dict[str, float]) -> None:
    figures["statements"] = 0

    def count(*_: object) -> None:
        figures["statements"] += 1

    event.listen(engine, "before_cursor_execute", count)


@contextlib.contextmanager
def timed(figures: dict[str, float], name: str) -> Iterator[None]:
    gc.collect()
    began = perf_counter()
    yield
    figures[name] = perf_counter() - began


@contextlib.contextmanager
def databases() -> Iterator[dict[str, Callable[[], str]]]:
    """Yield, by engine, a function that makes the URL of a fresh database."""
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as servers:
        numbers = iter(range(1000))
        engines = {"SQLite": lambda: f"sqlite:///{folder}/bench{next(numbers)}.db"}
        if find_mariadbd():
            server = servers.enter_context(private_mariadb(Path(folder)))
            engines["MariaDB"] = lambda: new_database(server, f"bench{next(numbers)}")
        yield engines


def as_config(settings: dict[str, str]) -> DataverseSettings:
    words: dict[str, Any] = {name.lower(): value for name, value in settings.items()}
    return DataverseSettings(**words)


def report(engine: str, rounds: list[dict[str, float]]) -> None:
    middle = {name: statistics.median(figures[name] for figures in rounds) for name in rounds[0]}
    print(f"{engine}, {middle['rows']:,.0f} jobs, median of {len(rounds)}:")
    for name in ("reading", "executemany", "new", "there"):
        print(f"  {name:12} {middle[name]:6.2f} s")
    floor = middle["reading"] + middle["executemany"]
    print(f"  new / (reading + executemany): {middle['new'] / floor:.2f} (target: 1.5)")
    print(f"  there / reading:               {middle['there'] / middle['reading']:.2f} (target: 1.3)")
    print(f"  statements: {middle['new statements']:.0f} new, {middle['there statements']:.0f} there")


if __name__ == "__main__":
    main()
