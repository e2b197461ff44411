"""Says in plain words what a remembered item is: who wrote it, where it came from, what its label means, when it ends. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlencode
from uuid import UUID

from joule.kernel.ids import PersonId
from joule.kernel.label import Integrity, Label, Training
from memory.items.kinds import SourceKind
from memory.items.results import RecalledItem, SourceSpan

MOST_EARLIER = 3  # messages of the chat that were told to the agent when it remembered something


@dataclass(frozen=True, kw_only=True)
class Origin:
    """One thing an item was made from; `href` is empty where there is no page for it."""

    words: str
    href: str


@dataclass(frozen=True, kw_only=True)
class ItemLine:
    """One remembered item, or a proposal to remember one."""

    id: UUID
    href: str
    text: str
    kind: str
    who: str
    at: datetime
    origins: tuple[Origin, ...]
    pinned: bool
    trust: str
    untrusted: bool
    notes: tuple[str, ...]
    expires: datetime | None
    generation: int
    contradicts: str  # what it would take the place of


def line_of(
    item: RecalledItem,
    project: UUID,
    names: Mapping[PersonId, str],
    *,
    messages: Mapping[UUID, str],
    titles: Mapping[UUID, str],
    others: Mapping[UUID, str],
) -> ItemLine:
    """An item as a line.

    `messages` are the ways to the tasks still there, `titles` those of documents by id, `others` the texts of items.
    """
    name = names.get(item.author, "somebody") if item.author else "Joule"
    return ItemLine(
        id=item.item,
        href=f"/projects/{project}/memory/{item.item}",
        text=item.text,
        kind=item.kind.capitalize(),
        who=f"kept by Joule for {name}" if item.via == "agent" else f"added by {name}",
        at=item.updated_at,
        origins=tuple(_origins(item, project, messages, titles)),
        pinned=item.pinned,
        trust=trust_words(item.label),
        untrusted=item.label.integrity is Integrity.UNTRUSTED,
        notes=tuple(_notes(item)),
        expires=item.expires_at,
        generation=item.generation,
        contradicts=others.get(item.contradicts, "") if item.contradicts else "",
    )


def trust_words(label: Label) -> str:
    """What the label says about whose words these are."""
    return "Someone else's words" if label.integrity is Integrity.UNTRUSTED else "Your team's words"


def _notes(item: RecalledItem) -> Iterable[str]:
    if item.label.readers is not None:
        yield f"only for {len(item.label.readers)} people" if len(item.label.readers) != 1 else "only for one person"
    if item.confidence < 100:
        yield f"{item.confidence} % sure"
    if item.valid_from is not None:
        yield f"holds from {item.valid_from:%Y-%m-%d}"
    if item.valid_to is not None:
        yield f"holds until {item.valid_to:%Y-%m-%d}"
    yield "may train a model" if item.label.training is Training.ALLOWED else "never trains a model"


def _origins(
    item: RecalledItem, project: UUID, messages: Mapping[UUID, str], titles: Mapping[UUID, str]
) -> Iterable[Origin]:
    spans = item.sources or (SourceSpan(kind=SourceKind.MESSAGE, source=item.source_task),)
    earlier = 0
    for each in dict.fromkeys(spans):
        if each.kind is SourceKind.MESSAGE:
            is_own = each.source == item.source_task
            earlier += not is_own
            if (way := messages.get(each.source)) is not None and (is_own or earlier <= MOST_EARLIER):
                yield Origin(words="this message" if is_own else "an earlier message", href=way)
        elif each.kind is SourceKind.DOCUMENT:
            at = f"?{urlencode({'at': f'{each.start}-{each.end}'})}#passage" if each.start is not None else ""
            title = titles.get(each.source, "this document")
            yield Origin(words=title, href=f"/projects/{project}/knowledge/{each.source}{at}")
        elif each.kind is SourceKind.FILE:
            yield Origin(words="this file", href=f"/projects/{project}/files/{each.source}")
        elif each.kind is SourceKind.CONNECTION:
            yield Origin(words="a connected account", href="")
