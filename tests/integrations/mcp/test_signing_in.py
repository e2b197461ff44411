"""Servers that want to be signed in to: the MCP project's own server library, with panva's oidc-provider as its issuer."""

import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlmodel import select

from integrations import due
from integrations import queries as accounts
from integrations.actions import BeginConnection, FinishConnection, RevokeConnection, SetProviderClient, TellProvider
from integrations.errors import ConsentUnusable, NoClient
from integrations.mcp.actions import RefreshMcpTools, RegisterMcpClient, RemoveMcpServer
from integrations.mcp.errors import McpNeedsAuthorization
from integrations.mcp.queries import SignInView
from integrations.mcp.sign_in import provider_id
from integrations.mcp.tables import McpServerRow
from integrations.oauth.errors import CallbackRefused
from integrations.results import Connected, ConsentPage, Secret
from integrations.tables import ProviderClientRow
from joule.agent.task import Claim, End, Outcome
from joule.governance import approvals
from joule.kernel.errors import NotFound, Refused
from joule.kernel.ids import new_id
from joule.kernel.principal import Principal, Role, Via
from joule.kernel.settings import Settings
from tests.integrations.mcp.conftest import Desk, desk
from tests.integrations.mcp.test_calling import approve
from tests.support.clock import StoppedClock
from tests.support.mcp.protected import READ, WRITE, Protected, running_protected
from tests.support.oidc import Peer, running_peer
from tests.support.scripted_model import Says


@pytest.fixture(scope="module")
def peer() -> Iterator[Peer]:
    with running_peer() as found:
        yield found


@dataclass(kw_only=True)
class Reception:
    """A house beside a protected server, an owner in a browser, and the issuer."""

    desk: Desk
    guarded: Protected
    peer: Peer
    session: UUID
    server: UUID

    @property
    def owner(self) -> Principal:
        return self.desk.home.owner

    @property
    def provider(self) -> str:
        return provider_id(self.server)

    @property
    def way_back(self) -> str:
        return f"http://127.0.0.1:7777/integrations/callback/{self.provider}"

    async def do(self, action: Any) -> Any:
        return await self.desk.home.house.commands.perform(action)

    async def register(self) -> None:
        await self.do(RegisterMcpClient(principal=self.owner, server=self.server, redirect_uri=self.way_back))

    async def begin(self, *scopes: str, **more: Any) -> ConsentPage:
        asked = {
            "principal": self.owner,
            "provider": self.provider,
            "scopes": scopes,
            "session": self.session,
            "redirect_uri": self.way_back,
        }
        found: ConsentPage = await self.do(BeginConnection(**{**asked, **more}))
        return found

    async def finish(self, brought: dict[str, str], **more: Any) -> Connected:
        asked = {
            "principal": self.owner,
            "provider": self.provider,
            "session": self.session,
            "state": Secret(brought["state"]),
            "code": Secret(brought["code"]) if "code" in brought else None,
            "issuer": brought.get("iss"),
            "error": brought.get("error"),
        }
        found: Connected = await self.do(FinishConnection(**{**asked, **more}))
        return found

    async def sign_in(self, *scopes: str) -> Connected:
        page = await self.begin(*scopes)
        return await self.finish(await self.peer.consent(page.url.get_secret_value()))

    async def look(self) -> None:
        await self.do(RefreshMcpTools(principal=self.owner, server=self.server))

    async def view(self) -> SignInView:
        (found,) = await self.desk.servers()
        assert found.sign_in is not None
        return found.sign_in

    async def tool_name(self) -> str:
        """What the one tool that is on is called for the model."""
        self.desk.model.script = [Says(text="Nothing.")]
        await self.desk.home.run(self.desk.home.claim("Hello"))
        (name,) = [each.name for each in self.desk.model.requests[-1].tools if each.name.startswith("mcp_")]
        return name

    async def run(self, claim: Claim, name: str, **inputs: Any) -> Outcome:
        """One call of a tool, and then a last word."""
        self.desk.model.script = [Says(calls=[(name, inputs)]), Says(text="Done.")]
        return await self.desk.home.run(claim)


@pytest.fixture
async def reception(settings: Settings, peer: Peer, clock: StoppedClock) -> AsyncIterator[Reception]:
    await peer.play()
    port = urlsplit(peer.issuer).port
    assert port is not None
    async with running_protected(peer) as guarded, desk(settings, guarded.port, issuer=port, clock=clock) as found:
        seen = await found.add("Ads", url=guarded.url, confirmed=False)
        assert seen.needs_sign_in
        yield Reception(desk=found, guarded=guarded, peer=peer, session=new_id(), server=seen.server)


