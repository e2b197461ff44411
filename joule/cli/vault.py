"""`joule vault`: the key file, for installations that `joule up` does not make."""

import asyncio

import click

from joule.cli._installation import read_settings
from joule.cli._output import Output, reporting
from joule.kernel.errors import Misconfigured


@click.group("vault")
def command() -> None:
    """Make the key file that wraps every key."""


@command.command("create-key-file")
@reporting
async def create_key_file(output: Output) -> None:
    """Make a new key file; never replaces one.

    Only for a new installation: what an earlier key file sealed can be opened by that file alone. Back it up, apart
    from the database.
    """
    from joule.vault.local_key_file import LocalKeyFile

    settings = read_settings()
    if settings.vault.kms_key is not None:
        raise Misconfigured(
            "keys are wrapped by AWS KMS here, so there is no key file", advice="Unset JOULE_VAULT_KMS_KEY to use one."
        )
    await asyncio.to_thread(LocalKeyFile.create, settings.key_file)
    output.result(
        {"key_file": settings.key_file}, f"Made {settings.key_file}. Back it up now, apart from the database."
    )
