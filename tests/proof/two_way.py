"""Random histories of hours that go to Dataverse, against a stand-in over HTTPS.

    python -m tests.proof.two_way [--histories 1000] [--seed 20261125] [--engine sqlite|mariadb]

Kills, lost answers, requests that arrive late, a second sender, outages of a week, throttling, and people
who change either side (tests/sync/two_way_world.py): nothing owed may be lost, nothing older may win. They
come in lots of 100, each with a seed that is printed: one lot is run again by its seed alone.
"""

import argparse
import logging
import tempfile
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

from flask import Flask
from hypothesis import HealthCheck, given, seed, settings

from flask_app import create_app, migrations
from flask_app.config import Config, DataverseSettings
from flask_app.dataverse.client import DataverseClient
from flask_app.dataverse.service import DataverseService
from flask_app.models import User, committing
from flask_app.standin import Standin
from tests.servers import new_database, private_mariadb
from tests.sync.two_way_world import HISTORIES, START, World

LOT = 100


def prove(url: str, histories: int, first_seed: int) -> None:
    """Play histories on a new database, lot by lot; an assertion names what differs, with the steps to it."""
    with Standin() as standin:
        app = connected(url, standin)
        with app.app_context():
            admin = committing(lambda: hired("Grace", "ADMINISTRATIVE"))
            worker = committing(lambda: hired("Ana", "CUT_SHOP"))
        world, engine, done = World(app, standin, worker=worker, admin=admin), app.extensions["engine"], 0
        began = perf_counter()
        while done < histories:
            lot, lot_seed = min(LOT, histories - done), first_seed + done // LOT
            play(world, lot, lot_seed)
            done += lot
            seconds = perf_counter() - began
            seen = ", ".join(f"{what} {count:,}" for what, count in sorted(world.seen.items()))
            kind = engine.dialect.name
            print(
                f"{kind}: {done:,} histories in {seconds:,.0f} s, the last by seed {lot_seed}. {seen}",
                flush=True,
            )
        engine.dispose()


def play(world: World, histories: int, lot_seed: int) -> None:
    @seed(lot_seed)
    @settings(max_examples=histories, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(HISTORIES)
    def one(history: Sequence[tuple[Any, ...]]) -> None:
        world.play(history)

    one()


def connected(url: str, standin: Standin) -> Flask:
    """Return the program on a new database, with a client that does not really wait between attempts."""
    at = standin.environment()
    dataverse = DataverseSettings(
        base_url=at["DATAVERSE_BASE_URL"], tenant_id=standin.tenant_id, client_id=standin.client_id,
        client_secret=standin.client_secret, authority=standin.authority, ca_bundle=standin.ca_bundle,
    )  # fmt: skip
    app = create_app(Config(database_url=url, secret_key="k" * 32, dataverse=dataverse, write_back="hours"))
    migrations.upgrade(app.extensions["engine"])
    app.extensions["dataverse"] = DataverseService(
        DataverseClient(
            dataverse.base_url, dataverse.tenant_id, dataverse.client_id, dataverse.client_secret,
            authority=dataverse.authority, ca_bundle=dataverse.ca_bundle, sleep=lambda seconds: None,
        )
    )  # fmt: skip
    return app


def hired(name: str, department: str) -> int:
    form = {"first_name": name, "last_name": "M", "department": department, "password": "dusty-hands-650"}
    return User.create({**form, "email": f"{name.lower()}@shop.example"}, at=START, approved=True).id


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--histories", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=20261125)
    parser.add_argument("--engine", choices=("sqlite", "mariadb"))
    options = parser.parse_args()
    logging.getLogger("flask_app").setLevel(logging.ERROR)  # of each retry there is a line
    memory = Path("/dev/shm")  # noqa: S108  # a folder of its own is made there
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        if options.engine != "mariadb":
            prove(f"sqlite:///{folder}/two_way.db", options.histories, options.seed)
        if options.engine != "sqlite":
            server = Path(folder, "mariadb")
            server.mkdir()
            with private_mariadb(server) as url:
                prove(new_database(url, "two_way"), options.histories, options.seed)


if __name__ == "__main__":
    main()
