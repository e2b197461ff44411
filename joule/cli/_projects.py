"""Which project is meant: by its id, by its title, or because there is only one."""

from typing import TYPE_CHECKING
from uuid import UUID

from joule.kernel.errors import Invalid, NotFound
from joule.kernel.ids import ProjectId

if TYPE_CHECKING:
    from joule.assembly import House
    from joule.kernel.principal import Principal


async def project_of(house: "House", person: "Principal", meant: str | None) -> ProjectId:
    """The project that `meant` names. Raises `NotFound`, or `Invalid` when it could be several."""
    from memory import queries

    async with house.database.read(person.org) as session:
        keyring = await house.vault.keyring(session, person.org)
        projects = await queries.list_projects(session, keyring)
    if meant is None:
        found = [each.project for each in projects]
    else:
        identifier = _as_id(meant)
        found = [
            each.project
            for each in projects
            if each.project == identifier or each.title.casefold() == meant.strip().casefold()
        ]
    if not found:
        raise NotFound("project")
    if len(found) > 1:
        ids = ", ".join(str(each) for each in found[:10])
        raise Invalid("several projects could be meant", advice=f"Give --project with one of these ids: {ids}")
    return found[0]


def _as_id(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
