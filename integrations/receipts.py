"""Issues receipts for disconnected accounts: what ended, when, by whose word, and what became of each token.

A receipt is canonical JSON, signed with the organisation's Ed25519 key, whose private half lies sealed in the vault and
is made when first needed. It names the journal's tasks and decisions that did it, so that it can be checked against the
chain. It holds no account name and no token.
"""

import json
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
from integrations.tables import ConnectionRow, OAuthGrantRow, ReceiptKeyRow, RevocationRow
from joule.database.engine import WriteSession
from joule.kernel.errors import NotFound
from joule.kernel.ids import DecisionId, OrgId, TaskId
from joule.vault.vault import Vault

VERSION = "joule/revocation-receipt/v1"


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


async def issue(
    session: WriteSession, vault: Vault, row: RevocationRow, *, told_in: TaskId, now: datetime, decision: DecisionId
) -> None:
    """Sign what became of a revocation, into its row."""
    org = OrgId(row.org_id)
    document = json.dumps(await _document(session, row, told_in, now), sort_keys=True, separators=(",", ":")).encode()
    ring = await vault.keyring(session, org)
    key = await _key(session, vault, org, now=now, decision=decision)
    row.receipt = ring.seal(document, row=row.id, field=RECEIPT)
    row.signature = key.sign(document)


async def find(session: AsyncSession, vault: Vault, org: OrgId, revocation: UUID) -> Receipt:
    """Raises `NotFound` while the provider has not been told for good."""
    row = await session.get(RevocationRow, (org, revocation))
    key = await session.get(ReceiptKeyRow, org)
    if row is None or key is None or row.receipt is None or row.signature is None:
        raise NotFound("receipt")
    ring = await vault.keyring(session, org)
    return Receipt(
        document=ring.open(row.receipt, row=row.id, field=RECEIPT), signature=row.signature, public_key=key.public
    )


async def _document(session: WriteSession, row: RevocationRow, told_in: TaskId, now: datetime) -> dict[str, Any]:
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
        "keys_destroyed_at": _time(row.created_at),
        "provider_told": row.state == "done" and heard_of(row.outcomes),
        "attempts": row.attempts,
        "tokens": [
            {"token": each.token, "outcome": each.outcome, "detail": each.detail} for each in ends_of(row.outcomes)
        ],
        "what_the_provider_ends": "" if provider is None else provider.revocation.kills,
        "also_remove_at": "" if provider is None else provider.settings_url,
        "journal": {"disconnected_in_task": str(row.task_id), "told_in_task": str(told_in)},
        "issued_at": _time(now),
    }


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
