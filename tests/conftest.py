"""The fixtures: real databases, a known cast of employees, a Dataverse stand-in."""

import gc
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MethodType
from typing import Any, NoReturn
from uuid import uuid4

import pytest
from flask import Flask
from flask.testing import FlaskClient
from jinja2 import FileSystemBytecodeCache
from sqlalchemy import Engine, Table, create_engine, event, select, text
from werkzeug.datastructures import MultiDict
from werkzeug.routing import Rule

import tests.examples  # noqa: F401  # how many examples a property draws
from flask_app import create_app, migrations
from flask_app.config import Config, DataverseSettings
from flask_app.im_number import im_key, order_key
from flask_app.models import Base, Job, User, committing, db
from flask_app.models.database import make_engine
from flask_app.standin import Standin
from flask_app.web.job_form import NewJobForm
from tests.servers import find_mariadbd, private_mariadb

PASSWORD = "dusty-hands-650"
NOW = datetime(2026, 11, 23, 12, 2, tzinfo=UTC)  # a Monday, 7:02 AM in the shop


STARTED = ExitStack()  # what the whole run shares


def pytest_configure(config: pytest.Config) -> None:
    """Give the workers of a parallel run one MariaDB server: they inherit its address."""
    in_parallel = bool(getattr(config.option, "numprocesses", None)) and not hasattr(config, "workerinput")
    if in_parallel and not os.environ.get("TEST_MYSQL_URL") and find_mariadbd():
        folder = Path(STARTED.enter_context(TemporaryDirectory(prefix="island-time-mariadb-")))
        os.environ["TEST_MYSQL_URL"] = STARTED.enter_context(private_mariadb(folder))


def pytest_unconfigure() -> None:
    STARTED.close()


def pytest_collection_finish() -> None:
    """Leave what stays to the end out of the garbage collector's rounds; each would take half a second."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def compiled_addresses() -> None:
    """Let Werkzeug compile each address once; for the app of each test that would take 25 ms."""
    compile_rule, known = Rule.compile, dict[object, dict[str, Any]]()

    def compile_once(rule: Rule) -> None:
        key = (rule.rule, rule.subdomain, rule.host, repr(rule.defaults), rule.merge_slashes)
        if key not in known:
            compile_rule(rule)
            known[key] = {name: getattr(rule, name) for name in COMPILED}
        for name, value in known[key].items():
            own = value.__func__.__get__(rule) if isinstance(value, MethodType) else value
            setattr(rule, name, own)

    Rule.compile = compile_once  # type: ignore[method-assign, assignment]


COMPILED = ("_parts", "_trace", "_converters", "arguments", "_build", "_build_unknown")


def missing(what: str, reason: str) -> NoReturn:
    """Skip by name with the reason; where everything must be there (CI=true), fail."""
    if os.environ.get("CI", "").lower() in ("true", "1"):
        pytest.fail(f"{what} is missing: {reason}")
    pytest.skip(f"{what} is missing: {reason}")


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated, empty SQLite file to copy."""
    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    engine = make_engine(f"sqlite:///{path}")
    migrations.upgrade(engine)
    with engine.connect() as connection:
        connection.exec_driver_sql("COMMIT")
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.exec_driver_sql("BEGIN")
    engine.dispose()
    return path


@pytest.fixture(scope="session")
def mariadb_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A MariaDB or MySQL server's URL without a database name."""
    if given := os.environ.get("TEST_MYSQL_URL"):
        yield given.rstrip("/")
    elif find_mariadbd() is None:
        missing("MariaDB", "set TEST_MYSQL_URL, or install mariadb-server")
    else:
        with private_mariadb(tmp_path_factory.mktemp("mariadb")) as url:
            yield url


@pytest.fixture(scope="session")
def new_mariadb(mariadb_server: str) -> Iterator[Callable[[], str]]:
    """Make an empty database of its own at each call; they are dropped at the end."""
    made: list[str] = []
    # A connection that a test left open would keep DROP DATABASE waiting for ever.
    arguments = {"ssl_disabled": True, "init_command": "SET lock_wait_timeout = 10"}
    engine = create_engine(mariadb_server, connect_args=arguments, isolation_level="AUTOCOMMIT")

    def make() -> str:
        name = f"island_time_test_{uuid4().hex[:12]}"
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name} CHARACTER SET utf8mb4"))
        made.append(name)
        return f"{mariadb_server}/{name}"

    yield make
    with engine.connect() as connection:
        for name in made:
            connection.execute(text(f"DROP DATABASE {name}"))
    engine.dispose()


