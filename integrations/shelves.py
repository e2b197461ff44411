"""Which providers keep documents, and how their documents are found and read: over the catalogue's own operations.

Pure but for the catalogue. What a provider answers is an outsider's: only texts, ids and titles are taken out of it, each of a bounded length.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from integrations.catalogue.errors import AnswerUnreadable
from integrations.catalogue.load import catalogue
from integrations.catalogue.projecting import steps

MOST_FOUND = 50  # documents of one look
LONGEST_ID = 200
LONGEST_TITLE = 180
PAGES = 20  # answers that one document may take; what is longer is not brought in


@dataclass(frozen=True, kw_only=True)
class Shelf:
    """The documents of one provider.

    `finds` lists them, by `word` where it takes one; `items` is the path to the list, `external` and `titles` are paths
    within an item, `only` what an item must say to be a document. `reads` gives one, named by the argument `document`;
    `blocks` is the path to its parts (a text is one part), `words` the member of them that holds text.
    `ending` says what the text is, behind the title.
    """

    finds: str
    items: str
    external: str
    titles: tuple[str, ...]
    reads: str
    document: str
    blocks: str
    words: str
    word: str | None = None
    most: str | None = None
    ending: str = ".txt"
    only: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, kw_only=True)
class Found:
    """One document there is at a provider: its id there, and what it is called."""

    external: str
    title: str


SHELVES: Mapping[str, Shelf] = MappingProxyType(
    {
        "demo_crm": Shelf(
            finds="list_briefs",
            word="word",
            items="briefs",
            external="id",
            titles=("title",),
            reads="read_brief",
            document="brief",
            blocks="text",
            words="",
            ending=".md",
        ),
        "google_drive_docs_sheets": Shelf(
            finds="find_files",
            word="word",
            most="limit",
            items="files",
            external="id",
            titles=("name",),
            only=MappingProxyType({"mimeType": "application/vnd.google-apps.document"}),
            reads="read_document",
            document="document",
            blocks="body.content",
            words="content",
        ),
        "notion": Shelf(
            finds="search_pages",
            word="word",
            most="limit",
            items="results",
            external="id",
            titles=("properties.*.title[].plain_text", "title[].plain_text"),
            only=MappingProxyType({"object": "page"}),
            reads="read_page",
            document="page_id",
            blocks="results",
            words="plain_text",
        ),
    }
)


def paging_of(provider: str, shelf: Shelf) -> str | None:
    """The argument that asks for what follows of a document; None where one answer is all of it."""
    paging = catalogue().operation(provider, shelf.reads).paging
    return None if paging is None else paging.argument


def asking_for(shelf: Shelf, word: str) -> dict[str, Any]:
    """The arguments with which documents are listed."""
    most = {} if shelf.most is None else {shelf.most: MOST_FOUND}
    return {**most, **({shelf.word: word} if shelf.word is not None and word else {})}


def found(shelf: Shelf, data: str) -> tuple[Found, ...]:
    """The documents an answer lists. Raises `AnswerUnreadable` for one that is no JSON."""
    listed = next(_at(_read(data), shelf.items), None)
    made: dict[str, Found] = {}
    for item in listed if isinstance(listed, list) else ():
        external = next((each for each in _texts(item, (shelf.external,))), "")
        fits = all(next(_at(item, path), None) == value for path, value in shelf.only.items())
        if fits and 0 < len(external) <= LONGEST_ID:
            title = " ".join(" ".join(_texts(item, shelf.titles)).split())[:LONGEST_TITLE].strip()
            made.setdefault(external, Found(external=external, title=title or "Untitled"))
    return tuple(made.values())[:MOST_FOUND]


def text_of(shelf: Shelf, answers: Sequence[str]) -> str:
    """A document's text from the answers it took, its parts a line apart; empty where there is none."""
    parts: list[str] = []
    for data in answers:
        blocks = next(_at(_read(data), shelf.blocks), None)
        for block in blocks if isinstance(blocks, list) else [blocks]:
            parts.append(block if isinstance(block, str) else "".join(_words(block, shelf.words)))
    return "\n\n".join(filter(None, (part.strip() for part in parts)))


def _read(data: str) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        raise AnswerUnreadable("it is not JSON") from None


def _texts(item: Any, paths: Sequence[str]) -> Iterator[str]:
    for path in paths:
        yield from (each for each in _at(item, path) if isinstance(each, str))


def _at(value: Any, path: str) -> Iterator[Any]:
    """Every value at a path of the catalogue's notation."""
    values = [value]
    for step in steps(path):
        if step == "[]":
            values = [inner for each in values if isinstance(each, list) for inner in each]
        elif step == "*":
            values = [inner for each in values if isinstance(each, dict) for inner in each.values()]
        else:
            values = [each[step] for each in values if isinstance(each, dict) and step in each]
    yield from values


def _words(value: Any, name: str) -> Iterator[str]:
    """Every text called `name` in a part, in the order it stands there."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == name and isinstance(inner, str):
                yield inner
            else:
                yield from _words(inner, name)
    elif isinstance(value, list):
        for inner in value:
            yield from _words(inner, name)
