"""Performs what can be done with MCP servers. No transaction is open while a server is spoken with."""

import json
from collections.abc import Collection, Mapping
from typing import Any

from integrations.broker.guard import Endpoint, Network
from integrations.errors import ArgumentsRefused
from integrations.mcp import store
from integrations.mcp.actions import (
    ALLOW,
    OFF,
    STATES,
    AddMcpServer,
    CallMcpTool,
    DescribeMcpTools,
    McpCall,
    ReadWithMcpTool,
    RefreshMcpTools,
    RemoveMcpServer,
    SetMcpTool,
)
from integrations.mcp.addresses import address
from integrations.mcp.authorizing import Authorizing
from integrations.mcp.errors import McpNeedsAuthorization, McpOpenServer, McpToolChanged, McpToolOff
from integrations.mcp.line import Line, WantsToken
from integrations.mcp.listed import canonical
from integrations.mcp.results import (
    McpAnswer,
    McpOffer,
    McpServerRemoved,
    McpToolSet,
    McpToolsSeen,
    OfferedMcpTool,
)
from joule.database.engine import Database, WriteSession
from joule.kernel.action import Action
from joule.kernel.clock import Clock
from joule.kernel.errors import Conflict, Invalid
from joule.kernel.handler import Method
from joule.kernel.ids import DecisionId
from joule.kernel.label import Integrity, Label
from joule.kernel.permit import Admission, Permit
from joule.vault.vault import Vault

LONGEST_TITLE = 60


