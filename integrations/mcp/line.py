"""Asks MCP servers, over the guarded network and never past it.

The MCP library is loaded, beside the running loop, by whoever first speaks with a server: a process that never does stays
small.
"""

import asyncio
from dataclasses import dataclass
from typing import Any

from integrations.broker.guard import Limits, Network
from integrations.mcp.addresses import Address
from integrations.mcp.authorizing import Challenge
from integrations.mcp.listed import ListedTool, checked
from integrations.oauth.secret import Secret

LONGEST_ANSWER = 60_000  # characters a model is shown
LIMITS = Limits(seconds=30.0, answer_bytes=2**20)


@dataclass(frozen=True, kw_only=True)
class Said:
    """What a tool gave back, as text."""

    text: str
    failed: bool
    cut: bool


class WantsToken(Exception):
    """The server answered 401: it wants to know who asks, or does not take the token it got."""

    def __init__(self, challenge: Challenge) -> None:
        super().__init__("the server wants a token")
        self.challenge = challenge


class WantsScopes(Exception):
    """The server answered 403: whoever asks may not do this; `scopes` are those it says would do."""

    def __init__(self, scopes: tuple[str, ...]) -> None:
        super().__init__("the server wants more scopes")
        self.scopes = scopes


class Line:
    """Questions to servers."""

    def __init__(self, *, network: Network, limits: Limits = LIMITS) -> None:
        self._network, self._limits = network, limits

    async def tools(self, server: Address, *, token: Secret | None = None) -> tuple[ListedTool, ...]:
        """What the server says it has.

        Raises `WantsToken`, `WantsScopes`, `McpListRefused`, `McpNotAnswering` or what the guard does.
        """
        await asyncio.to_thread(_load)
        from integrations.mcp import _speaking

        question = _speaking.listing(server.title)
        found = await _speaking.asked(server, question, network=self._network, limits=self._limits, token=token)
        return checked(server.title, found)

    async def call(
        self, server: Address, name: str, pin: bytes, arguments: dict[str, Any], *, token: Secret | None = None
    ) -> Said | None:
        """What the tool gives back, or None when the server does not describe it as `pin` has it: nothing was called."""
        await asyncio.to_thread(_load)
        from integrations.mcp import _speaking

        call = _speaking.calling(server.title, name, pin, arguments)
        return await _speaking.asked(server, call, network=self._network, limits=self._limits, token=token)


def _load() -> None:
    import integrations.mcp._speaking  # noqa: F401 - loading it is the purpose
