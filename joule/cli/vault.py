"""`joule vault`: the keys that wrap every key. An operator's work, as the owner of the schema."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import click

from joule.cli._installation import addressed, owner_url, read_settings
from joule.cli._output import Failed, Output, reporting
from joule.kernel.errors import Misconfigured

if TYPE_CHECKING:
    from joule.kernel.settings import Settings
    from joule.vault.local_key_file import LocalKeyFile
    from joule.vault.rotation import KekRotation


@click.group("vault")
def command() -> None:
    """Make and replace the keys that wrap every key."""


@command.command("create-key-file")
@reporting
async def create_key_file(output: Output) -> None:
    """Make a new key file; never replaces one.

    Only for a new installation: what an earlier key file sealed can be opened by that file alone. Back it up, apart
    from the database.
    """
    from joule.vault.local_key_file import LocalKeyFile

    settings = read_settings()
    _without_kms(settings)
    await asyncio.to_thread(LocalKeyFile.create, settings.key_file)
    output.result(
        {"key_file": settings.key_file}, f"Made {settings.key_file}. Back it up now, apart from the database."
    )


@command.command("rotate-key")
@reporting
async def rotate_key(output: Output) -> None:
    """Add a fresh key to the key file and wrap every data key with it. Former keys stay until `retire-key`.

    Every process takes the new key at once. If it is interrupted, `joule vault rewrap` goes on. Back the file up again.
    """
    settings = read_settings()
    _without_kms(settings)
    async with _rotation(settings) as rotation:
        added = await _key_file(settings).add()
        output.say(f"Added key {added.kek_id}")
        await _rewrap(output, rotation)


@command.command("rewrap")
@reporting
async def rewrap(output: Output) -> None:
    """Wrap every data key with the current key: the key file's newest, or that of AWS KMS where it is configured.

    Moving from the file to KMS is this: set JOULE_VAULT_KMS_KEY, restart, rewrap, take the file away. May be interrupted
    and run again. Exits with 1 while some are left.
    """
    async with _rotation(read_settings()) as rotation:
        await _rewrap(output, rotation)


@command.command("retire-key")
@click.argument("key", required=False)
@reporting
async def retire_key(output: Output, key: str | None) -> None:
    """Remove a former KEY from the key file for good, or all former ones. Refused while a data key still needs it.

    Backups of the database made before the last rewrap open with the former keys alone: keep a backup of the file with
    them for as long as you keep those.
    """
    from joule.vault.local_key_file import LocalKeyFile

    settings = read_settings()
    file = _key_file(settings)
    retired = []
    async with _rotation(settings) as rotation:
        for each in [key] if key is not None else await file.former():
            await rotation.retire(each, scheme=LocalKeyFile.scheme, remove=file.retire)
            output.say(f"Removed key {each}")
            retired.append(each)
    output.result({"retired": retired}, f"{len(retired)} former keys removed." if retired else "There was none.")


async def _rewrap(output: Output, rotation: "KekRotation") -> None:
    done = await rotation.rewrap(told=lambda moved: output.say(f"{moved} data keys wrapped"))
    told = {"moved": done.moved, "left": done.left, "scheme": done.current.scheme, "key": done.current.kek_id}
    output.result(told, f"{done.moved} data keys are wrapped by {done.current.kek_id} now; {done.left} are left.")
    if done.left:
        raise Failed


@asynccontextmanager
async def _rotation(settings: "Settings") -> "AsyncIterator[KekRotation]":
    from joule.database.engine import Database
    from joule.vault.configured import wrapper_of
    from joule.vault.rotation import KekRotation

    owner = Database(owner_url(addressed(settings)), pool_size=1)
    try:
        yield KekRotation(owner=owner, wrapper=wrapper_of(settings), environment=settings.environment)
    finally:
        await owner.close()


def _key_file(settings: "Settings") -> "LocalKeyFile":
    from joule.vault.local_key_file import LocalKeyFile

    return LocalKeyFile(settings.key_file)


def _without_kms(settings: "Settings") -> None:
    if settings.vault.kms_key is not None:
        raise Misconfigured(
            "keys are wrapped by AWS KMS here, so there is no key file",
            advice="Unset JOULE_VAULT_KMS_KEY to use one; KMS replaces its own keys, see its console.",
        )
