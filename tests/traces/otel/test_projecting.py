"""The same rows are the same spans, whole and in pieces."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from joule.kernel.errors import OutcomeUnknown
from joule.kernel.ids import TaskId, new_id
from traces.otel import names
from traces.otel.measuring import measures_of
from traces.otel.projecting import Span, spans_of, trace_id
from traces.reader import TaskEvent

TASK = TaskId(new_id())
AT = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
DECIDED = {"decision": "allow", "policies": ["memory.agent-writes"], "bundle": "ab" * 32}


def rows(*told: tuple[str, str | None, dict[str, Any]]) -> list[TaskEvent]:
    return [
        TaskEvent(seq=n, at=AT + timedelta(seconds=n), kind=kind, call=call, attrs=attrs, content={"args": "SECRET"})
        for n, (kind, call, attrs) in enumerate(told)
    ]


CHAT = rows(
    ("task.started", None, {"task_kind": "chat", "thread": str(new_id()), "attempt": 1, "code_version": "v1.2"}),
    ("action.intent", "model/0", {"action": "llm.generate", "effect": "model", **DECIDED}),
    ("action.result", "model/0", {"provider": "openai", "model": "gpt-5.1", "input_tokens": 90, "output_tokens": 7}),
    ("action.intent", "act/0/0", {"action": "memory.remember", "effect": "write", "tool": "remember", **DECIDED}),
    ("approval.asked", "act/0/1", {"action": "memory.forget_item", "tool": "forget", "approval_id": str(new_id())}),
    ("action.result", "act/0/0", {"action": "memory.remember", "tool": "remember"}),
    ("approval.given", "act/0/1", {}),
    ("action.intent", "act/0/1", {"action": "memory.forget_item", "effect": "delete", "tool": "forget", **DECIDED}),
    ("action.failed", "act/0/1", {"action": "memory.forget_item", "tool": "forget", "code": OutcomeUnknown.code}),
    (
        "action.refused",
        "act/0/2",
        {"action": "memory.delete_file", "tool": "delete_file", **DECIDED, "decision": "deny"},
    ),
    ("task.ended", None, {"outcome": "done"}),
)


def of(events: list[TaskEvent], after: int = -1) -> tuple[Span, ...]:
    return spans_of(events, TASK, mark="cafe", after=after)


def named(name: str) -> Span:
    (found,) = [span for span in of(CHAT) if span.name == name]
    return found


def test_a_task_is_one_tree() -> None:
    spans = of(CHAT)

    ids = {span.id for span in spans}
    assert len(ids) == len(spans)
    assert [span.name for span in spans if not span.parent] == ["invoke_workflow chat"]
    assert {span.parent for span in spans if span.parent} <= ids
    assert {span.trace for span in spans} == {trace_id(TASK)}


@pytest.mark.parametrize("cut", range(len(CHAT)))
def test_in_two_pieces_it_is_the_same_spans(cut: int) -> None:
    first, rest = of(CHAT[: cut + 1]), of(CHAT, after=cut)

    assert {span.id: span for span in (*first, *rest)} == {span.id: span for span in of(CHAT)}
    assert len(first) + len(rest) == len(of(CHAT))


def test_names_are_the_fields_own() -> None:
    chat = named("chat gpt-5.1")
    assert chat.kind.value == "client"
    assert chat.attributes[names.INPUT_TOKENS] == 90
    assert named("execute_tool remember").attributes[names.OPERATION] == "execute_tool"
    assert named("create_memory").parent == named("execute_tool remember").id
    assert named("joule.approval").attributes["joule.approval.wait_ms"] == 2000


def test_what_went_wrong_is_told_by_its_code_alone() -> None:
    assert named("execute_tool forget").attributes["joule.outcome"] == "unknown"
    assert named("execute_tool forget").attributes[names.ERROR] == OutcomeUnknown.code
    assert named("execute_tool delete_file").attributes["joule.outcome"] == "denied"
    assert named("execute_tool delete_file").failed


def test_every_attribute_of_ours_may_leave() -> None:
    for span in of(CHAT):
        kept, dropped = names.allowed(span.attributes)
        assert dropped == 0, set(span.attributes) - set(kept)
        assert names.SPAN_NAME.fullmatch(span.name), span.name


def test_a_command_is_a_root_of_its_own() -> None:
    command = rows(
        ("task.started", None, {"task_kind": "command"}),
        ("action.intent", "command", {"action": "traces.read_content", "effect": "read", **DECIDED}),
        ("action.result", "command", {}),
    )

    assert [(span.name, span.parent) for span in of(command)] == [
        ("joule.policy.evaluate", ""),
        ("joule.support.read", ""),
    ]


def test_measures_tell_how_long_how_many_and_what_is_unknown() -> None:
    measures = measures_of(of(CHAT), lag=3.0, head_age=61.0)

    assert measures is not None
    took = {each.name: each for each in measures.distributions}
    assert took["gen_ai.client.operation.duration"].total == 1.0
    assert sum(each.total for each in measures.distributions if each.name == "gen_ai.client.token.usage") == 97
    assert measures.counts == {"joule.trace.unknown_outcome": 1}
    assert [level.value for level in measures.levels] == [3.0, 61.0]
