"""Servers and issuers that lie: each is refused with a clear error, nothing is kept, and no token goes anywhere."""

from typing import Any
from uuid import UUID

import pytest

from integrations.actions import BeginConnection, FinishConnection
from integrations.errors import ConnectionRevoked
from integrations.mcp.actions import RefreshMcpTools, RegisterMcpClient
from integrations.mcp.errors import McpNoRegistration
from integrations.mcp.sign_in import provider_id
from integrations.oauth.errors import AnswerRefused, DiscoveryRefused, RequestRefused
from integrations.results import ConsentPage, Secret
from joule.kernel.errors import Invalid, JouleError
from joule.kernel.ids import new_id
from tests.integrations.mcp.conftest import Desk
from tests.support.mcp import Hostile

SESSION = new_id()


def way_back(server: UUID) -> str:
    return f"http://127.0.0.1:7777/integrations/callback/{provider_id(server)}"


async def begin(desk: Desk, server: UUID, *, register: bool = True, **more: Any) -> ConsentPage:
    perform, owner = desk.home.house.commands.perform, desk.home.owner
    if register:
        await perform(RegisterMcpClient(principal=owner, server=server, redirect_uri=way_back(server)))
    asked = {"provider": provider_id(server), "scopes": (), "session": SESSION, "redirect_uri": way_back(server)}
    return await perform(BeginConnection(principal=owner, **{**asked, **more}))


async def finish(desk: Desk, server: UUID, page: ConsentPage) -> Any:
    return await desk.home.house.commands.perform(
        FinishConnection(
            principal=desk.home.owner,
            provider=provider_id(server),
            session=SESSION,
            state=page.state,
            code=Secret("a-code"),
        )
    )


def told(where: str) -> dict[str, Any]:
    """What a server says wrongly, by name."""
    here = f"http://127.0.0.1:{where}"
    return {
        "documents on another host": {"challenge": 'Bearer resource_metadata="http://127.0.0.1:9/mcp"'},
        "documents at the metadata address": {
            "challenge": 'Bearer resource_metadata="http://169.254.169.254/latest/meta-data"'
        },
        "documents that point elsewhere": {"redirects_documents_to": "http://169.254.169.254/latest/meta-data"},
        "another resource": {"resource": f"{here}/other"},
        "the resource of another host": {"resource": "https://mcp.example.com/mcp"},
        "an issuer at a private address": {"issuer": "https://10.0.0.1"},
        "an issuer at the metadata address": {"issuer": "https://169.254.169.254"},
        "an issuer that is no address": {"issuer": "javascript:alert(1)"},
        "an issuer that is another": {"issuer_says": "https://somebody.example.com"},
        "a token endpoint elsewhere": {"published": {"token_endpoint": "http://127.0.0.1:9/token"}},
        "a token endpoint at the metadata address": {"published": {"token_endpoint": "http://169.254.169.254/token"}},
        "no PKCE": {"published": {"code_challenge_methods_supported": ["plain"]}},
        "an endless document": {"published": {"x": "y" * 70_000}},
    }


async def test_a_server_that_lies_about_who_signs_people_in_is_not_added(
    beside_hostile: Desk, hostile: Hostile
) -> None:
    port = beside_hostile.url.split(":")[2].split("/")[0]
    refusals: dict[str, JouleError] = {}
    for lie, values in told(port).items():
        honest = Hostile(wants_token=True)
        for name in vars(honest):
            setattr(hostile, name, values.get(name, getattr(honest, name)))
        try:
            await beside_hostile.add(confirmed=False)
        except JouleError as refused:
            refusals[lie] = refused

    assert set(told(port)) == set(refusals)
    assert all(each.advice() for each in refusals.values())
    assert {each.code for each in refusals.values()} == {
        "integrations.discovery_refused",
        "integrations.answer_refused",
    }
    assert await beside_hostile.servers() == []
    for name, value in vars(Hostile(wants_token=True)).items():
        setattr(hostile, name, value)
    assert (await beside_hostile.add(confirmed=False)).needs_sign_in


async def test_documents_where_the_server_says_they_are_on_its_own_host_are_read(
    beside_hostile: Desk, hostile: Hostile
) -> None:
    hostile.wants_token = True
    at = beside_hostile.url.replace("/mcp", "/.well-known/oauth-protected-resource/mcp")
    hostile.challenge = f'Bearer error="invalid_token", resource_metadata="{at}", scope="notes.read <script>"'

    await beside_hostile.add(confirmed=False)

    (server,) = await beside_hostile.servers()
    assert server.sign_in is not None
    assert "notes.read" in server.sign_in.asks_for


async def test_a_lone_slash_behind_an_issuers_name_makes_no_other_issuer(
    beside_hostile: Desk, hostile: Hostile
) -> None:
    base = beside_hostile.url.removesuffix("/mcp")
    hostile.wants_token, hostile.issuer, hostile.issuer_says = True, f"{base}/", base

    seen = await beside_hostile.add(confirmed=False)

    (server,) = await beside_hostile.servers()
    assert server.sign_in is not None
    assert server.sign_in.issuer == base
    await begin(beside_hostile, seen.server)


