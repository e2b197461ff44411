"""Ways round a gate, tried on ours. Each is what code inside the agent's process could do without its keys.

An attempt may end in an effect, if that effect was decided and written down as exactly what it was.
"""

import asyncio
from contextlib import suppress
from dataclasses import replace
from typing import Any, TypedDict, cast

from langchain_core.tools import tool
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode

from joule.bench._post import Peek, Send
from joule.bench._trial import Attempt, Inside, called, refused
from joule.kernel.clock import SystemClock
from joule.kernel.errors import Invalid
from joule.kernel.ids import DecisionId, OrgId, TaskId, new_id
from joule.kernel.permit import Permit, Permits
from joule.kernel.principal import Role
from joule.llm.actions import Generate, Message


class _Amount(TypedDict):
    amount: int


async def nested_tool(inside: Inside) -> None:
    """A tool that calls another tool from within."""

    @tool
    async def report(amount: int) -> str:
        """Reports."""
        return str(await inside.send.ainvoke({"amount": amount}))

    graph = StateGraph(MessagesState)
    graph.add_node("tools", ToolNode([report]))
    graph.add_edge(START, "tools")
    await graph.compile().ainvoke(called("report"))


async def custom_node(inside: Inside) -> None:
    """A node of somebody's own that calls the tool itself."""
    await _graph_of(inside).ainvoke({"amount": 10})


async def second_tool_node(inside: Inside) -> None:
    """Another tool node, without any wrapper."""
    graph = StateGraph(MessagesState)
    graph.add_node("tools", ToolNode([inside.send]))
    graph.add_edge(START, "tools")
    await graph.compile().ainvoke(called("send"))


async def sub_agent(inside: Inside) -> None:
    """A whole graph as a node of another."""
    outer = StateGraph(_Amount)
    outer.add_node("agent", _graph_of(inside))
    outer.add_edge(START, "agent")
    await outer.compile().ainvoke({"amount": 10})


def _graph_of(inside: Inside) -> Any:
    async def node(state: _Amount) -> dict[str, Any]:
        await inside.send.ainvoke({"amount": state["amount"]})
        return {}

    graph = StateGraph(_Amount)
    graph.add_node("node", node)
    graph.add_edge(START, "node")
    graph.add_edge("node", END)
    return graph.compile()


async def changed_after_the_decision(inside: Inside) -> None:
    """A frozen wish, thawed while its INTENT is being written."""
    wish = inside.wish()
    performing = asyncio.create_task(inside.gate.perform(wish, call="act/0/0"))
    while not performing.done():
        await asyncio.sleep(0)
        object.__setattr__(wish, "amount", 999)
    await performing


async def mutable_argument(inside: Inside) -> None:
    """A list where a tuple belongs, longer by one name once it was decided about."""
    to: Any = ["ada"]
    performing = asyncio.create_task(inside.gate.perform(inside.wish(to=to), call="act/0/0"))
    while not performing.done():
        await asyncio.sleep(0)
        to.append("mallory")
    await performing


async def another_persons_organisation(inside: Inside) -> None:
    """The wish's principal, moved to another organisation after the decision; then one that was there from the start."""
    wish, elsewhere = inside.wish(), OrgId(new_id())
    performing = asyncio.create_task(inside.gate.perform(wish, call="act/0/0"))
    while not performing.done():
        await asyncio.sleep(0)
        object.__setattr__(wish.principal, "org", elsewhere)
    await performing
    await refused(inside.gate.perform(inside.wish(), call="act/0/1"))  # whose person is elsewhere now


async def another_name(inside: Inside) -> None:
    """Somebody who may only look sends, under the name of looking."""
    viewer = replace(inside.who, role=Role.SUPPORT)
    wish = replace(inside.wish(), principal=viewer)
    object.__setattr__(wish, "name", Peek.name)
    object.__setattr__(wish, "effect", Peek.effect)
    await refused(inside.gate.perform(wish, call="act/0/0"))


async def another_type(inside: Inside) -> None:
    """A kind of wish of one's own, that inherits the effect and declares another name."""

    class Sly(Send):
        """Looks harmless."""

        name = Peek.name
        effect = Peek.effect

    viewer = replace(inside.who, role=Role.SUPPORT)
    await refused(inside.gate.perform(Sly(principal=viewer, amount=10), call="act/0/0"))


