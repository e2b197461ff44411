"""Whether connections work: provider, health, times. No account, no permission, no token; no key is opened here."""

from fastapi import APIRouter
from starlette.responses import Response

from integrations import queries
from integrations.mcp.sign_in import server_of
from joule.web.access import HealthReader, Here
from joule.web.admin.integrations import showing
from joule.web.admin.integrations.views import HealthLine
from joule.web.shell import shell_of

router = APIRouter(prefix="/support/connections")


@router.get("")
async def page(web: Here, person: HealthReader) -> Response:
    """The list, those that do not work first."""
    async with web.house.database.read(person.org) as session:
        shell = await shell_of(web, session, person, at="/support/connections")
        found = await queries.health(session, person.org)
    lines = [_line(each) for each in found]
    lines.sort(key=lambda each: each.tone == "ok")
    return web.templates.page("integrations/health.html", shell=shell, lines=lines)


def _line(each: queries.ConnectionHealth) -> HealthLine:
    word, tone, advice = showing.health(each.status, each.provider, allowed=each.allowed)
    return HealthLine(
        id=str(each.connection),
        provider="MCP server" if server_of(each.provider) else showing.provider_of(each.provider).title,
        health=word,
        tone=tone,
        advice=advice,
        used_at=each.used_at,
        expires_at=each.expires_at,
    )
