"""What an attempt on the gate is, and how it is judged: by the ledger of effects beside the journal in the database."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from langchain_core.messages import AIMessage

from joule.agent.tools import Bench, Toolbox, ToolStub
from joule.assembly import House
from joule.bench._ground import somebody
from joule.bench._post import PostOffice, Send, Sent, send_tool
from joule.governance.gate import TaskGate
from joule.kernel.errors import JouleError
from joule.kernel.ids import OrgId, ProjectId, TaskId, new_id
from joule.kernel.label import Label
from joule.kernel.permit import Admission
from joule.kernel.principal import Principal
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
    """One way, and how many effects it has to end in: each of them decided and on record.

    So an attempt that does nothing at all cannot pass for one that was stopped.
    """

    name: str
    go: Callable[[Inside], Awaitable[object]]
    effects: int


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


async def refused(effect: Awaitable[Any]) -> None:
    with suppress(JouleError):
        await effect


def called(name: str, *, amount: int = 10, times: int = 1) -> Any:
    """A conversation in which the model has just called a tool."""
    call = {"name": name, "args": {"amount": amount}, "id": "call-1"}
    return {"messages": [AIMessage(content="", tool_calls=[call] * times)]}
