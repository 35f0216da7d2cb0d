"""The operator's commands: flask --app server create-user | sync-jobs | db upgrade."""

import secrets
import sys
from collections.abc import Callable, Iterable
from functools import wraps
from typing import ParamSpec

import click
from alembic.util import CommandError
from flask import Flask, current_app
from flask.cli import AppGroup, with_appcontext
from sqlalchemy.exc import DatabaseError, IntegrityError, InterfaceError, OperationalError, ProgrammingError
from werkzeug.datastructures import MultiDict

from flask_app import migrations
from flask_app.adopt.command import adopt
from flask_app.clock import day_of, utc_now
from flask_app.config import settings
from flask_app.dataverse.service import InvalidRow
from flask_app.migrations import triggers
from flask_app.models import SyncRun, TimeRule, committing, db
from flask_app.models.database import COMMAND_PATIENCE, make_engine
from flask_app.models.errors import ValidationError
from flask_app.models.outage import outage_sentence
from flask_app.models.types import plain
from flask_app.models.user import DEPARTMENTS, hash_password
from flask_app.sync import check
from flask_app.sync.approved_jobs import (
    SyncFailed,
    SyncLost,
    SyncNotConfigured,
    SyncRunning,
    rehearse,
    sync_approved_jobs,
)
from flask_app.sync.webhook_command import register_webhook
from flask_app.timeclock import people
from flask_app.upkeep.commands import backup_command, restore_command, verify_command
from flask_app.web.person_forms import NewPersonForm

P = ParamSpec("P")

database = AppGroup("db", help="The database's schema.")


def init_app(app: Flask) -> None:
    for command in _COMMANDS:
        app.cli.add_command(command)


def _tell_in_one_line(command: click.Command) -> None:
    """Let a command (or each of a group's) end with one sentence where the database can't be used."""
    for part in command.commands.values() if isinstance(command, click.Group) else ():
        _tell_in_one_line(part)
    if command.callback is not None and not isinstance(command, click.Group):
        command.callback = with_appcontext(_told(command.callback))


def _be_patient() -> None:
    """Give the command an engine whose statements may take long."""
    app, config = current_app, settings()
    app.extensions["engine"].dispose()
    app.extensions["engine"] = make_engine(
        config.database_url,
        config.database_ca_bundle,
        tls=config.database_tls,
        patience=COMMAND_PATIENCE,
    )


def _told(work: Callable[P, None]) -> Callable[P, None]:
    @wraps(work)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        _be_patient()
        try:
            work(*args, **kwargs)
        except (OperationalError, InterfaceError, DatabaseError) as error:
            if isinstance(error, (IntegrityError, ProgrammingError)):
                raise
            raise click.ClickException(outage_sentence(error, db.engine.url)) from None
        except CommandError as error:  # Alembic's, such as a revision that does not exist
            raise click.ClickException(str(error)) from None

    return run


@click.command("create-user")
@click.option("--email", required=True)
@click.option("--first-name", required=True)
@click.option("--last-name", default="", help="Leave it out for a single name.")
@click.option("--department", required=True, type=click.Choice(list(DEPARTMENTS)))
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@with_appcontext
def create_user(email: str, first_name: str, last_name: str, department: str, password_stdin: bool) -> None:
    """Create an active account; without --password-stdin a fresh password is printed."""
    _need_tables()
    password = sys.stdin.readline().rstrip("\r\n") if password_stdin else secrets.token_urlsafe(12)
    texts = {"email": email, "first_name": first_name, "last_name": last_name, "department": department}
    form = NewPersonForm(MultiDict({**texts, "password": password}))
    if not form.validate():
        raise click.ClickException(" ".join(form.problems.values()))
    try:
        values = {**form.values, "password": hash_password(password)}
        user = committing(lambda: people.add(values, by=None, at=utc_now()))
    except ValidationError as invalid:  # somebody else took the address at this moment
        raise click.ClickException(str(invalid)) from None
    click.echo(f"{user.name} can log in as {user.email}.")
    if not password_stdin:
        click.echo(f"Password: {password}")


