"""Where a provider sends the browser back to: one address for each provider, taken only from the browser that set out.

Every answer ends in a redirect with a fragment of its own, so that neither a code, nor a state, nor a token that came behind
a # stays in the address bar or in the history. What was wrong is said by a word of ours, never by the provider's.
"""

from contextlib import suppress
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import RedirectResponse, Response

from integrations.actions import FinishConnection
from integrations.catalogue.errors import ProviderUnknown
from integrations.catalogue.load import catalogue
from integrations.mcp.actions import RefreshMcpTools
from integrations.mcp.sign_in import server_of
from integrations.oauth.errors import known_error
from integrations.results import Secret
from joule.identity.permissions import Permission, allowed
from joule.kernel.errors import JouleError
from joule.tasks.actions import ResumeAfterGrant
from joule.web.access import Account, Here
from joule.web.admin.integrations.refusals import refusal, why

router = APIRouter(prefix="/integrations")

_LONGEST = 4096  # characters of one parameter; providers stay far below


@router.get("/callback/{provider}")
async def callback(
    web: Here,
    request: Request,
    person: Account,
    provider: str,
    state: Annotated[str, Query()] = "",
    code: Annotated[str, Query()] = "",
    auth_code: Annotated[str, Query()] = "",
    iss: Annotated[str, Query()] = "",
    error: Annotated[str, Query()] = "",
) -> Response:
    """Finishes what this browser began, or says why not."""
    name = _known(provider)
    given = (state, code, auth_code, iss, error)
    code = code or auth_code  # TikTok Ads calls it so
    word = ""
    if not state or not (code or error) or max(map(len, given)) > _LONGEST:
        word = "incomplete"
    elif len(request.query_params.multi_items()) != len(request.query_params):
        word = "unusable"  # a parameter that stands twice means one thing to us, another elsewhere
    if word:  # the room refuses it as well: so it stands in the journal, and a state that came along is used up
        code, iss, error, state = "", "", "", state[:_LONGEST]
    try:
        made = await web.house.commands.perform(
            FinishConnection(
                principal=person.principal,
                provider=name,
                state=Secret(state),
                code=Secret(code) if code else None,
                issuer=iss or None,
                error=known_error(error) if error else None,
                session=person.session,
                returned=None if word else Secret(request.url.query),
            )
        )
    except JouleError as problem:
        return _refused(name, word or why(problem))
    server, seen = server_of(name), "silent"
    if server is not None:
        with suppress(JouleError):  # signed in all the same; the page says that the server was silent
            await web.house.commands.perform(RefreshMcpTools(principal=person.principal, server=server))
            seen = "in"
    with suppress(JouleError):  # it is connected all the same; the card in the chat can be answered too
        await web.house.commands.perform(ResumeAfterGrant(principal=person.principal, connections=made.connections))
    if made.return_to is not None:
        return RedirectResponse(f"{made.return_to}#main", status_code=303)
    if server is not None:
        return RedirectResponse(f"/admin/integrations/mcp?done={seen}#main", status_code=303)
    return RedirectResponse(f"/admin/connections/{made.connection}?done=connected#main", status_code=303)


@router.get("/refused")
async def refused(web: Here, person: Account, provider: str = "", why: str = "") -> Response:
    """Says in plain words why an answer was not taken."""
    word, words, status = refusal(why)
    try:
        if server_of(provider) is not None:
            href, link = "/admin/integrations/mcp", "Go to MCP servers"
        else:
            known = catalogue().provider(provider)
            href, link = f"/admin/integrations/{known.id}", f"Go to {known.title}"
    except ProviderUnknown:
        href, link = "/admin/integrations", "Go to Integrations"
    if not allowed(person.role, Permission.INTEGRATIONS):
        href, link = "/", "Go back to Joule"
    return web.templates.page("integrations/refused.html", status, refusal=words, code=word, href=href, link=link)


def _known(provider: str) -> str:
    """The provider's own id. Raises `ProviderUnknown`."""
    return provider if server_of(provider) is not None else catalogue().provider(provider).id


def _refused(provider: str, word: str) -> Response:
    return RedirectResponse(f"/integrations/refused?provider={provider}&why={word}#main", status_code=303)
