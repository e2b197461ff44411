"""Knows who Joule is at each provider: by the organisation's own app, else by the deployment's.

Client ids and secrets are sealed under the organisation's key; the deployment's come from a file only its operator can
read. Providers of one family share an app, so one that has none of its own uses a sibling's.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from integrations._columns import CLIENT_ID, CLIENT_SECRET, NEXT_SECRET
from integrations.catalogue.load import catalogue
from integrations.errors import NoClient
from integrations.grants import provider_of, title_of
from integrations.oauth.secret import Secret
from integrations.oauth.wire import ClientIdentity
from integrations.tables import ProviderClientRow
from joule.kernel.errors import Misconfigured
from joule.kernel.ids import OrgId
from joule.vault.keys import Keyring
from joule.vault.vault import Vault

READABLE_BY_OTHERS = 0o077


class Clients:
    """Finds the client of a provider."""

    def __init__(self, *, vault: Vault, deployment: Mapping[str, ClientIdentity]) -> None:
        self._vault, self._deployment = vault, deployment

    async def of(self, session: AsyncSession, org: OrgId, provider: str) -> ClientIdentity:
        """Raises `NoClient`."""
        for name in relatives(provider):
            row = await row_of(session, org, name)
            if row is not None:
                return opened(await self._vault.keyring(session, org), row)
            if name in self._deployment:
                return self._deployment[name]
        known = provider_of(provider)
        raise NoClient(title_of(provider), "" if known is None else known.registers_at)

    async def source(self, session: AsyncSession, org: OrgId, provider: str) -> str:
        """Whose app is used: `organisation`, `deployment`, or "" for none."""
        for name in relatives(provider):
            if await row_of(session, org, name) is not None:
                return "organisation"
            if name in self._deployment:
                return "deployment"
        return ""

    async def further(self, session: AsyncSession, org: OrgId, provider: str) -> Mapping[str, Secret]:
        """The further secrets a call carries, by their names in the catalogue."""
        for name in relatives(provider):
            row = await row_of(session, org, name)
            if row is not None and row.client_secret is not None:
                told = _secrets(await self._vault.keyring(session, org), row, row.client_secret)
                return MappingProxyType({key: Secret(value) for key, value in told["extra"].items()})
        return MappingProxyType({})


def relatives(provider: str) -> tuple[str, ...]:
    """The provider, then those of its family."""
    if provider_of(provider) is None:
        return (provider,)
    return (provider, *(one.id for one in catalogue().family(provider) if one.id != provider))


async def row_of(session: AsyncSession, org: OrgId, provider: str, *, lock: bool = False) -> ProviderClientRow | None:
    """What the organisation has set for this very provider."""
    query = select(ProviderClientRow).where(
        col(ProviderClientRow.org_id) == org, col(ProviderClientRow.provider) == provider
    )
    return (await session.execute(query.with_for_update() if lock else query)).scalar_one_or_none()


def sealed_secret(
    ring: Keyring,
    row: UUID,
    generation: int,
    *,
    secret: str | None,
    extra: Mapping[str, str],
    key: Mapping[str, str] | None = None,
) -> bytes:
    """A client's secrets as stored. `key`: its private key as PEM, with `id` and `algorithm`, where it has one."""
    plain = json.dumps(
        {"client_secret": secret, "extra": dict(extra), "key": None if key is None else dict(key)}
    ).encode()
    return ring.seal(plain, row=row, field=CLIENT_SECRET, generation=generation)


def opened(ring: Keyring, row: ProviderClientRow) -> ClientIdentity:
    """A stored client, its secrets included."""
    told = {} if row.client_secret is None else _secrets(ring, row, row.client_secret)
    secret, key = told.get("client_secret"), told.get("key") or {}
    former = None
    if row.next_secret is not None:
        former = ring.open_text(row.next_secret, row=row.id, field=NEXT_SECRET, generation=row.generation)
    return ClientIdentity(
        client_id=ring.open_text(row.client_id, row=row.id, field=CLIENT_ID, generation=row.generation),
        client_secret=None if secret is None else Secret(secret),
        next_secret=None if former is None else Secret(former),
        private_key=Secret(key["pem"]) if key else None,
        key_id=key.get("id") or None,
        key_algorithm=key.get("algorithm", "ES256"),
    )


def _secrets(ring: Keyring, row: ProviderClientRow, sealed: bytes) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(ring.open(sealed, row=row.id, field=CLIENT_SECRET, generation=row.generation))
    return told


def read_file(path: Path | None) -> Mapping[str, ClientIdentity]:
    """The deployment's own apps: `{"provider": {"client_id": "…", "client_secret": "…"}}`.

    Raises `Misconfigured` for a file that others may read, that is no such JSON, or that names an unknown provider.
    """
    if path is None:
        return MappingProxyType({})
    try:
        if path.stat().st_mode & READABLE_BY_OTHERS:
            raise Misconfigured(
                "the file of OAuth clients can be read by others", advice="Set its mode to 0600 and start again."
            )
        told = json.loads(path.read_text(encoding="utf-8"))
        found = {
            str(name): ClientIdentity(
                client_id=str(each["client_id"]),
                client_secret=Secret(str(each["client_secret"])) if each.get("client_secret") else None,
            )
            for name, each in told.items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise Misconfigured(
            "the file of OAuth clients cannot be used",
            advice='It is JSON such as {"hubspot": {"client_id": "…", "client_secret": "…"}}; see docs/integrations.md.',
        ) from None
    unknown = sorted(set(found) - set(catalogue().providers))
    if unknown:
        raise Misconfigured(
            f"the file of OAuth clients names {unknown[0]}, which is no provider",
            advice="Use the ids that `joule integrations list` shows.",
        )
    return MappingProxyType(found)
