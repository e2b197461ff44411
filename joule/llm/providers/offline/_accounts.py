"""The connected accounts on the table: which there are, what their tools take, and what people call them.

Pure. Accounts come from the beginning of the conversation, tools from what is offered; nothing a provider answered counts.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from joule.llm.actions import Message, ToolSpec
from joule.llm.providers.offline._words import key_words, stem, words

ACCOUNT = "connected_account"  # the argument that says which of several accounts is meant
HEADING = "Connected accounts (data):"
_READS = {"read", "list", "get", "search", "find", "query", "show", "report", "look", "view", "describe"}
_IN_BRACKETS = re.compile(r"\s*\([^)]*\)")


@dataclass(frozen=True, kw_only=True)
class AccountTool:
    """One thing an account can be asked for."""

    name: str
    description: str
    properties: Mapping[str, Any]
    required: tuple[str, ...]

    @property
    def reads(self) -> bool:
        """Whether its name says that it only looks."""
        return bool(_READS & set(self.name.split("_")))

    @property
    def keys(self) -> set[str]:
        """The words it may be meant by, as stems."""
        return {stem(each) for each in self.name.split("_")} | set(key_words(self.description))


@dataclass(frozen=True, kw_only=True)
class Account:
    """One connected account. `names` are what people may call it, in lower case, longest first."""

    title: str
    provider: str
    names: tuple[str, ...]
    tools: tuple[AccountTool, ...]
    lacking: frozenset[str]  # the tools that need a permission first


def accounts_of(messages: Sequence[Message], tools: Sequence[ToolSpec]) -> tuple[Account, ...]:
    """The accounts this conversation began with."""
    offered = {each.name: each for each in tools}
    told = next((each.text for each in messages if each.role == "system"), "")
    _, found, lines = told.rpartition(f"{HEADING}\n")
    return tuple(_account(read, offered) for line in lines.splitlines() if found and (read := _read(line)))


def _read(line: str) -> Mapping[str, Any] | None:
    try:
        read = json.loads(line)
    except ValueError:
        return None
    return read if isinstance(read, dict) and isinstance(read.get("account"), str) else None


def _account(read: Mapping[str, Any], offered: Mapping[str, ToolSpec]) -> Account:
    title, provider = str(read["account"]), str(read.get("provider", ""))
    now, later = ([str(each) for each in read.get(key) or ()] for key in ("tools", "tools_that_need_a_permission"))
    product, _, own = title.partition(": ")
    plain = [_IN_BRACKETS.sub("", product), product, title, own, provider.replace("_", " ")]
    names = {" ".join(each.lower().split()) for each in plain if each.strip()}
    tools = [_tool(offered[each]) for each in (*now, *later) if each in offered]
    return Account(
        title=title,
        provider=provider,
        names=tuple(sorted(names, key=len, reverse=True)),
        tools=tuple(tools),
        lacking=frozenset(later),
    )


def _tool(spec: ToolSpec) -> AccountTool:
    try:
        schema = json.loads(spec.parameters)
    except ValueError:
        schema = {}
    return AccountTool(
        name=spec.name,
        description=spec.description,
        properties=schema.get("properties") or {},
        required=tuple(schema.get("required") or ()),
    )


def tool_for(account: Account, said: str, *, reads: bool) -> AccountTool | None:
    """The account's tool whose name has most of the words said, if any has one."""
    own = {stem(each) for name in account.names for each in words(name)}
    sought = set(key_words(said)) - own
    named = [(len(sought & _own_words(each, own)), len(sought & each.keys), each) for each in account.tools]
    fit = [each for each in named if each[2].reads is reads and each[1]]
    best = max(fit, key=lambda each: each[:2], default=None)
    return best[2] if best is not None else None


def _own_words(tool: AccountTool, account: set[str]) -> set[str]:
    return {stem(each) for each in tool.name.split("_")} - account - _READS
