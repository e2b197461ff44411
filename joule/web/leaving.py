"""Sends a person's browser to a provider, and says where it is to come back to."""

from urllib.parse import urlsplit

from fastapi import Request
from starlette.responses import Response

from integrations.results import ConsentPage
from joule.identity.queries import SignedInPerson
from joule.web.context import Web
from joule.web.shell import shell_of


def redirect_uri(web: Web, request: Request, provider: str) -> str:
    """Where the provider sends the browser back to: one address for each provider, at the name people use."""
    base = web.settings.web.base_url or str(request.base_url)
    return f"{base.rstrip('/')}/integrations/callback/{provider}"


async def leave(
    web: Web, request: Request, person: SignedInPerson, consent: ConsentPage, *, title: str, back: str, at: str = ""
) -> Response:
    """To the provider's own page. `back`: for whoever stays; `at`: the page of the menu they are on."""
    url = consent.url.get_secret_value()
    # A form may not lead away from here (form-action 'self'), not even by a redirect: a link does, or htmx by itself.
    if "hx-request" in request.headers:
        return Response(headers={"HX-Redirect": url})
    async with web.house.database.read(person.org) as session:
        shell = await shell_of(web, session, person, at=at)
    host = urlsplit(url).netloc
    return web.templates.page("integrations/leave.html", shell=shell, title=title, host=host, url=url, back=back)