async def retry(inside: Inside) -> None:
    """A retry around the call."""
    for _try in range(3):
        await inside.gate.perform(inside.wish(), call="act/0/0")


async def parallel_duplicates(inside: Inside) -> None:
    """One call, made ten times at once."""
    await asyncio.gather(*(inside.gate.perform(inside.wish(), call="act/0/0") for _ in range(10)))


async def retry_in_another_attempt(inside: Inside) -> None:
    """The task taken over, and run again from its start."""
    await inside.gate.perform(inside.wish(), call="act/0/0")
    await inside.gate.journal.settle()
    await inside.gate.journal.flush()
    journals, journal = inside.house.journals, inside.gate.journal
    again = await journals.open(journal.org, journal.task, attempt=2, retention="90d")
    await inside.house.gate.over(again).perform(inside.wish(), call="act/0/0")


async def direct_run(inside: Inside) -> None:
    """The tool's own method, from a thread."""
    await asyncio.to_thread(inside.send._run, amount=10)


async def direct_arun(inside: Inside) -> None:
    """The tool's own coroutine."""
    await inside.send._arun(amount=10)


async def handler_without_a_permit(inside: Inside) -> None:
    """The room's method, called straight."""
    for nothing in (None, object()):
        await refused(inside.house.gate.methods[Send](nothing, inside.wish()))


async def forged_permit(inside: Inside) -> None:
    """A permit from a mint of one's own, and one made by hand."""
    wish, decision, task = inside.wish(), DecisionId(new_id()), TaskId(new_id())
    minted = Permits(clock=SystemClock()).issue(wish, decision=decision, task=task)
    made = Permit(action=wish, decision=decision, task=task, issued_at=SystemClock().now())
    for permit in (minted, made):
        await refused(inside.house.gate.methods[Send](permit, wish))


async def stolen_permit(inside: Inside) -> None:
    """A genuine permit to look, used by its room to send: as it is, and rewritten."""

    async def steal(permit: Permit) -> None:
        wish = inside.wish()
        await refused(inside.office.send(permit, wish))
        object.__setattr__(permit, "action", permit.action)
        await refused(inside.office.send(replace(permit, action=wish), wish))

    inside.office.with_permit = steal
    await inside.gate.perform(Peek(principal=inside.who), call="act/0/0")


async def kept_permit(inside: Inside) -> None:
    """A permit that was kept after it was used, and used again."""
    kept: list[tuple[Permit, Send]] = []
    send = inside.house.gate.methods[Send]

    async def keeping(permit: Permit, action: Send) -> Any:
        kept.append((permit, action))
        return await send(permit, action)

    inside.house.gate.methods[Send] = keeping
    try:
        await inside.gate.perform(inside.wish(), call="act/0/0")
    finally:
        inside.house.gate.methods[Send] = send
    permit, action = kept[0]
    await refused(send(permit, action))


async def tool_at_the_provider(inside: Inside) -> None:
    """A tool in the provider's own format, that the provider would run."""
    tools = cast(Any, ({"type": "send_money"},))
    with suppress(Invalid):
        ask = Generate(principal=inside.who, messages=(Message(role="user", text="go"),), tools=tools)
        await refused(inside.gate.perform(ask, call="model/0"))


ATTEMPTS: tuple[Attempt, ...] = tuple(
    Attempt(name=go.__name__, go=go, effects=effects)
    for go, effects in (
        (nested_tool, 1),
        (custom_node, 1),
        (second_tool_node, 1),
        (sub_agent, 1),
        (changed_after_the_decision, 1),
        (mutable_argument, 1),
        (another_persons_organisation, 1),
        (another_name, 0),
        (another_type, 0),
        (retry, 1),
        (parallel_duplicates, 1),
        (retry_in_another_attempt, 1),
        (direct_run, 1),
        (direct_arun, 1),
        (handler_without_a_permit, 0),
        (forged_permit, 0),
        (stolen_permit, 0),
        (kept_permit, 1),
        (tool_at_the_provider, 0),
    )
)
