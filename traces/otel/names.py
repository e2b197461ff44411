"""The names of spans and attributes, and the one list of what may leave.

OpenTelemetry's names for generative AI are still in development and have moved between packages, so they are written
down here: those of open-telemetry/semantic-conventions-genai at the time of `SCHEMA`.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

SCHEMA: Final = "https://opentelemetry.io/schemas/gen-ai/2026-08"

OPERATION: Final = "gen_ai.operation.name"
WORKFLOW: Final = "gen_ai.workflow.name"
CONVERSATION: Final = "gen_ai.conversation.id"
AGENT: Final = "gen_ai.agent.name"
AGENT_VERSION: Final = "gen_ai.agent.version"
PROVIDER: Final = "gen_ai.provider.name"
MODEL: Final = "gen_ai.request.model"
INPUT_TOKENS: Final = "gen_ai.usage.input_tokens"
OUTPUT_TOKENS: Final = "gen_ai.usage.output_tokens"
TOOL: Final = "gen_ai.tool.name"
TOOL_TYPE: Final = "gen_ai.tool.type"
TOOL_CALL: Final = "gen_ai.tool.call.id"
TOKEN_TYPE: Final = "gen_ai.token.type"  # noqa: S105 - the kind of a language model's tokens
ERROR: Final = "error.type"

_WORD = re.compile(r"[A-Za-z0-9_.:/#+-]{1,128}")
_WORDS = re.compile(r"[A-Za-z0-9_.:/#+, -]{1,512}")


def _word(value: Any) -> bool:
    return isinstance(value, str) and _WORD.fullmatch(value) is not None


def _words(value: Any) -> bool:
    return isinstance(value, str) and _WORDS.fullmatch(value) is not None


def _count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53


def _flag(value: Any) -> bool:
    return isinstance(value, bool)


ALLOWED: Final[Mapping[str, Callable[[Any], bool]]] = {
    OPERATION: _word,
    WORKFLOW: _word,
    CONVERSATION: _word,
    AGENT: _word,
    AGENT_VERSION: _word,
    PROVIDER: _word,
    MODEL: _word,
    INPUT_TOKENS: _count,
    OUTPUT_TOKENS: _count,
    TOOL: _word,
    TOOL_TYPE: _word,
    TOOL_CALL: _word,
    TOKEN_TYPE: _word,
    ERROR: _word,
    "joule.action": _word,
    "joule.approval.id": _word,
    "joule.approval.wait_ms": _count,
    "joule.attempt": _count,
    "joule.call": _word,
    "joule.code.version": _word,
    "joule.cost.micros": _count,
    "joule.effect": _word,
    "joule.org.mark": _word,
    "joule.outcome": _word,
    "joule.policy.bundle": _word,
    "joule.policy.decision": _word,
    "joule.policy.rules": _words,
    "joule.replay.verdict": _word,
    "joule.sandbox.boundary": _word,
    "joule.sandbox.exit_code": _count,
    "joule.sandbox.killed_by": _word,
    "joule.otel.attributes_dropped": _count,
    "joule.otel.foreign": _flag,
    "joule.task.id": _word,
    "service.name": _word,
    "service.version": _word,
}
"""Attribute names that leave, each with what its value may be. Whatever is not here stays, whoever made the span."""

SPAN_NAME: Final = re.compile(
    r"(invoke_workflow|invoke_agent|chat|embeddings|execute_tool|retrieval|search_memory|create_memory|update_memory"
    r"|delete_memory|joule\.[a-z_.]{1,40})( [A-Za-z0-9_.:/#+-]{1,128})?"
)
"""What a span may be called; any other name is replaced, for a name can quote content."""

OPERATIONS: Final[Mapping[str, str]] = {
    "llm.embed": "embeddings",
    "llm.generate": "chat",
    "memory.add_document": "create_memory",
    "memory.delete_document": "delete_memory",
    "memory.edit_item": "update_memory",
    "memory.forget_item": "delete_memory",
    "memory.recall": "search_memory",
    "memory.remember": "create_memory",
    "memory.search_knowledge": "retrieval",
    "replay.replay_task": "joule.replay",
    "replay.what_if_of_task": "joule.what_if",
    "sandbox.run_python": "joule.sandbox.exec",
    "traces.read_content": "joule.support.read",
}
"""The field's own name of an action, where it has one; any other is called `joule.action` and its name."""


def allowed(attributes: Mapping[str, Any]) -> tuple[dict[str, Any], int]:
    """What of `attributes` may leave, and how many may not."""
    kept = {name: value for name, value in attributes.items() if name in ALLOWED and ALLOWED[name](value)}
    return kept, len(attributes) - len(kept)
