"""Tasks that really ran are replayed at every change of the code: they must go the way they went."""

import asyncio
import random
from dataclasses import replace
from typing import Any

import pytest
from pydantic import TypeAdapter

from joule.bench._mutations import Mutation, mutations
from joule.cli.policy import every_action
from joule.governance.policy import Policy, shipped
from joule.kernel.settings import TaskSettings
from joule.replay.report import Divergence, ReplayReport, Verdict
from tests.support.golden import Golden, Listening, goldens, grave, load, told
from traces.reader import TaskEvent

CHANGED = load("parallel")


@pytest.fixture(scope="module")
def base() -> Policy:
    return Policy(shipped(), actions=every_action())


def test_all_kinds_of_tasks_are_among_them() -> None:
    seen = {each.kind for name in goldens() for each in load(name).events}

    assert {"approval.asked", "approval.given", "approval.declined", "action.refused", "action.failed"} <= seen
    tools = {each.attrs.get("action") for name in goldens() for each in load(name).events}
    assert {"integrations.read_from_provider", "sandbox.run_python", "memory.search_knowledge"} <= tools
    assert len(load("long").events) >= 200


@pytest.mark.parametrize("name", goldens())
async def test_it_goes_the_way_it_went(name: str, base: Policy) -> None:
    golden = load(name)

    report = await golden.replayed(base)

    assert grave(report) == [], told(golden, report)
    assert report.effects == 0


@pytest.mark.parametrize("mutation", mutations(CHANGED.events), ids=lambda each: each.name)
async def test_whatever_is_changed_is_found(mutation: Mutation, base: Policy) -> None:
    assert (await CHANGED.replayed(base)).verdict is Verdict.IDENTICAL

    report = await _mutated(CHANGED, mutation, base)

    assert report.differences, mutation.name
    assert report.differences[0].kind in mutation.right


def test_every_kind_of_change_is_among_the_mutations() -> None:
    assert {each.of for each in mutations(CHANGED.events)} >= {
        *("policy", "arguments", "prompt", "tools", "order", "missing", "extra")
    }


async def test_a_lenient_replay_goes_on_with_what_was_recorded_and_lists_all(base: Policy) -> None:
    found = {each.name: each for each in mutations(CHANGED.events)}
    twice = found["forbidden"].policy(base)
    events = found["another answer"].events(CHANGED.events)

    strict = await CHANGED.replayed(twice, events=events)
    lenient = await CHANGED.replayed(twice, events=events, lenient=True)

    assert [each.kind for each in strict.differences] == [Divergence.DECISION]
    assert [(each.kind, each.at, each.consequence) for each in lenient.differences] == [
        (Divergence.DECISION, "context/files", False),
        (Divergence.DECISION, "act/0/0", True),
        (Divergence.ANSWER, "end", True),
    ]
    assert (lenient.grade, lenient.verdict, lenient.effects) == (Divergence.DECISION, Verdict.DIVERGED, 0)
    decided = lenient.differences[0]
    assert (decided.policies_then, decided.policies_now) == (("memory.agent-reads",), ("own.v9.1",))
    assert decided.seq == next(each.seq for each in events if each.call == decided.at)


async def test_a_call_that_was_never_made_is_told_to_the_model_and_the_rest_goes_on(base: Policy) -> None:
    more = next(each for each in mutations(CHANGED.events) if each.name == "one more call asked for")

    report = await CHANGED.replayed(base, events=more.events(CHANGED.events), lenient=True)

    first, *rest = report.differences
    assert (first.kind, first.at, first.now, first.consequence) == (Divergence.CALLS, "act/0/2", "made", False)
    assert {(each.kind, each.field, each.consequence) for each in rest} == {
        (Divergence.REQUEST, "args.messages.length", True)
    }


async def test_what_stood_there_is_shown_only_to_who_may_read_it(base: Policy) -> None:
    def other_file(event: TaskEvent) -> TaskEvent:
        if event.call != "model/0" or event.kind != "action.result":
            return event
        first, second = event.content["result"]["tool_calls"]
        calls = [first, {**second, "arguments": second["arguments"].replace("brand-guide.md", "another.txt")}]
        return replace(event, content={"result": {**event.content["result"], "tool_calls": calls}})

    events = [other_file(each) for each in CHANGED.events]

    seen = (await CHANGED.replayed(base, events=events, reads=frozenset({"args"}))).differences[0]
    unseen = (await CHANGED.replayed(base, events=events, reads=frozenset({"answer"}))).differences[0]

    assert (seen.kind, seen.at, seen.field) == (Divergence.ARGUMENTS, "act/0/1", "args.file_name")
    assert (seen.then_text, seen.now_text, seen.withheld) == ("brand-guide.md", "another.txt", False)
    assert (unseen.field, unseen.then_text, unseen.now_text, unseen.withheld) == ("args.file_name", "", "", True)
    kept = TypeAdapter(ReplayReport).dump_json(await CHANGED.replayed(base, events=events, reads=frozenset({"args"})))
    assert b"another.txt" not in kept  # the journal of the replay repeats none of it


async def test_tools_that_answer_in_any_order_are_no_difference(base: Policy) -> None:
    drawn = random.Random(7)

    async def late(playback: Any) -> None:
        await asyncio.sleep(drawn.random() / 200)

    class Late(Listening):
        async def perform(self, action: Any, *, call: str, tool: str | None = None) -> Any:
            await late(self)
            return await super().perform(action, call=call, tool=tool)

    for _ in range(20):
        assert (await CHANGED.replayed(base, around=Late)).verdict is Verdict.IDENTICAL


async def test_a_golden_task_that_changed_says_what_to_do(base: Policy) -> None:
    forbidden = next(each for each in mutations(CHANGED.events) if each.name == "forbidden")
    report = await _mutated(CHANGED, forbidden, base)

    said = told(CHANGED, report)

    assert "D1 at context/files, decision: 'allow' then, 'deny' now" in said
    assert "python -m tools.golden parallel" in said


async def _mutated(golden: Golden, mutation: Mutation, base: Policy) -> Any:
    return await golden.replayed(
        mutation.policy(base),
        events=mutation.events(golden.events),
        toolbox=mutation.toolbox(),
        settings=TaskSettings(max_steps=golden.max_steps),
    )
