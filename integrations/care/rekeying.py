"""Puts connected accounts under new data keys, a few rows at a time, while everybody goes on using them.

Rows are sealed anew as the generation they are: whoever is just renewing a token compares generations, and must not find
one that changed under it. A row somebody holds is left for the next round. What ends by itself within days (consents under
way, tokens kept for telling a provider) is left to end: former keys go on opening it.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from sqlalchemy import CursorResult, text

from integrations._columns import TOKENS, TOOL_ABOUT
from integrations.care.results import KeysRotated
from integrations.grants import subject
from joule.database.engine import WriteSession
from joule.kernel.ids import DecisionId, OrgId
from joule.vault.keys import Keyring
from joule.vault.record import sealed_by_another
from joule.vault.vault import Vault

GRANTS = "grant"


@dataclass(frozen=True, kw_only=True)
class Sealed:
    """Columns of a table that the organisation's key seals, each as the field `table.column` unless `field` says else.

    `generation` is the column that stands in the seal; "": none does.
    """

    table: str
    columns: tuple[str, ...]
    id: str = "id"
    generation: str = ""
    field: str = ""


PLACES = (
    Sealed(table="provider_client", columns=("client_id", "client_secret", "next_secret"), generation="generation"),
    Sealed(table="oauth_grant", columns=("account", "tenant")),
    Sealed(table="revocation", columns=("receipt",)),
    Sealed(table="receipt_key", columns=("private",), id="org_id"),
    Sealed(table="issuer_pin", columns=("found",)),
    Sealed(table="mcp_server", columns=("url", "title", "sign_in")),
    Sealed(table="mcp_tool", columns=("name",)),
    Sealed(table="mcp_tool", columns=("about",), generation="generation"),
    Sealed(table="mcp_tool", columns=("former",), generation="former_generation", field=TOOL_ABOUT),
)


async def rotate(
    session: WriteSession, vault: Vault, org: OrgId, *, before: datetime, many: int, decision: DecisionId
) -> KeysRotated:
    """One round. Every row is either as it was or under a key made at `before` or later."""
    if await vault.made_before(session, org, "", before=before, many=1):
        await vault.rotate(session, org)
    ring = await vault.keyring(session, org)
    rows = 0
    for place in PLACES:
        rows += await _resealed(session, ring, place, many=many - rows, decision=decision)
    grants = 0
    for owner in await vault.made_before(session, org, GRANTS, before=before, many=many):
        grants += await _moved(session, vault, org, UUID(owner.partition(":")[2]), decision=decision)
    left = len(await vault.made_before(session, org, GRANTS, before=before, many=None))
    for place in PLACES:
        left += await _count(session, ring, place)
    return KeysRotated(rows=rows, grants=grants, left=left)


async def _resealed(session: WriteSession, ring: Keyring, place: Sealed, *, many: int, decision: DecisionId) -> int:
    if many <= 0:
        return 0
    generation = f"coalesce({place.generation or '0'}, 0) AS generation"
    found = await session.execute(
        text(
            f"SELECT {place.id} AS id, {generation}, {', '.join(place.columns)} FROM {place.table}"
            f" WHERE org_id = :org AND ({_stale(place)}) ORDER BY {place.id} LIMIT :many FOR UPDATE SKIP LOCKED"
        ),
        {"org": ring.org, "active": ring.active.bytes, "many": many},
    )
    rows = found.mappings().all()
    sets = ", ".join(f"{column} = :{column}" for column in place.columns)
    change = text(f"UPDATE {place.table} SET {sets}, decision_id = :decision WHERE org_id = :org AND {place.id} = :id")
    for row in rows:
        fresh = {column: _again(ring, place, column, row) for column in place.columns}
        await session.execute(change, {**fresh, "org": ring.org, "id": row["id"], "decision": decision})
    return len(rows)


def _again(ring: Keyring, place: Sealed, column: str, row: Any) -> bytes | None:
    sealed = row[column]
    if sealed is None:
        return None
    field, generation = place.field or f"{place.table}.{column}", row["generation"]
    plain = ring.open(bytes(sealed), row=row["id"], field=field, generation=generation)
    return ring.seal(plain, row=row["id"], field=field, generation=generation)


async def _moved(session: WriteSession, vault: Vault, org: OrgId, grant: UUID, *, decision: DecisionId) -> int:
    """Seal a grant's tokens under a key of their own made now. 0: somebody holds its row, or it has none any more."""
    found = await session.execute(
        text(
            "SELECT tokens, generation FROM oauth_grant"
            " WHERE org_id = :org AND id = :id AND tokens IS NOT NULL FOR UPDATE SKIP LOCKED"
        ),
        {"org": org, "id": grant},
    )
    row = found.mappings().first()
    if row is None:
        return 0
    await vault.rotate(session, org, subject(grant))
    ring, generation = await vault.keyring(session, org, subject(grant)), row["generation"]
    plain = ring.open(bytes(row["tokens"]), row=grant, field=TOKENS, generation=generation)
    tokens = ring.seal(plain, row=grant, field=TOKENS, generation=generation)
    done = await session.execute(
        text("UPDATE oauth_grant SET tokens = :tokens, decision_id = :decision WHERE org_id = :org AND id = :id"),
        {"tokens": tokens, "decision": decision, "org": org, "id": grant},
    )
    return cast(CursorResult[Any], done).rowcount


async def _count(session: WriteSession, ring: Keyring, place: Sealed) -> int:
    found = await session.execute(
        text(f"SELECT count(*) FROM {place.table} WHERE org_id = :org AND ({_stale(place)})"),
        {"org": ring.org, "active": ring.active.bytes},
    )
    return int(found.scalar_one())


def _stale(place: Sealed) -> str:
    return " OR ".join(sealed_by_another(column, "active") for column in place.columns)
