"""Issues receipts for disconnected accounts: what ended, when, by whose word, and what became of each token.

One is there as soon as the account is disconnected, with what is known then; each time more is known a later one takes
its place, until one is final. A receipt is canonical JSON, signed with the organisation's Ed25519 key, whose private half lies sealed in the vault and
is made when first needed. It names the journal's tasks and decisions that did it, so that it can be checked against the
chain. It holds no account name and no token.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from integrations._columns import RECEIPT, SIGNING_KEY
from integrations._ends import ends_of, heard_of
from integrations.grants import provider_of
from integrations.results import SyncedThing
from integrations.tables import ConnectionRow, OAuthGrantRow, ReceiptKeyRow, RevocationRow
from joule.database.engine import WriteSession
from joule.kernel.errors import NotFound
from joule.kernel.ids import DecisionId, OrgId, TaskId
from joule.vault.keys import Keyring
from joule.vault.vault import Vault

VERSION = "joule/revocation-receipt/v2"
MOST_NAMED = 500  # things that were synced, by their ids; the rest are counted


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """A receipt as it is handed out: the signed bytes, the signature and the key that checks it."""

    document: bytes
    signature: bytes
    public_key: bytes

    def to_json(self) -> dict[str, Any]:
        """For downloading. `receipt` is the signed text itself, so that nobody has to guess how it was written."""
        return {
            "receipt": self.document.decode(),
            "signature": self.signature.hex(),
            "algorithm": "Ed25519",
            "public_key": self.public_key.hex(),
        }

    def is_genuine(self) -> bool:
        """Whether the signature is the key's over exactly these bytes."""
        try:
            Ed25519PublicKey.from_public_bytes(self.public_key).verify(self.signature, self.document)
        except (InvalidSignature, ValueError):
            return False
        return True


@dataclass(frozen=True, kw_only=True)
class KeptFrom:
    """What had been kept from one connection when it ended, and the ids of what was deleted of it."""

    connection: UUID
    things: Sequence[SyncedThing]
    deleted: frozenset[UUID]


async def issue(
    session: WriteSession,
    vault: Vault,
    row: RevocationRow,
    *,
    now: datetime,
    decision: DecisionId,
    told_in: TaskId | None = None,
    kept: Sequence[KeptFrom] | None = None,
) -> None:
    """Sign what is known of a revocation, into its row, in place of what was known before.

    `kept` None: what the former receipt says of synced content stands.
    """
    org = OrgId(row.org_id)
    ring = await vault.keyring(session, org)
    synced = _synced_before(ring, row) if kept is None else _synced(kept)
    told = {**await _document(session, row, told_in, now), "synced": synced}
    document = json.dumps(told, sort_keys=True, separators=(",", ":")).encode()
    key = await _key(session, vault, org, now=now, decision=decision)
    row.receipt = ring.seal(document, row=row.id, field=RECEIPT)
    row.signature = key.sign(document)


async def find(session: AsyncSession, vault: Vault, org: OrgId, revocation: UUID) -> Receipt:
    """The latest. Raises `NotFound`."""
    row = await session.get(RevocationRow, (org, revocation))
    key = await session.get(ReceiptKeyRow, org)
    if row is None or key is None or row.receipt is None or row.signature is None:
        raise NotFound("receipt")
    ring = await vault.keyring(session, org)
    return Receipt(
        document=ring.open(row.receipt, row=row.id, field=RECEIPT), signature=row.signature, public_key=key.public
    )


async def _document(session: WriteSession, row: RevocationRow, told_in: TaskId | None, now: datetime) -> dict[str, Any]:
    grant = await session.get(OAuthGrantRow, (row.org_id, row.grant_id))
    query = select(ConnectionRow).where(
        col(ConnectionRow.org_id) == row.org_id, col(ConnectionRow.grant_id) == row.grant_id
    )
    connections = (await session.execute(query)).scalars()
    provider = provider_of(row.provider)
    return {
        "version": VERSION,
        "organisation": str(row.org_id),
        "revocation": str(row.id),
        "provider": row.provider,
        "grant": str(row.grant_id),
        "granted": [] if grant is None else list(grant.granted),
        "connections": [
            {"connection": str(each.id), "product": each.provider, "ended_at": _time(each.revoked_at)}
            for each in sorted(connections, key=lambda one: one.id)
        ],
        "requested_by": None if row.revoked_by is None else str(row.revoked_by),
        "cause": row.cause,
        "refused_here_since": _time(row.created_at),
        "keys_destroyed_at": None if row.state == "shared" else _time(row.created_at),
        "final": row.state != "pending",
        "state": row.state,
        "state_words": _STATES[row.state],
        "provider_told": row.state == "done" and heard_of(row.outcomes),
        "attempts": row.attempts,
        "tokens": [
            {"token": each.token, "outcome": each.outcome, "detail": each.detail} for each in ends_of(row.outcomes)
        ],
        "what_the_provider_ends": "" if provider is None else provider.revocation.kills,
        "also_remove_at": "" if provider is None else provider.settings_url,
        "journal": {
            "disconnected_in_task": str(row.task_id),
            "told_in_task": None if told_in is None else str(told_in),
        },
        "issued_at": _time(now),
    }


_STATES = {
    "pending": "The provider is still being told: what became of each token is not final.",
    "done": "This is final.",
    "gave_up": "The provider never confirmed it. This is final.",
    "shared": "Other connections go on through the same consent, so its tokens live and the provider was not told.",
}


def _synced(kept: Sequence[KeptFrom]) -> dict[str, Any]:
    """What had been kept, since when, from which connection, and what became of it; by ids, never by name."""
    every = [(each, thing) for each in kept for thing in each.things]
    named = [
        {
            "kind": thing.kind,
            "id": str(thing.id),
            "connection": str(each.connection),
            "since": _time(thing.since),
            "became": "deleted" if thing.id in each.deleted else "kept",
        }
        for each, thing in every[:MOST_NAMED]
    ]
    gone = sum(thing.id in each.deleted for each, thing in every)
    return {"things": len(every), "deleted": gone, "kept": len(every) - gone, "named": named}


def _synced_before(ring: Keyring, row: RevocationRow) -> dict[str, Any] | None:
    if row.receipt is None:
        return None
    told: dict[str, Any] = json.loads(ring.open(row.receipt, row=row.id, field=RECEIPT))
    return told.get("synced")


async def _key(
    session: WriteSession, vault: Vault, org: OrgId, *, now: datetime, decision: DecisionId
) -> Ed25519PrivateKey:
    ring = await vault.keyring(session, org)
    row = await session.get(ReceiptKeyRow, org)
    if row is not None:
        return Ed25519PrivateKey.from_private_bytes(ring.open(row.private, row=org, field=SIGNING_KEY))
    key = Ed25519PrivateKey.generate()
    session.add(
        ReceiptKeyRow(
            org_id=org,
            private=ring.seal(key.private_bytes_raw(), row=org, field=SIGNING_KEY),
            public=key.public_key().public_bytes_raw(),
            created_at=now,
            decision_id=decision,
        )
    )
    await session.flush()
    return key


def _time(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()
