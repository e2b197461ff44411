"""What the organisation allows: of each provider, and whether only of those it names."""

from typing import Annotated

from fastapi import APIRouter, Form, Request
from starlette.responses import RedirectResponse, Response

from integrations import queries
from integrations.actions import SetAllowList, SetProviderRule
from joule.kernel.errors import JouleError
from joule.web.access import Connector, Here
from joule.web.admin.integrations.provider import Choice, provider_of, shown

router = APIRouter(prefix="/admin/integrations")


@router.post("/allow-list")
async def save_list(
    web: Here, person: Connector, mode: Annotated[str, Form()] = "", keep: Annotated[str, Form()] = ""
) -> Response:
    """Says what holds for providers of which nothing is said."""
    await web.house.commands.perform(
        SetAllowList(principal=person.principal, only_listed=mode == "listed", keep_connected=keep == "yes")
    )
    return RedirectResponse("/admin/integrations?done=list#allowed", status_code=303)


@router.post("/{provider}/rule")
async def save_rule(
    web: Here,
    request: Request,
    person: Connector,
    provider: str,
    allowed: Annotated[str, Form()] = "",
    permitted: Annotated[list[str], Form()] = [],  # noqa: B006 - FastAPI makes a new one for each request
    members: Annotated[str, Form()] = "",
) -> Response:
    """Says what the organisation allows of the provider."""
    known = provider_of(web, provider)
    every = {name for name, each in known.scopes.items() if not each.always}
    async with web.house.database.read(person.org) as session:
        only_listed = await queries.only_listed(session, person.org)
    try:
        await web.house.commands.perform(
            SetProviderRule(
                principal=person.principal,
                provider=known.id,
                allowed=allowed == "yes",
                # Where only what is named is allowed, permissions are named too: none comes in with a newer catalogue.
                scopes=None if every <= set(permitted) and not only_listed else tuple(permitted),
                members_to=members or None,
            )
        )
    except JouleError as error:
        return await shown(web, request, person, known, Choice(), error=error)
    return RedirectResponse(f"/admin/integrations/{known.id}?done=rule#rule", status_code=303)
