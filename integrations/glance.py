"""Looks at a connected account as it is at this moment: what a call is checked against, and the tokens to make it with.

One statement, asked before every request: a disconnection, a narrower rule or a newer consent that is committed is seen by
the very next look, in every process. Nothing of it may be kept for another request.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.rows import dict_row

from integrations import grants
from integrations._columns import GRANT_TENANT, TOKENS
from integrations.errors import ConnectionRevoked, NeedsReconnecting
from integrations.grants import Usable
from integrations.oauth.wire import TokenSet
from integrations.rules import Rule
from joule.database.engine import Database
from joule.kernel.errors import NotFound
from joule.kernel.ids import OrgId
from joule.vault.vault import Vault

_LOOK = "SELECT * FROM account_at_hand(%s, %s)"
_KEYS = ("id", "subject", "ordinal", "scheme", "kek", "wrapped", "state")


@dataclass(frozen=True, kw_only=True)
class AtHand:
    """A connection with its tokens as they are, fresh or not, and what the organisation says of its provider."""

    usable: Usable
    rule: Rule
    used_at: datetime | None


async def look(database: Database, vault: Vault, org: OrgId, connection: UUID) -> AtHand:
    """The connection, if it can be used. Raises `NotFound`, `ConnectionRevoked`, `NeedsReconnecting`, or as a vault does."""
    async with database.driver() as driver, driver.cursor(binary=True, row_factory=dict_row) as cursor:
        await cursor.execute(_LOOK, (org, connection), prepare=True)
        row = await cursor.fetchone()
    if row is None:
        raise NotFound("connection")
    title = grants.title_of(row["provider"])
    if "revoked" in {row["status"], row["grant_status"]}:
        raise ConnectionRevoked(title, row["revoked_at"] or row["grant_revoked_at"])
    if row["grant_status"] == "needs_reconnecting":
        raise NeedsReconnecting(title)
    if row["tokens"] is None:
        raise ConnectionRevoked(title, row["grant_revoked_at"])
    scopes = row["scopes"]
    return AtHand(
        usable=await _usable(vault, org, connection, row),
        rule=Rule(allowed=row["allowed"], scopes=None if scopes is None else frozenset(scopes)),
        used_at=row["used_at"],
    )


async def _usable(vault: Vault, org: OrgId, connection: UUID, row: dict[str, Any]) -> Usable:
    grant, generation = row["grant_id"], row["generation"]
    keys = {("kek_id" if name == "kek" else name): row[f"key_{name}"] or () for name in _KEYS}
    ring = await vault.keyring_of(org, grants.subject(grant), keys)
    tenant = None
    if row["tenant"] is not None:
        ours = await vault.keyring_of(org, "", keys)
        tenant = ours.open_text(row["tenant"], row=grant, field=GRANT_TENANT)
    return Usable(
        connection=connection,
        grant=grant,
        provider=row["provider"],
        tokens=TokenSet.from_plaintext(ring.open(row["tokens"], row=grant, field=TOKENS, generation=generation)),
        generation=generation,
        epoch=row["epoch"],
        granted=tuple(row["granted"]),
        read_only=row["read_only"],
        tenant=tenant,
    )
