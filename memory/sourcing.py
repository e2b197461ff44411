"""Lists what was kept from one source, such as `connection:<id>`: documents, files and remembered items.

For whoever is about to disconnect an account, and for the receipt: what, since when; with its name only for a page.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, cast
from uuid import UUID

from sqlalchemy import Row, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from joule.kernel.ids import OrgId
from joule.vault.keys import Keyring
from memory._files import name_of
from memory.items._recalling import text_of
from memory.items.tables import ItemSourceRow
from memory.knowledge._sealed import title_of
from memory.knowledge.tables import DocumentRow
from memory.tables import FileVersionRow, MemoryItemRow, ProjectFileRow

LONGEST_WORDS = 120


@dataclass(frozen=True, kw_only=True)
class KeptThing:
    """One thing that came from a source. `words` is its title, its name or how it begins; empty where nobody asked."""

    kind: Literal["document", "file", "item"]
    id: UUID
    since: datetime
    words: str = ""


async def kept_from(
    session: AsyncSession, org: OrgId, source: str, *, keyring: Keyring | None = None
) -> tuple[KeptThing, ...]:
    """All of it, documents first, the oldest of each kind first. With `keyring` each has its words."""
    kind, _, identifier = source.partition(":")
    document, version, item = DocumentRow, FileVersionRow, ItemSourceRow
    documents = select(col(document.id), col(document.created_at)).where(
        col(document.org_id) == org, cast(Any, col(document.sources)).contains([source])
    )
    files = (
        select(col(version.file_id), func.min(version.created_at))
        .where(col(version.org_id) == org, cast(Any, col(version.sources)).contains([source]))
        .group_by(col(version.file_id))
    )
    items = (
        select(col(MemoryItemRow.id), func.min(MemoryItemRow.created_at))
        .join(item, (col(item.org_id) == col(MemoryItemRow.org_id)) & (col(item.item_id) == col(MemoryItemRow.id)))
        .where(col(item.org_id) == org, col(item.kind) == kind, col(item.source_id) == UUID(identifier))
        .group_by(col(MemoryItemRow.id))
    )
    found = [
        *(_things("document", (await session.execute(documents)).all())),
        *(_things("file", (await session.execute(files)).all())),
        *(_things("item", (await session.execute(items)).all())),
    ]
    return tuple(found) if keyring is None else await named(session, org, found, keyring=keyring)


async def named(
    session: AsyncSession, org: OrgId, things: Sequence[KeptThing], *, keyring: Keyring
) -> tuple[KeptThing, ...]:
    """The same with their words, as far as they are still there."""
    words: dict[UUID, str] = {}
    for table, opened in ((DocumentRow, title_of), (ProjectFileRow, name_of), (MemoryItemRow, text_of)):
        row: Any = table
        query = select(row).where(col(row.org_id) == org, col(row.id).in_([each.id for each in things]))
        for one in (await session.execute(query)).scalars():
            said = cast(Any, opened)(one, keyring)
            words[one.id] = said if len(said) <= LONGEST_WORDS else f"{said[:LONGEST_WORDS].rstrip()}…"
    return tuple(
        KeptThing(kind=each.kind, id=each.id, since=each.since, words=words.get(each.id, "")) for each in things
    )


def _things(kind: Literal["document", "file", "item"], rows: Sequence[Row[Any]]) -> list[KeptThing]:
    found = [KeptThing(kind=kind, id=row[0], since=row[1]) for row in rows]
    return sorted(found, key=lambda each: (each.since, each.id))
