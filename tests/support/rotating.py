"""A provider on loopback whose refresh tokens rotate, under the addresses of the catalogue's demonstration."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType
from uuid import UUID

from integrations import grants
from integrations._columns import GRANT_TENANT
from integrations.broker.guard import Network
from integrations.clients import Clients
from integrations.endpoints import ProviderEndpoints, guarded
from integrations.oauth.secret import Secret
from integrations.oauth.wire import ClientIdentity, TokenSet
from integrations.pins import Pins
from integrations.refreshing import Refreshing
from integrations.tables import ConnectionRow, OAuthGrantRow
from joule.database.engine import Database
from joule.kernel.clock import Clock
from joule.kernel.ids import DecisionId, OrgId, PersonId, new_id
from joule.vault.vault import Vault
from tests.support.odd_provider import CLIENT, SECRET, OddProvider
from tests.support.provider_server import Asked, Json

PROVIDER = "demo_crm"


class Rotating(OddProvider):
    """The standard's own behaviour; counts what it is asked, and takes its time when told."""

    def __init__(self) -> None:
        super().__init__()
        self.refreshes = self.revoked = 0
        self.slow = 0.0
        self.reaches: asyncio.Event = asyncio.Event()  # set when a refresh has been answered

    async def send(self, writer: asyncio.StreamWriter, asked: Asked) -> bool:
        kept = await super().send(writer, asked)
        if asked.target.endswith("/oauth/token"):
            self.reaches.set()
        return kept

    def at_oauth_token(self, asked: Asked) -> Json:
        self.refreshes += 1
        return self.at_token(asked)

    def at_oauth_revoke(self, asked: Asked) -> Json:
        self.revoked += 1
        return self.at_revoke(asked)


@dataclass(frozen=True, kw_only=True)
class Connected:
    """A connection whose tokens that provider knows."""

    org: OrgId
    connection: UUID
    grant: UUID


@dataclass(frozen=True, kw_only=True)
class Ground:
    """A process's side of it: everything that keeps tokens, over one network."""

    database: Database
    vault: Vault
    clock: Clock
    network: Network
    endpoints: ProviderEndpoints
    refreshing: Refreshing
    provider: Rotating

    async def connect(
        self, org: OrgId, *, expires_in: timedelta = timedelta(hours=1), products: Sequence[str] = (PROVIDER,)
    ) -> Connected:
        """A grant with living tokens, and a connection for each product."""
        now, grant, decision = self.clock.now(), new_id(), DecisionId(new_id())
        made = self.provider.tokens()
        tokens = TokenSet(
            access_token=Secret(made["access_token"]),
            refresh_token=Secret(made["refresh_token"]),
            received_at=now,
            expires_at=now + expires_in,
            scopes=("contacts.read",),
            extra=MappingProxyType({}),
        )
        connections = [new_id() for _ in products]
        async with self.database.write(org) as session:
            ring = await self.vault.keyring(session, org, create=True)
            tenant = f"127.0.0.1:{self.provider.server.port}"
            row = OAuthGrantRow(
                org_id=org,
                id=grant,
                provider=PROVIDER,
                family=PROVIDER,
                granted_by=PersonId(new_id()),
                tenant=ring.seal_text(tenant, row=grant, field=GRANT_TENANT),
                requested=["contacts.read"],
                granted=["contacts.read"],
                scope_source="response",
                catalogue_version="test",
                status="active",
                generation=0,
                can_refresh=True,
                refreshed_at=now,
                created_at=now,
                decision_id=decision,
            )
            session.add(row)
            await grants.seal_tokens(session, self.vault, org, row, tokens, now=now)
            await session.flush()
            for connection, product in zip(connections, products, strict=True):
                session.add(
                    ConnectionRow(
                        org_id=org,
                        id=connection,
                        grant_id=grant,
                        provider=product,
                        status="active",
                        epoch=1,
                        read_only=False,
                        connected_by=row.granted_by,
                        connected_at=now,
                        decision_id=decision,
                    )
                )
        return Connected(org=org, connection=connections[0], grant=grant)

    async def row(self, at: Connected) -> OAuthGrantRow:
        """The grant as it stands."""
        async with self.database.read(at.org) as session:
            row = await session.get(OAuthGrantRow, (at.org, at.grant))
            assert row is not None
            session.expunge(row)
            return row


def keeper(
    *,
    database: Database,
    vault: Vault,
    clock: Clock,
    endpoints: ProviderEndpoints,
    deadline: timedelta = timedelta(seconds=2),
    lease: timedelta = timedelta(seconds=6),
) -> Refreshing:
    """A keeper of tokens, as another process would have one."""
    return Refreshing(
        database=database,
        vault=vault,
        clock=clock,
        endpoints=endpoints,
        deadline=deadline,
        lease=lease,
        confirm_after=timedelta(milliseconds=10),
    )


def endpoints_over(
    network: Network, *, database: Database, vault: Vault, clock: Clock, deadline_seconds: float = 2.0
) -> ProviderEndpoints:
    """The way to the provider, as the client it knows."""
    client = ClientIdentity(client_id=CLIENT, client_secret=Secret(SECRET))
    return ProviderEndpoints(
        pins=Pins(database=database, vault=vault, clock=clock),
        clients=Clients(vault=vault, deployment=MappingProxyType({PROVIDER: client})),
        http=guarded(network, deadline_seconds=deadline_seconds),
        clock=clock,
    )


@asynccontextmanager
async def ground(database: Database, vault: Vault, clock: Clock) -> AsyncIterator[Ground]:
    """The provider, running, and one process's side of it."""
    async with Rotating().running() as provider:
        assert isinstance(provider, Rotating)
        network = Network(loopback=[("127.0.0.1", provider.server.port)])
        endpoints = endpoints_over(network, database=database, vault=vault, clock=clock)
        yield Ground(
            database=database,
            vault=vault,
            clock=clock,
            network=network,
            endpoints=endpoints,
            refreshing=keeper(database=database, vault=vault, clock=clock, endpoints=endpoints),
            provider=provider,
        )
        await network.close()
