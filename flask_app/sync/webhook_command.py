"""flask register-webhook: lets Dataverse tell of changes, or stops it."""

import click
from flask.cli import with_appcontext

from flask_app.config import settings
from flask_app.dataverse.contract import TABLE
from flask_app.dataverse.errors import DataverseClientError, DataverseRefused
from flask_app.dataverse.hooks import KEY_HEADER
from flask_app.dataverse.registration import FILTERING, Action, WebhookRegistrar, webhook_address


@click.command("register-webhook")
@click.argument("address")
@click.option("--remove", is_flag=True, help="Take the webhook and its steps away again.")
@click.option("--dry-run", is_flag=True, help="Say what would be done and change nothing.")
@click.option("--yes", is_flag=True, help="Don't ask.")
@with_appcontext
def register_webhook(address: str, remove: bool, dry_run: bool, yes: bool) -> None:
    """Let Dataverse tell of changes to ADDRESS, where people open the program (https://clock.example.com).

    Says what it would do in Dataverse, and asks, before it does it.
    """
    config = settings()
    if config.dataverse is None:
        raise click.ClickException("Dataverse is not connected. Set the DATAVERSE_ variables to connect it.")
    if not config.webhook_keys and not remove:
        raise click.ClickException("Set DATAVERSE_WEBHOOK_KEY first, and start the program with it.")
    local = config.dataverse.base_url.startswith("https://localhost")
    try:
        url = webhook_address(address, loopback=local)
    except ValueError as problem:
        raise click.ClickException(str(problem)) from None
    try:
        with WebhookRegistrar(config.dataverse) as registrar:
            actions = (
                registrar.removal(url) if remove else registrar.registration(url, config.webhook_keys[0])
            )
            _carry_out(actions, dry_run=dry_run, ask=not yes)
    except DataverseRefused as refusal:
        raise click.ClickException(f"{refusal}\n\n{_by_hand(url, remove=remove)}") from None
    except DataverseClientError as error:
        raise click.ClickException(f"{error} What was done so far stays; start it again to go on.") from None


def _carry_out(actions: list[Action], *, dry_run: bool, ask: bool) -> None:
    if not actions:
        click.echo("There is no such webhook in Dataverse.")
        return
    click.echo("In Dataverse this will be done:")
    for action in actions:
        click.echo(f"- {action.sentence}")
    if dry_run:
        click.echo("Nothing was changed.")
        return
    if ask:
        click.confirm("Go on?", abort=True)
    for action in actions:
        action.do()
        click.echo(f"Done: {action.sentence}")


def _by_hand(url: str, *, remove: bool) -> str:
    needs = (
        "Registering webhooks is a customization: the role System Customizer has the rights (Create, Read, "
        "Write and Delete on Service Endpoint and Sdk Message Processing Step). Give it to the application "
        "user for this one command, or let somebody who has it use the Plug-in Registration Tool:"
    )
    if remove:
        return f"{needs} unregister the webhook to {url}; its steps go with it."
    steps = (
        f"Register New Web Hook, Endpoint URL {url}, Authentication HttpHeader, Key {KEY_HEADER}, Value the "
        f"first key of DATAVERSE_WEBHOOK_KEY. Then three steps, each asynchronous in PostOperation with "
        f"“delete AsyncOperation if StatusCode = Successful”, Primary Entity {TABLE}: Create, Delete, and "
        f"Update with the Filtering Attributes {', '.join(FILTERING)}."
    )
    return f"{needs} {steps}"
