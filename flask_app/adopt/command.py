"""flask adopt: moves the old program's database in."""

from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click
from flask.cli import with_appcontext
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from flask_app.adopt.adoption import Adoption
from flask_app.adopt.report import Account, csv_of_rows, write_page
from flask_app.adopt.source import OldDatabase, OldJob, OldPerson, OldShift, SourceError
from flask_app.adopt.wall_clocks import STANDARD, ClocksError, WallClocks
from flask_app.clock import utc_now
from flask_app.config import settings


@click.command("adopt")
@click.option("--from", "url", required=True, help="mysql+pymysql://user:password@host/man_hours")
@click.option("--stored-zone", default="America/New_York", help="The zone of the old database's host.")
@click.option("--clocks", type=click.Path(path_type=Path), default=STANDARD, help="See adopt/clocks.toml.")
@click.option("--report", type=click.Path(path_type=Path, file_okay=False), default=Path("adoption"))
@click.option("--dry-run", is_flag=True, help="Say what would be done and change nothing.")
@with_appcontext
def adopt(url: str, stored_zone: str, clocks: Path, report: Path, dry_run: bool) -> None:
    """Move the old program's people, jobs and shifts in. Its database is only read."""
    try:
        rules = WallClocks.read(clocks, server=ZoneInfo(stored_zone), shop=settings().shop_timezone)
        config = settings()
        with OldDatabase(_checked(url), config.database_ca_bundle, tls=config.database_tls) as source:
            _adopt(source, rules, report, dry_run=dry_run)
    except (ZoneInfoNotFoundError, ValueError):
        raise click.ClickException("--stored-zone is no time zone, such as America/New_York.") from None
    except (SourceError, ClocksError) as error:
        raise click.ClickException(str(error)) from None


def _checked(url: str) -> str:
    try:
        driver = make_url(url).drivername
    except ArgumentError:
        driver = ""
    if driver not in ("mysql+pymysql", "mariadb+pymysql"):
        # Not what was typed: it has a password in it.
        raise SourceError("--from should look like mysql+pymysql://user:password@host/man_hours.")
    return url


def _adopt(source: OldDatabase, rules: WallClocks, report: Path, *, dry_run: bool) -> None:
    report.mkdir(parents=True, exist_ok=True)
    now = utc_now()
    name = f"{now:%Y%m%d-%H%M%S}{'-dry-run' if dry_run else ''}"
    total = sum(source.count(table) for table in (OldPerson, OldJob, OldShift))
    with (
        csv_of_rows(report / f"{name}.csv") as file,
        click.progressbar(length=total, label="Moving in") as bar,
    ):
        account = Adoption(source, rules, now, dry_run, file, bar.update).run()
    head = [_headline(account, source, dry_run)]
    write_page(report / f"{name}.html", account, head)
    for line in (*head, *account.lines()):
        click.echo(line)
    click.echo(f"Every row stands in {report / name}.csv, the account in {report / name}.html.")


def _headline(account: Account, source: OldDatabase, dry_run: bool) -> str:
    """Say whether every row is accounted for."""
    counted = {"users": OldPerson, "jobs": OldJob, "shifts": OldShift}
    missing = {name: source.count(table) - account.total(name) for name, table in counted.items()}
    if any(missing.values()):
        raise SourceError(f"Rows are unaccounted for: {missing}. This should not happen; nothing was hidden.")
    done = (
        "Nothing was changed: this was a dry run." if dry_run else "The old program's database is moved in."
    )
    return f"{done} Every row is accounted for: {sum(account.rows.values()):,}."