async def test_what_changed_since_the_server_was_added_stops_the_next_consent(
    beside_hostile: Desk, hostile: Hostile
) -> None:
    hostile.wants_token = True
    server = (await beside_hostile.add(confirmed=False)).server
    await begin(beside_hostile, server)
    base = beside_hostile.url.removesuffix("/mcp")

    hostile.issuer = "http://127.0.0.1:9"
    with pytest.raises(DiscoveryRefused, match="another issuer"):
        await begin(beside_hostile, server, register=False)
    hostile.issuer, hostile.published = None, {"token_endpoint": f"{base}/other"}
    with pytest.raises(DiscoveryRefused, match="have changed"):
        await begin(beside_hostile, server, register=False)
    hostile.published = {"code_challenge_methods_supported": []}
    with pytest.raises(DiscoveryRefused, match="have changed"):
        await begin(beside_hostile, server, register=False)
    hostile.published = {}
    await begin(beside_hostile, server, register=False)


async def test_a_registration_that_cannot_be_believed_keeps_nothing(beside_hostile: Desk, hostile: Hostile) -> None:
    hostile.wants_token = True
    server = (await beside_hostile.add(confirmed=False)).server
    answers: list[dict[str, Any]] = [
        {},
        {"client_id": ""},
        {"client_id": 17},
        {"client_id": "x" * 3_000},
        {"client_id": "a", "token_endpoint_auth_method": "client_secret_basic", "client_secret": "b"},
        {"client_id": "a", "redirect_uris": ["https://evil.example.com/"]},
        {"client_id": "a", "x": "y" * 17_000},
        {"error": "invalid_redirect_uri"},
    ]

    for answer in answers:
        hostile.registered = answer
        with pytest.raises((AnswerRefused, RequestRefused)):
            await begin(beside_hostile, server)

    (kept,) = await beside_hostile.servers()
    assert kept.sign_in is not None
    assert kept.sign_in.client_id == ""
    hostile.registered = {"client_id": "made-up"}
    await begin(beside_hostile, server)


async def test_an_issuer_that_registers_nobody_is_said_so(beside_hostile: Desk, hostile: Hostile) -> None:
    hostile.wants_token, hostile.published = True, {"registration_endpoint": None}
    server = (await beside_hostile.add(confirmed=False)).server

    with pytest.raises(McpNoRegistration):
        await begin(beside_hostile, server)


async def test_a_token_answer_that_cannot_be_believed_signs_nobody_in(beside_hostile: Desk, hostile: Hostile) -> None:
    hostile.wants_token = True
    server = (await beside_hostile.add(confirmed=False)).server
    answers: list[Any] = [
        {},
        [],
        {"access_token": 1, "token_type": "Bearer"},
        {"access_token": "a", "token_type": "mac"},
        {"access_token": "a\nb", "token_type": "Bearer"},
        {"access_token": "a", "token_type": "Bearer", "x": "y" * 17_000},
        {"access_token": "a", "token_type": "Bearer", "error": "server_error"},
    ]

    for number, answer in enumerate(answers):
        hostile.token_answer = answer
        page = await begin(beside_hostile, server, register=number == 0)
        with pytest.raises(JouleError):
            await finish(beside_hostile, server, page)

    (kept,) = await beside_hostile.servers()
    assert kept.needs_sign_in
    assert {each["resource"] for each in hostile.asked_for_tokens} == {beside_hostile.url}
    assert len(hostile.asked_for_tokens) == len(answers)


async def test_a_token_is_sent_to_its_server_and_follows_no_redirect(beside_hostile: Desk, hostile: Hostile) -> None:
    hostile.wants_token = True
    hostile.token_answer = {"access_token": "canary-token", "token_type": "Bearer"}
    server = (await beside_hostile.add(confirmed=False)).server
    page = await begin(beside_hostile, server)
    await finish(beside_hostile, server, page)
    refresh = RefreshMcpTools(principal=beside_hostile.home.owner, server=server)
    hostile.wants_token = False
    hostile.headers.clear()
    await beside_hostile.home.house.commands.perform(refresh)
    sent = {each.get("authorization") for each in hostile.headers}
    hostile.redirects_to = "http://169.254.169.254/latest/meta-data"

    with pytest.raises(AnswerRefused, match="it points elsewhere"):
        await beside_hostile.home.house.commands.perform(refresh)

    assert sent == {"Bearer canary-token"}


async def test_a_connection_of_another_server_or_a_name_that_is_no_scope_begins_nothing(
    beside_hostile: Desk, hostile: Hostile
) -> None:
    hostile.wants_token = True
    server = (await beside_hostile.add(confirmed=False)).server

    with pytest.raises(ConnectionRevoked):
        await begin(beside_hostile, server, connection=new_id())
    with pytest.raises(Invalid):
        await begin(beside_hostile, server, register=False, scopes=('a"b',))
    await begin(beside_hostile, server, register=False)
