"""A project with a knowledge base, performed on as the gate would after a yes."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import psycopg
import pytest

from joule.database.engine import Database, WriteSession
from joule.database.server import ServerAddress
from joule.kernel.ids import OrgId
from joule.kernel.permit import Permit
from joule.kernel.principal import Principal, Role, Via
from joule.vault.vault import Vault
from memory.knowledge.actions import AddDocument, IndexDocument, ReadDocument, SearchKnowledge
from memory.knowledge.handler import KnowledgeHandler
from memory.knowledge.reading.parse import Reader
from tests.memory.conftest import MEGABYTE, Room, opened
from tests.support.clock import StoppedClock
from tests.support.embedding import Wordy

ROWS = ("document", "document_version", "chunk", "chunk_words", "chunk_vector")


class Library:
    """One project's documents."""

    def __init__(self, room: Room, embedder: Wordy, owner_url: str) -> None:
        self.room, self.embedder, self._owner_url = room, embedder, owner_url
        self.followed: list[Sequence[str]] = []
        self.handler = self.another(embedder)
        self.room.handlers.append(self.handler)

    def another(self, embedder: Wordy | None) -> KnowledgeHandler:
        """A handler of its own over the same rows: another worker's."""
        room = self.room
        return KnowledgeHandler(
            admission=room.permits,
            database=room.database,
            vault=room.vault,
            clock=room.clock,
            reader=Reader(),
            embedder=embedder,
            max_document_bytes=MEGABYTE,
            people=room._people,
            followers=(self._follow,),
        )

    def work_with(self, embedder: Wordy | None) -> None:
        """From now on with this model, or without any."""
        self.room.handlers[-1] = self.another(embedder)

    @property
    def system(self) -> Principal:
        return Principal(org=self.room.org, person=None, role=Role.SYSTEM, via=Via.SYSTEM)

    async def add(self, title: str, content: bytes, **fields: Any) -> Any:
        return await self.room.ask(AddDocument, title=title, content=content, **fields)

    async def index(self, document: UUID) -> Any:
        return await self.room.ask(IndexDocument, document=document, principal=self.system)

    async def shelve(self, title: str, content: bytes, **fields: Any) -> UUID:
        """Add and index; the document."""
        added = await self.add(title, content, **fields)
        indexed = await self.index(added.document)
        assert indexed.state == "ready", indexed
        return UUID(str(added.document))

    async def texts(self, query: str, **fields: Any) -> list[str]:
        """What a search finds, best first."""
        found = await self.room.ask(SearchKnowledge, query=query, **fields)
        return [passage.text for passage in found.passages]

    async def read(self, document: UUID, **fields: Any) -> Any:
        return await self.room.ask(ReadDocument, document=document, **fields)

    def rows(self, *tables: str) -> dict[str, int]:
        """How many rows the organisation has, whoever may see them."""
        with self.owner() as connection:
            return {
                table: connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # type: ignore[index]
                for table in tables or ROWS
            }

    def owner(self) -> psycopg.Connection[Any]:
        """As the operator of the database: past every wall."""
        return psycopg.connect(self._owner_url, autocommit=True)

    async def _follow(
        self, session: WriteSession, permit: Permit, org: OrgId, sources: Sequence[str]
    ) -> Mapping[str, int]:
        self.followed.append(tuple(sources))
        return {"items": 2, "files": 1}


@pytest.fixture
async def shelves(database: Database, vault: Vault, clock: StoppedClock, org: OrgId, address: ServerAddress) -> Library:
    room = await opened(database, vault, clock, org, "Spring launch")
    superuser = psycopg.conninfo.make_conninfo(address.owner_url, user="postgres")
    return Library(room, Wordy(), superuser)
