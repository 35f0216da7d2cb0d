"""The program: `python server.py` serves it, as a demo if nothing is configured. WSGI: `server:app`."""

import logging
import os
import sys

import click
import waitress
from dotenv import load_dotenv
from flask import Flask

from flask_app import create_app, demo, migrations
from flask_app.config import Config, ConfigError
from flask_app.models import User
from flask_app.models.base import PROJECT
from flask_app.utils.scheduler_tasks import start_scheduler


def read_config() -> Config:
    """Return the settings of the environment and `.env`, or end the program with what is wrong with them."""
    load_dotenv(PROJECT / ".env")
    try:
        return Config.from_env(os.environ)
    except ConfigError as error:
        sys.exit(str(error))


def main() -> None:
    config = read_config()
    if not config.demo:
        serve(ready(config), config)
        return
    with demo.running_standin(config) as (demo_config, standin):
        app = ready(demo_config)
        show_accounts(demo.fill(app, standin))
        serve(app, demo_config)


def ready(config: Config) -> Flask:
    """Return the app on a database whose tables are up to date."""
    app = create_app(config)
    try:
        migrations.upgrade(app.extensions["engine"])
    except migrations.ForeignDatabase as refusal:
        sys.exit(str(refusal))
    with app.app_context():
        if not config.demo and not User.everybody():
            click.echo("Nobody can log in yet. Make the first admin: flask --app server create-user --help")
    return app


def show_accounts(accounts: list[demo.Account]) -> None:
    click.echo("\nThis is the demo: made-up people, and a Dataverse stand-in on this machine.")
    for account in accounts:
        click.echo(f"  {account.role:<7} {account.email:<24} password  {account.password}")
    click.echo("")


def serve(app: Flask, config: Config) -> None:
    start_scheduler(app)
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # a crew that punches in at once is no news
    click.echo(f"Island Time is on http://{config.host}:{config.port}  (stop it with Ctrl-C)")
    try:
        waitress.serve(app, host=config.host, port=config.port, threads=8, ident=None, _quiet=True)
    except OSError as error:
        sys.exit(f"Can't listen on {config.host}:{config.port}: {error.strerror}. Set PORT to a free port.")


def imported() -> Flask:
    """Return the app for gunicorn, which needs a configuration, or for `flask --app server`."""
    config = read_config()
    is_command = os.environ.get("FLASK_RUN_FROM_CLI") == "true"
    if config.demo:
        if not is_command:
            sys.exit(
                "Nothing is configured. Set DATABASE_URL and SECRET_KEY, or run the demo: python server.py"
            )
        try:
            config = demo.known_config(config)
        except demo.NoDemo as missing:
            sys.exit(str(missing))
    app = create_app(config)
    if not is_command:
        start_scheduler(app)
    return app


logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
for noisy in ("apscheduler", "alembic"):
    logging.getLogger(noisy).setLevel(logging.WARNING)

if __name__ == "__main__":
    main()
else:
    app = imported()
