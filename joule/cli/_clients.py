"""Says who Joule is at a provider, from the command line. Secrets come from files or standard input, never as arguments."""

from pathlib import Path
from typing import IO, TYPE_CHECKING

import click

from joule.cli._installation import opened
from joule.cli._output import Output, reporting
from joule.kernel.errors import Invalid

if TYPE_CHECKING:
    from integrations.results import ExtraSecretGiven

Text = click.File("r", encoding="utf-8")


@click.command("client")
@click.argument("provider")
@click.option("--client-id", help="The id of the app that was registered at the provider.")
@click.option("--secret-file", type=Text, help="File with its secret; - for standard input.")
@click.option(
    "--key-file", type=Text, help="File with its private key in PEM form, for providers that want assertions."
)
@click.option("--key-id", default="", help="The id under which the provider knows that key.")
@click.option("--key-algorithm", default="ES256", show_default=True, help="What the key signs with.")
@click.option("--extra", multiple=True, metavar="NAME=FILE", help="File with a further secret that the provider wants.")
@click.option(
    "--keep-former", is_flag=True, help="Go on trying the former secret while the new one is not known there."
)
@click.option("--forget", is_flag=True, help="Forget what was set.")
@reporting
async def client(
    output: Output,
    provider: str,
    client_id: str | None,
    secret_file: IO[str] | None,
    key_file: IO[str] | None,
    key_id: str,
    key_algorithm: str,
    extra: tuple[str, ...],
    keep_former: bool,
    forget: bool,
) -> None:
    """Say who Joule is at PROVIDER: the app an admin registered there. Its secrets are sealed and never shown again."""
    from integrations.actions import SetProviderClient
    from integrations.results import Secret

    if forget == bool(client_id):
        raise Invalid("it is not clear what to do", advice="Give --client-id, or --forget.")
    extras = _further(extra)
    async with opened() as (house, person):
        done = await house.commands.perform(
            SetProviderClient(
                principal=person,
                provider=provider,
                client_id="" if forget else client_id or "",
                client_secret=None if secret_file is None else Secret(secret_file.read().strip()),
                extra=extras,
                keep_former=keep_former,
                private_key=None if key_file is None else Secret(key_file.read()),
                key_id=key_id,
                key_algorithm=key_algorithm,
            )
        )
    output.result(done, "Nothing is set any more." if forget else f"Joule is known at {provider} as {client_id}.")


def _further(extra: tuple[str, ...]) -> "tuple[ExtraSecretGiven, ...]":
    """Raises `Invalid` for a name without a file, or a file that cannot be read."""
    from integrations.results import ExtraSecretGiven, Secret

    given = [each.partition("=") for each in extra]
    if any(not name or not file for name, _, file in given):
        raise Invalid("a further secret is not named", advice="Give it as NAME=FILE.")
    try:
        return tuple(
            ExtraSecretGiven(name=name, value=Secret(Path(file).read_text(encoding="utf-8").strip()))
            for name, _, file in given
        )
    except (OSError, UnicodeDecodeError):
        raise Invalid("the file of a further secret cannot be read", advice="Check its name and its mode.") from None
