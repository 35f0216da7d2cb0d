"""Records what a punch sends to the database, as a release does it: `python -m tests.release.record`.

While a new release is rolled out, processes of the last one go on punching on the new schema. So their SQL is
kept here (statements.json) and test_side_by_side.py sends it to the schema of today. Record it anew with each
release, after its last migration.
"""

import json
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import time_machine
from flask import Flask
from sqlalchemy import Engine, event
from werkzeug.datastructures import MultiDict

from flask_app import create_app, migrations
from flask_app.config import Config
from flask_app.models import Job, User, committing
from flask_app.web.job_form import NewJobForm
from tests.proof.mariadb import Database
from tests.servers import new_database

STATEMENTS = Path(__file__).with_name("statements.json")
START = datetime(2026, 11, 23, 12, 2, tzinfo=UTC)  # a Monday, 7:02 AM in the shop
LOGIN = {"email": "ana@shop.example", "password": "dusty-hands-650"}
# What the worker does, an hour apart: the first shift is number 1, the one she switches to is number 2.
STEPS: dict[str, tuple[str, dict[str, str]]] = {
    "log in": ("/login", LOGIN),
    "punch in": ("/create/shift", {"job_id": "1", "punch_key": "8d7f4a52-9d1c-4a7e-8f5b-0d6c2b1a3e01"}),
    "switch": ("/create/shift", {"job_id": "2", "punch_key": "8d7f4a52-9d1c-4a7e-8f5b-0d6c2b1a3e02"}),
    "punch out": ("/punch_out/2", {}),
}


def small_shop(url: str) -> Flask:
    """Make a database with an admin (1), a worker (2) and two jobs (1, 2)."""
    app = create_app(Config(database_url=url, secret_key="k" * 32, bcrypt_rounds=4))
    app.config["WTF_CSRF_ENABLED"] = False
    app.testing = True
    migrations.upgrade(app.extensions["engine"])
    with app.app_context():
        committing(_fill)
    return app


def _fill() -> None:
    person = {"last_name": "Duarte", "password": LOGIN["password"]}
    at = START - timedelta(days=30)
    admin = User.create(
        {**person, "first_name": "Grace", "email": "grace@shop.example", "department": "ADMINISTRATIVE"},
        at=at, approved=True,
    )  # fmt: skip
    worker = {**person, "first_name": "Ana", "email": LOGIN["email"], "department": "CUT_SHOP"}
    User.create(worker, at=at, approved=True)
    for number in ("4512", "4513"):
        form = NewJobForm(
            MultiDict({"im_number": number, "general_contractor": "Gilbane", "job_scope": "Reception desk"})
        )
        assert form.validate(), form.problems
        Job.create(form.values, by=admin, at=at)


def record(url: str) -> dict[str, list[Any]]:
    """Do the steps over HTTP and return the statements of each, with their parameters."""
    app = small_shop(url)
    browser, found = app.test_client(), {}
    for hour, (step, (path, form)) in enumerate(STEPS.items()):
        with time_machine.travel(START + timedelta(hours=hour), tick=False), recording(app) as statements:
            answer = browser.post(path, data=form)
        assert answer.status_code == 302, (step, answer.text)
        found[step] = statements
    app.extensions["engine"].dispose()
    return found


@contextmanager
def recording(app: Flask) -> Iterator[list[Any]]:
    engine: Engine = app.extensions["engine"]
    statements: list[Any] = []

    def note(_c: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, many: bool) -> None:
        if not statement.startswith("BEGIN"):  # whoever sends them begins a transaction
            sets = parameters if many else [parameters]
            statements.append([statement, [_as_json(one) for one in sets]])

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(engine, "before_cursor_execute", note)


def _as_json(parameters: Any) -> Any:
    if isinstance(parameters, dict):
        return {name: _value(value) for name, value in parameters.items()}
    return [_value(value) for value in parameters]


def _value(value: Any) -> Any:
    return {"instant": value.isoformat()} if isinstance(value, datetime) else value


def parameters_of(recorded: Any) -> Any:
    """Return parameters as the driver takes them, from what was recorded."""
    if isinstance(recorded, dict):
        return {name: _of_json(value) for name, value in recorded.items()}
    return tuple(_of_json(value) for value in recorded)


def _of_json(value: Any) -> Any:
    return datetime.fromisoformat(value["instant"]) if isinstance(value, dict) else value


def main() -> None:
    with tempfile.TemporaryDirectory() as name, Database(Path(name) / "database") as database:
        found = {
            "schema": migrations.newest_revision(),
            "sqlite": record(f"sqlite:///{name}/shop.db"),
            "mariadb": record(new_database(database.url, "shop")),
        }
    STATEMENTS.write_text(json.dumps(found, indent=1) + "\n")
    sys.stdout.write(f"schema {found['schema']}: {STATEMENTS}\n")


if __name__ == "__main__":
    main()
