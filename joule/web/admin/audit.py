"""The audit log: what people did by hand, as the journal holds it."""

from datetime import timedelta

from fastapi import APIRouter
from starlette.responses import Response

from joule.identity import queries as people
from joule.kernel.ids import PersonId
from joule.web.access import Here, SettingsReader
from joule.web.shell import shell_of
from traces import audit

router = APIRouter(prefix="/admin")

SHOWN = timedelta(days=30)
_TONES = {"allow": "ok", "ask": "ask", "deny": "no"}
_DECISIONS = {"allow": "Allowed", "ask": "Asked", "deny": "Refused"}


@router.get("/audit")
async def page(web: Here, person: SettingsReader) -> Response:
    """The newest commands."""
    async with web.house.database.read(person.org) as session:
        shell = await shell_of(web, session, person, at="/admin/audit")
        lines = await audit.commands(session, person.org, since=web.house.clock.now() - SHOWN)
        names = {each.person: each.name for each in await people.people(session, web.house.vault, person.org)}
    rows = [
        {
            "at": each.at,
            "who": names.get(PersonId(each.person), "Somebody") if each.person else "Not signed in",
            "action": each.action,
            "timeline": f"/support/tasks/{each.task}",
            "decision": _DECISIONS.get(each.decision, each.decision),
            "tone": _TONES.get(each.decision, ""),
            "outcome": each.outcome.capitalize(),
            "policies": ", ".join(each.policies),
        }
        for each in lines
    ]
    return web.templates.page("admin/audit.html", shell=shell, rows=rows)
