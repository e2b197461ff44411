"""What the panel beside a conversation shows: the newest files, the documents, and what is remembered first."""

from dataclasses import dataclass
from uuid import UUID

from joule.database.engine import ReadSession
from joule.identity.queries import SignedInPerson
from joule.kernel.ids import ProjectId
from joule.web.chat.knowledge.showing import standing_of
from joule.web.context import Web
from memory import queries
from memory.knowledge import queries as knowledge
from memory.knowledge.states import DocumentState
from memory.results import RecalledItem

SHOWN = 8

_ICONS = {"text/csv": "table", "text/markdown": "book"}


@dataclass(frozen=True, kw_only=True)
class ShortFile:
    """A file in the panel."""

    icon: str
    name: str
    href: str
    size: int
    version: int


@dataclass(frozen=True, kw_only=True)
class ShortDocument:
    """A document in the panel; `standing` is empty once it can be searched."""

    icon: str
    title: str
    href: str
    standing: str


@dataclass(frozen=True, kw_only=True)
class Panel:
    """The panel."""

    files: tuple[ShortFile, ...]
    documents: tuple[ShortDocument, ...]
    items: tuple[RecalledItem, ...]


async def panel_of(web: Web, session: ReadSession, person: SignedInPerson, project: UUID) -> Panel:
    """The panel of a project."""
    return Panel(
        files=await short_files(web, session, person, project),
        documents=await short_documents(web, session, person, project),
        items=await short_items(web, session, person, project),
    )


async def short_files(web: Web, session: ReadSession, person: SignedInPerson, project: UUID) -> tuple[ShortFile, ...]:
    """The files changed last."""
    keyring = await web.house.vault.keyring(session, person.org)
    found = await queries.list_files(
        session, keyring, ProjectId(project), reader=person.person, now=web.house.clock.now()
    )
    newest = sorted(found, key=lambda each: each.newest.created_at, reverse=True)[:SHOWN]
    return tuple(
        ShortFile(
            icon=icon_of(each.newest.media_type),
            name=each.name,
            href=f"/projects/{project}/files/{each.file}",
            size=each.newest.size,
            version=each.newest.version,
        )
        for each in newest
    )


async def short_documents(
    web: Web, session: ReadSession, person: SignedInPerson, project: UUID
) -> tuple[ShortDocument, ...]:
    """The documents that changed last."""
    keyring = await web.house.vault.keyring(session, person.org)
    newest = await knowledge.list_documents(session, keyring, ProjectId(project), reader=person.person, newest=SHOWN)
    return tuple(
        ShortDocument(
            icon=icon_of(each.media_type),
            title=each.title,
            href=f"/projects/{project}/knowledge/{each.document}",
            standing="" if each.state is DocumentState.READY else standing_of(each.state),
        )
        for each in newest
    )


async def short_items(
    web: Web, session: ReadSession, person: SignedInPerson, project: UUID
) -> tuple[RecalledItem, ...]:
    """What is remembered: pinned first, then the newest."""
    keyring = await web.house.vault.keyring(session, person.org)
    found = await queries.list_items(
        session, keyring, ProjectId(project), reader=person.person, now=web.house.clock.now()
    )
    return found[:SHOWN]


def icon_of(media_type: str) -> str:
    """The icon for a kind of file."""
    return _ICONS.get(media_type, "file")
