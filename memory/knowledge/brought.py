"""Which documents of a connected account a project has already, or had.

What a document is called there is never kept: only a keyed hash of it, one for each project, so that a project tells its
own documents again and nobody else learns anything from the rows.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select
from sqlmodel import col

from joule.database.engine import ReadSession
from joule.kernel.ids import PersonId, ProjectId
from joule.vault.keys import Keyring
from memory import _labels, gone
from memory.knowledge._rows import tombstone, within
from memory.knowledge.tables import DocumentRow


@dataclass(frozen=True, kw_only=True)
class Brought:
    """How a document of an account stands in a project. `document` None: it was deleted here, and is not kept again."""

    document: UUID | None


async def standing(
    session: ReadSession,
    keyring: Keyring,
    project: ProjectId,
    connection: UUID,
    externals: Iterable[str],
    *,
    reader: PersonId | None,
) -> Mapping[str, Brought]:
    """Those that are here or were deleted here, by what they are at the provider; others are left out."""
    keys = {external_key(keyring, project, connection, each): each for each in externals}
    rows = await session.scalars(
        select(DocumentRow).where(
            *within(keyring.org, project),
            col(DocumentRow.connection_id) == connection,
            col(DocumentRow.external_key).in_(list(keys)),
        )
    )
    here = {row.external_key: row.id for row in rows if _labels.may_read(row, reader)}
    ended = await gone.among(session, keyring.org, [tombstone(key) for key in keys])
    return {
        external: Brought(document=here.get(key))
        for key, external in keys.items()
        if key in here or tombstone(key) in ended
    }


def external_key(keyring: Keyring, project: ProjectId, connection: UUID, external: str) -> bytes:
    """What stands in a row for what a document is called at its provider."""
    return keyring.commitment("document.external", project.bytes, connection.bytes, external.encode())
