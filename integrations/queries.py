"""What pages and the command line may read about connected accounts.

Plain reads under row-level security. No query gives a token, a client secret, a verifier or a state; those for support
open no key at all.
"""

import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from integrations._columns import ACCOUNT, CLIENT_ID, RECEIPT
from integrations._ends import ends_of
from integrations.results import TokenEnd
from integrations.tables import (
    ConnectionRow,
    OAuthGrantRow,
    ProviderClientRow,
    ProviderRuleRow,
    ReceiptKeyRow,
    RevocationRow,
)
from joule.kernel.errors import NotFound
from joule.kernel.ids import OrgId, PersonId
from joule.vault.keys import Keyring
from joule.vault.vault import Vault


@dataclass(frozen=True, kw_only=True)
class ConnectionView:
    """One connected account as an admin sees it, also after its end.

    `status` is the grant's: active, refresh_unknown, needs_reconnecting or revoked. `ends_at` is when the consent itself
    runs out, if it does. `telling` is how far the provider has been told of the end: empty, pending, done or gave_up.
    """

    connection: UUID
    grant: UUID
    provider: str
    account: str
    status: str
    problem: str | None
    read_only: bool
    epoch: int
    requested: tuple[str, ...]
    granted: tuple[str, ...]
    scope_source: str
    connected_by: PersonId
    connected_at: datetime
    used_at: datetime | None
    refreshed_at: datetime
    expires_at: datetime | None
    ends_at: datetime | None
    can_refresh: bool
    revoked_at: datetime | None
    revoked_by: PersonId | None
    telling: str = ""
    outcomes: tuple[TokenEnd, ...] = ()
    has_receipt: bool = False
    siblings: tuple[UUID, ...] = field(default=())

    @property
    def is_over(self) -> bool:
        """Whether it was disconnected."""
        return self.revoked_at is not None


@dataclass(frozen=True, kw_only=True)
class ConnectionHealth:
    """One connection as support sees it."""

    connection: UUID
    provider: str
    status: str
    problem: str | None
    used_at: datetime | None
    expires_at: datetime | None
    refreshed_at: datetime
    failures: int


@dataclass(frozen=True, kw_only=True)
class Rule:
    """What the organisation allows of a provider. `scopes` None: all of them."""

    provider: str
    allowed: bool
    scopes: tuple[str, ...] | None


@dataclass(frozen=True, kw_only=True)
class Client:
    """The app an organisation registered at a provider; of its secret only that there is one."""

    provider: str
    client_id: str
    has_secret: bool
    set_by: PersonId | None
    updated_at: datetime


async def connections(session: AsyncSession, vault: Vault, org: OrgId) -> tuple[ConnectionView, ...]:
    """Every connection of the organisation, those that ended too, newest first."""
    return await _views(session, vault, org, None)


async def connection(session: AsyncSession, vault: Vault, org: OrgId, connection: UUID) -> ConnectionView:
    """One connection. Raises `NotFound`."""
    for each in await _views(session, vault, org, connection):
        return each
    raise NotFound("connection")


async def health(session: AsyncSession, org: OrgId) -> tuple[ConnectionHealth, ...]:
    """The connections that have not ended, oldest first. Opens no key."""
    rows = (await session.execute(_joined(org).where(col(ConnectionRow.status) == "active"))).all()
    return tuple(
        ConnectionHealth(
            connection=row.id,
            provider=row.provider,
            status=grant.status,
            problem=grant.problem,
            used_at=row.used_at,
            expires_at=grant.expires_at,
            refreshed_at=grant.refreshed_at,
            failures=grant.failures,
        )
        for row, grant in sorted(rows, key=lambda both: both[0].id)
    )


async def rules(session: AsyncSession, org: OrgId) -> tuple[Rule, ...]:
    """What the organisation has decided about providers. One it decided nothing about is allowed whole."""
    rows = await session.scalars(select(ProviderRuleRow).where(col(ProviderRuleRow.org_id) == org))
    return tuple(_rule(row) for row in rows)


async def rule(session: AsyncSession, org: OrgId, provider: str) -> Rule | None:
    """What the organisation has decided about one provider; None when it decided nothing."""
    row = await session.get(ProviderRuleRow, (org, provider))
    return None if row is None else _rule(row)


