"""The tools of the knowledge base: finding passages, reading on around them, and proposing to remember what they say."""

from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from joule.agent._arguments import Arguments, NoArguments, Subject, Tool, as_fields
from memory.items.actions import ProposeItem
from memory.items.kinds import SourceKind
from memory.items.results import SourceSpan
from memory.kinds import ItemKind
from memory.knowledge.actions import ListDocuments, ReadDocument, SearchKnowledge


class SearchKnowledgeArguments(Arguments):
    """What to look for in the documents."""

    query: Annotated[str, Field(description="The question, in words", max_length=1000)]
    limit: Annotated[int, Field(ge=1, le=20, description="How many passages")] = 8


class ReadDocumentArguments(Arguments):
    """Which document, and from where."""

    document: Annotated[UUID, Field(description="The id that search_knowledge or list_documents gave")]
    page: Annotated[int | None, Field(ge=1, description="Page to begin with")] = None
    start: Annotated[int, Field(ge=0, description="Character to begin with, when there are no pages")] = 0
    limit: Annotated[int, Field(ge=1, le=20_000, description="How many characters")] = 8_000


class ProposeArguments(Arguments):
    """What might be kept, and where it stands."""

    text: Annotated[str, Field(description="One short sentence, quoted word for word", max_length=2000)]
    kind: Annotated[ItemKind, Field(description="fact, preference or rule")] = ItemKind.FACT
    subject: Subject = ""
    document: Annotated[UUID | None, Field(description="The document it stands in")] = None
    start: Annotated[int | None, Field(ge=0, description="Its passage's start")] = None
    end: Annotated[int | None, Field(ge=1, description="Its passage's end")] = None


def _propose(given: ProposeArguments, shared: dict[str, Any]) -> ProposeItem:
    sources: tuple[SourceSpan, ...] = ()
    if given.document is not None:
        whole = given.start is None or given.end is None or given.start >= given.end
        start, end = (None, None) if whole else (given.start, given.end)
        sources = (SourceSpan(kind=SourceKind.DOCUMENT, source=given.document, start=start, end=end),)
    return ProposeItem(text=given.text, kind=given.kind, subject=given.subject, sources=sources, **shared)


KNOWLEDGE_TOOLS: tuple[Tool, ...] = (
    Tool(
        name="search_knowledge",
        description=(
            "Finds the passages of the project's documents that answer a question best, by words and by meaning, each "
            "with its title, page and source. Use it for everything the organisation's documents may say."
        ),
        arguments=SearchKnowledgeArguments,
        action=as_fields(SearchKnowledge),
    ),
    Tool(
        name="read_document",
        description="Reads a document of the knowledge base from a page or a character on.",
        arguments=ReadDocumentArguments,
        action=as_fields(ReadDocument),
    ),
    Tool(
        name="list_documents",
        description="Lists the documents of the knowledge base with their pages and whether they can be searched yet.",
        arguments=NoArguments,
        action=as_fields(ListDocuments),
    ),
    Tool(
        name="propose_memory",
        description=(
            "Puts a sentence before the person, to be remembered once they agree. Use it for what stands in a document, "
            "a file or a tool's answer and is worth knowing in later conversations; for the person's own words use remember."
        ),
        arguments=ProposeArguments,
        action=_propose,
    ),
)
