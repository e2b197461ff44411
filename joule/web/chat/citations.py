"""Tells whether a link to a document was earned: the agent was given that passage before it wrote the link.

Pure. A model may write any address; one of our own pages that nobody gave it proves nothing, and is shown without a way.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from uuid import UUID

from joule.kernel.label import Label

_OURS = re.compile(
    r"/projects/[0-9a-fA-F-]{36}/knowledge/([0-9a-fA-F-]{36})(?:\?version=(\d{1,9})&at=(\d{1,9})-(\d{1,9}))?"
)
_GIVEN_BY = {"memory.search_knowledge", "memory.read_document", "memory.list_documents"}


class Given:
    """The passages of one task. `earlier` are the documents that earlier answers of its chat were made from."""

    def __init__(self, earlier: Iterable[UUID] = ()) -> None:
        self._earlier = frozenset(map(str, earlier))
        self._spans: dict[str, list[tuple[int, int, int]]] = {}

    def take(self, action: str, result: Any) -> None:
        """What a tool gave to the agent. Anything but passages changes nothing."""
        if action not in _GIVEN_BY or not isinstance(result, Mapping):
            return
        for each in _rows(result):
            spans = self._spans.setdefault(str(each.get("document", "")).lower(), [])
            if all(isinstance(each.get(name), int) for name in ("version", "start", "end")):
                spans.append((each["version"], each["start"], each["end"]))

    def leads(self, address: str) -> bool:
        """Whether a link may be followed: it leads elsewhere, or to a place the agent has read."""
        found = _OURS.search(address)
        if found is None:
            return True
        document = found[1].lower()
        if document in self._earlier or document not in self._spans:
            return document in self._earlier
        if found[2] is None:
            return True
        version, start, end = int(found[2]), int(found[3]), int(found[4])
        spans = self._spans[document]
        return any(of == version and start < until and begun < end for of, begun, until in spans)


def documents_of(label: Label) -> frozenset[UUID]:
    """The documents a label names."""
    return frozenset(UUID(each.removeprefix("document:")) for each in label.sources if each.startswith("document:"))


def _rows(result: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield result
    for name in ("passages", "documents"):
        listed = result.get(name)
        yield from (each for each in listed if isinstance(each, Mapping)) if isinstance(listed, list) else ()
