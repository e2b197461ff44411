"""What is known about a value: where it came from, who may read it, what it may be used for.

Labels only ever get stricter. `join` is the label of anything made from several values; the one way back is
`reclassify`, which produces a record that must be journalled.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from joule.kernel.ids import PersonId


class Integrity(StrEnum):
    """Whether a value can carry an outsider's words. Untrusted text is data, never instructions."""

    TRUSTED = "trusted"
    UNTRUSTED = "untrusted"


class Training(StrEnum):
    """Whether a model may be trained on the value. It starts, and by default stays, denied."""

    DENIED = "denied"
    ALLOWED = "allowed"


class Purpose(StrEnum):
    """What personal data may be used for. Closed: a use that is not listed does not happen.

    The words are those of the fideslang taxonomy of data uses (Ethyca, CC BY 4.0).
    """

    SERVICE = "essential.service"
    SECURITY = "essential.service.security"
    SUPPORT = "essential.service.operations.support"
    OPERATIONS = "essential.service.operations"
    IMPROVE = "functional.service.improve"
    TRAIN = "train_ai_system"
    MARKETING = "marketing"


SERVICE_ONLY = frozenset({Purpose.SERVICE, Purpose.SECURITY, Purpose.SUPPORT, Purpose.OPERATIONS})


@dataclass(frozen=True, kw_only=True)
class Label:
    """The label of one value.

    `readers` None means everyone in the organisation. `categories` are fideslang data categories such as
    `user.content.private`. `sources` name what the value was made from, as `kind:id` (`file:…`, `person:…`).
    """

    integrity: Integrity = Integrity.UNTRUSTED
    readers: frozenset[PersonId] | None = None
    training: Training = Training.DENIED
    categories: frozenset[str] = frozenset()
    purposes: frozenset[Purpose] = SERVICE_ONLY
    sources: frozenset[str] = field(default_factory=frozenset)

    def join(self, *others: "Label") -> "Label":
        """The strictest of each part: the label of whatever is made from all of these."""
        return join((self, *others))


def join(labels: Iterable[Label]) -> Label:
    """The label of a value made from all of `labels`. Commutative, associative, idempotent.

    Of no labels at all it is the strictest we give anything: untrusted, service only, not for training.
    """
    parts = tuple(labels)
    if not parts:
        return Label()
    bounded = [part.readers for part in parts if part.readers is not None]
    trusted = all(part.integrity is Integrity.TRUSTED for part in parts)
    trainable = all(part.training is Training.ALLOWED for part in parts)
    return Label(
        integrity=Integrity.TRUSTED if trusted else Integrity.UNTRUSTED,
        readers=frozenset.intersection(*bounded) if bounded else None,
        training=Training.ALLOWED if trainable else Training.DENIED,
        categories=frozenset().union(*(part.categories for part in parts)),
        purposes=frozenset.intersection(*(part.purposes for part in parts)),
        sources=frozenset().union(*(part.sources for part in parts)),
    )


def typed_by(person: PersonId) -> Label:
    """The label of words a signed-in person typed themselves."""
    return Label(
        integrity=Integrity.TRUSTED,
        categories=frozenset({"user.content.private"}),
        sources=frozenset({f"person:{person}"}),
    )


@dataclass(frozen=True, kw_only=True)
class Reclassification:
    """The record of a label that was lowered: from what, to what, by whom and why."""

    before: Label
    after: Label
    by: PersonId
    reason: str


def reclassify(before: Label, after: Label, *, by: PersonId, reason: str) -> Reclassification:
    """Lower a label on a person's word. The result only takes effect through a journalled action.

    Raises `ValueError` without a reason, or when a source would be forgotten: history is never lowered.
    """
    if not reason.strip():
        raise ValueError("a label is lowered only for a stated reason")
    if not before.sources <= after.sources:
        raise ValueError("reclassifying keeps every source")
    return Reclassification(before=before, after=after, by=by, reason=reason)
