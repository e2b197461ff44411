"""Speaks MCP with one server. The only module that knows the MCP library; loaded by who needs it.

A token is put on a request to the very address it was asked for, by the transport: the library never has it, and it is
taken out of whatever comes back. Every question opens a session and ends it; nothing a server sends unasked is taken. What
the library says of a failure may hold a server's words, so it is dropped: errors here are our own.
"""

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import fields, replace
from typing import Any, TypeVar, cast

import httpx2
import mcp_types as types
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from integrations.broker._echo import without
from integrations.broker.addresses import Hosts
from integrations.broker.guard import Limits, Network
from integrations.mcp.addresses import Address
from integrations.mcp.authorizing import Challenge
from integrations.mcp.errors import McpListRefused, McpNotAnswering
from integrations.mcp.line import LONGEST_ANSWER, Said, WantsScopes, WantsToken
from integrations.mcp.listed import MOST_TOOLS, ListedTool, canonical
from integrations.mcp.sign_in import scopes_in
from integrations.oauth.secret import Secret
from joule.kernel.errors import JouleError

T = TypeVar("T")
Question = Callable[[Client], Awaitable[T]]

MOST_PAGES = 20
LONGEST_CHALLENGE = 4_000
_METADATA = re.compile(r'\bresource_metadata="([^"]{1,500})"')
_SCOPE = re.compile(r'\bscope="([^"]{1,2000})"')
_ABOUT = types.Implementation(name="Joule", version="1")


async def asked(
    server: Address, question: Question[T], *, network: Network, limits: Limits, token: Secret | None = None
) -> T:
    """The answer, within `limits`. Raises `WantsToken`, `WantsScopes`, `McpNotAnswering`, or an error of ours from inside."""
    for name in ("mcp", "client"):  # the library logs addresses, and what it could not read
        logging.getLogger(name).setLevel(logging.CRITICAL)
    hosts = Hosts(exact=frozenset({server.host}), loopback=server.is_loopback)
    guarded = _Noticing(network.transport(hosts, name=server.title, limits=limits), at=server.url, token=token)
    try:
        async with (
            asyncio.timeout(limits.seconds),
            httpx2.AsyncClient(
                transport=guarded,
                trust_env=False,
                follow_redirects=False,
                timeout=limits.seconds,
                headers={"accept-encoding": "identity", "user-agent": "Joule"},
            ) as http,
            Client(
                streamable_http_client(server.url, http_client=http),
                cache=None,
                client_info=_ABOUT,
                read_timeout_seconds=limits.seconds,
            ) as client,
        ):
            found = await question(client)
            return found if token is None else _without(found, token)
    except TimeoutError:
        problem: Exception = McpNotAnswering(server.title, reason="no answer in time")
    except Exception as failed:  # noqa: BLE001 - whatever the library raises is told in our words
        ours = guarded.problem or _ours(failed)
        problem = ours or McpNotAnswering(server.title, reason="it does not answer as the protocol says")
    raise problem


def listing(title: str) -> Question[list[ListedTool]]:
    """Which tools there are."""

    async def ask(client: Client) -> list[ListedTool]:
        return await _listed(client, title)

    return ask


def calling(title: str, name: str, pin: bytes, arguments: dict[str, Any]) -> Question[Said | None]:
    """What a tool gives back; None, and nothing is called, when it is not as `pin` has it."""

    async def ask(client: Client) -> Said | None:
        known = [each for each in await _listed(client, title) if each.name == name]
        if len(known) != 1 or known[0].pin != pin:
            return None
        params = types.CallToolRequestParams(name=name, arguments=arguments)
        # Not `call_tool`: that would hold the answer against a schema, and its regular expressions, of the server's.
        return _said(await client.session.send_request(types.CallToolRequest(params=params), types.CallToolResult))

    return ask


