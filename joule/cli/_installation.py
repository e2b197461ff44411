"""Where this installation is: its settings, its database, and for whom the local operator speaks.

Whoever may read the key file may read everything, so the command line asks for no password: it acts as the first owner
of the oldest organisation, and what it does stands in the journal as theirs.
"""

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from pydantic import SecretStr, ValidationError

from joule.database.server import EmbeddedServer, ServerAddress
from joule.kernel.errors import Misconfigured
from joule.kernel.settings import Settings, load

if TYPE_CHECKING:
    from joule.assembly import House
    from joule.kernel.principal import Principal


def read_settings() -> Settings:
    """The settings of this process. Raises `Misconfigured` naming what cannot be used, never its value."""
    try:
        return load()
    except ValidationError as problem:
        wrong = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in problem.errors())
        raise Misconfigured(
            f"settings that cannot be used: {wrong}", advice="Correct the JOULE_ variables; see docs/settings.md."
        ) from None


def embedded_server(settings: Settings) -> EmbeddedServer | None:
    """The embedded server of this home folder, not started; None when an outside one is configured."""
    if settings.database.url is not None:
        return None
    return EmbeddedServer(home=settings.home, engine=settings.database.engine)


def addressed(settings: Settings, address: ServerAddress | None = None) -> Settings:
    """The settings with the database's address in them, whichever server it is."""
    if settings.database.url is not None:
        return settings
    if address is None:
        address = EmbeddedServer(home=settings.home, engine=settings.database.engine).address
    database = settings.database.model_copy(
        update={"url": SecretStr(address.app_url), "owner_url": SecretStr(address.owner_url)}
    )
    return settings.model_copy(update={"database": database})


def app_url(settings: Settings) -> str:
    """The application's address, of addressed settings."""
    if settings.database.url is None:
        raise Misconfigured("there is no address of a database", advice="Set JOULE_DATABASE_URL.")
    return settings.database.url.get_secret_value()


def owner_url(settings: Settings) -> str:
    """The schema owner's address, of addressed settings. Raises `Misconfigured` when none was given."""
    if settings.database.owner_url is None:
        raise Misconfigured(
            "there is no address for the schema's owner",
            advice="Set JOULE_DATABASE_OWNER_URL beside JOULE_DATABASE_URL for migrations.",
        )
    return settings.database.owner_url.get_secret_value()


def environment_with(address: ServerAddress, environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The environment of a child process that shall use the embedded server at `address`."""
    return {**environment, "JOULE_DATABASE_URL": address.app_url, "JOULE_DATABASE_OWNER_URL": address.owner_url}


@asynccontextmanager
async def opened() -> AsyncIterator[tuple["House", "Principal"]]:
    """The house, and the local operator as the owner of its oldest organisation, for one command."""
    from joule.assembly import open_house

    async with open_house(addressed(read_settings())) as house:
        owner = await oldest_owner(house)
        if owner is None:
            raise Misconfigured("no workspace was founded yet", advice="Run `joule up` once; it founds one.")
        yield house, owner


async def oldest_owner(house: "House") -> "Principal | None":
    """The first owner of the oldest organisation; None before anything was founded."""
    from joule.identity import queries
    from joule.identity.deployment import DEPLOYMENT
    from joule.kernel.principal import Principal, Role, Via

    async with house.database.read(DEPLOYMENT) as session:
        found = await queries.organisations(session)
    if not found:
        return None
    async with house.database.read(found[0]) as session:
        person = await queries.first_owner(session, found[0])
    if person is None:
        return None
    return Principal(org=found[0], person=person, role=Role.OWNER, via=Via.PERSON)
