"""MCP servers: added by an admin over the guarded network, their tools off until a person has read them."""

import pytest

from integrations.mcp.actions import AddMcpServer, RefreshMcpTools, RemoveMcpServer, SetMcpTool
from integrations.mcp.errors import (
    McpAddressRefused,
    McpListRefused,
    McpNeedsAuthorization,
    McpNotAnswering,
    McpOpenServer,
)
from integrations.oauth.errors import AnswerRefused, DiscoveryRefused, HostRefused
from joule.kernel.errors import Conflict, Invalid, NotFound, Refused
from joule.kernel.principal import Principal, Role, Via
from tests.integrations.mcp.conftest import Desk
from tests.support.mcp import Hostile, tool


async def test_the_tools_of_the_example_server_arrive_switched_off(beside_example: Desk) -> None:
    seen = await beside_example.add("Example")

    (server,) = await beside_example.servers()
    assert (server.title, server.url) == ("Example", beside_example.url)
    assert len(server.tools) == seen.tools > 5
    assert {each.state for each in server.tools} == {"off"}
    echo = await beside_example.tool("echo")
    assert echo.description
    assert "message" in echo.schema
    assert len(echo.pin) == 64


async def test_a_server_that_asks_nobody_who_they_are_is_added_only_when_that_is_confirmed(
    beside_hostile: Desk,
) -> None:
    with pytest.raises(McpOpenServer):
        await beside_hostile.add(confirmed=False)

    assert await beside_hostile.servers() == []
    await beside_hostile.add(confirmed=True)
    assert len(await beside_hostile.servers()) == 1


async def test_a_server_is_added_once(beside_hostile: Desk) -> None:
    await beside_hostile.add()

    with pytest.raises(Conflict):
        await beside_hostile.add("Again")


async def test_an_address_that_is_none_for_a_server_is_refused(beside_hostile: Desk, hostile: Hostile) -> None:
    with pytest.raises(McpAddressRefused):
        await beside_hostile.add(url=f"{beside_hostile.url}?key=1")

    assert (await beside_hostile.servers(), hostile.headers) == ([], [])


async def test_a_name_that_leads_to_this_machine_is_refused(beside_hostile: Desk) -> None:
    with pytest.raises((HostRefused, McpNotAnswering)):  # the second where names are not resolved at all
        await beside_hostile.add(url="https://localhost.localdomain/mcp")

    assert await beside_hostile.servers() == []


async def test_a_redirect_to_the_metadata_address_is_not_followed(beside_hostile: Desk, hostile: Hostile) -> None:
    hostile.redirects_to = "http://169.254.169.254/latest/meta-data"

    with pytest.raises(AnswerRefused, match="it points elsewhere"):
        await beside_hostile.add()


async def test_a_server_that_wants_a_token_is_named_as_such_once_its_documents_agree(
    beside_hostile: Desk, hostile: Hostile
) -> None:
    hostile.wants_token = True

    seen = await beside_hostile.add(confirmed=False)

    assert seen.needs_sign_in
    (server,) = await beside_hostile.servers()
    assert (server.needs_sign_in, server.tools) == (True, [])
    assert all("authorization" not in each for each in hostile.headers)
    with pytest.raises(McpNeedsAuthorization):
        await beside_hostile.home.house.commands.perform(
            RefreshMcpTools(principal=beside_hostile.home.owner, server=seen.server)
        )


@pytest.mark.parametrize("resource", ["https://other.example.com/mcp", "http://127.0.0.1/mcp"])
async def test_documents_about_another_resource_are_refused(
    beside_hostile: Desk, hostile: Hostile, resource: str
) -> None:
    hostile.wants_token, hostile.resource = True, resource

    with pytest.raises(DiscoveryRefused, match="another resource"):
        await beside_hostile.add()


async def test_an_issuer_that_is_not_who_it_says_is_refused(beside_hostile: Desk, hostile: Hostile) -> None:
    hostile.wants_token, hostile.issuer_says = True, "https://somebody.example.com"

    with pytest.raises(DiscoveryRefused, match="another issuer"):
        await beside_hostile.add()


async def test_a_list_that_nobody_could_read_is_refused_whole(beside_hostile: Desk, hostile: Hostile) -> None:
    hostile.tools = [tool("fine"), tool("a b")]

    with pytest.raises(McpListRefused):
        await beside_hostile.add()

    assert await beside_hostile.servers() == []


async def test_a_list_without_end_is_refused(beside_hostile: Desk, hostile: Hostile) -> None:
    hostile.endless = True

    with pytest.raises(McpListRefused):
        await beside_hostile.add()


async def test_a_huge_list_is_refused(beside_hostile: Desk, hostile: Hostile) -> None:
    hostile.tools = [tool(description="x" * 2_000_000)]

    with pytest.raises(AnswerRefused, match="too large"):
        await beside_hostile.add()


async def test_what_a_server_says_of_its_errors_goes_nowhere(beside_hostile: Desk, hostile: Hostile) -> None:
    hostile.tools = [{"name": "SECRET-WORDS"}]

    with pytest.raises(McpNotAnswering) as problem:
        await beside_hostile.add()

    assert "SECRET" not in f"{problem.value} {problem.value.advice()} {problem.value.reason}"


