"""Reads and keeps grants: which account stands behind a connection, what was granted, and the sealed tokens.

Tokens are opened in here alone, inside the caller's transaction, and are handed only to the broker, the refresher and
whoever tells a provider that a grant is over. The generation of the row stands in the seal, so that an older blob put
back does not open; whoever can put back the whole row, number included, is not kept from it.
"""

import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from integrations._columns import GRANT_TENANT, TOKENS
from integrations.catalogue.load import catalogue
from integrations.catalogue.model import Provider
from integrations.errors import ConnectionRevoked
from integrations.oauth.wire import TokenOutcome, TokenSet
from integrations.tables import OAuthGrantRow
from joule.kernel.ids import OrgId
from joule.vault.vault import Vault

LOOKED_AT_EVERY = timedelta(hours=6)  # where a provider can be asked whether a grant still lives
SHORT_LIFE = timedelta(days=1)  # access tokens that live less are renewed when used, not for keeping


class Endpoint(Protocol):
    """One provider's OAuth endpoints, for one client."""

    async def refresh(self, tokens: TokenSet) -> TokenSet: ...

    async def revoke(self, tokens: TokenSet) -> tuple[TokenOutcome, ...]: ...


class Endpoints(Protocol):
    """Finds the endpoints a grant belongs to."""

    async def of(self, session: AsyncSession, org: OrgId, provider: str, *, tenant: str | None) -> "Opening":
        """Reads what is needed and speaks with nobody outside. Raises `NoClient` when Joule is not registered there."""
        ...


Opening = Callable[[], Awaitable[Endpoint]]  # called once no transaction is open: it may have to ask outside


@dataclass(frozen=True, kw_only=True)
class Usable:
    """A connection as it stood a moment ago, with tokens that can be used. `generation` tells which ones they are."""

    connection: UUID
    grant: UUID
    provider: str
    tokens: TokenSet
    generation: int
    epoch: int
    granted: tuple[str, ...]
    read_only: bool
    tenant: str | None

    def __repr__(self) -> str:
        return f"<Usable {self.provider} {self.connection} generation {self.generation}>"


def subject(grant: UUID) -> str:
    """Whose key seals a grant's tokens: its own, so that revoking can destroy it."""
    return f"grant:{grant}"


async def open_tokens(session: AsyncSession, vault: Vault, org: OrgId, grant: OAuthGrantRow) -> TokenSet:
    """A grant's tokens. Raises `ConnectionRevoked` when there are none any more, `Corrupt` when they were tampered with."""
    if grant.tokens is None:
        raise ConnectionRevoked(title_of(grant.provider), grant.revoked_at)
    ring = await vault.keyring(session, org, subject(grant.id))
    return TokenSet.from_plaintext(ring.open(grant.tokens, row=grant.id, field=TOKENS, generation=grant.generation))


async def seal_tokens(
    session: AsyncSession, vault: Vault, org: OrgId, grant: OAuthGrantRow, tokens: TokenSet, *, now: datetime
) -> None:
    """Put `tokens` into a grant's row as its next generation, and clear whatever a refresh was in the middle of."""
    ring = await vault.keyring(session, org, subject(grant.id), create=True)
    grant.generation += 1
    grant.tokens = ring.seal(tokens.plaintext(), row=grant.id, field=TOKENS, generation=grant.generation)
    grant.status, grant.problem, grant.failures = "active", None, 0
    grant.expires_at, grant.refresh_expires_at = tokens.expires_at, tokens.refresh_expires_at
    grant.refreshed_at = now
    grant.lease_owner = grant.lease_until = grant.attempt_at = grant.cooldown_until = None
    provider = provider_of(grant.provider)
    grant.can_refresh = can_refresh(provider, tokens)
    grant.due_at = due_at(provider, tokens, now) if grant.can_refresh else None
    grant.look_at = next_look(now) if provider is None or provider.introspection_url is not None else None


async def tenant_of(session: AsyncSession, vault: Vault, org: OrgId, grant: OAuthGrantRow) -> str | None:
    """The one host this grant belongs to, where the provider gives each customer one."""
    if grant.tenant is None:
        return None
    ring = await vault.keyring(session, org)
    return ring.open_text(grant.tenant, row=grant.id, field=GRANT_TENANT)


def carried(old: TokenSet, new: TokenSet) -> TokenSet:
    """What a refresh left out is as it was: the refresh token, and what calls need besides tokens."""
    extra: Mapping[str, str] = {**old.extra, **new.extra}
    return replace(
        new,
        refresh_token=new.refresh_token or old.refresh_token,
        refresh_expires_at=new.refresh_expires_at or old.refresh_expires_at,
        extra=extra,
    )


def can_refresh(provider: Provider | None, tokens: TokenSet) -> bool:
    """Whether these tokens can be renewed without a person."""
    if provider is not None and provider.refresh.kind == "exchange":
        return True
    if provider is not None and provider.refresh.kind == "none":
        return False
    return tokens.refresh_token is not None


def due_at(provider: Provider | None, tokens: TokenSet, now: datetime) -> datetime | None:
    """When to renew ahead of need, spread so that many grants made together do not come due together. None: never."""
    spread = random.random()  # noqa: S311 - spreads load, guards nothing
    due: list[datetime] = []
    renew_at = tokens.refresh_due_at()
    if renew_at is not None and tokens.expires_at is not None:
        due.append(renew_at - (tokens.expires_at - renew_at) * spread)
    warm = None if provider is None else provider.refresh.keep_warm_days
    if warm is not None:
        due.append(now + timedelta(days=warm) * (1 - 0.2 * spread))
    return min(due, default=None)


def warm_at(provider: Provider | None, refreshed_at: datetime) -> datetime | None:
    """When a grant nobody uses has to be renewed all the same, so that the provider does not let it lapse."""
    warm = None if provider is None else provider.refresh.keep_warm_days
    return None if warm is None else refreshed_at + timedelta(days=warm) * 0.8


def next_look(now: datetime) -> datetime:
    """When to ask whether a grant still lives, spread so that what was connected together is not asked about together."""
    return now + LOOKED_AT_EVERY * (1 - 0.2 * random.random())  # noqa: S311 - spreads load, guards nothing


def granted_now(known: Mapping[str, Any], requested: tuple[str, ...], tokens: TokenSet) -> tuple[str, ...]:
    """What is granted: what the provider says, else what was asked; and what it has no scope for, as agreed here."""
    return granted_of(known, requested, tokens.scopes if tokens.scopes is not None else requested)


def granted_of(known: Mapping[str, Any], requested: tuple[str, ...], told: tuple[str, ...]) -> tuple[str, ...]:
    """What is granted where the provider says `told`: that, and what it has no scope for, as agreed here."""
    ours = tuple(name for name in requested if name in known and not known[name].sent)
    return tuple(dict.fromkeys((*told, *ours)))


def provider_of(provider: str) -> Provider | None:
    """The catalogue's entry; None for what is not in it (an MCP server)."""
    return catalogue().providers.get(provider)


def title_of(provider: str) -> str:
    """What people call the provider."""
    known = provider_of(provider)
    if known is None:
        return "an MCP server" if provider.startswith("mcp_") else provider
    return known.title