@pytest.fixture(scope="session")
def mariadb_url(new_mariadb: Callable[[], str]) -> str:
    """A migrated database that the tests share; each finds it empty."""
    url = new_mariadb()
    engine = make_engine(url)
    migrations.upgrade(engine)
    engine.dispose()
    return url


@pytest.fixture(params=["sqlite", "mariadb"])
def database_url(request: pytest.FixtureRequest) -> str:
    """A migrated database without rows, on each engine in turn."""
    return fresh_database(request, request.param)


def fresh_database(request: pytest.FixtureRequest, kind: str) -> str:
    """Empty the one database of that kind that the tests share, and return its URL."""
    engines: Engines = request.getfixturevalue("engines")
    if kind == "sqlite":
        template: Path = request.getfixturevalue("sqlite_template")
        path = template.with_name("test.db")
        url = f"sqlite:///{path}"
        engines.of(url).dispose()
        for rest in ("", "-wal", "-shm"):  # a connection that a test left open keeps the old file
            path.with_name(path.name + rest).unlink(missing_ok=True)
        shutil.copy(template, path)
        return url
    url = request.getfixturevalue("mariadb_url")
    empty(engines.of(url))
    return url


def empty(engine: Engine) -> None:
    """Take every row out of a MariaDB database; the audit's can only be truncated."""
    tables = [table.name for table in reversed(Base.metadata.sorted_tables)]
    has_rows = "SELECT '{0}' FROM DUAL WHERE EXISTS (SELECT 1 FROM {0})"
    filled = " UNION ALL ".join(has_rows.format(name) for name in tables)
    with engine.begin() as connection:
        names = set(connection.scalars(text(filled)))
        connection.execute(text("SET foreign_key_checks = 0"))
        for name in names:
            connection.execute(text(f"TRUNCATE {name}" if name == "audit" else f"DELETE FROM {name}"))  # noqa: S608
        connection.execute(text("SET foreign_key_checks = 1"))


class Engines:
    """One engine per database for all tests: each would compile every statement anew."""

    def __init__(self) -> None:
        self._made: dict[str, Engine] = {}

    def of(self, url: str) -> Engine:
        if url not in self._made:
            self._made[url] = engine = make_engine(url)
            if engine.dialect.name == "sqlite":  # no test pulls the plug: nothing has to reach the disk
                event.listen(engine, "connect", lambda new, _: new.execute("PRAGMA synchronous=OFF"))
        return self._made[url]

    def dispose(self) -> None:
        for engine in self._made.values():
            engine.dispose()


@pytest.fixture(scope="session")
def engines() -> Iterator[Engines]:
    made = Engines()
    yield made
    made.dispose()


@pytest.fixture
def config(database_url: str) -> Config:
    return Config(database_url=database_url, secret_key="k" * 32, bcrypt_rounds=4)


@pytest.fixture(scope="session")
def compiled_templates(tmp_path_factory: pytest.TempPathFactory) -> FileSystemBytecodeCache:
    """Each test has an app of its own; compiling the templates for each would be half of the tests' time."""
    return FileSystemBytecodeCache(str(tmp_path_factory.mktemp("templates")))


@pytest.fixture
def make_app(
    config: Config, compiled_templates: FileSystemBytecodeCache, engines: Engines
) -> Iterator[Callable[..., Flask]]:
    """Build the application with some settings changed."""
    made: list[Flask] = []

    def make(**changes: Any) -> Flask:
        app = create_app(replace(config, **changes))
        app.extensions["engine"].dispose()
        app.extensions["engine"] = engines.of(app.extensions["settings"].database_url)
        app.testing = True
        app.jinja_env.bytecode_cache = compiled_templates
        app.config["WTF_CSRF_ENABLED"] = False  # tests/web/test_csrf.py turns it on
        made.append(app)
        return app

    yield make
    for app in made:
        app.extensions["engine"].dispose()


@pytest.fixture
def app(make_app: Callable[..., Flask]) -> Flask:
    return make_app()


