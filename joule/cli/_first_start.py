"""Makes an installation ready to serve: key file, schema, workspace, sample project, sign-in link.

Run by `joule up` in a process of its own, so that the supervisor does not carry the whole house in memory. Safe to
repeat: each step is done only when it is not done yet. Prints one JSON document.
"""

import asyncio
import json
import sys
from importlib.resources import files
from typing import TYPE_CHECKING

import click

from joule.cli._dumps import forbid_core_dumps
from joule.cli._installation import addressed, app_url, oldest_owner, owner_url, read_settings
from joule.cli._output import Output, exit_code
from joule.database import migrate
from joule.database.engine import Database
from joule.identity import queries
from joule.identity.deployment import DEPLOYMENT
from joule.kernel.errors import JouleError, Misconfigured
from joule.kernel.ids import OrgId, new_id
from joule.kernel.principal import Principal, Role, Via
from joule.kernel.settings import Settings

if TYPE_CHECKING:
    from joule.assembly import House

PROJECT = "Harbour & Pine"
SAMPLES = ("campaigns.csv", "brand-guide.md")
DOCUMENT = "shop-policies.md"  # of the knowledge base; a worker reads it as soon as there is one
SIGN_IN = "/sign-in/link?token="


async def prepare(settings: Settings, *, sample: bool) -> dict[str, object]:
    """Bring everything to where web and worker can start; returns the sign-in link's path and what was done."""
    from joule.assembly import open_house

    await asyncio.to_thread(migrate.upgrade, owner_url(settings))
    ensure_key_file(settings, first=not await is_founded(settings))
    async with open_house(settings) as house:
        owner = await oldest_owner(house)
        founded = owner is None
        if owner is None:
            owner = await found(house)
            if sample:
                await add_sample(house, owner)
        return {
            "path": await sign_in_path(house, owner),
            "facts": {"organisation": str(owner.org), "founded": founded},
        }


async def is_founded(settings: Settings) -> bool:
    """Whether there is a workspace in the database: from then on there are rows that only its key opens."""
    database = Database(app_url(settings))
    try:
        async with database.read(DEPLOYMENT) as session:
            return bool(await queries.organisations(session))
    finally:
        await database.close()


def ensure_key_file(settings: Settings, *, first: bool) -> None:
    """Make the key file on the very first start; later, a missing one stops the start.

    A fresh key beside a database that was sealed with another would make everything in it unreadable.
    """
    from joule.vault.local_key_file import LocalKeyFile

    if settings.vault.kms_key is not None or settings.key_file.exists():
        return
    if not first:
        raise Misconfigured(
            f"the database is in use, but its key file {settings.key_file} is missing",
            advice="Restore the key file from its backup, or set JOULE_VAULT_KEY_FILE to where it is now. "
            "To begin again with nothing, move the home folder away.",
        )
    LocalKeyFile.create(settings.key_file)


async def found(house: "House") -> Principal:
    """Found the workspace of this installation."""
    from joule.identity.actions import FoundOrganisation

    org = OrgId(new_id())
    made = await house.commands.perform(
        FoundOrganisation(
            principal=_system(org),
            organisation_name="My workspace",
            owner_name="Owner",
            owner_email="owner@joule.invalid",
        )
    )
    return Principal(org=made.org, person=made.person, role=Role.OWNER, via=Via.PERSON)


async def add_sample(house: "House", owner: Principal) -> None:
    """A project with an invented company's campaign results, brand guide and policies, put in as its owner would."""
    from memory.actions import CreateProject, UploadFile
    from memory.knowledge.actions import AddDocument

    made = await house.commands.perform(CreateProject(principal=owner, title=PROJECT))
    for name in SAMPLES:
        await house.commands.perform(
            UploadFile(principal=owner, project=made.project, file_name=name, content=_sample(name))
        )
    await house.commands.perform(
        AddDocument(principal=owner, project=made.project, title=DOCUMENT, content=_sample(DOCUMENT))
    )


def _sample(name: str) -> bytes:
    return (files("joule.cli") / "sample" / name).read_bytes()


async def sign_in_path(house: "House", owner: Principal) -> str:
    """Where the owner signs in, once."""
    from joule.identity.actions import IssueSignInLink

    if owner.person is None:
        raise Misconfigured("the workspace has no owner", advice="Restore the database from a backup.")
    link = await house.commands.perform(IssueSignInLink(principal=_system(owner.org), person=owner.person))
    return f"{SIGN_IN}{link.token.get_secret_value()}"


def _system(org: OrgId) -> Principal:
    return Principal(org=org, person=None, role=Role.SYSTEM, via=Via.SYSTEM)


@click.command()
@click.option("--sample", is_flag=True)
@click.option("--json", "as_json", is_flag=True)
def main(sample: bool, as_json: bool) -> None:
    """Prepare this installation; `joule up` runs this."""
    forbid_core_dumps()
    try:
        ready = asyncio.run(prepare(addressed(read_settings()), sample=sample))
    except JouleError as problem:
        Output(as_json=as_json).error(problem)
        sys.exit(exit_code(problem))
    click.echo(json.dumps(ready))


if __name__ == "__main__":
    main()