async def test_a_server_that_wants_a_token_is_added_and_says_who_signs_people_in(reception: Reception) -> None:
    (server,) = await reception.desk.servers()

    assert server.needs_sign_in
    assert server.tools == []
    assert server.sign_in is not None
    assert (server.sign_in.issuer, server.sign_in.resource) == (reception.peer.issuer, reception.guarded.url)
    assert READ in server.sign_in.asks_for
    assert reception.guarded.tokens == []


async def test_nobody_is_asked_to_consent_before_joule_is_known_there(reception: Reception) -> None:
    with pytest.raises(NoClient):
        await reception.begin()

    await reception.register()
    assert (await reception.view()).client_id
    await reception.begin()


async def test_the_whole_way_in_to_a_tool_that_is_used(reception: Reception) -> None:
    await reception.register()
    page = await reception.begin()
    asked = parse_qs(urlsplit(page.url.get_secret_value()).query)
    made = await reception.finish(await reception.peer.consent(page.url.get_secret_value()))
    await reception.look()

    assert asked["resource"] == [reception.guarded.url]
    assert asked["code_challenge_method"] == ["S256"]
    assert READ in made.granted
    assert {each.name: each.state for each in (await reception.desk.servers())[0].tools} == {
        "figures": "off",
        "note": "off",
    }
    assert set(reception.guarded.audiences) == {reception.guarded.url}
    await reception.desk.switch("figures", "allow")
    name = await reception.tool_name()
    outcome = await reception.run(reception.desk.home.claim("What are the figures?"), name)

    assert outcome.end is End.DONE
    (told,) = [each.text for each in reception.desk.model.requests[-1].messages if each.role == "tool"]
    assert "41 clicks, asked for with [removed]" in told
    prompts = repr(reception.desk.model.requests)
    assert not [each for each in reception.guarded.tokens if each in prompts]


async def test_rule_31_no_token_that_a_server_was_brought_stands_in_clear_in_any_table(reception: Reception) -> None:
    await reception.register()
    page = await reception.begin()
    brought = await reception.peer.consent(page.url.get_secret_value())
    await reception.finish(brought)
    await reception.look()
    tables = text("SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace")
    home = reception.desk.home
    async with home.house.database.read(home.org) as session:
        names = (await session.scalars(tables)).all()
        rows = {
            name: str((await session.execute(text(f"SELECT t::text FROM {name} t"))).all())
            for name in names
            if await _may_read(session, name)
        }

    secrets = [*reception.guarded.tokens, brought["code"], brought["state"]]
    assert len(secrets) >= 3  # the server was brought a token
    assert {"mcp_server", "oauth_grant"} <= set(rows)
    found = [
        name for name, dumped in rows.items() for each in secrets if each in dumped or each.encode().hex() in dumped
    ]
    assert found == []


async def _may_read(session: Any, table: str) -> bool:
    return bool(await session.scalar(text("SELECT has_table_privilege(:name, 'SELECT')"), {"name": table}))


async def test_a_client_an_admin_registered_is_used_as_entered(reception: Reception) -> None:
    await reception.do(
        SetProviderClient(
            principal=reception.owner,
            provider=reception.provider,
            client_id="by-hand",
            client_secret=Secret("s3cret-by-hand"),
        )
    )

    page = await reception.begin()

    assert parse_qs(urlsplit(page.url.get_secret_value()).query)["client_id"] == ["by-hand"]
    assert (await reception.view()).client_id == "by-hand"


async def test_a_renewal_is_bound_to_the_same_server_and_kept_by_the_one_service(
    reception: Reception, clock: StoppedClock
) -> None:
    await reception.register()
    await reception.sign_in()
    await reception.look()
    before = set(reception.guarded.tokens)
    clock.advance(timedelta(hours=1))

    await reception.look()

    assert len(before) == 1
    assert len(set(reception.guarded.tokens)) == 2
    assert set(reception.guarded.audiences) == {reception.guarded.url}
    view = await reception.view()
    assert view.connection is not None
    assert (view.connection.status, view.connection.refreshed_at) == ("active", clock.now())


async def test_a_refused_token_is_renewed_once_and_the_question_asked_again(reception: Reception) -> None:
    await reception.register()
    await reception.sign_in()
    await reception.look()
    reception.guarded.refuses = set(reception.guarded.tokens)

    await reception.look()

    assert len(set(reception.guarded.tokens)) == 2
    assert (await reception.view()).works


async def test_a_server_that_takes_no_token_any_more_needs_signing_in_again(reception: Reception) -> None:
    await reception.register()
    await reception.sign_in()
    reception.guarded.takes_nobody = True

    with pytest.raises(McpNeedsAuthorization):
        await reception.look()

    view = await reception.view()
    assert view.connection is not None
    assert (view.works, view.connection.status) == (False, "needs_reconnecting")
    reception.guarded.takes_nobody = False
    await reception.sign_in()
    await reception.look()
    assert (await reception.view()).works


