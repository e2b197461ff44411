"""How a record is laid out for support: steps in order and depth, two runs side by side, content with its origins."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from joule.cli.policy import every_action
from joule.web.admin.audit_words import GROUPS, group_of, safe_cell
from joule.web.support.comparing import compare
from joule.web.support.contents import contents
from joule.web.support.timeline import SCALE, steps
from traces.grants.parts import EVERYTHING, Part, shown
from traces.reader import TaskEvent

START = datetime(2026, 11, 22, 12, tzinfo=UTC)
FILE = "0197a3f2-5c1b-7d0e-9a44-2f6b8c1d3e5f"


def row(seq: int, kind: str, call: str | None = None, *, at: int = 0, content: Any = None, **attrs: Any) -> TaskEvent:
    """One row, `at` milliseconds after the start."""
    return TaskEvent(
        seq=seq, at=START + timedelta(milliseconds=at), kind=kind, call=call, attrs=attrs, content=content or {}
    )


FACTS = {"role": "owner", "via": "agent", "provenance": "words", "approved": False}
RECORD = [
    row(0, "task.started", bundle="ab" * 32, content={"request": "Save the plan", "history": [{"request": "earlier"}]}),
    row(
        1,
        "action.intent",
        "model/0",
        at=10,
        action="llm.generate",
        decision="allow",
        policies=["llm.agent-asks"],
        facts=FACTS,
    ),
    row(
        1,
        "action.result",
        "model/0",
        at=40,
        action="llm.generate",
        duration_us=30_000,
        content={
            "result": {
                "text": "I save it.",
                "tool_calls": [{"arguments": "the words"}],
                "label": {"integrity": "trusted"},
            }
        },
    ),
    row(
        2,
        "approval.asked",
        "act/0/0",
        at=50,
        action="memory.write_file",
        tool="write_file",
        decision="ask",
        policies=["p"],
        facts=FACTS,
    ),
    row(
        3, "action.intent", "act/0/1", at=52, action="memory.read_file", tool="read_file", decision="allow", facts=FACTS
    ),
    row(4, "action.failed", "act/0/1", at=60, action="memory.read_file", tool="read_file", code="joule.not_found"),
    row(5, "task.paused", at=61),
    row(6, "task.resumed", at=900, attempt=2),
    row(7, "approval.given", "act/0/0", at=901, approval_id=FILE),
    row(
        8,
        "action.intent",
        "act/0/0",
        at=902,
        action="memory.write_file",
        tool="write_file",
        decision="allow",
        policies=["p"],
        facts={**FACTS, "approved": True},
        content={"args": {"file_name": "Save the plan", "file": FILE, "text": {"length": 9}}},
    ),
    row(
        9,
        "action.result",
        "act/0/0",
        at=950,
        action="memory.write_file",
        tool="write_file",
        duration_us=48_000,
        content={"result": {"file": FILE}},
    ),
    row(10, "task.ended", at=1000, outcome="done", content={"answer": "Saved."}),
]


def test_steps_stand_in_order_under_what_led_to_them() -> None:
    found = steps(RECORD, reasons={"p": "somebody must agree"})

    assert [(each.seq, each.depth, each.title) for each in found] == [
        (0, 0, "Task started"),
        (1, 0, "Ask the model"),
        (2, 1, "Tool write_file"),
        (3, 1, "Tool read_file"),
        (5, 0, "Waits for a person"),
        (6, 0, "Resumed from the record"),
        (7, 2, "Approved by a person"),
        (10, 0, "Task ended: done"),
    ]
    write, read = found[2], found[3]
    assert (write.decision, write.also, write.policies[0].words) == ("Allowed", (8, 9), "somebody must agree")
    assert (read.decision, read.tone, read.code) == ("Failed", "no", "joule.not_found")


def test_no_row_has_two_places_and_every_bar_lies_within_the_task() -> None:
    found = steps(RECORD)

    places = [seq for each in found for seq in (each.seq, *each.also)]
    assert len(places) == len(set(places))
    assert sorted(places) == sorted({each.seq for each in RECORD})
    assert all(0 <= each.bar.x <= each.bar.x + each.bar.width <= SCALE for each in found if each.bar)


@pytest.mark.parametrize("parts", [frozenset(), frozenset({Part.ANSWER}), frozenset({Part.REQUEST}), EVERYTHING])
def test_a_part_that_was_not_granted_is_shown_nowhere(parts: frozenset[Part]) -> None:
    told = "".join(str(shown(each, parts)) for each in RECORD)

    assert ("Save the plan" in told) == (Part.REQUEST in parts)
    assert ("Saved." in told) == (Part.ANSWER in parts)
    assert ("the words" in told) == (Part.ARGUMENTS in parts)  # asked for by the model, in its answer
    assert "earlier" not in told  # what was said in another task


def test_each_value_says_where_it_came_from() -> None:
    events = [
        row(0, "task.started", content={"request": "Save the plan"}),
        row(1, "action.result", "act/0/0", action="memory.list_files", content={"result": {"file": FILE}}),
        row(
            2,
            "action.intent",
            "act/1/0",
            action="memory.write_file",
            content={"args": {"name": "the plan", "file": FILE, "to": "mallory", "text": {"length": 9}}},
        ),
    ]

    values = {each.name: each for each in contents(steps(events), EVERYTHING)[2].values}

    assert values["name"].origin == "stands in the person's own message"
    assert values["file"].origin == "is an id that an earlier step of this task gave back"
    assert values["to"].origin == "stands neither in this message nor in an earlier result"
    assert "9 characters" in values["text"].text
    without = contents(steps(events), {Part.ARGUMENTS})[2].values
    assert {each.origin for each in without} == {""}  # nobody can tell without the request


def test_two_runs_part_where_they_first_differ() -> None:
    other = [
        row(0, "task.started", bundle="cd" * 32),
        *RECORD[1:3],
        row(
            3,
            "action.refused",
            "act/0/0",
            at=50,
            action="memory.write_file",
            tool="write_file",
            decision="deny",
            policies=["q"],
            facts=FACTS,
        ),
        row(4, "action.intent", "act/0/2", at=60, action="memory.recall", tool="recall", decision="allow", facts=FACTS),
        row(5, "task.ended", at=70, outcome="done"),
    ]

    found = compare(RECORD, other)
    same = compare(RECORD, RECORD)

    assert (found.first, found.versions) == ("act/0/0", ("bundle",))
    differs = {each.call: each.differs for each in found.pairs if each.differs}
    assert differs["act/0/0"] == ("decision", "policies", "facts")
    assert differs["act/0/1"] == ("only in the first",)
    assert differs["act/0/2"] == ("only in the second",)
    assert (same.first, same.versions) == ("", ())


def test_a_record_of_nothing_has_no_steps() -> None:
    assert steps([]) == ()
    assert compare([], []).pairs == ()


def test_every_action_has_a_place_in_the_log() -> None:
    assert [each.name for each in every_action() if group_of(each.name) is None] == []
    assert len({group.word for group in GROUPS}) == len(GROUPS)


@pytest.mark.parametrize(("cell", "safe"), [("=1+1", "'=1+1"), ("-x", "'-x"), ("@a", "'@a"), ("Ada", "Ada"), ("", "")])
def test_no_cell_of_a_file_is_a_formula(cell: str, safe: str) -> None:
    assert safe_cell(cell) == safe
