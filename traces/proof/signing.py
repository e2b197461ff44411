"""The key an installation signs with: made once, its private half sealed in the vault, replaced by rotation.

Each key is vouched for by the one before it and the other way round, so that whoever knows one knows them all. It belongs
to the deployment and to no organisation; erasing an organisation leaves what was signed for it checkable.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from joule.database.engine import Database, WriteSession
from joule.kernel.clock import Clock
from joule.kernel.ids import OrgId, new_id
from joule.vault.vault import Vault
from traces.proof import notes

SUBJECT = "signing:heads"
_FIELD = "private"

_KEYS = text(
    "SELECT id, ordinal, public, private, statement, made_at FROM trace_signing_key WHERE org_id = :org ORDER BY ordinal"
)
_ADD = text(
    "INSERT INTO trace_signing_key (org_id, id, ordinal, public, private, statement, made_at)"
    " VALUES (:org, :id, :ordinal, :public, :private, :statement, :at)"
)
_RETIRE = text("UPDATE trace_signing_key SET private = NULL WHERE org_id = :org AND private IS NOT NULL")
_LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended('joule.traces.signing', 0))")


@dataclass(frozen=True, kw_only=True)
class PublicKey:
    """One public key of this installation, and what vouches for it."""

    ordinal: int
    public: bytes
    line: str  # `name+id+key`, as an auditor keeps it
    statement: str  # the signed note
    made_at: datetime
    is_current: bool


@dataclass(frozen=True, kw_only=True)
class _Stored:
    id: UUID
    ordinal: int
    public: bytes
    private: bytes | None
    statement: str
    made_at: datetime


class Signer:
    """Signs as this installation. Lives for one round of work; never stored."""

    def __init__(self, installation: str, key: Ed25519PrivateKey) -> None:
        self.installation = installation
        self._key = key

    def sign(self, words: str) -> str:
        """`words` as a signed note."""
        return notes.signed(words, (notes.name_of(self.installation), self._key))

    def state(self, org: OrgId, kind: str, body: dict[str, object]) -> str:
        """A signed statement about `org`, such as `erasure`. `body` holds ids, times, numbers, closed words; no content."""
        return self.sign(notes.statement_text(self.installation, org, kind, body))

    def __repr__(self) -> str:
        return f"<Signer of {self.installation}>"


class Signing:
    """The keys of this installation, kept under the deployment's own scope."""

    def __init__(self, *, database: Database, vault: Vault, clock: Clock, scope: OrgId) -> None:
        self._database, self._vault, self._clock, self.scope = database, vault, clock, scope

    async def signer(self) -> Signer:
        """Who signs now. The first to ask in an installation makes the key. Raises what the vault raises."""
        async with self._database.read(self.scope) as session:
            keys = await self._stored(session)
            if keys:
                return await self._signer(session, keys)
        async with self._database.write(self.scope) as session:
            await session.execute(_LOCK)  # whoever came first has made it
            if not await self._stored(session):
                await self._make(session, [])
            return await self._signer(session, await self._stored(session))

    async def keys(self) -> tuple[PublicKey, ...]:
        """Every key there ever was, oldest first; empty before anything was signed."""
        async with self._database.read(self.scope) as session:
            stored = await self._stored(session)
        if not stored:
            return ()
        name = notes.name_of(notes.installation_of(stored[0].public))
        return tuple(
            PublicKey(
                ordinal=each.ordinal,
                public=each.public,
                line=notes.public_line(name, each.public),
                statement=each.statement,
                made_at=each.made_at,
                is_current=each is stored[-1],
            )
            for each in stored
        )

    async def rotate(self, session: WriteSession) -> PublicKey:
        """Sign with a fresh key from now on. The former private half is destroyed. `session` is of the deployment's scope."""
        await session.execute(_LOCK)
        stored = await self._stored(session)
        if not stored:
            await self._make(session, [])
            stored = await self._stored(session)
        await self._make(session, stored)
        newest = (await self._stored(session))[-1]
        name = notes.name_of(notes.installation_of(stored[0].public))
        return PublicKey(
            ordinal=newest.ordinal,
            public=newest.public,
            line=notes.public_line(name, newest.public),
            statement=newest.statement,
            made_at=newest.made_at,
            is_current=True,
        )

    async def _make(self, session: WriteSession, former: Sequence[_Stored]) -> None:
        key, identity, now = Ed25519PrivateKey.generate(), new_id(), self._clock.now()
        public = key.public_key().public_bytes_raw()
        installation = notes.installation_of(former[0].public if former else public)
        signers = [(notes.name_of(installation), key)]
        if former:
            signers.append((notes.name_of(installation), await self._private(session, former[-1])))
        last = former[-1] if former else None
        words = notes.key_text(installation, len(former) + 1, public, None if last is None else last.public, at=now)
        ring = await self._vault.keyring(session, self.scope, SUBJECT, create=True)
        await session.execute(_RETIRE, {"org": self.scope})
        await session.execute(
            _ADD,
            {
                "org": self.scope,
                "id": identity,
                "ordinal": len(former) + 1,
                "public": public,
                "private": ring.seal(key.private_bytes_raw(), row=identity, field=_FIELD),
                "statement": notes.signed(words, *signers),
                "at": now,
            },
        )

    async def _signer(self, session: AsyncSession, keys: Sequence[_Stored]) -> Signer:
        return Signer(notes.installation_of(keys[0].public), await self._private(session, keys[-1]))

    async def _private(self, session: AsyncSession, key: _Stored) -> Ed25519PrivateKey:
        if key.private is None:
            raise ValueError("a key without its private half is not the last one")
        ring = await self._vault.keyring(session, self.scope, SUBJECT)
        return Ed25519PrivateKey.from_private_bytes(ring.open(key.private, row=key.id, field=_FIELD))

    async def _stored(self, session: AsyncSession) -> list[_Stored]:
        rows = (await session.execute(_KEYS, {"org": self.scope})).all()
        return [
            _Stored(
                id=row.id,
                ordinal=row.ordinal,
                public=bytes(row.public),
                private=None if row.private is None else bytes(row.private),
                statement=row.statement,
                made_at=row.made_at,
            )
            for row in rows
        ]
