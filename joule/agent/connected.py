"""Makes tools of what the organisation's connected accounts offer.

Pure but for one question to the gate, whose answer is on record: a task that is resumed or replayed is offered the same.
The schemas are the catalogue's; what is offered here is decided again, by the gate and the broker, at every call.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from integrations.actions import DescribeConnections, kind_of
from integrations.catalogue.load import catalogue
from integrations.catalogue.model import Operation
from integrations.results import Connections, OfferedConnection
from joule.agent._arguments import Tool
from joule.agent.tools import Bench
from joule.kernel.action import Action
from joule.kernel.errors import ApprovalNeeded, NotFound, Refused
from joule.llm.actions import canonical_json

ASKED_FOR_ACCOUNTS = "context/connections"  # the call of every task that asks which accounts there are
ACCOUNT = "connected_account"  # the argument that says which of several accounts is meant
LONGEST_NAME = 64  # of a tool, as model providers have it
_NO_NAME = re.compile(r"[^a-z0-9_]+")


async def connected(bench: Bench) -> Connections | None:
    """Which accounts are connected, or None where the policies keep that from the agent. Joins what was read."""
    about: dict[str, Any] = {"principal": bench.principal, "project": bench.project, "label": bench.label}
    try:
        found = await bench.gate.perform(DescribeConnections(**about), call=ASKED_FOR_ACCOUNTS)
    except ApprovalNeeded:
        raise
    except Refused:
        return None
    if found.connections:
        bench.label = bench.label.join(found.label)
    return found


def tools_of(found: Connections | None) -> tuple[Tool, ...]:
    """One tool for each operation, however many accounts offer it: `<provider>_<operation>`."""
    if found is None:
        return ()
    names = _account_names(found.connections)
    offered: dict[tuple[str, str], list[OfferedConnection]] = {}
    for connection in found.connections:
        for operation in (*connection.operations, *connection.with_more_permission):
            offered.setdefault((connection.provider, operation), []).append(connection)
    tools = (_tool(*named, {names[each]: each for each in accounts}) for named, accounts in offered.items())
    return tuple({each.name: each for each in tools if each is not None}.values())


def told(found: Connections | None) -> str:
    """The accounts for the beginning of the conversation, as JSON lines; empty when there are none."""
    if found is None or not found.connections:
        return ""
    names = _account_names(found.connections)
    lines = []
    for each in found.connections:
        lines.append(
            json.dumps(
                {
                    "account": names[each],
                    "provider": each.provider,
                    "reading_only": each.read_only,
                    "tools": [tool_name(each.provider, operation) for operation in each.operations],
                    "tools_that_need_a_permission": [
                        tool_name(each.provider, operation) for operation in each.with_more_permission
                    ],
                },
                ensure_ascii=False,
            )
        )
    return "Connected accounts (data):\n" + "\n".join(lines)


def tool_name(provider: str, operation: str) -> str:
    """What the tool for an operation is called."""
    return _NO_NAME.sub("_", f"{provider}_{operation}".lower())[:LONGEST_NAME]


def _tool(provider: str, operation: str, accounts: Mapping[str, OfferedConnection]) -> Tool | None:
    """None when this release does not know the operation: it cannot be described, so it is not offered."""
    try:
        title, known = catalogue().provider(provider).title, catalogue().operation(provider, operation)
    except NotFound:
        return None
    return Tool(
        name=tool_name(provider, operation),
        description=_described(title, known, accounts.values()),
        arguments=_schema(known, tuple(accounts)),
        action=_asking(provider, known, accounts),
    )


def _described(title: str, operation: Operation, accounts: Iterable[OfferedConnection]) -> str:
    words = f"{title}: {operation.title}. {operation.words}"
    if any(operation.id in each.operations for each in accounts):
        return words
    return f"{words} The account lacks a permission for it; calling it asks a person to give that."


def _schema(operation: Operation, accounts: Sequence[str]) -> dict[str, Any]:
    schema = operation.schema()
    if len(accounts) > 1:
        which = {"type": "string", "enum": list(accounts), "description": "Which connected account"}
        schema["properties"] = {**schema["properties"], ACCOUNT: which}
        schema["required"] = [*schema.get("required", ()), ACCOUNT]
    return schema


def _asking(provider: str, operation: Operation, chosen: Mapping[str, OfferedConnection]) -> Any:
    def make(given: Mapping[str, Any], shared: Mapping[str, Any]) -> Action[Any]:
        inputs = dict(given)
        account = inputs.pop(ACCOUNT) if len(chosen) > 1 else next(iter(chosen))
        return kind_of(operation)(
            connection=chosen[account].connection,
            provider=provider,
            operation=operation.id,
            inputs=canonical_json(inputs),
            **shared,
        )

    return make


def _account_names(accounts: Sequence[OfferedConnection]) -> dict[OfferedConnection, str]:
    """What each account is called: its title, told apart by the end of its id where several share one."""
    titles = [each.title for each in accounts]
    return {
        each: each.title if titles.count(each.title) == 1 else f"{each.title} ({each.connection.hex[-6:]})"
        for each in accounts
    }