async def test_a_call_that_lacks_a_permission_waits_for_it_and_then_goes_on(reception: Reception) -> None:
    await reception.register()
    first = await reception.sign_in()
    await reception.look()
    await reception.desk.switch("note", "ask")
    name = await reception.tool_name()
    claim = reception.desk.home.claim("Note: Hello")
    assert (await reception.run(claim, name, text="Hello")).end is End.WAITING
    await approve(reception.desk, claim)

    waiting = await reception.run(replace(claim, attempt=2), name, text="Hello")

    asked = [each for each in await reception.desk.home.events(claim.task) if each.kind == "approval.asked"]
    assert (waiting.end, asked[-1].attrs["code"]) == (End.WAITING, "integrations.scope_missing")
    assert asked[-1].content["grant"] == {"connection": str(first.connection), "scopes": [WRITE]}
    assert reception.guarded.written == []
    more = await reception.sign_in(WRITE)
    assert (more.connection, more.grant) == (first.connection, first.grant)
    assert {READ, WRITE} <= set(more.granted)
    await given(reception, more)
    outcome = await reception.run(replace(claim, attempt=3), name, text="Hello")
    assert (outcome.end, reception.guarded.written) == (End.DONE, ["Hello"])


async def given(reception: Reception, more: Connected) -> None:
    """What the page does once the permission is there."""
    person, house = reception.owner.person, reception.desk.home.house
    assert person is not None
    async with house.database.write(reception.desk.home.org) as session:
        at = house.clock.now()
        await approvals.granted(session, reception.desk.home.org, connections=more.connections, by=person, at=at)


async def test_signing_out_is_felt_by_the_next_call_and_told_to_the_issuer(reception: Reception) -> None:
    await reception.register()
    made = await reception.sign_in()
    await reception.look()
    shown = len(reception.guarded.tokens)

    ended = await reception.do(RevokeConnection(principal=reception.owner, connection=made.connection))
    with pytest.raises(McpNeedsAuthorization):
        await reception.look()
    system = Principal(org=reception.desk.home.org, person=None, role=Role.SYSTEM, via=Via.SYSTEM)
    told = await reception.do(TellProvider(principal=system, revocation=ended.revocation))

    assert len(reception.guarded.tokens) == shown
    assert (told.state, {each.outcome for each in told.tokens}) == ("done", {"revoked"})
    async with reception.desk.home.house.database.read(reception.desk.home.org) as session:
        receipt = await accounts.receipt(
            session, reception.desk.home.house.vault, reception.desk.home.org, made.connection
        )
    assert json.loads(receipt)
    assert await reception.guarded.verify_token(reception.guarded.tokens[0]) is None


async def test_removing_a_server_signs_out_of_it_and_its_issuer_is_still_told(reception: Reception) -> None:
    await reception.register()
    await reception.sign_in()
    await reception.look()

    await reception.do(RemoveMcpServer(principal=reception.owner, server=reception.server))

    assert await reception.desk.servers() == []
    with pytest.raises(NotFound):
        await reception.look()
    org = reception.desk.home.org
    async with reception.desk.home.house.database.read(org) as session:
        (pending,) = await due.revocations(session, org, now=reception.desk.home.house.clock.now())
    system = Principal(org=org, person=None, role=Role.SYSTEM, via=Via.SYSTEM)
    told = await reception.do(TellProvider(principal=system, revocation=pending))
    assert (told.state, {each.outcome for each in told.tokens}) == ("done", {"revoked"})
    async with reception.desk.home.house.database.read(org) as session:
        assert await session.get(McpServerRow, (org, reception.server)) is None
        assert (await session.scalars(select(ProviderClientRow.id))).all() == []
    await reception.desk.add("Ads again", url=reception.guarded.url)


async def test_a_callback_of_another_issuer_is_refused_before_the_code_leaves(reception: Reception) -> None:
    await reception.register()
    page = await reception.begin()
    brought = await reception.peer.consent(page.url.get_secret_value())

    with pytest.raises(CallbackRefused):
        await reception.finish({**brought, "iss": "https://evil.example.com"})

    assert not (await reception.view()).works


async def test_only_the_browser_that_set_out_finishes(reception: Reception) -> None:
    await reception.register()
    page = await reception.begin()
    brought = await reception.peer.consent(page.url.get_secret_value())

    with pytest.raises(ConsentUnusable):
        await reception.finish(brought, session=new_id())

    assert not (await reception.view()).works


@pytest.mark.parametrize("role", [Role.MEMBER, Role.SUPPORT])
async def test_only_who_may_connect_accounts_registers_and_signs_in(reception: Reception, role: Role) -> None:
    who = Principal(org=reception.desk.home.org, person=reception.owner.person, role=role, via=Via.PERSON)

    with pytest.raises(Refused):
        await reception.do(RegisterMcpClient(principal=who, server=reception.server, redirect_uri=reception.way_back))
    await reception.register()
    with pytest.raises(Refused):
        await reception.begin(principal=who)
