"""Says who somebody is to whoever may know: names to those who look after the members, ids to everybody else."""

from collections.abc import Mapping
from uuid import UUID

from joule.database.engine import ReadSession
from joule.identity import queries as people
from joule.identity.permissions import Permission, allowed
from joule.identity.queries import SignedInPerson
from joule.web.context import Web


async def names_for(web: Web, session: ReadSession, person: SignedInPerson) -> Mapping[UUID, str]:
    """The names `person` may see, by id: all, or only their own."""
    if not allowed(person.role, Permission.MEMBERS):
        return {person.person: person.name}
    return {each.person: each.name for each in await people.people(session, web.house.vault, person.org)}


def name_of(names: Mapping[UUID, str], person: UUID | None) -> str:
    """A name, or the end of the id, which tells two people apart and no more."""
    if person is None:
        return "Nobody"
    return names.get(person, f"Person …{person.hex[-8:]}")
