"""What pages and the command line may read of connected accounts. Nothing here opens a token."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from integrations import receipts
from integrations import rules as rules_in_force
from integrations._columns import ACCOUNT, CLIENT_ID
from integrations._ends import ends_of
from integrations.catalogue.load import catalogue
from integrations.clients import row_of
from integrations.mcp.sign_in import server_of
from integrations.results import TokenEnd
from integrations.tables import ConnectionRow, OAuthGrantRow, ProviderClientRow, ProviderRuleRow, RevocationRow
from joule.kernel.errors import NotFound
from joule.kernel.ids import OrgId, PersonId
from joule.vault.vault import Vault


@dataclass(frozen=True, kw_only=True)
class ConnectionView:
    """One connection, living or ended.

    `status`: active, refresh_unknown, needs_reconnecting or revoked. `ends_at` is when a person has to consent again in
    any case. `telling` is how far telling the provider has come ("" where it need not be told): pending, done, gave_up.
    """

    connection: UUID
    grant: UUID
    provider: str
    account: str
    status: str
    problem: str | None
    epoch: int
    read_only: bool
    requested: tuple[str, ...]
    granted: tuple[str, ...]
    scope_source: str
    catalogue_version: str
    connected_by: PersonId
    connected_at: datetime
    used_at: datetime | None
    refreshed_at: datetime
    expires_at: datetime | None
    ends_at: datetime | None
    revoked_at: datetime | None
    revoked_by: PersonId | None
    telling: str
    outcomes: tuple[TokenEnd, ...]
    has_receipt: bool
    asks_name: bool = False
    allowed: bool = True

    @property
    def is_over(self) -> bool:
        """Whether it was disconnected."""
        return self.status == "revoked"


@dataclass(frozen=True, kw_only=True)
class ConnectionHealth:
    """How a connection does, for support: no account name, no scopes, no person."""

    connection: UUID
    provider: str
    status: str
    problem: str | None
    used_at: datetime | None
    refreshed_at: datetime
    expires_at: datetime | None
    allowed: bool = True


@dataclass(frozen=True, kw_only=True)
class RuleView:
    """What the organisation has said about a provider."""

    provider: str
    allowed: bool
    scopes: tuple[str, ...] | None
    members_to: str | None = None


@dataclass(frozen=True, kw_only=True)
class ClientView:
    """Which app of the organisation's own is used at a provider. Its secret is never shown."""

    provider: str
    client_id: str
    has_secret: bool
    updated_at: datetime


async def connections(session: AsyncSession, vault: Vault, org: OrgId) -> tuple[ConnectionView, ...]:
    """Every connection to one of the catalogue's providers there is or was, the newest first."""
    rows = [(row, grant) for row, grant in await _rows(session, org) if server_of(row.provider) is None]
    return await _views(session, vault, org, rows)


async def connection(session: AsyncSession, vault: Vault, org: OrgId, connection: UUID) -> ConnectionView:
    """One connection. Raises `NotFound`."""
    views = await _views(session, vault, org, await _rows(session, org, connection))
    if not views:
        raise NotFound("connection")
    return views[0]


async def of_provider(session: AsyncSession, vault: Vault, org: OrgId, provider: str) -> tuple[ConnectionView, ...]:
    """Every connection to one provider, an MCP server too, the newest first."""
    rows = [(row, grant) for row, grant in await _rows(session, org) if row.provider == provider]
    return await _views(session, vault, org, rows)


async def health(session: AsyncSession, org: OrgId) -> tuple[ConnectionHealth, ...]:
    """How the connections do that have not been disconnected."""
    forbidden = await _forbidden(session, org)
    return tuple(
        ConnectionHealth(
            connection=row.id,
            provider=row.provider,
            status=_status(row, grant),
            problem=grant.problem,
            used_at=row.used_at,
            refreshed_at=grant.refreshed_at,
            expires_at=grant.expires_at,
            allowed=row.provider not in forbidden,
        )
        for row, grant in await _rows(session, org)
        if row.status != "revoked"
    )


async def siblings(session: AsyncSession, org: OrgId, connection: UUID) -> tuple[tuple[UUID, str], ...]:
    """The other living connections that go through the same consent, with their providers: to be warned of."""
    rows = await _rows(session, org)
    mine = next((grant.id for row, grant in rows if row.id == connection), None)
    return tuple(
        (row.id, row.provider)
        for row, grant in rows
        if grant.id == mine and row.id != connection and row.status == "active"
    )


async def rules(session: AsyncSession, org: OrgId) -> tuple[RuleView, ...]:
    """All the organisation has said about providers."""
    found = await session.execute(select(ProviderRuleRow).where(col(ProviderRuleRow.org_id) == org))
    return tuple(_rule(row) for row in found.scalars())


async def only_listed(session: AsyncSession, org: OrgId) -> bool:
    """Whether the organisation allows only the providers it has named."""
    return await rules_in_force.only_listed(session, org)


async def rule(session: AsyncSession, org: OrgId, provider: str) -> RuleView | None:
    """What was said about one provider; None: nothing, so all of it may be used, or nothing where only what is named is."""
    row = await session.get(ProviderRuleRow, (org, provider))
    return None if row is None else _rule(row)


