"""One connected account: what it is, what was granted, how it does; how it ends, and what really ended."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form
from starlette.responses import RedirectResponse, Response

from integrations import queries
from integrations.actions import RevokeConnection
from integrations.clients import relatives
from integrations.mcp.sign_in import server_of
from integrations.queries import ConnectionView
from joule.database.engine import ReadSession
from joule.identity.queries import SignedInPerson
from joule.kernel.errors import JouleError, NotFound
from joule.web import errors
from joule.web.access import Connector, Here
from joule.web.admin.integrations import showing, wording
from joule.web.admin.integrations.provider import is_known
from joule.web.admin.integrations.views import ConnectionPage, RevokePage, SyncedLine
from joule.web.context import Web
from joule.web.shell import shell_of
from joule.web.wording import counted
from memory import sourcing

router = APIRouter(prefix="/admin/connections")

_DONE = {"connected": "The account is connected.", "revoked": "The account is disconnected."}
MOST_SHOWN = 50
_KINDS = {"document": "Document", "file": "File", "item": "Remembered"}
_KEPT = {"there": "are in Joule.", "kept": "stay in Joule, as you chose.", "deleted": "were deleted, as you chose."}


@router.get("/{connection}")
async def page(
    web: Here, person: Connector, connection: UUID, done: str = "", synced: str = "", count: int = 0
) -> Response:
    """The page of one connection, also after its end. `synced` and `count`: what became of how much that was synced."""
    async with web.house.database.read(person.org) as session:
        shell = await shell_of(web, session, person, at="/admin/integrations")
        view = await queries.connection(session, web.house.vault, person.org, connection)
        names = await showing.names_of(web, session, person.org)
    server = server_of(view.provider)
    if server is not None:
        return RedirectResponse(f"/admin/integrations/mcp#server-{server}", status_code=303)
    provider = showing.provider_of(view.provider)
    word, tone, advice = showing.health("revoked" if view.is_over else view.status, view.provider, allowed=view.allowed)
    here = f"/admin/connections/{view.connection}"
    there = f"/admin/integrations/{provider.id}" if is_known(web, view.provider) else ""  # switched off: it has no page
    more = "&".join(("", *(f"scope={name}" for name in view.granted if name in provider.scopes)))
    shown = ConnectionPage(
        href=here,
        provider=provider.title,
        provider_href=there,
        more_href=f"{there}?connection={view.connection}{more}" if there else "",
        account=showing.account(view),
        health=word,
        tone=tone,
        advice=advice,
        is_over=view.is_over,
        facts=showing.about(view, names),
        scopes=showing.scopes(view, provider),
        difference=showing.difference(view, provider),
        operations=wording.operations(provider, view.granted),
        tokens=showing.tokens(view),
        is_telling=view.telling == "pending",
        told=showing.told(view, provider),
        settings_url=wording.web_address(provider.settings_url),
        settings_words="" if view.telling == "done" and not there else provider.settings_words,
        receipt=showing.receipt(view)[0],
        receipt_words=showing.receipt(view)[1],
        unnamed=showing.unnamed(view, provider),
        mend="" if not there else "Connect again" if view.allowed else "See what is allowed",
    )
    return web.templates.page(
        "integrations/connection.html",
        shell=shell,
        page=shown,
        message=_DONE.get(done, ""),
        advice=_synced(synced, count),
        kind="ok",
    )


@router.get("/{connection}/revoke")
async def ask(web: Here, person: Connector, connection: UUID) -> Response:
    """Says what stops, and asks."""
    return await _ask(web, person, connection)


@router.post("/{connection}/revoke")
async def revoke(
    web: Here, person: Connector, connection: UUID, synced: Annotated[str, Form()], whole: Annotated[str, Form()] = ""
) -> Response:
    """Disconnects. It is dead for every worker before this answers."""
    try:
        done = await web.house.commands.perform(
            RevokeConnection(
                principal=person.principal,
                connection=connection,
                whole_grant=whole == "yes",
                delete_synced=synced == "delete",
            )
        )
    except NotFound:
        raise
    except JouleError as error:
        return await _ask(web, person, connection, error=error)
    count = done.found.total
    became = "deleted" if synced == "delete" else "kept"
    return RedirectResponse(
        f"/admin/connections/{connection}?done=revoked&synced={became}&count={count}", status_code=303
    )


@router.get("/{connection}/receipt")
async def receipt(web: Here, person: Connector, connection: UUID) -> Response:
    """The signed receipt of a disconnection, as a file."""
    async with web.house.database.read(person.org) as session:
        text = await queries.receipt(session, web.house.vault, person.org, connection)
    name = f"joule-disconnection-{connection}.json"
    return Response(
        text, media_type="application/json", headers={"Content-Disposition": f'attachment; filename="{name}"'}
    )


async def _ask(web: Web, person: SignedInPerson, connection: UUID, *, error: JouleError | None = None) -> Response:
    async with web.house.database.read(person.org) as session:
        shell = await shell_of(web, session, person, at="/admin/integrations")
        every = await queries.connections(session, web.house.vault, person.org)
        kept = await _kept(web, session, person, connection)
        view = next((each for each in every if each.connection == connection), None)
        own_app = view is not None and await _own_app(web, session, person, view.provider)
    if view is None:
        raise NotFound("connection")
    if view.is_over:
        return RedirectResponse(f"/admin/connections/{connection}", status_code=303)
    provider = showing.provider_of(view.provider)
    shared_app = not provider.demo and not own_app and provider.revocation.whole
    shown = RevokePage(
        href=f"/admin/connections/{view.connection}",
        provider=provider.title,
        account=showing.account(view),
        stops=showing.stops(provider, view.granted),
        shared_with=tuple(_shared(each) for each in every if _shares(each, view)),
        synced=_synced("there", len(kept)),
        things=tuple(
            SyncedLine(kind=_KINDS[each.kind], words=each.words, since=each.since) for each in kept[:MOST_SHOWN]
        ),
        more_things=f"And {counted(left, 'more thing')}." if (left := len(kept) - MOST_SHOWN) > 0 else "",
        can_be_told=provider.revocation.possible,
        at_provider=wording.told_there(provider.revocation, shared_app=shared_app),
        settings_url=wording.web_address(provider.settings_url),
        settings_words=provider.settings_words,
    )
    return web.templates.page(
        "integrations/revoke.html",
        errors.status_of(error) if error else 200,
        shell=shell,
        page=shown,
        message=errors.sentence(str(error)) if error else "",
        advice=error.advice() if error else "",
        kind="no",
    )


async def _own_app(web: Web, session: ReadSession, person: SignedInPerson, provider: str) -> bool:
    """Whether the account goes through an app of the organisation's own, which no other organisation uses."""
    for name in relatives(provider):
        if await queries.client(session, web.house.vault, person.org, name) is not None:
            return True
    return False


async def _kept(
    web: Web, session: ReadSession, person: SignedInPerson, connection: UUID
) -> tuple[sourcing.KeptThing, ...]:
    """What was synced from an account, with names for as many as are shown."""
    source = f"connection:{connection}"
    found = await sourcing.kept_from(session, person.org, source)
    ring = await web.house.vault.keyring(session, person.org)
    return (*await sourcing.named(session, person.org, found[:MOST_SHOWN], keyring=ring), *found[MOST_SHOWN:])


def _synced(became: str, count: int) -> str:
    if became not in _KEPT:
        return ""
    if count <= 0:
        return "Nothing was synced from it."
    return f"{counted(count, 'thing')} synced from it {_KEPT[became]}"


def _shares(other: ConnectionView, view: ConnectionView) -> bool:
    return other.grant == view.grant and other.connection != view.connection and not other.is_over


def _shared(view: ConnectionView) -> str:
    return f"{showing.provider_of(view.provider).title}: {showing.account(view)}"
