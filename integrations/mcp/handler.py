"""Performs what can be done with MCP servers. No transaction is open while a server is spoken with."""

import json
from collections.abc import Collection, Mapping
from typing import Any

from integrations._registering import keep_client
from integrations.actions import RevokeConnection
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
    RegisterMcpClient,
    RemoveMcpServer,
    SetMcpTool,
)
from integrations.mcp.addresses import address
from integrations.mcp.authorizing import Authorizing
from integrations.mcp.endpoints import McpEndpoints
from integrations.mcp.errors import (
    McpNeedsAuthorization,
    McpNoRegistration,
    McpNotAnswering,
    McpOpenServer,
    McpToolChanged,
    McpToolOff,
)
from integrations.mcp.line import Line, WantsScopes, WantsToken
from integrations.mcp.listed import ListedTool, canonical
from integrations.mcp.results import (
    McpAnswer,
    McpOffer,
    McpServerRemoved,
    McpToolSet,
    McpToolsSeen,
    OfferedMcpTool,
)
from integrations.mcp.sign_in import SignIn, as_provider, provider_id
from integrations.mcp.signed_in import SignedIn, living
from integrations.oauth.registering import registered
from integrations.pending import checked_redirect
from integrations.refreshing import Refreshing
from integrations.results import ClientSet
from integrations.revoking import Revoking
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
        refreshing: Refreshing,
        endpoints: McpEndpoints,
        revoking: Revoking,
        loopback: Collection[Endpoint] = (),
    ) -> None:
        self._admission, self._database, self._vault, self._clock = admission, database, vault, clock
        self._loopback = frozenset(loopback)
        self._line, self._endpoints, self._revoking = Line(network=network), endpoints, revoking
        self._signed_in = SignedIn(database=database, clock=clock, refreshing=refreshing)
        self._authorizing = Authorizing(network=network, clock=clock, loopback=self._loopback)

    def methods(self) -> Mapping[type[Action[Any]], Method]:
        return {
            AddMcpServer: self.add_mcp_server,
            RefreshMcpTools: self.refresh_mcp_tools,
            RegisterMcpClient: self.register_mcp_client,
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
        sign_in: SignIn | None = None
        listed: tuple[ListedTool, ...] = ()
        try:
            listed = await self._line.tools(where)
            if not action.open_confirmed:
                raise McpOpenServer(title)
        except WantsToken as wanted:
            sign_in = await self._authorizing.published(where, wanted.challenge)
        except WantsScopes:
            raise McpNotAnswering(title, reason="it lets nobody in") from None
        async with self._database.write(org) as session:
            ring = await self._vault.keyring(session, org)
            now, decision = self._clock.now(), permit.decision
            by = action.principal.person
            made = await store.add(
                session, ring, url=where.url, title=title, by=by, now=now, decision=decision, sign_in=sign_in
            )
            await store.take(session, ring, made, listed, now=now, decision=decision)
        return McpToolsSeen(server=made, tools=len(listed), changed=0, gone=0, needs_sign_in=sign_in is not None)

    async def refresh_mcp_tools(self, permit: Permit, action: RefreshMcpTools) -> McpToolsSeen:
        self._admission.admit(permit, action)
        org = action.principal.org
        async with self._database.read(org) as session:
            known = await store.server(session, await self._vault.keyring(session, org), action.server)
        where = address(known.url, title=known.title, loopback=self._loopback)
        try:
            listed = await self._signed_in.asked(
                org, known, lambda token: self._line.tools(where, token=token), decision=permit.decision
            )
        except WantsToken as wanted:  # it asked for none when it was added
            new_sign_in = await self._authorizing.published(where, wanted.challenge)
            async with self._database.write(org) as session:
                ring = await self._vault.keyring(session, org)
                await store.wants(session, ring, known.server, new_sign_in, decision=permit.decision)
            return McpToolsSeen(server=known.server, tools=0, changed=0, gone=0, needs_sign_in=True)
        async with self._database.write(org) as session:
            ring = await self._vault.keyring(session, org)
            new = await store.take(session, ring, known.server, listed, now=self._clock.now(), decision=permit.decision)
        return McpToolsSeen(server=known.server, tools=len(listed), changed=new.changed, gone=new.gone)

    async def register_mcp_client(self, permit: Permit, action: RegisterMcpClient) -> ClientSet:
        self._admission.admit(permit, action)
        org, name = action.principal.org, provider_id(action.server)
        async with self._database.read(org) as session:
            known = await store.server(session, await self._vault.keyring(session, org), action.server)
        if known.sign_in is None or known.sign_in.metadata.registration_endpoint is None:
            raise McpNoRegistration(known.title)
        where = address(known.url, title=known.title, loopback=self._loopback)
        issuer = known.sign_in.metadata.issuer
        made = await registered(
            as_provider(name, where, issuer=issuer),
            known.sign_in.metadata,
            redirect_uri=checked_redirect(action.redirect_uri, name),
            http=self._endpoints.http(issuer, known.title),
            clock=self._clock,
        )
        async with self._database.write(org) as session:
            ring = await self._vault.keyring(session, org)
            return await keep_client(
                session, ring, name, made, by=action.principal.person, decision=permit.decision, now=self._clock.now()
            )

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
        org, decision = action.principal.org, permit.decision
        for each in await living(session, org, action.server):
            ending = RevokeConnection(principal=action.principal, connection=each.id)
            await self._revoking.revoke(session, ending, permit=permit)
        await store.forget(session, org, action.server, now=self._clock.now(), decision=decision)
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
        given = _object(action.inputs)
        try:
            said = await self._signed_in.asked(
                org,
                server,
                lambda token: self._line.call(where, known.listed.name, known.pin, given, token=token),
                decision=decision,
            )
        except WantsToken:  # it asked for none when it was added
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
