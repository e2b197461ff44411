"""Puts the connected accounts together: the one network, the broker over it, and the services that share it."""

import logging
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from integrations.broker.broker import Broker
from integrations.broker.connectors import Connector, Installed, providers_of, told_of, version_of
from integrations.broker.guard import Endpoint, Network
from integrations.care.looking import Looking
from integrations.care.naming import Naming
from integrations.catalogue.load import including
from integrations.clients import Clients, read_file
from integrations.demo import CLIENT_ID, CLIENT_SECRET, PROVIDER
from integrations.endpoints import ProviderEndpoints, guarded
from integrations.mcp.endpoints import McpEndpoints
from integrations.oauth.secret import Secret
from integrations.oauth.wire import ClientIdentity
from integrations.pins import Pins
from integrations.refreshing import Refreshing
from integrations.results import SyncedThing
from joule.database.engine import Database, WriteSession
from joule.database.following import Follower
from joule.kernel.clock import Clock
from joule.kernel.ids import OrgId
from joule.kernel.permit import Permit
from joule.kernel.settings import IntegrationSettings
from joule.vault.vault import Vault
from memory import sourcing

log = logging.getLogger("joule.integrations")


@dataclass(frozen=True, kw_only=True)
class KeptInMemory:
    """What came through a connection and is kept as documents, files and remembered items."""

    followers: Sequence[Follower]

    async def listed(self, session: AsyncSession, org: OrgId, connection: UUID) -> tuple[SyncedThing, ...]:
        found = await sourcing.kept_from(session, org, f"connection:{connection}")
        return tuple(SyncedThing(kind=each.kind, id=each.id, since=each.since) for each in found)

    async def erase(self, session: WriteSession, permit: Permit, org: OrgId, connection: UUID) -> None:
        for follow in self.followers:
            await follow(session, permit, org, [f"connection:{connection}"])


@dataclass(frozen=True, kw_only=True)
class Accounts:
    """The parts that connected accounts are used by."""

    clients: Clients
    endpoints: ProviderEndpoints
    refreshing: Refreshing
    broker: Broker
    synced: KeptInMemory
    looking: Looking
    naming: Naming
    connectors: Mapping[str, Connector]  # by provider
    demo_host: str | None
    network: Network
    served: McpEndpoints
    loopback: tuple[Endpoint, ...]  # where an MCP server on this machine, and its issuer, may be


@asynccontextmanager
async def accounts(
    settings: IntegrationSettings, *, database: Database, vault: Vault, clock: Clock, followers: Sequence[Follower]
) -> AsyncIterator[Accounts]:
    """The parts, over one network that closes at the end. Raises `Misconfigured` for settings that would lose grants."""
    demo = (("127.0.0.1", settings.demo_port),) if settings.demo_port else ()
    deployment = dict(read_file(settings.clients_file))
    if demo:
        deployment[PROVIDER] = ClientIdentity(client_id=CLIENT_ID, client_secret=Secret(CLIENT_SECRET))
    loopback = tuple(("127.0.0.1", port) for port in (settings.mcp_port, settings.mcp_issuer_port) if port)
    network = Network(loopback=(*demo, *loopback))
    try:
        clients = Clients(vault=vault, deployment=MappingProxyType(deployment))
        served = McpEndpoints(
            vault=vault,
            clients=clients,
            network=network,
            clock=clock,
            deadline_seconds=settings.deadline_seconds,
            loopback=loopback,
        )
        endpoints = ProviderEndpoints(
            pins=Pins(database=database, vault=vault, clock=clock),
            clients=clients,
            http=guarded(network, deadline_seconds=settings.deadline_seconds),
            clock=clock,
            served=served,
        )
        refreshing = Refreshing(
            database=database,
            vault=vault,
            clock=clock,
            endpoints=endpoints,
            deadline=timedelta(seconds=settings.deadline_seconds),
            lease=timedelta(seconds=settings.lease_seconds),
        )
        with connectors_known(settings) as usable:
            yield Accounts(
                clients=clients,
                endpoints=endpoints,
                refreshing=refreshing,
                broker=Broker(network=network, keeper=refreshing, clock=clock),
                synced=KeptInMemory(followers=followers),
                connectors={each.name: each.connector for each in usable if each.connector is not None},
                looking=Looking(
                    database=database, vault=vault, clock=clock, endpoints=endpoints, refreshing=refreshing
                ),
                naming=Naming(database=database, vault=vault, clock=clock, endpoints=endpoints, refreshing=refreshing),
                demo_host=f"127.0.0.1:{settings.demo_port}" if demo else None,
                network=network,
                served=served,
                loopback=loopback,
            )
    finally:
        await network.close()


def names_of(settings: IntegrationSettings) -> tuple[str, ...]:
    """The connectors the operator enabled."""
    return tuple(dict.fromkeys(filter(None, (each.strip() for each in settings.connectors.split(",")))))


@contextmanager
def connectors_known(settings: IntegrationSettings) -> Iterator[tuple[Installed, ...]]:
    """Have the catalogue know the providers of the enabled connectors for a while; those connectors."""
    usable = _usable(settings)
    with including(providers_of(usable), version=version_of(usable)):
        yield usable


def _usable(settings: IntegrationSettings) -> tuple[Installed, ...]:
    """The enabled connectors that can be used; of the others the log says why not."""
    enabled = names_of(settings)
    found = told_of(enabled) if enabled else ()
    for each in found:
        if each.name in enabled and each.problem:
            log.warning("the connector %s is not used: %s", each.name, each.problem)
    return tuple(each for each in found if each.connector is not None)
