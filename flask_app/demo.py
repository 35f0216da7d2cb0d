"""The demo: made-up people and shifts and a Dataverse stand-in; the program runs without any setup."""

import fcntl
import json
import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta

import click
from dotenv import dotenv_values
from flask import Flask

from flask_app.clock import utc_now
from flask_app.config import Config, DataverseSettings, settings
from flask_app.dataverse.errors import DataverseClientError
from flask_app.dataverse.registration import WebhookRegistrar, webhook_address
from flask_app.demo_shifts import add_shifts
from flask_app.models import User, WriteBack, committing, db
from flask_app.models.database import PROJECT
from flask_app.standin import Standin
from flask_app.sync.approved_jobs import SyncNotConfigured, SyncRunning, sync_approved_jobs
from flask_app.sync.folders import refresh_folders
from flask_app.sync.following import fingerprints
from flask_app.sync.hours_out import WriteBackRefused, hours_table, start
from flask_app.timeclock.people import readable_password
from flask_app.utils.scheduler_tasks import automated_job_sync

FOLDER = PROJECT / "instance" / "demo"
_NOTE = FOLDER / "settings.env"  # how the running demo is reached, for the commands
_ROWS = FOLDER / "imi_jobs.json"
_KEYS = ("SECRET_KEY", "DATAVERSE_WEBHOOK_KEY")  # made for this demo, each by itself
_JOBS = 200
_SEED = 4711
_APPROVED = 826130004
_PEOPLE = {
    "ADMINISTRATIVE": ("Grace Whitfield", "Tomás Ibarra"),
    "CNC_SHOP": ("Luis Romero", "Hannah Brandt", "Dwayne Porter", "Mei Tan"),
    "CUT_SHOP": ("Ana Duarte", "Otis Greene", "Pavel Novak"),
    "FABRICATION": ("Rosa Delgado", "Sam Whitaker", "Jamal Reid", "Ingrid Solberg", "Marcus O'Neill"),
    "PAINT_SHOP": ("Yuki Mori", "Carla Benedetti", "Noah Fisher"),
}
_WAITING = ("Zoë Lindqvist", "PAINT_SHOP")


class NoDemo(Exception):
    """The demo's database and stand-in are made by `python server.py`."""


class DemoRunning(Exception):
    """There is one demo at a time in a folder."""


@dataclass(frozen=True, slots=True)
class Account:
    """Someone who can log in to the demo."""

    role: str
    email: str
    password: str


def known_config(config: Config) -> Config:
    """Return the settings of the demo that `python server.py` has made, for the commands."""
    note = dotenv_values(_NOTE)
    if not note:
        raise NoDemo(
            "There is no demo yet: start it with `python server.py`, or set DATABASE_URL and SECRET_KEY."
        )
    return _with(config, {name: value or "" for name, value in note.items()})


