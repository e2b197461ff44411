"""Reads the newest version of a document and makes it searchable: all at once, and only when all of it is there.

Whoever indexes holds the document by a lease that it keeps renewing; whoever finds the lease run out goes on where the
last one was. A batch is kept only under the lease, and only while what the document comes from stands.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import psycopg
from sqlalchemy.exc import DBAPIError

from joule.database.engine import Database, WriteSession
from joule.kernel.clock import Clock
from joule.kernel.ending import end
from joule.kernel.errors import Fenced, Invalid, JouleError, Unavailable
from joule.kernel.ids import ProjectId, new_id
from joule.kernel.permit import Permit
from joule.vault.keys import Keyring
from joule.vault.vault import Vault
from memory import gone
from memory.kinds import MediaType
from memory.knowledge import _building, _rows, _sealed, _showing
from memory.knowledge._building import LABEL_COLUMNS, Build, Prepared
from memory.knowledge.actions import IndexDocument
from memory.knowledge.embedding.base import Aim, Embedder, Vector
from memory.knowledge.errors import OriginalGone
from memory.knowledge.reading.errors import GaveUp, Unreadable
from memory.knowledge.reading.model import Limits
from memory.knowledge.reading.parse import Reader
from memory.knowledge.results import DocumentIndexed
from memory.knowledge.states import DocumentState
from memory.knowledge.tables import DocumentRow, DocumentVersionRow
from memory.masking import People, screen_of

LEASE = timedelta(seconds=60)  # how long after its last sign of life a worker is taken for dead
TRIED_AGAIN_AFTER = timedelta(seconds=20)  # when something was away
MOST_ATTEMPTS = 5
BATCH = 64  # pieces kept in one transaction
PARSER = "joule@1"

_AWAY = (JouleError, OSError, psycopg.Error, DBAPIError)


@dataclass(frozen=True, kw_only=True)
class Begun:
    """A document held for indexing. `attempt` is the fence: another attempt ends this one."""

    build: Build
    attempt: int
    content: bytes
    media_type: MediaType
    permit: Permit


class Indexer:
    """Reads, screens, embeds and keeps. Holds nothing between two documents."""

    def __init__(
        self,
        *,
        database: Database,
        vault: Vault,
        clock: Clock,
        reader: Reader,
        embedder: Embedder | None,
        people: People,
        limits: Limits,
    ) -> None:
        """`people` names the organisation's own people, who are looked for in every text."""
        self._database, self._vault, self._clock = database, vault, clock
        self._reader, self._embedder, self._people, self._limits = reader, embedder, people, limits

    async def index(self, permit: Permit, action: IndexDocument) -> DocumentIndexed:
        """How it went. Raises what is away, having given the document back; `Fenced` when another took it over."""
        begun = await self._begin(permit, action)
        if isinstance(begun, DocumentIndexed):
            return begun
        async with self._held(begun):
            try:
                return await self._made(begun)
            except Unreadable as problem:
                return await self._failed(begun, problem.code)

    async def _made(self, begun: Begun) -> DocumentIndexed:
        parsed = await self._reader.read(begun.content, media_type=begun.media_type, limits=self._limits)
        async with self._database.read(begun.build.org) as session:
            screen = await screen_of(session, begun.build.org, self._people)
        whole = await asyncio.to_thread(_building.prepared, parsed, screen)
        async with self._fenced(begun, DocumentState.INDEXING) as (session, keyring, _, _):
            places = await _building.missing(session, keyring, begun.build, whole)
        embedder = self._embedder
        for first in range(0, len(places), BATCH):
            batch = places[first : first + BATCH]
            vectors = None if embedder is None else await self._embedded(embedder, begun, whole, batch)
            if vectors is None:
                embedder = None  # it will not answer for the next batch either; found by words until it is read again
            async with self._fenced(begun, DocumentState.INDEXING) as (session, keyring, _, _):
                model = None if embedder is None else embedder.model
                await _building.keep(session, keyring, begun.build, whole, batch, model=model, vectors=vectors or ())
        async with self._fenced(begun, DocumentState.READY) as (session, keyring, document, version):
            model = None if self._embedder is None else self._embedder.model
            shown = await _showing.show(
                session,
                keyring,
                begun.build,
                whole,
                document,
                version,
                model=model,
                parser=PARSER,
                now=self._clock.now(),
            )
        await _showing.settle_size(self._database, begun.build, model)
        return shown

    async def _embedded(
        self, embedder: Embedder, begun: Begun, whole: Prepared, places: Sequence[int]
    ) -> Sequence[Vector] | None:
        """A vector for each piece; None when the model does not answer."""
        texts = [_building.spoken(whole.pieces[place]) for place in places]
        action = begun.permit.action
        try:
            return await embedder.embed(texts, purpose=Aim.PASSAGE, principal=action.principal, label=action.label)
        except Unavailable:
            return None

    async def _begin(self, permit: Permit, action: IndexDocument) -> Begun | DocumentIndexed:
        org, now = action.principal.org, self._clock.now()
        if action.project is None:
            raise Invalid("this needs a project", advice="Open a project first.")
        async with self._database.write(org) as session:
            keyring = await self._vault.keyring(session, org)
            row = await _rows.held(session, keyring, action.project, action.document)
            version = await _rows.version_of(session, org, row.id, row.newest, content=True)
            if not DocumentState(row.state).is_under_way or (row.lease_until is not None and row.lease_until > now):
                return _showing.indexed(row, version)
            row.attempts += 1
            row.decision_id = version.decision_id = permit.decision
            if row.attempts > MOST_ATTEMPTS or version.content is None:
                code = OriginalGone.code if version.content is None else GaveUp.code
                return await _showing.fail(session, row, version, code, now=now)
            row.build = row.build or new_id()
            row.lease_until = now + LEASE
            row.state = version.state = DocumentState.READING.value
            await session.flush()
            content = await asyncio.to_thread(_sealed.content_of, version, keyring)
            return Begun(
                build=_build(row, version, row.build, action.project, permit),
                attempt=row.attempts,
                content=content,
                media_type=MediaType(version.media_type),
                permit=permit,
            )

    async def _failed(self, begun: Begun, code: str) -> DocumentIndexed:
        async with self._fenced(begun, DocumentState.FAILED) as (session, _, row, version):
            return await _showing.fail(session, row, version, code, now=self._clock.now())

    @asynccontextmanager
    async def _fenced(
        self, begun: Begun, state: DocumentState
    ) -> AsyncIterator[tuple[WriteSession, Keyring, DocumentRow, DocumentVersionRow]]:
        """A transaction in which the document is still ours. Raises `SourceGone`, `NotFound` or `Fenced`."""
        build = begun.build
        async with self._database.write(build.org) as session:
            await gone.must_stand(session, build.org, build.label["sources"])
            keyring = await self._vault.keyring(session, build.org)
            row = await _rows.held(session, keyring, build.project, build.document)
            if row.build != build.build or row.attempts != begun.attempt:
                raise Fenced
            version = await _rows.version_of(session, build.org, build.document, build.version)
            row.state = version.state = state.value
            yield session, keyring, row, version

    @asynccontextmanager
    async def _held(self, begun: Begun) -> AsyncIterator[None]:
        """The lease is renewed for as long as this lasts, and given back when it ends badly."""
        renewing = asyncio.create_task(self._renew(begun), name="document lease")
        try:
            yield
        except BaseException as problem:
            pause = timedelta(0) if isinstance(problem, asyncio.CancelledError) else TRIED_AGAIN_AFTER
            with suppress(*_AWAY):
                await asyncio.shield(self._lease(begun, pause))
            raise
        finally:
            await end(renewing)

    async def _renew(self, begun: Begun) -> None:
        while True:
            await asyncio.sleep(LEASE.total_seconds() / 3)
            with suppress(*_AWAY):
                await self._lease(begun, LEASE)

    async def _lease(self, begun: Begun, length: timedelta) -> None:
        build = begun.build
        async with self._database.write(build.org) as session:
            keyring = await self._vault.keyring(session, build.org)
            row = await _rows.held(session, keyring, build.project, build.document)
            if row.build == build.build and row.attempts == begun.attempt:
                row.lease_until = self._clock.now() + length


def _build(row: DocumentRow, version: DocumentVersionRow, build: UUID, project: ProjectId, permit: Permit) -> Build:
    return Build(
        org=permit.action.principal.org,
        project=project,
        document=row.id,
        version=version.version,
        build=build,
        decision=permit.decision,
        label={name: getattr(version, name) for name in LABEL_COLUMNS},
    )
