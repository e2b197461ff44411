"""What may be added and what may be switched on, by rules that need neither a server nor a database."""

from dataclasses import replace
from typing import Any

import pytest

from integrations.mcp.addresses import address
from integrations.mcp.errors import McpAddressRefused, McpListRefused
from integrations.mcp.listed import ListedTool, checked, without_slow_rules

NOTE = ListedTool(
    name="note",
    title="Note",
    description="Keeps a note.",
    schema={"type": "object", "properties": {"text": {"type": "string"}}},
    hints={},
)
HERE = (("127.0.0.1", 7000),)


@pytest.mark.parametrize(
    "url",
    [
        "http://mcp.example.com/mcp",
        "https://127.0.0.1/mcp",
        "https://169.254.169.254/latest/meta-data",
        "http://127.0.0.1:1/mcp",
        "https://user:word@mcp.example.com/mcp",
        "https://mcp.example.com/mcp?key=1",
        "https://mcp.example.com:8443/mcp",
        "https://mcp.example.com/mcp#x",
        "https://localhost/mcp",
        "file:///etc/passwd",
        "https://mcp.exa mple.com/",
        "https://0x7f000001/mcp",
        "https://[::1]/mcp",
        "https://mcp.example.com:99999/",
    ],
)
def test_an_address_that_is_none_for_a_server_is_refused(url: str) -> None:
    with pytest.raises(McpAddressRefused):
        address(url, title="Notes", loopback=HERE)


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://MCP.example.com/mcp", "https://mcp.example.com/mcp"),
        ("https://mcp.example.com:443", "https://mcp.example.com/"),
        ("http://127.0.0.1:7000/mcp", "http://127.0.0.1:7000/mcp"),
    ],
)
def test_one_address_has_one_spelling(url: str, kept: str) -> None:
    assert address(url, title="Notes", loopback=HERE).url == kept


def test_loopback_is_reached_only_where_it_was_set_up() -> None:
    with pytest.raises(McpAddressRefused):
        address("http://127.0.0.1:7000/mcp", title="Notes")


@pytest.mark.parametrize(
    "tools",
    [
        [replace(NOTE, name="a b")],
        [NOTE, NOTE],
        [replace(NOTE, description="x" * 8_001)],
        [replace(NOTE, schema={"type": "string"})],
        [replace(NOTE, schema={"type": "object", "properties": {"a": {"type": "no such type"}}})],
        [replace(NOTE, schema={"type": "object", "description": "x" * 32_001})],
        [replace(NOTE, name=f"t{number}") for number in range(201)],
    ],
    ids=["name", "twice", "description", "schema", "type", "large", "many"],
)
def test_a_list_that_nobody_could_read_is_refused(tools: list[ListedTool]) -> None:
    assert checked("Notes", [NOTE]) == (NOTE,)

    with pytest.raises(McpListRefused):
        checked("Notes", tools)


@pytest.mark.parametrize(
    "change",
    [
        {"name": "notes"},
        {"title": "Another"},
        {"description": "Keeps a note. "},
        {"schema": {"type": "object", "properties": {"text": {"type": "number"}}}},
        {"hints": {"readOnlyHint": True}},
    ],
)
def test_the_pin_is_over_all_that_is_read(change: dict[str, Any]) -> None:
    assert replace(NOTE).pin == NOTE.pin
    assert replace(NOTE, **change).pin != NOTE.pin


def test_a_strangers_regular_expressions_are_not_run() -> None:
    slow = {
        "type": "object",
        "properties": {"pattern": {"type": "string", "pattern": "^(a+)+$"}, "in": {"anyOf": [{"format": "email"}]}},
        "patternProperties": {"^(a+)+$": {}},
    }

    assert without_slow_rules(slow) == {
        "type": "object",
        "properties": {"pattern": {"type": "string"}, "in": {"anyOf": [{}]}},
    }
