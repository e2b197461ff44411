"""Puts the connected accounts together: the one network, the broker over it, and the services that share it."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from integrations.broker.broker import Broker
from integrations.broker.guard import Endpoint, Network
from integrations.clients import Clients, read_file
from integrations.demo import CLIENT_ID, CLIENT_SECRET, PROVIDER
from integrations.endpoints import ProviderEndpoints, guarded
from integrations.oauth.secret import Secret
from integrations.oauth.wire import ClientIdentity
from integrations.refreshing import Refreshing
from integrations.results import Synced
from joule.database.engine import Database, WriteSession
from joule.database.following import Follower
from joule.kernel.clock import Clock
from joule.kernel.ids import OrgId
from joule.kernel.permit import Permit
from joule.kernel.settings import IntegrationSettings
from joule.vault.vault import Vault
from memory import sourced
from memory.knowledge import erasing as documents


@dataclass(frozen=True, kw_only=True)
class KeptInMemory:
    """What came through a connection and is kept as documents, files and remembered items."""

    followers: Sequence[Follower]

    async def count(self, session: AsyncSession, org: OrgId, connection: UUID) -> Synced:
        source = f"connection:{connection}"
        found = await sourced.count(session, org, source)
        read = await documents.made_from(session, org, [source])
        return Synced(files=found.files + len(read), items=found.items)

    async def erase(self, session: WriteSession, permit: Permit, org: OrgId, connection: UUID) -> Synced:
        there = await self.count(session, org, connection)
        for follow in self.followers:
            await follow(session, permit, org, [f"connection:{connection}"])
        left = await self.count(session, org, connection)
        return Synced(files=there.files - left.files, items=there.items - left.items)


@dataclass(frozen=True, kw_only=True)
class Accounts:
    """The parts that connected accounts are used by."""

    clients: Clients
    endpoints: ProviderEndpoints
    refreshing: Refreshing
    broker: Broker
    synced: KeptInMemory
    demo_host: str | None
    network: Network
    loopback: tuple[Endpoint, ...]  # where an MCP server on this machine may be


@asynccontextmanager
async def accounts(
    settings: IntegrationSettings, *, database: Database, vault: Vault, clock: Clock, followers: Sequence[Follower]
) -> AsyncIterator[Accounts]:
    """The parts, over one network that closes at the end. Raises `Misconfigured` for settings that would lose grants."""
    demo = (("127.0.0.1", settings.demo_port),) if settings.demo_port else ()
    deployment = dict(read_file(settings.clients_file))
    if demo:
        deployment[PROVIDER] = ClientIdentity(client_id=CLIENT_ID, client_secret=Secret(CLIENT_SECRET))
    served = (("127.0.0.1", settings.mcp_port),) if settings.mcp_port else ()
    network = Network(loopback=(*demo, *served))
    try:
        clients = Clients(vault=vault, deployment=MappingProxyType(deployment))
        endpoints = ProviderEndpoints(
            clients=clients, http=guarded(network, deadline_seconds=settings.deadline_seconds), clock=clock
        )
        refreshing = Refreshing(
            database=database,
            vault=vault,
            clock=clock,
            endpoints=endpoints,
            deadline=timedelta(seconds=settings.deadline_seconds),
            lease=timedelta(seconds=settings.lease_seconds),
        )
        yield Accounts(
            clients=clients,
            endpoints=endpoints,
            refreshing=refreshing,
            broker=Broker(network=network, keeper=refreshing, clock=clock),
            synced=KeptInMemory(followers=followers),
            demo_host=f"127.0.0.1:{settings.demo_port}" if demo else None,
            network=network,
            loopback=served,
        )
    finally:
        await network.close()