async def client(session: AsyncSession, vault: Vault, org: OrgId, provider: str) -> Client | None:
    """The organisation's own app at a provider; None when it has registered none."""
    row = await session.scalar(
        select(ProviderClientRow).where(
            col(ProviderClientRow.org_id) == org, col(ProviderClientRow.provider) == provider
        )
    )
    if row is None:
        return None
    ring = await vault.keyring(session, org)
    return Client(
        provider=row.provider,
        client_id=ring.open_text(row.client_id, row=row.id, field=CLIENT_ID, generation=row.generation),
        has_secret=row.client_secret is not None,
        set_by=None if row.set_by is None else PersonId(row.set_by),
        updated_at=row.updated_at,
    )


async def receipt(session: AsyncSession, vault: Vault, org: OrgId, connection: UUID) -> str:
    """The signed receipt of a disconnection, as JSON text with the signature and the key to check it. Raises `NotFound`."""
    row = (await _revocations(session, org, [connection])).get(connection)
    key = await session.get(ReceiptKeyRow, org)
    if row is None or row.receipt is None or row.signature is None or key is None:
        raise NotFound("receipt")
    ring = await vault.keyring(session, org)
    signed = ring.open_text(row.receipt, row=row.id, field=RECEIPT)
    told = {
        "receipt": signed,
        "signature": {"algorithm": "Ed25519", "value": row.signature.hex(), "public_key": key.public.hex()},
    }
    return json.dumps(told, indent=2, ensure_ascii=False)


def _rule(row: ProviderRuleRow) -> Rule:
    scopes = None if row.scopes is None else tuple(row.scopes)
    return Rule(provider=row.provider, allowed=row.allowed, scopes=scopes)


def _joined(org: OrgId) -> Any:
    return (
        select(ConnectionRow, OAuthGrantRow)
        .join(
            OAuthGrantRow,
            (col(OAuthGrantRow.org_id) == col(ConnectionRow.org_id))
            & (col(OAuthGrantRow.id) == col(ConnectionRow.grant_id)),
        )
        .where(col(ConnectionRow.org_id) == org)
        .execution_options(populate_existing=True)
    )


async def _views(session: AsyncSession, vault: Vault, org: OrgId, only: UUID | None) -> tuple[ConnectionView, ...]:
    found = (await session.execute(_joined(org))).all()
    wanted = [both for both in found if only is None or both[0].id == only]
    if not wanted:
        return ()
    ring = await vault.keyring(session, org)
    ended = await _revocations(session, org, [row.id for row, _ in wanted])
    live: dict[UUID, list[UUID]] = {}
    for row, _ in found:
        if row.status == "active":
            live.setdefault(row.grant_id, []).append(row.id)
    views = [
        _view(row, grant, ring, ended.get(row.id), tuple(each for each in live.get(row.grant_id, ()) if each != row.id))
        for row, grant in wanted
    ]
    return tuple(sorted(views, key=lambda each: each.connection, reverse=True))


async def _revocations(session: AsyncSession, org: OrgId, connections: list[UUID]) -> dict[UUID, RevocationRow]:
    rows = await session.scalars(
        select(RevocationRow)
        .where(col(RevocationRow.org_id) == org, col(RevocationRow.connection_id).in_(connections))
        .order_by(col(RevocationRow.id))
        .execution_options(populate_existing=True)
    )
    return {row.connection_id: row for row in rows if row.connection_id is not None}


def _view(
    row: ConnectionRow, grant: OAuthGrantRow, ring: Keyring, ended: RevocationRow | None, siblings: tuple[UUID, ...]
) -> ConnectionView:
    return ConnectionView(
        connection=row.id,
        grant=grant.id,
        provider=row.provider,
        account="" if grant.account is None else ring.open_text(grant.account, row=grant.id, field=ACCOUNT),
        status="revoked" if row.status == "revoked" else grant.status,
        problem=grant.problem,
        read_only=row.read_only,
        epoch=row.epoch,
        requested=tuple(grant.requested),
        granted=tuple(grant.granted),
        scope_source=grant.scope_source,
        connected_by=PersonId(row.connected_by),
        connected_at=row.connected_at,
        used_at=row.used_at,
        refreshed_at=grant.refreshed_at,
        expires_at=grant.expires_at,
        ends_at=grant.refresh_expires_at if grant.can_refresh else grant.expires_at,
        can_refresh=grant.can_refresh,
        revoked_at=row.revoked_at,
        revoked_by=None if row.revoked_by is None else PersonId(row.revoked_by),
        telling="" if ended is None else ended.state,
        outcomes=() if ended is None else ends_of(ended.outcomes),
        has_receipt=ended is not None and ended.receipt is not None,
        siblings=siblings,
    )
