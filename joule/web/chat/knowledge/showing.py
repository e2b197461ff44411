"""Says in plain words how far a document is, what it is and where it came from. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from joule.agent.citing import leaf_of, place_of
from joule.kernel.ids import PersonId
from joule.kernel.label import Integrity, Label
from joule.web.chat.preview import trust_of
from joule.web.chat.views import Fact
from joule.web.wording import counted
from memory.knowledge.queries import DocumentVersionView, DocumentView
from memory.knowledge.reading.errors import unreadable
from memory.knowledge.reading.model import ReadingWarning
from memory.knowledge.results import DocumentErased, Passage, Passages
from memory.knowledge.states import DocumentState

_STANDING = {
    DocumentState.QUEUED: ("Waiting to be read", "", 0),
    DocumentState.READING: ("Being read", "", 1),
    DocumentState.INDEXING: ("Being indexed", "", 2),
    DocumentState.READY: ("Ready", "ok", 3),
    DocumentState.FAILED: ("Could not be read", "no", 0),
}
_KINDS = {
    "application/pdf": "PDF",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "Word document",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": "Presentation",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "Workbook",
    "text/csv": "Table (CSV)",
    "text/html": "Web page",
    "text/markdown": "Markdown",
    "text/plain": "Text",
    "application/json": "JSON",
}
_PAGES = {
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": "slide",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "sheet",
}
MARKS = {"hidden": "Hidden in the document", "speaker_notes": "Speaker notes"}
_HOW = {
    "hybrid": "Searched by words and by meaning.",
    "text": "Searched by words only: no model for meanings is installed, so other words for the same thing are not found.",
}
_DERIVED = {"entries": "Entries of other agents", "versions": "Versions of files made from it"}
_CARDS = "card_numbers_covered"
_CARDS_SENTENCE = "It holds full payment card numbers. They are covered in its text, and the original was not kept."
SNIPPET = 420  # characters


@dataclass(frozen=True, kw_only=True)
class DocumentLine:
    """One document of the list."""

    icon: str
    title: str
    href: str
    what: str
    size: int
    version: int
    who: str
    at: datetime
    standing: str
    tone: str
    problem: str
    under_way: bool
    steps_done: int


@dataclass(frozen=True, kw_only=True)
class VersionLine:
    """One version of a document."""

    version: int
    href: str
    size: int
    who: str
    at: datetime
    pieces: str
    standing: str
    tone: str


@dataclass(frozen=True, kw_only=True)
class PassageLine:
    """One passage that was found, and the way to it."""

    title: str
    place: str
    heading: str
    snippet: str
    href: str
    trust: str
    untrusted: bool
    marks: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """What a deletion removed."""

    title: str
    facts: tuple[Fact, ...]


def line_of(view: DocumentView, names: Mapping[PersonId, str], *, base: str) -> DocumentLine:
    """A document as a line. `base` is the address of the knowledge base."""
    standing, tone, done = _STANDING[view.state]
    return DocumentLine(
        icon="table" if view.media_type == "text/csv" else "book",
        title=view.title,
        href=f"{base}/{view.document}",
        what=what_it_is(view.media_type, view.pages),
        size=view.size,
        version=view.newest,
        who=who_added(view.author, view.via, names),
        at=view.updated_at,
        standing=standing,
        tone=tone,
        problem=problem_of(view.failure)[0],
        under_way=view.state.is_under_way,
        steps_done=done,
    )


def version_of(view: DocumentVersionView, names: Mapping[PersonId, str], *, href: str) -> VersionLine:
    """A version as a line. `href` is the address of the document."""
    standing, tone, _ = _STANDING[view.state]
    return VersionLine(
        version=view.version,
        href=f"{href}?version={view.version}",
        size=view.size,
        who=who_added(view.author, view.via, names),
        at=view.created_at,
        pieces=counted(view.chunks, "passage") if view.chunks else "",
        standing="Searched" if view.is_searched else "Earlier" if view.state is DocumentState.READY else standing,
        tone="accent" if view.is_searched else "" if view.state is DocumentState.READY else tone,
    )


def what_it_is(media_type: str, pages: int | None) -> str:
    """`PDF of 12 pages`."""
    kind = _KINDS.get(media_type, "Document")
    return f"{kind} of {counted(pages, leaf_name(media_type))}" if pages else kind


def leaf_name(media_type: str) -> str:
    """What one page of it is called."""
    return _PAGES.get(media_type, "page")


def standing_of(state: DocumentState) -> str:
    """How far it is, in words."""
    return _STANDING[state][0]


def problem_of(failure: str | None) -> tuple[str, str]:
    """Why it could not be read, and what to do about it; empty when nothing is wrong."""
    if failure is None:
        return "", ""
    wrong = unreadable(failure)
    said = str(wrong)
    return f"{said[:1].upper()}{said[1:]}.", wrong.advice()


def warnings_of(words: tuple[str, ...]) -> tuple[str, ...]:
    """What was noticed while reading, as sentences."""
    told = {each.value: each.sentence for each in ReadingWarning} | {_CARDS: _CARDS_SENTENCE}
    return tuple(told[word] for word in words if word in told)


def who_added(author: PersonId | None, via: str, names: Mapping[PersonId, str]) -> str:
    """Whose hand it came by."""
    if author is None:
        return "by a connected account" if via == "system" else ""
    name = names.get(author, "somebody")
    return f"by Joule for {name}" if via == "agent" else f"by {name}"


def passages_of(found: Passages, project: UUID) -> tuple[PassageLine, ...]:
    """What a search found, as lines."""
    return tuple(_passage(each, project) for each in found.passages)


def how_of(found: Passages) -> str:
    """How it was searched, in words."""
    stopped = "" if found.complete else " The search stopped at its limit; there may be more."
    return _HOW.get(found.how, "") + stopped


def receipt_of(title: str, erased: DocumentErased) -> Receipt:
    """What went, counted."""
    counts = [
        ("Versions", erased.versions),
        ("Passages with their search entries", erased.chunks),
        ("Vectors", erased.vectors),
        ("Remembered items made from it", erased.items),
        *((_DERIVED.get(name, name.replace("_", " ").capitalize()), count) for name, count in erased.derived if count),
    ]
    return Receipt(title=title, facts=tuple(Fact(name=name, value=f"{count:,}") for name, count in counts))


def _passage(each: Passage, project: UUID) -> PassageLine:
    flat = " ".join(each.text.split())
    for heading in each.heading:  # shown above it
        flat = flat.removeprefix(heading).lstrip()
    return PassageLine(
        title=each.title,
        place=f"{leaf_of(each.title)} {each.page}" if each.page is not None else "",
        heading=" › ".join(each.heading),
        snippet=flat if len(flat) <= SNIPPET else f"{flat[: SNIPPET - 1]}…",
        href=place_of(project, each.document, version=each.version, start=each.start, end=each.end),
        trust=trust_words(each.label),
        untrusted=False,
        marks=tuple(MARKS[mark] for mark in each.marks if mark in MARKS),
    )


def trust_words(label: Label) -> str:
    """What a label says of a document, in plain words."""
    return "Someone else's words" if label.integrity is Integrity.UNTRUSTED else trust_of(label)
