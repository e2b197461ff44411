"""The tools of the knowledge base: finding passages, reading on around them, and seeing which documents there are."""

from typing import Annotated
from uuid import UUID

from pydantic import Field

from joule.agent._arguments import Arguments, NoArguments, Tool, as_fields
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
)
