"""What the panel beside a conversation shows: the newest files and what is remembered first."""

from dataclasses import dataclass
from uuid import UUID

from joule.database.engine import ReadSession
from joule.identity.queries import SignedInPerson
from joule.kernel.ids import ProjectId
from joule.web.context import Web
from memory import queries
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
class Panel:
    """The panel."""

    files: tuple[ShortFile, ...]
    items: tuple[RecalledItem, ...]


async def panel_of(web: Web, session: ReadSession, person: SignedInPerson, project: UUID) -> Panel:
    """The panel of a project."""
    return Panel(
        files=await short_files(web, session, person, project), items=await short_items(web, session, person, project)
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
