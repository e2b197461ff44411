"""Puts labels into columns and takes them out again. A label that would not fit the closed shapes is refused."""

import re
from typing import Any

from joule.kernel.errors import Invalid
from joule.kernel.ids import PersonId
from joule.kernel.label import Integrity, Label, Purpose, Training, join
from sandbox.tables import LabelColumns

ARTIFACTS = "workspace.artifact"
_OUTSIDE = Label(categories=frozenset({ARTIFACTS}))  # untrusted: code wrote it
_CATEGORY = re.compile(r"[a-z_.]+")
_SOURCE = re.compile(r"[a-z_]+:[A-Za-z0-9._/-]{1,80}")


def of_output(*went_in: Label) -> Label:
    """The label of what comes out: as strict as all that went in together, and never trusted."""
    return join((_OUTSIDE, *went_in))


def columns(label: Label) -> dict[str, Any]:
    """The label as `LabelColumns`."""
    fits = all(_CATEGORY.fullmatch(word) for word in label.categories)
    if not fits or not all(_SOURCE.fullmatch(source) for source in label.sources):
        raise Invalid("the label names something that is no id or word", advice="Report this to your support contact.")
    return {
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


def may_read(row: LabelColumns, person: PersonId | None) -> bool:
    """Whether the label lets this person read the value."""
    return row.readers is None or person in row.readers
