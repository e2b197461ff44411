"""What can go wrong with an MCP server. No message carries an address, an argument or a server's words.

JouleError
├── McpNotAnswering        transient: no proper answer this time
├── McpAddressRefused      an address that may not be added
├── McpNeedsAuthorization  it wants to be signed in to, and nobody is
├── McpNoRegistration      its issuer makes no clients by itself
├── McpOpenServer          it asks nobody who they are, and no admin has said that this is as it should be
├── McpListRefused         what it says of its tools cannot be used
├── McpToolOff             the tool is switched off, or gone
├── McpToolChanged         the tool is not what was switched on
└── from `integrations.oauth.errors`: AnswerRefused, HostRefused, DiscoveryRefused
"""

from joule.kernel.errors import Invalid, JouleError, Unavailable


class McpNotAnswering(Unavailable):
    """The server did not answer as the protocol says. `reason` is a word of ours."""

    code = "integrations.mcp_not_answering"

    def __init__(self, server: str, *, reason: str) -> None:
        super().__init__(server)
        self.server, self.reason = server, reason

    def advice(self) -> str:
        return f"Try again later. If it stays so, ask whoever runs {self.server}."


class McpAddressRefused(Invalid):
    """An address that cannot be an MCP server's, or one Joule does not go to."""

    code = "integrations.mcp_address_refused"

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"this address cannot be added: {reason}",
            advice="Give the server's https address as its operator shows it, without keys or passwords in it.",
        )
        self.reason = reason


class McpNeedsAuthorization(Invalid):
    """The server takes nobody without a token, and there is none, or none any more that it takes."""

    code = "integrations.mcp_needs_authorization"

    def __init__(self, server: str) -> None:
        super().__init__(
            f"{server} has to be signed in to",
            advice="An owner or admin can sign in to it under Integrations, MCP servers.",
        )
        self.server = server


class McpNoRegistration(Invalid):
    """The issuer registers no clients by itself: an admin has to, and to enter what they get."""

    code = "integrations.mcp_no_registration"

    def __init__(self, server: str) -> None:
        super().__init__(
            f"whoever signs people in to {server} does not know Joule yet, and registers nobody by itself",
            advice="Register Joule there with the redirect address shown here, and enter the client id it gives you.",
        )
        self.server = server


class McpOpenServer(Invalid):
    """The server asks nobody who they are. Whoever adds it has to say that this is known."""

    code = "integrations.mcp_open_server"

    def __init__(self, server: str) -> None:
        super().__init__(
            f"{server} answers anybody, without asking who they are",
            advice="Add it only if you know who runs it, and confirm that on the form.",
        )
        self.server = server


class McpListRefused(JouleError):
    """What the server says of its tools cannot be used. `reason` is a word of ours."""

    code = "integrations.mcp_list_refused"

    def __init__(self, server: str, *, reason: str) -> None:
        super().__init__(f"the tools of {server} cannot be listed: {reason}")
        self.server, self.reason = server, reason

    def advice(self) -> str:
        return f"Nothing was changed. Ask whoever runs {self.server}."


class McpToolOff(JouleError):
    """The tool is switched off, was switched off since, or is no longer there."""

    code = "integrations.mcp_tool_off"

    def __init__(self) -> None:
        super().__init__("this tool of an MCP server is switched off")

    def advice(self) -> str:
        return "An admin can read what it does and switch it on under Integrations, MCP servers."


class McpToolChanged(JouleError):
    """The server describes the tool otherwise than when a person switched it on. It is off again; nothing was called."""

    code = "integrations.mcp_tool_changed"

    def __init__(self, server: str) -> None:
        super().__init__(f"a tool of {server} is not what it was when it was switched on, so it is off again")
        self.server = server

    def advice(self) -> str:
        return "An admin should read what it says now, under Integrations, MCP servers, before switching it on again."
