"""Hands out what is kept about a person, as a file: to themselves, or to their organisation. On record first."""

from starlette.responses import Response

from joule.identity.queries import SignedInPerson
from joule.kernel.ids import PersonId
from joule.privacy import exporting
from joule.privacy.actions import ExportPerson
from joule.web.context import Web


async def handed_out(web: Web, person: SignedInPerson, whose: PersonId) -> Response:
    """The package. Raises what the gate or the action raises; then nothing was read."""
    await web.house.commands.perform(ExportPerson(principal=person.principal, person=whose))
    async with web.house.database.read(person.org) as session:
        kept = await exporting.told(session, web.house.rooms.tell_person, person.org, whose)
    return Response(
        exporting.package(kept, person=whose, at=web.house.clock.now()),
        media_type="application/zip",
        headers={"Content-Disposition": f'attachment; filename="person-{whose}.zip"', "Cache-Control": "no-store"},
    )