async def client(session: AsyncSession, vault: Vault, org: OrgId, provider: str) -> ClientView | None:
    """The organisation's own app at a provider; None: it has set none."""
    row = await row_of(session, org, provider)
    return None if row is None else await _client(session, vault, org, row)


async def receipt(session: AsyncSession, vault: Vault, org: OrgId, connection: UUID) -> str:
    """The signed receipt of a disconnection as it stands now, as JSON to be downloaded. Raises `NotFound`."""
    row = await session.get(ConnectionRow, (org, connection))
    end = None
    if row is not None and row.status == "revoked":
        end = _end_of(row, await _revocations(session, org, [row.grant_id]))
    if end is None:
        raise NotFound("receipt")
    found = await receipts.find(session, vault, org, end.id)
    return json.dumps(found.to_json(), indent=2)


Pair = tuple[ConnectionRow, OAuthGrantRow]


async def _rows(session: AsyncSession, org: OrgId, connection: UUID | None = None) -> list[Pair]:
    query = (
        select(ConnectionRow, OAuthGrantRow)
        .join(
            OAuthGrantRow,
            (col(OAuthGrantRow.org_id) == col(ConnectionRow.org_id))
            & (col(OAuthGrantRow.id) == col(ConnectionRow.grant_id)),
        )
        .where(col(ConnectionRow.org_id) == org)
        .order_by(col(ConnectionRow.connected_at).desc(), col(ConnectionRow.id).desc())
    )
    if connection is not None:
        query = query.where(col(ConnectionRow.id) == connection)
    return [(row, grant) for row, grant in (await session.execute(query)).all()]


async def _views(session: AsyncSession, vault: Vault, org: OrgId, rows: list[Pair]) -> tuple[ConnectionView, ...]:
    if not rows:
        return ()
    ring = await vault.keyring(session, org)
    told = await _revocations(session, org, {grant.id for _, grant in rows})
    forbidden = await _forbidden(session, org)
    views = []
    for row, grant in rows:
        end = _end_of(row, told) if row.status == "revoked" else None
        views.append(
            ConnectionView(
                connection=row.id,
                grant=grant.id,
                provider=row.provider,
                account="" if grant.account is None else ring.open_text(grant.account, row=grant.id, field=ACCOUNT),
                status=_status(row, grant),
                problem=grant.problem,
                epoch=row.epoch,
                read_only=row.read_only,
                requested=tuple(grant.requested),
                granted=tuple(grant.granted),
                scope_source=grant.scope_source,
                catalogue_version=grant.catalogue_version,
                connected_by=PersonId(row.connected_by),
                connected_at=row.connected_at,
                used_at=row.used_at,
                refreshed_at=grant.refreshed_at,
                expires_at=grant.expires_at,
                ends_at=grant.refresh_expires_at or (None if grant.can_refresh else grant.expires_at),
                revoked_at=row.revoked_at,
                revoked_by=None if row.revoked_by is None else PersonId(row.revoked_by),
                telling="" if end is None else end.state,
                outcomes=() if end is None else ends_of(end.outcomes),
                has_receipt=end is not None and end.receipt is not None,
                asks_name=grant.account is None and grant.name_at is not None,
                allowed=row.provider not in forbidden,
            )
        )
    return tuple(views)


async def _revocations(session: AsyncSession, org: OrgId, grants: Iterable[UUID]) -> list[RevocationRow]:
    """The disconnections that people asked for."""
    query = select(RevocationRow).where(
        col(RevocationRow.org_id) == org,
        col(RevocationRow.grant_id).in_(list(grants)),
        col(RevocationRow.cause) == "person",
    )
    return list((await session.execute(query)).scalars())


def _end_of(row: ConnectionRow, told: Iterable[RevocationRow]) -> RevocationRow | None:
    """What is known of a connection's end: that of its whole consent, which says the most, else that of its own."""
    mine = [each for each in told if each.grant_id == row.grant_id]
    whole = [each for each in mine if each.state != "shared"]
    return next(iter(whole), None) or next((each for each in mine if each.connection_id == row.id), None)


async def _forbidden(session: AsyncSession, org: OrgId) -> frozenset[str]:
    return frozenset(catalogue().providers) - await rules_in_force.allowed(session, org)


def _status(row: ConnectionRow, grant: OAuthGrantRow) -> str:
    return "revoked" if "revoked" in {row.status, grant.status} else grant.status


def _rule(row: ProviderRuleRow) -> RuleView:
    return RuleView(
        provider=row.provider,
        allowed=row.allowed,
        scopes=None if row.scopes is None else tuple(row.scopes),
        members_to=row.members_to,
    )


async def _client(session: AsyncSession, vault: Vault, org: OrgId, row: ProviderClientRow) -> ClientView:
    ring = await vault.keyring(session, org)
    return ClientView(
        provider=row.provider,
        client_id=ring.open_text(row.client_id, row=row.id, field=CLIENT_ID, generation=row.generation),
        has_secret=row.client_secret is not None,
        updated_at=row.updated_at,
    )
