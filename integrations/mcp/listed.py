"""A tool as its server describes it, and the pin: the hash of all that a person reads before switching it on.

Pure. What cannot be shown or checked whole is refused: nobody agrees to the first half of a description.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError

from integrations.mcp.errors import McpListRefused

MOST_TOOLS = 200
LONGEST_DESCRIPTION = 8_000
LONGEST_SCHEMA = 32_000
_NAME = re.compile(r"[A-Za-z0-9_./-]{1,128}")
_SLOW = frozenset({"pattern", "patternProperties", "format"})  # a stranger's regular expressions are not run here
_NAMES = frozenset({"properties", "$defs", "definitions", "dependentSchemas"})  # whose members are names, not rules


@dataclass(frozen=True, kw_only=True)
class ListedTool:
    """One tool. `reads_only` is the server's own word for it, and no more than that."""

    name: str
    title: str
    description: str
    schema: Mapping[str, Any]
    hints: Mapping[str, Any]

    @property
    def reads_only(self) -> bool:
        return self.hints.get("readOnlyHint") is True

    @property
    def pin(self) -> bytes:
        """SHA-256 over everything above, in one spelling."""
        told = [self.name, self.title, self.description, self.schema, self.hints]
        return hashlib.sha256(canonical(told).encode()).digest()


def canonical(value: Any) -> str:
    """JSON text, the same for the same value."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def checked(server: str, tools: Iterable[ListedTool]) -> tuple[ListedTool, ...]:
    """The tools, if every one can be shown to a person and offered to a model. Raises `McpListRefused`."""
    found = tuple(tools)
    if len(found) > MOST_TOOLS:
        raise McpListRefused(server, reason="there are too many")
    if len({each.name for each in found}) < len(found):
        raise McpListRefused(server, reason="two have one name")
    for each in found:
        _check(server, each)
    return found


def _check(server: str, tool: ListedTool) -> None:
    if not _NAME.fullmatch(tool.name):
        raise McpListRefused(server, reason="one has a name that cannot be one")
    if len(tool.description) + len(tool.title) > LONGEST_DESCRIPTION:
        raise McpListRefused(server, reason="a description is too long to be read")
    try:
        size = len(canonical([tool.schema, tool.hints]))
        Draft202012Validator.check_schema(dict(tool.schema))
    except (SchemaError, RecursionError, ValueError):
        raise McpListRefused(server, reason="a schema is none") from None
    if size > LONGEST_SCHEMA:
        raise McpListRefused(server, reason="a schema is too large")
    if tool.schema.get("type") != "object":
        raise McpListRefused(server, reason="a schema is not that of an object")


def without_slow_rules(schema: Any, *, of_names: bool = False) -> Any:
    """The schema without its regular expressions: they would run in our process, for as long as they please."""
    if isinstance(schema, Mapping):
        return {
            name: without_slow_rules(value, of_names=not of_names and name in _NAMES)
            for name, value in schema.items()
            if of_names or name not in _SLOW
        }
    if isinstance(schema, list):
        return [without_slow_rules(each) for each in schema]
    return schema
