"""The program: `python server.py` serves it, as a demo if nothing is configured. WSGI: `server:app`."""

import logging
import os
import signal
import socket
import sys
from typing import NoReturn

import click
import waitress
from dotenv import load_dotenv
from flask import Flask
from flask.helpers import get_debug_flag
from sqlalchemy.exc import InterfaceError, OperationalError

from flask_app import create_app, demo, migrations
from flask_app.config import Config, ConfigError, retired_settings, strange_settings
from flask_app.models import TimeRule, User, committing
from flask_app.models.database import PROJECT
from flask_app.models.outage import outage_sentence
from flask_app.upkeep import logs
from flask_app.upkeep.health_door import open_health_door
from flask_app.upkeep.stopping import end_well, stop_by
from flask_app.utils.scheduler_tasks import start_scheduler
from flask_app.warm_up import warm_up

# If a worker ends with this status, gunicorn ends as well; any other makes it start workers for ever.
CANNOT_BOOT = 3


def read_config() -> Config:
    """Return the settings of the environment and `.env`, or end the program with what is wrong with them."""
    file = PROJECT / ".env"
    try:
        load_dotenv(file)
    except (OSError, UnicodeDecodeError) as error:
        refuse(f"The file .env can't be read: {getattr(error, 'strerror', '') or 'it is not UTF-8 text'}.")
    warn([*retired_settings(os.environ), *strange_settings(os.environ)])
    if file.is_file() and file.stat().st_mode & 0o077:
        warn(["The file .env holds secrets, and others on this machine can read it: chmod 600 .env"])
    try:
        config = Config.from_env(os.environ)
    except ConfigError as error:
        refuse(str(error))
    logs.configure(config.log_format)
    return config


def warn(sentences: list[str]) -> None:
    for sentence in sentences:
        click.echo(f"Warning: {sentence}", err=True)


def refuse(reason: str) -> NoReturn:
    """End the program: it cannot start like this."""
    click.echo(reason, err=True)
    sys.exit(CANNOT_BOOT)


def main() -> None:
    stop_by(signal.SIGTERM, signal.SIGINT)
    config = read_config()
    # Before anything else: a second demo must not change the passwords of the one that is running.
    with listening(config) as door:
        if not config.demo:
            serve(ready(config), config, door)
            return
        try:
            with demo.alone(), demo.running_standin(config) as (demo_config, standin):
                app = ready(demo_config)
                show_accounts(demo.fill(app, standin))
                demo.hear_changes(demo_config)
                serve(app, demo_config, door)
        except demo.DemoRunning as reason:
            refuse(str(reason))


def listening(config: Config) -> socket.socket:
    """Return a socket that is bound to HOST and PORT."""
    try:
        family, *_, address = socket.getaddrinfo(config.host, config.port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address[:2], family=family)
    except OSError as error:
        reason = str(error.strerror).partition(" (")[0]
        refuse(f"Can't listen on {config.host}:{config.port}: {reason}. Set HOST and PORT to free ones.")


def ready(config: Config) -> Flask:
    """Return the app on a database whose tables are up to date."""
    app = create_app(config)
    engine = app.extensions["engine"]
    try:
        migrations.upgrade(engine)
    except migrations.PROBLEMS as problem:
        refuse(str(problem))
    except (OperationalError, InterfaceError) as error:
        refuse(outage_sentence(error, engine.url))
    with app.app_context():
        committing(lambda: TimeRule.begin(config.meal_minutes, config.meal_after))
        if not config.demo and not User.everybody():
            click.echo("Nobody can log in yet. Make the first admin: flask --app server create-user --help")
    return app


def show_accounts(accounts: list[demo.Account]) -> None:
    click.echo("\nThis is the demo: made-up people, and a Dataverse stand-in on this machine.")
    for account in accounts:
        click.echo(f"  {account.role:<7} {account.email:<24} password  {account.password}")
    click.echo("")


def serve(app: Flask, config: Config, door: socket.socket) -> None:
    begin(app)
    if config.health_port:
        open_health_door(config.host, config.health_port, lambda: True)
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # a crew that punches in at once is no news
    click.echo(f"Island Time is on http://{config.host}:{config.port}  (stop it with Ctrl-C)")
    if is_loopback(config.host):
        click.echo("From a phone in the same network: start it with HOST=0.0.0.0 (see the README).")
    waitress.serve(app, sockets=[door], threads=8, ident=None, _quiet=True)


def begin(app: Flask) -> None:
    """Do what a process does that serves pages."""
    end_well(app, start_scheduler(app))
    announce(app)
    warm_up(app)


def is_loopback(host: str) -> bool:
    """Whether only this computer can reach the program."""
    return host in ("localhost", "::1") or host.startswith("127.")


def announce(app: Flask) -> None:
    """Say which database, schema and zone are served: a wrong one should be seen at once."""
    config, url = app.extensions["settings"], app.extensions["engine"].url
    where = url.database if url.get_backend_name() == "sqlite" else f"{url.database} at {url.host}"
    logging.getLogger("island_time").info(
        "Serving the database %s, schema %s, in the time of %s.",
        where, migrations.newest_revision(), config.shop_timezone.key,
    )  # fmt: skip


def imported() -> Flask:
    """Return the app for gunicorn, which needs a configuration, or for `flask --app server`."""
    config = read_config()
    is_command = os.environ.get("FLASK_RUN_FROM_CLI") == "true"
    if config.demo:
        if not is_command:
            refuse(
                "Nothing is configured. Set DATABASE_URL and SECRET_KEY, or run the demo: python server.py"
            )
        try:
            config = demo.known_config(config)
        except demo.NoDemo as missing:
            refuse(str(missing))
    app = create_app(config)
    if serves_pages():
        begin(app)
    return app


def serves_pages() -> bool:
    """Whether this process answers requests: gunicorn's, or that of `flask run` but not its reloader's."""
    context = click.get_current_context(silent=True)
    if context is None:
        return os.environ.get("FLASK_RUN_FROM_CLI") != "true"
    reload = context.params.get("reload")
    has_reloader = get_debug_flag() if reload is None else reload
    is_watching = has_reloader and os.environ.get("WERKZEUG_RUN_MAIN") != "true"
    return context.info_name == "run" and not is_watching


if __name__ == "__main__":
    main()
else:
    app = imported()
