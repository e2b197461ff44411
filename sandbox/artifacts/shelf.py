"""Keeps what came out of a run: bytes in the store first, then one transaction in which all of it becomes artifacts.

A row says that bytes are on their way before they are written, so whatever breaks off leaves nothing that is not known.
What does not fit is refused by name; what fits is kept. Nothing that still has time is ever thrown out to make room.
"""

import asyncio
from collections.abc import AsyncIterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import func, select, text, update
from sqlmodel import col

from joule.database.engine import Database, WriteSession
from joule.kernel.clock import Clock
from joule.kernel.ids import DecisionId, OrgId, PersonId, ProjectId, TaskId, ThreadId, new_id
from joule.kernel.label import Label
from joule.vault.keys import Keyring
from joule.vault.vault import Vault
from sandbox import _labels
from sandbox.artifacts import rules
from sandbox.artifacts.collect import Found
from sandbox.artifacts.errors import StoreAway
from sandbox.artifacts.room import Room
from sandbox.artifacts.sniff import media_type
from sandbox.artifacts.store import Store, sealed
from sandbox.results import ArtifactMade, RefusedFile
from sandbox.tables import ArtifactBlobRow, ArtifactRow

NAME = "artifact.name"
_CONTENT = "artifact_blob.content"
_LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))")


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Where artifacts come from, and on whose decision they are kept."""

    org: OrgId
    project: ProjectId
    thread: ThreadId
    author: PersonId | None
    session: UUID | None
    task: TaskId
    decision: DecisionId
    label: Label


@dataclass(frozen=True, kw_only=True)
class Kept:
    """What became of the files of one run."""

    made: tuple[ArtifactMade, ...]
    refused: tuple[RefusedFile, ...]


@dataclass(frozen=True, kw_only=True)
class _Staged:
    """A file whose bytes are in the store, and that is no artifact yet."""

    blob: UUID
    key: bytes
    name: str
    size: int
    kind: str


@dataclass(frozen=True, kw_only=True)
class Shelf:
    """The artifacts of a deployment. `organisation_bytes` bounds what one organisation has at a time, `room` what all have.

    They are kept for as long as their organisation chose, else for `kept_for`.
    """

    database: Database
    vault: Vault
    clock: Clock
    store: Store
    kept_for: timedelta
    organisation_bytes: int
    room: Room

    async def keep(self, origin: Origin, files: AsyncIterable[Found | RefusedFile]) -> Kept:
        """All of `files` that can be kept, as artifacts. What cannot is told; nothing here fails a run that is over."""
        staged: list[_Staged] = []
        refused: list[RefusedFile] = []
        async for each in files:
            if isinstance(each, RefusedFile):
                refused.append(each)
                continue
            try:
                if not await self.room.takes(len(each.content)):
                    refused.append(RefusedFile(name=each.name, reason="there is no room left for anybody's artifacts"))
                    continue
                staged.append(await self._staged(origin, each))
            except StoreAway:
                refused.append(RefusedFile(name=each.name, reason="the artifact store could not be written"))
        if not staged:
            return Kept(made=(), refused=tuple(refused))
        async with self.database.write(origin.org) as session:
            made, late = await self._shelved(session, origin, staged)
        return Kept(made=made, refused=(*refused, *late))

    async def _staged(self, origin: Origin, found: Found) -> _Staged:
        blob = new_id()
        async with self.database.write(origin.org) as session:
            keyring = await self.vault.keyring(session, origin.org)
            key = keyring.commitment(_CONTENT, found.content)
            session.add(
                ArtifactBlobRow(
                    org_id=origin.org,
                    id=blob,
                    content_key=key,
                    size=len(found.content),
                    state="staged",
                    changed_at=self.clock.now(),
                    decision_id=origin.decision,
                )
            )
        kind = await asyncio.to_thread(media_type, found.name, found.content)
        # Lazily sealed, in the thread that writes: never more than one chunk twice in memory.
        await asyncio.to_thread(self.store.put, origin.org, blob, sealed(keyring, blob, found.content))
        return _Staged(blob=blob, key=key, name=found.name, size=len(found.content), kind=kind)

    async def _shelved(
        self, session: WriteSession, origin: Origin, staged: Sequence[_Staged]
    ) -> tuple[tuple[ArtifactMade, ...], tuple[RefusedFile, ...]]:
        await lock_account(session, origin.org)
        keyring = await self.vault.keyring(session, origin.org)
        now, used = self.clock.now(), await used_bytes(session, origin.org)
        until = now + await rules.kept_for(session, origin.org, otherwise=self.kept_for)
        made: list[ArtifactMade] = []
        refused: list[RefusedFile] = []
        for each in staged:
            known = await self._known(session, keyring, origin, each)
            if known is not None:
                made.append(known)
                await _doom(session, origin, each.blob, now)
                continue
            if used + each.size > self.organisation_bytes:
                refused.append(
                    RefusedFile(
                        name=each.name,
                        reason=f"your organisation has no room: {self.organisation_bytes:,} bytes of artifacts at a time",
                    )
                )
                await _doom(session, origin, each.blob, now)
                continue
            used += each.size
            made.append(await self._row(session, keyring, origin, each, now, until))
        return tuple(made), tuple(refused)

    async def _row(
        self,
        session: WriteSession,
        keyring: Keyring,
        origin: Origin,
        staged: _Staged,
        now: datetime,
        until: datetime,
    ) -> ArtifactMade:
        blob = await session.scalar(
            select(col(ArtifactBlobRow.id))
            .where(
                col(ArtifactBlobRow.org_id) == origin.org,
                col(ArtifactBlobRow.content_key) == staged.key,
                col(ArtifactBlobRow.state) == "kept",
            )
            .with_for_update()
        )
        if blob is None:
            await _become(session, origin, staged.blob, "kept", now)
        else:
            await _doom(session, origin, staged.blob, now)
        artifact = new_id()
        row = ArtifactRow(
            org_id=origin.org,
            id=artifact,
            project_id=origin.project,
            thread_id=origin.thread,
            session_id=origin.session,
            author=origin.author,
            name=keyring.seal_text(staged.name, row=artifact, field=NAME),
            blob_id=blob or staged.blob,
            size=staged.size,
            media_type=staged.kind,
            created_at=now,
            expires_at=until,
            source_task=origin.task,
            decision_id=origin.decision,
            **_labels.columns(origin.label),
        )
        session.add(row)
        await session.flush()
        return made_of(row, staged.name)

    async def _known(
        self, session: WriteSession, keyring: Keyring, origin: Origin, staged: _Staged
    ) -> ArtifactMade | None:
        """The artifact an earlier run of the session made of the same bytes under the same name, if there is one."""
        if origin.session is None:
            return None
        rows = await session.scalars(
            select(ArtifactRow)
            .join(
                ArtifactBlobRow,
                (col(ArtifactBlobRow.org_id) == col(ArtifactRow.org_id))
                & (col(ArtifactBlobRow.id) == col(ArtifactRow.blob_id)),
            )
            .where(
                col(ArtifactRow.org_id) == origin.org,
                col(ArtifactRow.session_id) == origin.session,
                col(ArtifactRow.expires_at) > self.clock.now(),
                col(ArtifactBlobRow.content_key) == staged.key,
            )
        )
        for row in rows:
            if (name := name_of(row, keyring)) == staged.name:
                return made_of(row, name, unchanged=True)
        return None


def made_of(row: ArtifactRow, name: str, *, unchanged: bool = False) -> ArtifactMade:
    """A row as others are told of it."""
    return ArtifactMade(
        artifact=row.id,
        name=name,
        size=row.size,
        media_type=row.media_type,
        expires_at=row.expires_at,
        unchanged=unchanged,
    )


def name_of(row: ArtifactRow, keyring: Keyring) -> str:
    """The name under the out folder. Only while it is there."""
    return keyring.open_text(row.name or b"", row=row.id, field=NAME, generation=row.generation)


async def used_bytes(session: WriteSession, org: OrgId) -> int:
    """How much an organisation has just now, pinned or not."""
    there = (col(ArtifactRow.org_id) == org, col(ArtifactRow.gone_at).is_(None))
    return int(await session.scalar(select(func.coalesce(func.sum(col(ArtifactRow.size)), 0)).where(*there)) or 0)


async def lock_account(session: WriteSession, org: OrgId) -> None:
    """Until the end of the transaction nobody else adds to an organisation's artifacts, or settles what has none left."""
    await session.execute(_LOCK, {"name": f"joule.artifacts:{org}"})


async def _doom(session: WriteSession, origin: Origin, blob: UUID, now: datetime) -> None:
    await _become(session, origin, blob, "doomed", now)


async def _become(session: WriteSession, origin: Origin, blob: UUID, state: str, now: datetime) -> None:
    await session.execute(
        update(ArtifactBlobRow)
        .where(col(ArtifactBlobRow.org_id) == origin.org, col(ArtifactBlobRow.id) == blob)
        .values(state=state, changed_at=now, decision_id=origin.decision)
    )