@contextmanager
def alone() -> Iterator[None]:
    """Hold the demo's folder, or raise DemoRunning: a second demo would change the first one's passwords.

    A lock goes with its process, however that ends.
    """
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (FOLDER / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise DemoRunning(
                "A demo is running in this folder already. Stop it first, or start this one in a copy."
            ) from None
        yield


@contextmanager
def running_standin(config: Config) -> Iterator[tuple[Config, Standin]]:
    """Start the stand-in and yield it with the settings of a demo that uses it."""
    before = dotenv_values(_NOTE)
    # What was approved for an earlier demo is approved still: its jobs are on the board.
    rows = json.loads(_ROWS.read_text()) if _ROWS.exists() else []
    with Standin(rows=rows, generate=0 if rows else _JOBS, seed=_SEED, directory=FOLDER) as standin:
        keys = {name: before.get(name) or secrets.token_hex(32) for name in _KEYS}
        note = {**standin.environment(), **keys}
        with open(_NOTE, "w", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
            file.writelines(f"{name}={value}\n" for name, value in note.items())
        yield _with(config, note), standin


def _with(config: Config, note: dict[str, str]) -> Config:
    dataverse = DataverseSettings(
        base_url=note["DATAVERSE_BASE_URL"],
        tenant_id=note["DATAVERSE_TENANT_ID"],
        client_id=note["DATAVERSE_CLIENT_ID"],
        client_secret=note["DATAVERSE_CLIENT_SECRET"],
        authority=note["DATAVERSE_AUTHORITY"],
        ca_bundle=note["DATAVERSE_CA_BUNDLE"],
    )
    # Nothing here is worth the third of a second that a strong hash takes for each of these people.
    return replace(
        config,
        secret_key=note["SECRET_KEY"],
        dataverse=dataverse,
        bcrypt_rounds=8,
        write_back="hours",
        webhook_keys=tuple(note[name] for name in _KEYS[1:] if note.get(name)),  # none: an older demo
        sharepoint_links=True,
        phase_rules=True,
    )


def fill(app: Flask, standin: Standin) -> list[Account]:
    """Fill an empty demo, leave an old one as it is; give its accounts fresh passwords and return them."""
    with app.app_context():
        people = User.everybody() or committing(_add_people)
        accounts = committing(lambda: _new_passwords(people))
        try:
            sync_approved_jobs(trigger="start")
        except (SyncNotConfigured, SyncRunning) as reason:
            click.echo(reason)  # USE_DATAVERSE=false: the demo of the kill switch; or a demo that was killed
        committing(lambda: add_shifts(people, now=utc_now()))
        _write_hours_back(people)
        _make_folders(standin)
        refresh_folders(now=utc_now())
    automated_job_sync(app)  # before more is approved, so that these jobs wait for somebody's click on Sync
    with app.app_context():
        _approve_some(standin)
    return accounts


def _add_people() -> Sequence[User]:
    for department, names in _PEOPLE.items():
        for name in names:
            _add_person(name, department, approved=True)
    _add_person(*_WAITING, approved=False)
    return User.everybody()


def _add_person(name: str, department: str, *, approved: bool) -> None:
    first, _, last = name.partition(" ")
    plain = first.lower().translate(str.maketrans("áëé", "aee"))
    form = {
        "first_name": first,
        "last_name": last,
        "email": f"{plain}@demo.example",
        "department": department,
        "password": secrets.token_urlsafe(12),
    }
    User.create(form, at=utc_now() - timedelta(days=90), approved=approved)


def _new_passwords(people: Sequence[User]) -> list[Account]:
    """One fresh password for the admins and one for the workers."""
    accounts = []
    for role, is_admin in (("Admin", True), ("Worker", False)):
        password = readable_password()
        chosen = [person for person in people if person.is_admin is is_admin and person.is_active]
        for person in chosen:
            person.set_password(password, at=utc_now())
        accounts += [Account(role, person.email, password) for person in chosen[:1]]
    return accounts


def hear_changes(config: Config) -> None:
    """Register the demo's webhook with the stand-in, as `flask register-webhook` does."""
    if config.dataverse is None:
        return
    url = webhook_address(f"http://127.0.0.1:{config.port}", loopback=True)
    with WebhookRegistrar(config.dataverse) as registrar:
        for action in registrar.registration(url, config.webhook_keys[0]):
            action.do()


def _make_folders(standin: Standin) -> None:
    """Give every other job documents; the addresses lead nowhere, for there is no such SharePoint."""
    for row in standin.rows()[::2]:
        standin.sharepoint.add_folder(row["imi_jobid"], f"{row['imi_imnumber']}_{row['imi_jobid'][:8]}")


def _write_hours_back(people: Sequence[User]) -> None:
    """Let the hours of all jobs go to the stand-in from the beginning."""
    state = committing(WriteBack.seen)
    try:
        if state is None and settings().syncs:
            organization = hours_table().organization()
            start(organization, everything=True, by=next(p for p in people if p.is_admin), at=utc_now())
    except (WriteBackRefused, DataverseClientError) as reason:
        click.echo(reason)


def _approve_some(standin: Standin, count: int = 3) -> None:
    """Approve jobs in the stand-in that the shop does not have yet, for the first click on Sync."""
    known = fingerprints()
    db.session.rollback()
    waiting = [row for row in standin.rows() if row["statecode"] == 0 and row["imi_jobid"] not in known]
    for row in waiting[:count]:
        standin.change(row["imi_jobid"], imi_submittalstatus=_APPROVED)
    fresh = _ROWS.with_suffix(".new")
    fresh.write_text(json.dumps(standin.rows()))
    fresh.replace(_ROWS)  # whole or not at all, whenever the demo is killed
