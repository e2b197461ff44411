"""Where a passage of the knowledge base can be opened: an address of our own pages, so that an answer can lead there.

Pure. A place is a version and a span of characters, not a piece of an index: it stays right when a document is read again.
"""

from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from typing import Any
from uuid import UUID

from memory.knowledge.results import DocumentText, Passage, Passages

_LEAVES = {".pptx": "slide", ".xlsx": "sheet"}


def leaf_of(title: str) -> str:
    """What one page of a document is called, by the ending of its title."""
    return _LEAVES.get(PurePosixPath(title.lower()).suffix, "page")


def place_of(project: UUID | None, document: UUID, *, version: int, start: int, end: int) -> str:
    """The page of a document at which these characters stand, marked."""
    return f"/projects/{project}/knowledge/{document}?version={version}&at={start}-{end}#passage"


def with_places(result: Any, told: dict[str, Any], project: UUID | None) -> None:
    """Puts the address of each passage beside it, for a model to cite. `told` is the result as the model is shown it."""
    if isinstance(result, Passages):
        for passage, line in zip(result.passages, told["passages"], strict=True):
            line["source"] = _place(project, passage)
            if passage.page is not None and (leaf := leaf_of(passage.title)) != "page":
                line["leaf"] = leaf
    elif isinstance(result, DocumentText):
        told["source"] = _place(project, result)


def sources(project: UUID, passages: Iterable[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """Title and address of each page among recorded passages, each page once, in their order."""
    found: dict[tuple[str, int | None], tuple[str, str]] = {}
    for each in passages:
        document, page = UUID(str(each["document"])), each.get("page")
        name = str(each["title"]) if page is None else f"{each['title']}, {leaf_of(str(each['title']))} {page}"
        start, end, version = int(each["start"]), int(each["end"]), int(each["version"])
        place = place_of(project, document, version=version, start=start, end=end)
        found.setdefault((str(document), page), (name, place))
    return list(found.values())


def _place(project: UUID | None, at: Passage | DocumentText) -> str:
    return place_of(project, at.document, version=at.version, start=at.start, end=at.end)
