"""Puts labels into columns and takes them out again, and settles the label of what is stored.

Pure. A label that would not fit the closed shapes of the columns is refused, never trimmed.
"""

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from joule.kernel.errors import Invalid
from joule.kernel.ids import FileId, PersonId
from joule.kernel.label import Integrity, Label, Purpose, Training, join
from joule.kernel.permit import Permit
from joule.kernel.principal import Principal
from memory.tables import LabelColumns

FILES = "workspace.file"
ITEMS = "workspace.memory"
NO_CONTENT = Label(integrity=Integrity.TRUSTED)  # of an empty answer: nobody's words are in it

_CATEGORY = re.compile(r"[a-z_.]+")
_SOURCE = re.compile(r"[a-z_]+:[A-Za-z0-9._/-]{1,80}")


def of_upload(principal: Principal, given: Label, file: FileId) -> Label:
    """What comes from outside is untrusted, whoever owns it."""
    outside = Label(
        integrity=Integrity.UNTRUSTED,
        categories=frozenset({FILES}),
        sources=frozenset({f"file:{file}"} | ({f"person:{principal.person}"} if principal.person else set())),
    )
    return join([outside, given])


def of_text(given: Label, file: FileId) -> Label:
    """What was written here is as trusted as what it was made from."""
    return _also(given, category=FILES, source=f"file:{file}")


def of_item(given: Label, *, permit: Permit | None = None) -> Label:
    """What is remembered is as trusted as what it was made from.

    A text that stands in the person's own words is theirs, whatever the agent had read when it repeated it: the gate
    has looked, and its row says so (`provenance`). Sources and readers stay as they were.
    """
    kept = _also(given, category=ITEMS)
    if permit is None or not permit.own_words:
        return kept
    person = permit.action.principal.person
    return replace(kept, integrity=Integrity.TRUSTED, sources=kept.sources | {f"person:{person}"})


def of_all(labels: Iterable[Label]) -> Label:
    """The join of the labels of an answer; of an empty one `NO_CONTENT`."""
    parts = tuple(labels)
    return join(parts) if parts else NO_CONTENT


def columns(label: Label, *, principal: Principal, permit: Permit) -> dict[str, Any]:
    """The label, and whose hand brought the value, as `LabelColumns`."""
    shapely = all(_CATEGORY.fullmatch(word) for word in label.categories)
    if not shapely or not all(_SOURCE.fullmatch(source) for source in label.sources):
        raise Invalid("the label names something that is no id or word", advice="Report this to your support contact.")
    return {
        "author": principal.person,
        "via": principal.via.value,
        "source_task": permit.task,
        "integrity": label.integrity.value,
        "training": label.training.value,
        "readers": None if label.readers is None else sorted(label.readers),
        "categories": sorted(label.categories),
        "purposes": sorted(label.purposes),
        "sources": sorted(label.sources),
    }


def label_of(row: LabelColumns) -> Label:
    """The label a row carries. Raises `ValueError` for words no label has: the row is then not used."""
    return Label(
        integrity=Integrity(row.integrity),
        readers=None if row.readers is None else frozenset(PersonId(reader) for reader in row.readers),
        training=Training(row.training),
        categories=frozenset(row.categories),
        purposes=frozenset(Purpose(word) for word in row.purposes),
        sources=frozenset(row.sources),
    )


def outside(label: Label) -> frozenset[str]:
    """The sources whose erasure takes along what was made from them."""
    return frozenset(erasable(label.sources))


def erasable(sources: Iterable[str]) -> list[str]:
    """Of all sources those that labels name and people erase with everything made from them."""
    return [each for each in sources if each.startswith(("document:", "connection:"))]


def may_read(row: LabelColumns, person: PersonId | None) -> bool:
    """Whether the label lets this person read the value."""
    return row.readers is None or person in row.readers


def _also(label: Label, *, category: str, source: str = "") -> Label:
    return Label(
        integrity=label.integrity,
        readers=label.readers,
        training=label.training,
        categories=label.categories | {category},
        purposes=label.purposes,
        sources=label.sources | ({source} if source else set()),
    )
