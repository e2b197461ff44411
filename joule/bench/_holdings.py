"""Accounts and MCP servers for an organisation: one connected, one ended with its receipt, one under way, one server."""

from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit
from uuid import UUID

from integrations.actions import BeginConnection, FinishConnection, RevokeConnection
from integrations.demo import CALLBACK, PROVIDER
from integrations.mcp import store
from integrations.mcp.listed import ListedTool
from integrations.results import Secret
from joule.assembly import House
from joule.assembly.upkeep import account_upkeep_of
from joule.bench._rotating import SCOPES, Rotating
from joule.kernel.ids import DecisionId, new_id
from joule.kernel.principal import Principal

REDIRECT = f"http://127.0.0.1:8100{CALLBACK}"


@dataclass(frozen=True, kw_only=True)
class Holdings:
    """Their ids. `state` is that of the consent under way."""

    connection: UUID
    ended: UUID
    state: str
    server: UUID
    tool: UUID

    def ids(self) -> dict[str, str]:
        return {name: str(value) for name, value in vars(self).items()}


async def fill(house: House, owner: Principal, provider: Rotating, *, mark: str) -> Holdings:
    """`mark` is the name of all of it. Raises what the house raises."""
    session = new_id()
    provider.account = mark

    async def begin() -> str:
        wish = BeginConnection(
            principal=owner, provider=PROVIDER, scopes=tuple(SCOPES), session=session, redirect_uri=REDIRECT
        )
        page = await house.commands.perform(wish)
        return dict(parse_qsl(urlsplit(page.url.get_secret_value()).query))["state"]

    async def connect() -> UUID:
        state, code = Secret(await begin()), Secret("a-code")
        wish = FinishConnection(principal=owner, provider=PROVIDER, session=session, state=state, code=code)
        return (await house.commands.perform(wish)).connection

    ended = await connect()
    await house.commands.perform(RevokeConnection(principal=owner, connection=ended))
    await account_upkeep_of(house).run()  # which tells the provider, so that there is a receipt
    connection, state = await connect(), await begin()
    server, tool = await _server(house, owner, mark)
    return Holdings(connection=connection, ended=ended, state=state, server=server, tool=tool)


async def _server(house: House, owner: Principal, mark: str) -> tuple[UUID, UUID]:
    """A server that was added and read. It is never asked here, so it need not be anywhere."""
    decision, now = DecisionId(new_id()), house.clock.now()
    listed = ListedTool(name="note", title=mark, description=mark, schema={"type": "object"}, hints={})
    async with house.database.write(owner.org) as session:
        ring = await house.vault.keyring(session, owner.org)
        server = await store.add(
            session, ring, url=f"https://{mark}.invalid/mcp", title=mark, by=owner.person, now=now, decision=decision
        )
        await store.take(session, ring, server, (listed,), now=now, decision=decision)
        (tool,) = await store.tools(session, ring)
    return server, tool.tool
