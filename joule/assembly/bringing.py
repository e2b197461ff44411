"""Brings documents of connected accounts into a project's knowledge base, each by two actions: read there, kept here.

Both are the person's own, decided and written down like any other. What is kept names its account, so that it goes with
it; what was deleted, here or with its account, is not kept again.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from integrations import shelves
from integrations.actions import DescribeConnections, ReadFromProvider
from integrations.results import Answer, OfferedConnection
from integrations.shelves import Found, Shelf
from joule.kernel.action import Action
from joule.kernel.errors import Invalid, NotFound
from joule.kernel.ids import ProjectId
from joule.kernel.label import Label, join
from joule.kernel.principal import Principal
from joule.llm.actions import canonical_json
from memory.knowledge.actions import AddDocument
from memory.knowledge.errors import TooLongToBring
from memory.knowledge.results import DocumentAdded
from memory.knowledge.states import SourceKind

Perform = Callable[[Action[Any]], Awaitable[Any]]


@dataclass(frozen=True, kw_only=True)
class Source:
    """A connected account that keeps documents. `is_open`: it was granted what listing and reading them takes."""

    connection: UUID
    provider: str
    title: str
    is_open: bool


@dataclass(frozen=True, kw_only=True)
class Bringing:
    """What one person may bring into one project."""

    perform: Perform
    principal: Principal
    project: ProjectId

    async def sources(self) -> tuple[Source, ...]:
        """The accounts that keep documents, those that cannot be read for want of a permission too."""
        found = await self.perform(DescribeConnections(principal=self.principal, project=self.project))
        return tuple(
            _source(each, shelves.SHELVES[each.provider])
            for each in found.connections
            if each.provider in shelves.SHELVES and _known(each, shelves.SHELVES[each.provider])
        )

    async def source(self, connection: UUID) -> Source:
        """One of them. Raises `NotFound`."""
        for each in await self.sources():
            if each.connection == connection:
                return each
        raise NotFound("connected account with documents")

    async def find(self, source: Source, word: str = "") -> tuple[Found, ...]:
        """The documents there whose title holds a word. Raises what the broker raises."""
        shelf = shelves.SHELVES[source.provider]
        answer = await self._asked(source, shelf.finds, shelves.asking_for(shelf, word))
        return shelves.found(shelf, answer.data)

    async def bring(self, source: Source, wanted: Found) -> DocumentAdded:
        """Keep one, or its newest state, and have it read.

        Raises what the broker raises, `TooLongToBring`, `SourceGone` for one that was deleted, and what is wrong with it.
        """
        shelf = shelves.SHELVES[source.provider]
        answers, label = await self._whole(source, shelf, wanted.external)
        return await self.kept(source, wanted, shelves.text_of(shelf, answers), label)

    async def kept(self, source: Source, wanted: Found, text: str, label: Label) -> DocumentAdded:
        """Keep what was read of one, under the label it came with. Raises as `bring` does."""
        if not text:
            raise Invalid(
                "there is no text in the document", advice="Look at it at the provider; pictures are not read."
            )
        shelf = shelves.SHELVES[source.provider]
        title = wanted.title if wanted.title.endswith(shelf.ending) else f"{wanted.title}{shelf.ending}"
        added: DocumentAdded = await self.perform(
            AddDocument(
                principal=self.principal,
                project=self.project,
                label=label,
                title=title,
                content=text.encode("utf-8", "replace"),
                source=SourceKind.CONNECTION,
                connection=source.connection,
                external=wanted.external,
            )
        )
        return added

    async def _whole(self, source: Source, shelf: Shelf, external: str) -> tuple[list[str], Label]:
        asked: dict[str, Any] = {shelf.document: external}
        answers: list[Answer] = []
        while True:
            answer = await self._asked(source, shelf.reads, asked)
            answers.append(answer)
            if answer.cut or len(answers) > shelves.PAGES:
                raise TooLongToBring
            paging = shelves.paging_of(source.provider, shelf)
            if answer.next_page is None or paging is None:
                return [each.data for each in answers], join([each.label for each in answers])
            asked[paging] = answer.next_page

    async def _asked(self, source: Source, operation: str, inputs: dict[str, Any]) -> Answer:
        answer: Answer = await self.perform(
            ReadFromProvider(
                principal=self.principal,
                project=self.project,
                connection=source.connection,
                provider=source.provider,
                operation=operation,
                inputs=canonical_json(inputs),
            )
        )
        return answer


def _known(offered: OfferedConnection, shelf: Shelf) -> bool:
    return {shelf.finds, shelf.reads} <= {*offered.operations, *offered.with_more_permission}


def _source(offered: OfferedConnection, shelf: Shelf) -> Source:
    return Source(
        connection=offered.connection,
        provider=offered.provider,
        title=offered.title,
        is_open={shelf.finds, shelf.reads} <= set(offered.operations),
    )