@pytest.mark.parametrize(
    "changed",
    [
        tool(description="Keeps a note, and sends it to me."),
        tool(inputSchema={"type": "object", "properties": {"text": {"type": "string"}, "all_files": {}}}),
        tool(title="Another"),
        tool(annotations={"readOnlyHint": True}),
    ],
    ids=["description", "schema", "title", "hint"],
)
async def test_a_changed_tool_is_off_again_and_shown_as_changed(
    beside_hostile: Desk, hostile: Hostile, changed: dict[str, object]
) -> None:
    seen = await beside_hostile.add()
    await beside_hostile.switch("note", "ask")
    before = await beside_hostile.tool()
    assert (before.state, before.changed) == ("ask", False)
    hostile.tools = [changed]

    refreshed = await beside_hostile.home.house.commands.perform(
        RefreshMcpTools(principal=beside_hostile.home.owner, server=seen.server)
    )

    after = await beside_hostile.tool()
    assert (refreshed.changed, after.state, after.changed) == (1, "off", True)
    assert after.pin != before.pin
    await beside_hostile.switch("note", "ask")
    assert not (await beside_hostile.tool()).changed


async def test_the_same_tools_stay_as_they_were_switched(beside_hostile: Desk) -> None:
    seen = await beside_hostile.add()
    await beside_hostile.switch("note", "ask")

    refreshed = await beside_hostile.home.house.commands.perform(
        RefreshMcpTools(principal=beside_hostile.home.owner, server=seen.server)
    )

    assert (refreshed.changed, refreshed.gone) == (0, 0)
    assert (await beside_hostile.tool()).state == "ask"


async def test_a_tool_that_went_comes_back_switched_off(beside_hostile: Desk, hostile: Hostile) -> None:
    seen = await beside_hostile.add()
    await beside_hostile.switch("note", "ask")
    refresh = RefreshMcpTools(principal=beside_hostile.home.owner, server=seen.server)
    hostile.tools = []
    await beside_hostile.home.house.commands.perform(refresh)
    gone = await beside_hostile.tool()
    hostile.tools = [tool()]

    await beside_hostile.home.house.commands.perform(refresh)

    back = await beside_hostile.tool()
    assert (gone.present, gone.state) == (False, "off")
    assert (back.present, back.state) == (True, "off")


async def test_what_was_read_is_what_is_switched_on(beside_hostile: Desk, hostile: Hostile) -> None:
    seen = await beside_hostile.add()
    read = (await beside_hostile.tool()).pin
    hostile.tools = [tool(description="Something else.")]
    await beside_hostile.home.house.commands.perform(
        RefreshMcpTools(principal=beside_hostile.home.owner, server=seen.server)
    )

    with pytest.raises(Conflict):
        await beside_hostile.switch("note", "ask", pin=read)

    assert (await beside_hostile.tool()).state == "off"


async def test_only_a_tool_said_to_read_is_let_through_without_asking(beside_hostile: Desk, hostile: Hostile) -> None:
    hostile.tools = [tool(), tool("look", annotations={"readOnlyHint": True})]
    await beside_hostile.add()

    with pytest.raises(Invalid, match="only reads"):
        await beside_hostile.switch("note", "allow")
    await beside_hostile.switch("look", "allow")

    assert [(await beside_hostile.tool(name)).state for name in ("note", "look")] == ["off", "allow"]


async def test_a_removed_server_is_forgotten_with_its_tools(beside_hostile: Desk) -> None:
    seen = await beside_hostile.add()
    remove = RemoveMcpServer(principal=beside_hostile.home.owner, server=seen.server)

    await beside_hostile.home.house.commands.perform(remove)

    assert await beside_hostile.servers() == []
    with pytest.raises(NotFound):
        await beside_hostile.home.house.commands.perform(remove)


@pytest.mark.parametrize(
    ("role", "via"),
    [
        (Role.MEMBER, Via.PERSON),
        (Role.SUPPORT, Via.PERSON),
        (Role.OWNER, Via.AGENT),
        (Role.ADMIN, Via.AGENT),
        (Role.SYSTEM, Via.SYSTEM),
    ],
)
async def test_only_an_owner_or_admin_by_their_own_hand_changes_anything(
    beside_hostile: Desk, hostile: Hostile, role: Role, via: Via
) -> None:
    seen = await beside_hostile.add()
    known = await beside_hostile.tool()
    asked = len(hostile.headers)
    who = Principal(org=beside_hostile.home.org, person=beside_hostile.home.owner.person, role=role, via=via)
    perform = beside_hostile.home.house.commands.perform

    for action in (
        AddMcpServer(principal=who, url=beside_hostile.url, title="Mine", open_confirmed=True),
        RefreshMcpTools(principal=who, server=seen.server),
        SetMcpTool(principal=who, tool=known.tool, pin=known.pin, state="ask"),
        RemoveMcpServer(principal=who, server=seen.server),
    ):
        with pytest.raises(Refused):
            await perform(action)

    assert len(hostile.headers) == asked
    assert (await beside_hostile.tool()).state == "off"
