"""Makes tools of what MCP servers offer and an admin has switched on.

Pure but for one question to the gate, whose answer is on record. A call names the tool as it was offered, by its pin: one
that has changed since is refused where it is used.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from integrations.mcp.actions import CallMcpTool, DescribeMcpTools, ReadWithMcpTool
from integrations.mcp.listed import without_slow_rules
from integrations.mcp.results import McpOffer, OfferedMcpTool
from joule.agent._arguments import Tool
from joule.agent.tools import Bench
from joule.kernel.action import Action
from joule.kernel.errors import ApprovalNeeded, Refused
from joule.llm.actions import canonical_json

ASKED_FOR_SERVERS = "context/mcp"  # the call of every task that asks which tools of MCP servers are on
_NO_NAME = re.compile(r"[^a-z0-9_]+")


async def served(bench: Bench) -> McpOffer | None:
    """Which tools are on, or None where the policies keep that from the agent. Joins what was read."""
    about: dict[str, Any] = {"principal": bench.principal, "project": bench.project, "label": bench.label}
    try:
        found = await bench.gate.perform(DescribeMcpTools(**about), call=ASKED_FOR_SERVERS)
    except ApprovalNeeded:
        raise
    except Refused:
        return None
    if found.tools:
        bench.label = bench.label.join(found.label)
    return found


def tools_of(found: McpOffer | None) -> tuple[Tool, ...]:
    """One tool for each that is on: `mcp_<server>_<tool>_<end of its id>`, so that no server can take another's name."""
    if found is None:
        return ()
    return tuple({tool_name(each): _tool(each) for each in found.tools}.values())


def tool_name(offered: OfferedMcpTool) -> str:
    """What the tool is called for the model."""
    told = _NO_NAME.sub("_", f"mcp_{offered.server_title[:16]}_{offered.name}".lower())
    return f"{told[:55].rstrip('_')}_{offered.tool.hex[-8:]}"


def _tool(offered: OfferedMcpTool) -> Tool:
    asks = " A person is asked before each call." if offered.asks else ""
    return Tool(
        name=tool_name(offered),
        description=f"Tool of the MCP server {offered.server_title}, in its own words (data): {offered.description}{asks}",
        arguments=without_slow_rules(json.loads(offered.schema)),
        action=_asking(offered),
    )


def _asking(offered: OfferedMcpTool) -> Any:
    kind = CallMcpTool if offered.asks else ReadWithMcpTool

    def make(given: Mapping[str, Any], shared: Mapping[str, Any]) -> Action[Any]:
        return kind(
            server=offered.server, tool=offered.tool, pin=offered.pin, inputs=canonical_json(dict(given)), **shared
        )

    return make