class McpHandler:
    """The only way to add, change and call MCP servers."""

    def __init__(
        self,
        *,
        admission: Admission,
        database: Database,
        vault: Vault,
        clock: Clock,
        network: Network,
        loopback: Collection[Endpoint] = (),
    ) -> None:
        self._admission, self._database, self._vault, self._clock = admission, database, vault, clock
        self._loopback = frozenset(loopback)
        self._line = Line(network=network)
        self._authorizing = Authorizing(network=network, clock=clock, loopback=self._loopback)

    def methods(self) -> Mapping[type[Action[Any]], Method]:
        return {
            AddMcpServer: self.add_mcp_server,
            RefreshMcpTools: self.refresh_mcp_tools,
            SetMcpTool: self.set_mcp_tool,
            RemoveMcpServer: self.remove_mcp_server,
            DescribeMcpTools: self.describe_mcp_tools,
            ReadWithMcpTool: self.read_with_mcp_tool,
            CallMcpTool: self.call_mcp_tool,
        }

    async def add_mcp_server(self, permit: Permit, action: AddMcpServer) -> McpToolsSeen:
        self._admission.admit(permit, action)
        org, title = action.principal.org, " ".join(action.title.split())
        if not 0 < len(title) <= LONGEST_TITLE or not title.isprintable():
            raise Invalid(
                "the server needs a short name", advice=f"Give it a name of up to {LONGEST_TITLE} characters."
            )
        where = address(action.url, title=title, loopback=self._loopback)
        try:
            listed = await self._line.tools(where)
        except WantsToken:
            await self._authorizing.published(where)
            raise McpNeedsAuthorization(title) from None
        if not action.open_confirmed:
            raise McpOpenServer(title)
        async with self._database.write(org) as session:
            ring = await self._vault.keyring(session, org)
            now, by = self._clock.now(), action.principal.person
            made = await store.add(session, ring, url=where.url, title=title, by=by, now=now, decision=permit.decision)
            await store.take(session, ring, made, listed, now=now, decision=permit.decision)
        return McpToolsSeen(server=made, tools=len(listed), changed=0, gone=0)

    async def refresh_mcp_tools(self, permit: Permit, action: RefreshMcpTools) -> McpToolsSeen:
        self._admission.admit(permit, action)
        org = action.principal.org
        async with self._database.read(org) as session:
            known = await store.server(session, await self._vault.keyring(session, org), action.server)
        try:
            listed = await self._line.tools(address(known.url, title=known.title, loopback=self._loopback))
        except WantsToken:
            raise McpNeedsAuthorization(known.title) from None
        async with self._database.write(org) as session:
            ring = await self._vault.keyring(session, org)
            new = await store.take(session, ring, known.server, listed, now=self._clock.now(), decision=permit.decision)
        return McpToolsSeen(server=known.server, tools=len(listed), changed=new.changed, gone=new.gone)

    async def set_mcp_tool(self, permit: Permit, action: SetMcpTool, session: WriteSession) -> McpToolSet:
        self._admission.admit(permit, action)
        if action.state not in STATES:
            raise Invalid("a tool is off, ask or allow", advice="Choose one of the three.")
        ring = await self._vault.keyring(session, action.principal.org)
        known = await store.tool(session, ring, action.tool, lock=True)
        if action.state != OFF and (known.pin.hex() != action.pin or not known.present):
            raise Conflict("tool")
        if action.state == ALLOW and not known.listed.reads_only:
            raise Invalid(
                "its server does not say that this tool only reads",
                advice="Switch it on so that a person is asked before each call.",
            )
        await store.switch(
            session, ring, known.tool, state=action.state, by=action.principal.person, decision=permit.decision
        )
        return McpToolSet(tool=known.tool, state=action.state)

    async def remove_mcp_server(
        self, permit: Permit, action: RemoveMcpServer, session: WriteSession
    ) -> McpServerRemoved:
        self._admission.admit(permit, action)
        await store.forget(session, action.principal.org, action.server)
        return McpServerRemoved(server=action.server)

    async def describe_mcp_tools(self, permit: Permit, action: DescribeMcpTools) -> McpOffer:
        self._admission.admit(permit, action)
        org = action.principal.org
        async with self._database.read(org) as session:
            ring = await self._vault.keyring(session, org)
            titles = {each.server: each.title for each in await store.servers(session, ring)}
            kept = await store.tools(session, ring, on=True) if titles else []
        return McpOffer(
            tools=tuple(
                OfferedMcpTool(
                    server=each.server,
                    server_title=titles[each.server],
                    tool=each.tool,
                    name=each.listed.name,
                    description=each.listed.description or each.listed.title,
                    schema=canonical(each.listed.schema),
                    pin=each.pin.hex(),
                    asks=each.state != ALLOW,
                )
                for each in kept
            ),
            label=Label(
                integrity=Integrity.UNTRUSTED if kept else Integrity.TRUSTED,  # the descriptions are the servers'
                sources=frozenset(f"mcp:{each.server}" for each in kept),
            ),
        )

    async def read_with_mcp_tool(self, permit: Permit, action: ReadWithMcpTool) -> McpAnswer:
        self._admission.admit(permit, action)
        return await self._call(action, permit.decision)

    async def call_mcp_tool(self, permit: Permit, action: CallMcpTool) -> McpAnswer:
        self._admission.admit(permit, action)
        return await self._call(action, permit.decision)

    async def _call(self, action: McpCall, decision: DecisionId) -> McpAnswer:
        """Ask the server, if the tool is on as this kind of call, and is still what it was when it was switched on."""
        org = action.principal.org
        async with self._database.read(org) as session:
            ring = await self._vault.keyring(session, org)
            known = await store.tool(session, ring, action.tool)
            server = await store.server(session, ring, action.server)
        if known.server != server.server or known.state == OFF:
            raise McpToolOff()
        if (known.state == ALLOW) is not isinstance(action, ReadWithMcpTool) or known.pin.hex() != action.pin:
            raise McpToolOff()
        where = address(server.url, title=server.title, loopback=self._loopback)
        try:
            said = await self._line.call(where, known.listed.name, known.pin, _object(action.inputs))
        except WantsToken:
            raise McpNeedsAuthorization(server.title) from None
        if said is None:
            async with self._database.write(org) as writing:
                now = self._clock.now()
                await store.switch_off_changed(writing, ring, known.tool, now=now, decision=decision)
            raise McpToolChanged(server.title)
        label = Label(integrity=Integrity.UNTRUSTED, sources=frozenset({f"mcp:{server.server}"}))
        return McpAnswer(text=said.text, failed=said.failed, cut=said.cut, label=label)


def _object(inputs: str) -> dict[str, Any]:
    try:
        given = json.loads(inputs)
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, dict):
        raise ArgumentsRefused("", "they are not one JSON object")
    return given
