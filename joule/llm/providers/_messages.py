"""Translates a conversation into LangChain's words: the same conversation always gives the same messages.

Every message has an id of its place, since LangChain would otherwise mint random ones.
"""

import json
from collections.abc import Sequence
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage

from joule.llm.actions import Message, ToolSpec


def to_langchain(messages: Sequence[Message]) -> list[BaseMessage]:
    """The messages in order. The system message is one of them, first or not, as it was given."""
    return [_message(message, f"m-{place}") for place, message in enumerate(messages)]


def _message(message: Message, identifier: str) -> BaseMessage:
    match message.role:
        case "system":
            return SystemMessage(content=message.text, id=identifier)
        case "user":
            return HumanMessage(content=message.text, id=identifier)
        case "tool":
            call = message.call_id or ""
            return ToolMessage(content=message.text, tool_call_id=call, name=message.name, id=f"tm-{call}")
        case "assistant":
            calls: list[Any] = [
                {"name": call.name, "args": call.values(), "id": call.id, "type": "tool_call"}
                for call in message.tool_calls
            ]
            return AIMessage(content=message.text, tool_calls=calls, id=identifier)


def tool_schemas(tools: Sequence[ToolSpec]) -> list[dict[str, Any]]:
    """The offered tools in the format every partner package accepts."""
    return [
        {
            "type": "function",
            "function": {
                "name": tool.name,
                "description": tool.description,
                "parameters": json.loads(tool.parameters),
            },
        }
        for tool in tools
    ]
