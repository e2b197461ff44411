"""What a browser is told about a task, row by row."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from ag_ui.core import Event
from hypothesis import given
from hypothesis import strategies as some
from pydantic import TypeAdapter

from joule.kernel.ids import TaskId, ThreadId, new_id
from joule.tasks.state import State
from joule.tasks.stream import EventId, Projection, Sent, sse
from traces.reader import TaskEvent

TASK, THREAD = TaskId(new_id()), ThreadId(new_id())
START = datetime(2026, 11, 21, 12, tzinfo=UTC)
APPROVAL = "0198b7c2-0000-7000-8000-000000000001"

MODEL = {"action": "llm.generate", "effect": "model"}
WRITE = {"action": "memory.write_file", "effect": "write", "tool": "write_file", "binding": "ab" * 32}
ALLOWED = {"decision": "allow", "policies": ["member.may-write"], "facts": {"role": "member"}}
WHY = {"reason": "it leaves the house", "advice": "ask an admin"}


class Journal:
    """Rows in the order they are written here."""

    def __init__(self) -> None:
        self.rows: list[TaskEvent] = []

    def write(self, kind: str, call: str | None = None, attrs: Mapping[str, Any] = {}, **content: Any) -> "Journal":
        seq = len(self.rows)
        at = START + timedelta(seconds=seq)
        self.rows.append(TaskEvent(seq=seq, at=at, kind=kind, call=call, attrs=attrs, content=content))
        return self


def sent(rows: list[TaskEvent]) -> list[Sent]:
    return Projection(task=TASK, thread=THREAD).feed(rows)


def shown(rows: list[TaskEvent]) -> list[dict[str, Any]]:
    return [json.loads(each.event.model_dump_json(by_alias=True, exclude_none=True)) for each in sent(rows)]


def types(rows: list[TaskEvent]) -> list[str]:
    return [each["name"] if each["type"] == "CUSTOM" else each["type"] for each in shown(rows)]


def a_whole_task() -> Journal:
    journal = Journal().write("task.started", request="make it")
    journal.write("action.intent", "model/1", {**MODEL, **ALLOWED})
    journal.write("text.delta", "model/1", text="I will ").write("text.delta", "model/1", text="write it.")
    journal.write("action.result", "model/1", {**MODEL, "output_tokens": 5}, result={"text": "I will write it."})
    journal.write("action.intent", "act/1/0", {**WRITE, **ALLOWED}, args={"name": "summary.md", "text": "hi"})
    saved = {"file": "f", "name": "summary.md", "version": 1, "label": {"integrity": "trusted"}}
    journal.write("action.result", "act/1/0", {**WRITE, "duration_us": 900}, result=saved)
    journal.write("action.result", "model/2", MODEL, result={"text": "Done."})
    return journal.write("task.ended", None, {"outcome": "done"}, answer="Done.")


def test_a_task_reads_as_text_cards_decisions_and_an_end():
    events = shown(a_whole_task().rows)

    assert types(a_whole_task().rows) == [
        "RUN_STARTED",
        "joule.decision",
        "TEXT_MESSAGE_START",
        "TEXT_MESSAGE_CONTENT",
        "TEXT_MESSAGE_CONTENT",
        "TEXT_MESSAGE_END",
        "TOOL_CALL_START",
        "TOOL_CALL_ARGS",
        "TOOL_CALL_END",
        "joule.decision",
        "TOOL_CALL_RESULT",
        "joule.file",
        "TEXT_MESSAGE_START",
        "TEXT_MESSAGE_CONTENT",
        "TEXT_MESSAGE_END",
        "RUN_FINISHED",
    ]
    assert events[6]["toolCallName"] == "write_file"
    assert json.loads(events[7]["delta"]) == {"name": "summary.md", "text": "hi"}
    assert events[9]["value"]["policies"] == ["member.may-write"]
    assert events[10]["metadata"]["joule"] == {"outcome": "result", "duration_us": 900}
    assert events[11]["value"] == {"change": "write", "file": "f", "name": "summary.md", "version": 1}
    assert events[-1]["outcome"] == {"type": "success"}
    assert events[0]["timestamp"] == int(START.timestamp() * 1000)


def test_every_event_is_valid_ag_ui():
    reader: TypeAdapter[Any] = TypeAdapter(Event)
    for each in shown([*a_whole_task().rows, *a_paused_task().rows]):
        assert reader.validate_python(each).type == each["type"]


def test_the_answer_is_not_said_twice_but_is_said_once():
    streamed = a_whole_task()
    silent = Journal().write("task.started").write("task.ended", None, {"outcome": "done"}, answer="Hello.")

    assert [each["delta"] for each in shown(streamed.rows) if each["type"] == "TEXT_MESSAGE_CONTENT"][-1] == "Done."
    assert types(streamed.rows).count("TEXT_MESSAGE_START") == 2
    assert [each["delta"] for each in shown(silent.rows) if each["type"] == "TEXT_MESSAGE_CONTENT"] == ["Hello."]


def test_half_said_text_is_taken_back_when_the_step_is_done_again():
    journal = Journal().write("task.started").write("action.intent", "model/1", {**MODEL, **ALLOWED})
    journal.write("text.delta", "model/1", text="The best camp").write("task.resumed", None, {"attempt": 2})
    journal.write("action.intent", "model/1", {**MODEL, **ALLOWED}).write("text.delta", "model/1", text="The best one")
    journal.write("action.result", "model/1", MODEL, result={"text": "The best one"})

    events = shown(journal.rows)
    retracted = [each["value"]["messageId"] for each in events if each.get("name") == "joule.retracted"]
    said: dict[str, str] = {}
    for each in events:
        if each["type"] == "TEXT_MESSAGE_CONTENT":
            said[each["messageId"]] = said.get(each["messageId"], "") + each["delta"]
    assert [text for message, text in said.items() if message not in retracted] == ["The best one"]
    assert len(said) == 2
    assert [each["type"] for each in events].count("RUN_STARTED") == 1


def a_paused_task() -> Journal:
    journal = Journal().write("task.started")
    ask = {**WRITE, "decision": "ask", "policies": ["ask.first"], "approval_id": APPROVAL}
    return journal.write("approval.asked", "act/1/0", ask, args={"name": "x"}, why=WHY).write("task.paused")


def test_a_question_interrupts_the_run_and_its_answer_opens_another():
    journal = a_paused_task()
    (finished,) = [each for each in shown(journal.rows) if each["type"] == "RUN_FINISHED"]
    (interrupt,) = finished["outcome"]["interrupts"]
    assert finished["outcome"]["type"] == "interrupt"
    assert (interrupt["id"], interrupt["message"]) == (APPROVAL, "it leaves the house")
    assert interrupt["toolCallId"] == f"{TASK}/act/1/0"
    assert interrupt["expiresAt"] == (journal.rows[1].at + timedelta(hours=24)).isoformat()

    journal.write("task.resumed", None, {"attempt": 2}).write("approval.given", "act/1/0", {"approval_id": APPROVAL})
    journal.write("action.intent", "act/1/0", {**WRITE, **ALLOWED}, args={"name": "x"})
    journal.write("action.result", "act/1/0", WRITE, result={"name": "x"})
    journal.write("task.ended", None, {"outcome": "done"}, answer="")

    seen = types(journal.rows)
    assert seen.count("TOOL_CALL_START") == 1  # one card, from question to result
    assert seen.count("RUN_STARTED") == 2
    assert seen[-1] == "RUN_FINISHED"
    runs = {each["runId"] for each in shown(journal.rows) if each["type"] == "RUN_STARTED"}
    assert len(runs) == 2


def test_a_refusal_is_shown_with_its_reason():
    refused = {**WRITE, "decision": "deny", "policies": ["no.way"]}
    journal = Journal().write("task.started").write("action.refused", "act/1/0", refused, args={"name": "x"}, why=WHY)

    events = shown(journal.rows)
    (decision,) = [each["value"] for each in events if each.get("name") == "joule.decision"]
    assert (decision["decision"], decision["why"]) == ("deny", WHY)
    (result,) = [each for each in events if each["type"] == "TOOL_CALL_RESULT"]
    assert json.loads(result["content"]) == {"refused": WHY}


def test_each_end_has_its_own_word():
    ends = {}
    for outcome in ("done", "stopped", "failed", "limit"):
        journal = Journal().write("task.started").write("task.ended", None, {"outcome": outcome, "code": "x.y"})
        last = shown(journal.rows)[-1]
        ends[outcome] = (last["type"], last.get("outcome", {}).get("type"), last.get("code"))
    assert ends == {
        "done": ("RUN_FINISHED", "success", None),
        "stopped": ("RUN_FINISHED", "cancelled", None),
        "failed": ("RUN_ERROR", None, "x.y"),
        "limit": ("RUN_ERROR", None, "x.y"),
    }


def test_a_failure_says_what_to_do_about_it():
    error = {"message": "the model is away", "advice": "wait a moment"}
    journal = Journal().write("task.started")
    journal.write("task.ended", None, {"outcome": "failed", "code": "llm.away"}, answer="", error=error)

    last = shown(journal.rows)[-1]
    assert (last["message"], last["code"]) == ("the model is away", "llm.away")
    assert last["metadata"]["joule"]["advice"] == "wait a moment"


def test_a_task_that_ended_without_a_word_is_closed_for_the_reader():
    silent = Projection(task=TASK, thread=THREAD)
    assert [each.event.type.value for each in silent.close(State.STOPPED, None)] == ["RUN_STARTED", "RUN_FINISHED"]

    paused = Projection(task=TASK, thread=THREAD)
    paused.feed(a_paused_task().rows)
    assert [each.event.type.value for each in paused.close(State.STOPPED, None)] == ["RUN_STARTED", "RUN_FINISHED"]

    whole = Projection(task=TASK, thread=THREAD)
    whole.feed(a_whole_task().rows)
    assert whole.close(State.DONE, None) == []


def test_erased_content_leaves_a_stream_without_words():
    rows = a_whole_task().rows
    bare = [TaskEvent(seq=r.seq, at=r.at, kind=r.kind, call=r.call, attrs=r.attrs, content={}) for r in rows]

    text = "".join(sse(each) for each in sent(bare))
    assert "summary.md" not in text
    assert "Done." not in text
    assert types(bare)[-1] == "RUN_FINISHED"


KINDS = some.sampled_from(
    [
        ("action.intent", "model/1", {**MODEL, **ALLOWED}, {}),
        ("text.delta", "model/1", {}, {"text": "word "}),
        ("text.delta", "model/2", {}, {"text": "other "}),
        ("action.result", "model/1", MODEL, {"result": {"text": "word"}}),
        ("action.failed", "model/2", {**MODEL, "code": "llm.timeout"}, {"error": {"message": "m", "advice": "a"}}),
        ("action.intent", "act/1/0", {**WRITE, **ALLOWED}, {"args": {"name": "x"}}),
        ("action.result", "act/1/0", WRITE, {"result": {"name": "x"}}),
        ("action.refused", "act/1/1", {**WRITE, "decision": "deny"}, {"args": {}, "why": WHY}),
        ("approval.asked", "act/1/1", {**WRITE, "approval_id": APPROVAL}, {"args": {}, "why": WHY}),
        ("approval.given", "act/1/1", {"approval_id": APPROVAL}, {}),
        ("task.paused", None, {}, {}),
        ("task.resumed", None, {"attempt": 2}, {}),
        ("task.ended", None, {"outcome": "done"}, {"answer": "word"}),
    ]
)


@given(some.lists(KINDS, max_size=25), some.data())
def test_a_stream_cut_anywhere_and_resumed_is_the_same_stream(kinds, data):
    journal = Journal().write("task.started")
    for kind, call, attrs, content in kinds:
        journal.write(kind, call, attrs, **content)
    whole = sent(journal.rows)
    cut = data.draw(some.integers(0, len(whole)))
    portion = data.draw(some.integers(0, len(journal.rows)))

    before = whole[:cut]
    last = EventId.parse(str(before[-1].id)) if before else None
    projection = Projection(task=TASK, thread=THREAD)
    again = [*projection.feed(journal.rows[:portion]), *projection.feed(journal.rows[portion:])]
    after = [each for each in again if last is None or each.id > last]

    assert "".join(map(sse, before + after)) == "".join(map(sse, whole))
    assert [each.id for each in whole] == sorted({each.id for each in whole})


@given(some.text())
def test_an_id_that_is_not_ours_means_from_the_start(written):
    parsed = EventId.parse(written)
    assert parsed is None or EventId.parse(str(parsed)) == parsed