class _Noticing(httpx2.AsyncBaseTransport):
    """Says who asks, and remembers why the guard or the server refused: the library would tell it otherwise, or not at all."""

    def __init__(self, under: httpx2.AsyncBaseTransport, *, at: str, token: Secret | None) -> None:
        self._under, self._at, self._token = under, httpx2.URL(at), token
        self.problem: Exception | None = None

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        if request.method == "GET":  # a standing stream, for what is sent unasked
            return httpx2.Response(405, request=request)
        if request.method != "POST" and self.problem is not None:
            return httpx2.Response(405, request=request)
        if self._token is not None:
            if request.url != self._at:  # the library has no business elsewhere; a token has none at all
                raise httpx2.ConnectError("refused")
            request.headers["authorization"] = f"Bearer {self._token.reveal()}"
        try:
            answer = await self._under.handle_async_request(request)
        except JouleError as refused:
            self.problem = self.problem or refused
            raise httpx2.ConnectError("refused") from None
        if answer.status_code in {401, 403}:
            self.problem = self.problem or _wanted(answer)
        if isinstance(answer.stream, httpx2.AsyncByteStream):
            answer.stream = _NoticingBody(answer.stream, self)
        return answer


class _NoticingBody(httpx2.AsyncByteStream):
    """A body that may turn out to be more than the guard lets through."""

    def __init__(self, under: httpx2.AsyncByteStream, line: _Noticing) -> None:
        self._under, self._line = under, line

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for part in self._under:
                yield part
        except JouleError as refused:
            self._line.problem = self._line.problem or refused
            raise httpx2.ReadError("refused") from None

    async def aclose(self) -> None:
        await self._under.aclose()


def _without(found: T, token: Secret) -> T:
    """What a server said without the token it was shown: some repeat what they were sent, and nobody is to read that."""
    secrets = (token.reveal(),)
    if isinstance(found, Said):
        return replace(found, text=without(found.text, secrets))
    if isinstance(found, list):
        return cast(T, [_cleansed(each, secrets) if isinstance(each, ListedTool) else each for each in found])
    return found


def _cleansed(tool: ListedTool, secrets: tuple[str, ...]) -> ListedTool:
    return ListedTool(**{each.name: without(getattr(tool, each.name), secrets) for each in fields(tool)})


def _wanted(answer: httpx2.Response) -> Exception:
    """What a server that takes nobody, or not for this, says it wants instead."""
    said = answer.headers.get("www-authenticate", "")[:LONGEST_CHALLENGE]
    scopes = scopes_in((_SCOPE.search(said) or ("", ""))[1].split())
    if answer.status_code == 403:
        return WantsScopes(scopes if "insufficient_scope" in said else ())
    found = _METADATA.search(said)
    return WantsToken(Challenge(metadata_url=None if found is None else found[1], scopes=scopes))


def _ours(failed: BaseException) -> Exception | None:
    """An error of ours inside what a task group raised."""
    if isinstance(failed, BaseExceptionGroup):
        return next((found for each in failed.exceptions if (found := _ours(each))), None)
    return failed if isinstance(failed, JouleError) else None


async def _listed(client: Client, title: str) -> list[ListedTool]:
    tools: list[ListedTool] = []
    cursor: str | None = None
    for _ in range(MOST_PAGES):
        page = await client.list_tools(cursor=cursor)
        tools += [_tool(each) for each in page.tools]
        cursor = page.next_cursor
        if cursor is None:
            return tools
        if len(tools) > MOST_TOOLS:
            break
    raise McpListRefused(title, reason="there are too many")


def _tool(tool: types.Tool) -> ListedTool:
    hints = tool.annotations.model_dump(by_alias=True, mode="json", exclude_none=True) if tool.annotations else {}
    return ListedTool(
        name=tool.name,
        title=tool.title or "",
        description=tool.description or "",
        schema=tool.input_schema,
        hints=hints,
    )


def _said(result: types.CallToolResult) -> Said:
    parts = [
        each.text if isinstance(each, types.TextContent) else canonical({"left out": each.type})
        for each in result.content
    ]
    if not parts and result.structured_content is not None:
        parts = [canonical(result.structured_content)]
    text = "\n".join(parts)
    return Said(text=text[:LONGEST_ANSWER], failed=result.is_error is True, cut=len(text) > LONGEST_ANSWER)
