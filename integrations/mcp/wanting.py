"""Works out what signing in to a server is for: the scopes it asked for, those it had before, and those a task lacks."""

from sqlalchemy.ext.asyncio import AsyncSession

from integrations import pending
from integrations.actions import BeginConnection
from integrations.errors import ConnectionRevoked
from integrations.mcp import store
from integrations.mcp.sign_in import scopes_in, server_of
from integrations.mcp.signed_in import living
from integrations.pending import Wanted
from integrations.tables import OAuthGrantRow
from joule.kernel.errors import Invalid, NotFound
from joule.kernel.ids import PersonId
from joule.vault.vault import Vault


async def wanted_of_server(session: AsyncSession, vault: Vault, action: BeginConnection, *, person: PersonId) -> Wanted:
    """What to ask the server's issuer for. A server has one sign-in: one that lives is asked for more, or renewed.

    Raises `NotFound`, `ConnectionRevoked`, or `Invalid` for a server that asks nobody to sign in, or no scope at all.
    """
    org, server = action.principal.org, server_of(action.provider)
    if server is None:
        raise NotFound("MCP server")
    known = await store.server(session, await vault.keyring(session, org), server)
    if known.sign_in is None:
        raise Invalid("this server asks nobody to sign in", advice="Ask it again for its tools.")
    found = await living(session, org, server)
    if action.connection is not None and action.connection not in {each.id for each in found}:
        raise ConnectionRevoked("an MCP server")
    before: tuple[str, ...] = ()
    if found:
        grant = await session.get(OAuthGrantRow, (org, found[0].grant_id))
        before = () if grant is None else tuple(grant.requested)
    if scopes_in(action.scopes) != action.scopes:
        raise Invalid("one of these cannot be a permission", advice="Start again from the page of MCP servers.")
    return Wanted(
        provider=action.provider,
        person=person,
        session=action.session,
        redirect_uri=pending.checked_redirect(action.redirect_uri, action.provider),
        products=(action.provider,),
        scopes=scopes_in((*known.sign_in.scopes, *before, *action.scopes)),
        read_only=False,
        return_to=pending.checked_return(action.return_to),
        connection=found[0].id if found else None,
        task=action.task,
    )
