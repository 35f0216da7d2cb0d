"""flask backup, restore and verify."""

from pathlib import Path

import click
from flask.cli import with_appcontext

from flask_app.clock import utc_now
from flask_app.config import settings
from flask_app.models import db
from flask_app.upkeep.backup import BackupFailed, back_up, facts_of, forget_old, restore
from flask_app.upkeep.facts import broken_rules, facts

_FOLDER = click.Path(path_type=Path, file_okay=False)


@click.command("backup")
@click.option("--to", "folder", type=_FOLDER, default=Path("backups"), help="The folder for backups.")
@click.option("--keep", type=click.IntRange(1), help="Remove all but this many of the newest in the folder.")
@with_appcontext
def backup_command(folder: Path, keep: int | None) -> None:
    """Write a consistent, compressed backup while the program goes on."""
    name = f"island-time-{utc_now():%Y%m%d-%H%M%S}"
    try:
        file = back_up(db.engine, folder, name, ca_bundle=settings().database_ca_bundle)
    except BackupFailed as failed:
        raise click.ClickException(str(failed)) from None
    click.echo(f"Backed up to {file} ({file.stat().st_size:,} bytes).")
    for old in forget_old(folder, keep=keep or 0):
        click.echo(f"Removed {old.name}.")


@click.command("restore")
@click.argument("file", type=click.Path(path_type=Path))
@with_appcontext
def restore_command(file: Path) -> None:
    """Restore a backup into an empty database and compare it with what it was when it was made."""
    try:
        different = restore(db.engine, file, ca_bundle=settings().database_ca_bundle)
    except BackupFailed as failed:
        raise click.ClickException(str(failed)) from None
    for line in different:
        click.echo(line)
    if different:
        raise click.ClickException("The restored database differs from what was backed up.")
    told = "It is as it was." if facts_of(file).is_file() else "There are no facts beside it to compare with."
    click.echo(f"Restored {file.name}. {told}")


@click.command("verify")
@with_appcontext
def verify_command() -> None:
    """Check the rules that the database keeps, and print what can be compared with another copy."""
    broken = 0
    with db.engine.connect().execution_options(reads_only=True) as connection:
        for rule, rows in broken_rules(connection):
            click.echo(f"{'ok ' if not rows else 'BAD'} {rule}{f': {rows} do' if rows else ''}")
            broken += bool(rows)
        for name, value in facts(connection).items():
            click.echo(f"    {name}: {value}")
    if broken:
        raise click.ClickException(f"{broken} of the rules are broken.")