@pytest.fixture
def app_context(app: Flask) -> Iterator[Flask]:
    """An application context, for tests of models."""
    with app.app_context():
        yield app


@dataclass(frozen=True, slots=True)
class Cast:
    """The ids of people whom every test knows; each one's password is PASSWORD."""

    ana: int  # worker, cut shop
    luis: int  # worker, CNC shop
    grace: int  # admin
    zoe: int  # waits for approval
    otis: int  # deactivated


@dataclass(slots=True)
class Hired:
    """The cast as rows: putting them into a database is ten times as fast as hiring everybody anew."""

    cast: Cast
    rows: list[tuple[Table, list[dict[str, Any]]]]

    @classmethod
    def of(cls, engine: Engine, cast: Cast) -> "Hired":
        with engine.connect() as connection:
            tables = [
                (table, connection.execute(select(*[c for c in table.c if c.computed is None])))
                for table in Base.metadata.sorted_tables
            ]
            return cls(cast, [(table, [dict(row) for row in found.mappings()]) for table, found in tables])

    def move_in(self, engine: Engine) -> Cast:
        with engine.begin() as connection:
            for table, rows in self.rows:
                if rows:
                    connection.execute(table.insert(), rows)
        return self.cast


@pytest.fixture(scope="session")
def hired() -> list[Hired]:
    """The cast as it was hired by the first test that asked for it; empty until then."""
    return []


@pytest.fixture
def cast(app: Flask, hired: list[Hired]) -> Cast:
    engine: Engine = app.extensions["engine"]
    if hired:
        return hired[0].move_in(engine)
    with app.app_context():
        hired.append(Hired.of(engine, committing(_hire)))
    return hired[0].cast


def _hire() -> Cast:
    ids = {}
    for first, last, department, approved in (
        ("Ana", "Duarte", "CUT_SHOP", True),
        ("Luis", "Romero", "CNC_SHOP", True),
        ("Grace", "Whitfield", "ADMINISTRATIVE", True),
        ("Zoe", "Lindqvist", "PAINT_SHOP", False),
        ("Otis", "Greene", "FABRICATION", True),
    ):
        form = {"first_name": first, "last_name": last, "department": department, "password": PASSWORD}
        user = User.create({**form, "email": f"{first.lower()}@shop.example"}, at=NOW, approved=approved)
        ids[first.lower()] = user.id
        if first == "Otis":
            user.deactivate(at=NOW)
    return Cast(**ids)


@pytest.fixture
def add_job(app: Flask, cast: Cast) -> Callable[..., int]:
    """Put a job on the board; return its id."""

    def add(im_number: str = "4512", **fields: str) -> int:
        form = {
            "general_contractor": "Gilbane",
            "job_scope": "Reception desk",
            **fields,
            "im_number": im_number,
        }
        with app.app_context():
            grace, typed = db.session.get_one(User, cast.grace), NewJobForm(MultiDict(form))
            assert typed.validate(), typed.problems
            return committing(lambda: Job.create(typed.values, by=grace, at=NOW)).id

    return add


def synced_job(im_number: str, **columns: str) -> dict[str, str]:
    """A row for models.job_following.insert_jobs."""
    return {
        "im_number": im_number,
        "im_key": im_key(im_number),
        "im_order": order_key(im_number),
        "general_contractor": "Gilbane & Sons",
        "job_scope": "Panels",
        "job_name_address": "",
        "dataverse_id": str(uuid4()),
        "dataverse_fingerprint": "",
        **columns,
    }


@pytest.fixture
def log_in(app: Flask) -> Callable[[str], FlaskClient]:
    """Return a browser in which somebody of the cast is logged in."""

    def enter(name: str) -> FlaskClient:
        client = app.test_client()
        answer = client.post("/login", data={"email": f"{name}@shop.example", "password": PASSWORD})
        assert answer.status_code == 302, answer.text
        return client

    return enter


@pytest.fixture
def standin() -> Iterator[Standin]:
    with Standin() as running:
        yield running


def dataverse_settings(standin: Standin) -> DataverseSettings:
    return DataverseSettings(
        base_url=standin.base_url,
        tenant_id=standin.tenant_id,
        client_id=standin.client_id,
        client_secret=standin.client_secret,
        authority=standin.authority,
        ca_bundle=str(standin.ca_bundle),
    )
