"""What the rooms that keep things are told of the rest of the house: who its people are, and what goes along with what."""

from collections.abc import Collection, Mapping, Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from joule.database.engine import ReadSession, WriteSession
from joule.database.following import Follower
from joule.identity import queries as people
from joule.kernel.ids import OrgId, ProjectId
from joule.kernel.permit import Permit
from joule.tasks.screening import Screened, Screening
from joule.vault.vault import Vault
from memory import gone
from memory import queries as memories
from memory.following import follow
from memory.knowledge import erasing
from memory.masking import People, screen_of


async def everything(session: WriteSession, permit: Permit, org: OrgId, sources: Sequence[str]) -> Mapping[str, int]:
    """Erase documents that came of these sources, and whatever was kept of the sources or of those documents."""
    through = [f"document:{each}" for each in await erasing.made_from(session, org, sources)]
    named = [*sources, *through]
    # Before any row is locked: whoever keeps something made from them locks in this order too.
    await gone.bury(session, org, named, at=permit.issued_at, decision=permit.decision)
    erased = await erasing.follow(session, permit, org, sources)
    return {**erased, **await follow(session, permit, org, named)}


# Whoever erases a message, a document or a connection's data calls each of these in the transaction that does it.
FOLLOWERS: tuple[Follower, ...] = (everything,)


def names_of(vault: Vault) -> People:
    """The names of everybody in an organisation, for the detector that looks over its texts."""

    async def names(session: AsyncSession, org: OrgId) -> Collection[str]:
        return [each.name for each in await people.people(ReadSession(session), vault, org)]

    return names


def screening(vault: Vault) -> Screening:
    """Covers in a message what the organisation has covered in its texts, and says what was found."""
    people = names_of(vault)

    async def screened(session: WriteSession, org: OrgId, words: str) -> Screened:
        seen = (await screen_of(session, org, people)).seen(words)
        return Screened(text=seen.text, categories=seen.categories)

    return screened


async def erased(session: AsyncSession, org: OrgId, sources: Collection[str]) -> Collection[str]:
    """Which of these sources, as labels name them, are erased."""
    return await gone.among(session, org, sources)


async def known_project(session: AsyncSession, org: OrgId, project: ProjectId) -> bool:
    """Whether the organisation has the project; whoever deletes it then waits for the transaction to end."""
    return await memories.is_project(session, org, project, stays=True)
