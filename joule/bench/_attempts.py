"""Ways round a gate, tried on ours. Each is what code inside the agent's process could do without its keys.

An attempt may end in an effect, if that effect was decided and written down as exactly what it was: `effects` says how
many there have to be, so that an attempt that does nothing at all cannot pass for one that was stopped.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, TypedDict, cast

from langchain_core.messages import AIMessage
from langchain_core.tools import tool
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode

from joule.agent.tools import Bench, Toolbox, ToolStub
from joule.assembly import House
from joule.bench._ground import somebody
from joule.bench._post import Peek, PostOffice, Send, Sent, send_tool
from joule.governance.gate import TaskGate
from joule.kernel.clock import SystemClock
from joule.kernel.errors import Invalid, JouleError
from joule.kernel.ids import DecisionId, OrgId, ProjectId, TaskId, new_id
from joule.kernel.label import Label
from joule.kernel.permit import Admission, Permit, Permits
from joule.kernel.principal import Principal, Role
from joule.llm.actions import Generate, Message
from traces import reader
from traces.records import Kind


@dataclass(kw_only=True)
class Inside:
    """What the attacker has: a task under way, its tools, its person, and the room behind the gate."""

    house: House
    office: PostOffice
    gate: TaskGate
    who: Principal
    send: ToolStub

    def wish(self, *, amount: int = 10, **more: Any) -> Send:
        return Send(principal=self.who, label=Label(), amount=amount, **more)


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One way, and how many effects it has to end in: each of them decided and on record."""

    name: str
    go: Callable[[Inside], Awaitable[object]]
    effects: int


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
    await _refused(inside.gate.perform(inside.wish(), call="act/0/1"))  # whose person is elsewhere now


async def another_name(inside: Inside) -> None:
    """Somebody who may only look sends, under the name of looking."""
    viewer = replace(inside.who, role=Role.SUPPORT)
    wish = replace(inside.wish(), principal=viewer)
    object.__setattr__(wish, "name", Peek.name)
    object.__setattr__(wish, "effect", Peek.effect)
    await _refused(inside.gate.perform(wish, call="act/0/0"))


async def another_type(inside: Inside) -> None:
    """A kind of wish of one's own, that inherits the effect and declares another name."""

    class Sly(Send):
        """Looks harmless."""

        name = Peek.name
        effect = Peek.effect

    viewer = replace(inside.who, role=Role.SUPPORT)
    await _refused(inside.gate.perform(Sly(principal=viewer, amount=10), call="act/0/0"))


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
        await _refused(inside.house.gate.methods[Send](nothing, inside.wish()))


async def forged_permit(inside: Inside) -> None:
    """A permit from a mint of one's own, and one made by hand."""
    wish, decision, task = inside.wish(), DecisionId(new_id()), TaskId(new_id())
    minted = Permits(clock=SystemClock()).issue(wish, decision=decision, task=task)
    made = Permit(action=wish, decision=decision, task=task, issued_at=SystemClock().now())
    for permit in (minted, made):
        await _refused(inside.house.gate.methods[Send](permit, wish))


async def stolen_permit(inside: Inside) -> None:
    """A genuine permit to look, used by its room to send: as it is, and rewritten."""

    async def steal(permit: Permit) -> None:
        wish = inside.wish()
        await _refused(inside.office.send(permit, wish))
        object.__setattr__(permit, "action", permit.action)
        await _refused(inside.office.send(replace(permit, action=wish), wish))

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
    await _refused(send(permit, action))


async def tool_at_the_provider(inside: Inside) -> None:
    """A tool in the provider's own format, that the provider would run."""
    tools = cast(Any, ({"type": "send_money"},))
    with suppress(Invalid):
        ask = Generate(principal=inside.who, messages=(Message(role="user", text="go"),), tools=tools)
        await _refused(inside.gate.perform(ask, call="model/0"))


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


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What an attempt came to: effects that happened, and how many of them no decision on record stands for."""

    effects: int
    through: int


async def attempt(each: Attempt, *, house: House, office: PostOffice, admission: Admission | None = None) -> Outcome:
    """Try it in a task of its own, and compare the ledger with the journal in the database.

    `admission` is the lock on the post office's door: the house's own, unless a test leaves it open.
    """
    office.ledger.clear()
    office.with_permit, office.admission = None, admission or house.gate.permits
    who = somebody(OrgId(new_id()))
    journal = await house.journals.open(who.org, TaskId(new_id()), attempt=1, retention="90d")
    gate = house.gate.over(journal)
    bench = Bench(gate=gate, principal=who, project=ProjectId(new_id()), label=Label(), loop=asyncio.get_running_loop())
    stubs = Toolbox(send_tool()).stubs(bench)
    await each.go(Inside(house=house, office=office, gate=gate, who=who, send=stubs["send"]))
    with suppress(JouleError):  # the attempt may have fenced this attempt of the task out
        await journal.settle()
        await journal.flush()
    async with house.database.read(journal.org) as session:
        events = await reader.events(session, journal.keyring, journal.org, journal.task)
    decided = {
        event.attrs["decision_id"]: event.content["args"]
        for event in events
        if event.kind == Kind.INTENT.value and event.attrs["action"] == Send.name
    }
    through = 0
    for sent in office.ledger:
        if not _is_decided(sent, decided.pop(str(sent.decision), None)):  # one decision stands for one effect
            through += 1
    return Outcome(effects=len(office.ledger), through=through)


def _is_decided(sent: Sent, asked: Any) -> bool:
    return asked is not None and (asked["amount"], tuple(asked["to"])) == (sent.amount, sent.to)


async def _refused(effect: Awaitable[Any]) -> None:
    with suppress(JouleError):
        await effect


def called(name: str, *, amount: int = 10, times: int = 1) -> Any:
    """A conversation in which the model has just called a tool."""
    call = {"name": name, "args": {"amount": amount}, "id": "call-1"}
    return {"messages": [AIMessage(content="", tool_calls=[call] * times)]}