@click.command("sync-jobs")
@click.option("--dry-run", is_flag=True, help="Tell what would change, field by field, and change nothing.")
@with_appcontext
def sync_jobs(dry_run: bool) -> None:
    """Sync now, wait for it, and say what it did; exit status 1 if it failed."""
    _need_tables()
    if dry_run:
        _rehearse()
        return
    try:
        result = sync_approved_jobs(trigger="command")
    except (SyncLost, SyncNotConfigured, SyncRunning) as reason:
        raise click.ClickException(str(reason)) from None
    _tell_skipped(result.skipped)
    for line in db.session.get_one(SyncRun, result.run_id).warning_lines:
        click.echo(f"Warning: {line}")
    if result.failed:
        raise click.ClickException(result.message)
    click.echo(result.message)


@click.command("check-dataverse")
@with_appcontext
def check_dataverse() -> None:
    """Go from the address to the approved rows and say what is right or what to do. Changes nothing."""
    steps: list[check.Step] = []
    for step in check.check(today=day_of(utc_now(), settings().shop_timezone)):
        steps.append(_say(step))
    if check.would_work(steps):
        _need_tables()
        steps.append(_say(check.board_step(now=utc_now())))
    if not check.would_work(steps):
        raise click.ClickException("A sync would not work like this.")
    click.echo("A sync would work.")


def _say(step: check.Step) -> check.Step:
    click.echo(f"{step.outcome:8} {step.name}: {plain(step.sentence)}")
    return step


def _tell_skipped(rows: Iterable[InvalidRow]) -> None:
    for row in rows:
        # Control characters of a text from elsewhere must not reach the terminal.
        click.echo(f"Skipped {plain(row.im_number) or '(no number)'} [{row.dataverse_id}]: {row.reason}")


def _rehearse() -> None:
    try:
        plan = rehearse()
    except (SyncFailed, SyncNotConfigured) as reason:
        raise click.ClickException(str(reason)) from None
    for row in plan.new:
        click.echo(f"New: {row.im_number}, {plain(row.general_contractor)}: {plain(row.scope)}")
    for change in plan.changes:
        click.echo(f"{change.im_number}: {change.field} {change.old!r} -> {change.new!r}")
    _tell_skipped(plan.skipped)
    click.echo(f"A sync would say: {plan.summary()} Nothing was changed.")


@database.command("upgrade")
@click.argument("revision", default="head")
@with_appcontext
def upgrade(revision: str) -> None:
    """Create the tables or bring them up to date. Back the database up first."""
    try:
        migrations.upgrade(db.engine, revision)
    except migrations.PROBLEMS as problem:
        raise click.ClickException(str(problem)) from None
    if migrations.is_current(db.engine):
        committing(lambda: TimeRule.begin(settings().meal_minutes, settings().meal_after))
    click.echo("The database is up to date.")


@database.command("triggers")
@with_appcontext
def add_triggers() -> None:
    """Add the triggers that guard the audit, where they are missing. Nothing else is touched."""
    _need_tables()
    try:
        with db.engine.begin() as connection:
            added = triggers.add(connection)
    except triggers.TriggersRefused as refused:
        raise click.ClickException(str(refused)) from None
    verbs = " and ".join(added)
    click.echo(f"Added: the guard against {verbs}." if added else "The audit is guarded already.")


@database.command("downgrade")
@click.argument("revision")
@click.confirmation_option(prompt="This removes columns or tables and what is in them. Go on?")
@with_appcontext
def downgrade(revision: str) -> None:
    """Take the schema back to REVISION ("base": no tables)."""
    migrations.downgrade(db.engine, revision)
    click.echo(f"The database is at {revision}.")


def _need_tables() -> None:
    if not migrations.is_current(db.engine):
        raise click.ClickException("The database is not up to date. Run: flask --app server db upgrade")


_COMMANDS: tuple[click.Command, ...] = (
    create_user, sync_jobs, check_dataverse, register_webhook, adopt, backup_command, restore_command,
    verify_command, database,
)  # fmt: skip
for _command in _COMMANDS:
    _tell_in_one_line(_command)  # once: the commands are the module's, not an application's
