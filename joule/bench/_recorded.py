"""Tasks to replay: run by the agent over a real database, with a model that says what is written here."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any

from joule.agent.runner import Runner
from joule.agent.task import Claim
from joule.agent.tools import Toolbox
from joule.assembly import House
from joule.governance.policy import Policy
from joule.identity.actions import FoundOrganisation
from joule.kernel.ids import OrgId, ProjectId, TaskId, ThreadId, new_id
from joule.kernel.label import typed_by
from joule.kernel.principal import Principal, Role, Via
from joule.kernel.settings import TaskSettings
from joule.llm.actions import canonical_json
from joule.llm.providers.base import CallPiece, ModelRequest, Piece
from joule.vault.keys import Keyring
from memory.actions import CreateProject, UploadFile
from traces import reader, sealing
from traces.reader import TaskEvent

TOOLS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("list_files", {}),
    ("read_file", {"file_name": "notes.txt"}),
    ("write_file", {"file_name": "plan.md", "text": "as before"}),
)


@dataclass(kw_only=True)
class Walk:
    """Uses three tools at once, as many times as the message says, and ends."""

    provider: str = "offline"
    model: str = "walk"
    recipient: str = "none"

    async def stream(self, request: ModelRequest) -> AsyncGenerator[Piece, None]:
        last = max(n for n, each in enumerate(request.messages) if each.role == "user")
        turn = sum(each.role == "assistant" for each in request.messages[last:])
        steps = int(request.messages[last].text.split()[-1])
        if turn == steps:
            yield Piece(text="Done.", finish="stop")
            return
        calls = tuple(
            CallPiece(key=f"{n}", id=f"c{turn}-{n}", name=name, arguments=canonical_json(arguments))
            for n, (name, arguments) in enumerate(TOOLS)
        )
        yield Piece(text=f"Step {turn}.", calls=calls, finish="tool_calls", input_tokens=10, output_tokens=5)


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """One task that ran, opened."""

    org: OrgId
    task: TaskId
    events: tuple[TaskEvent, ...]
    keyring: Keyring
    policy: Policy
    settings: TaskSettings

    @property
    def about(self) -> dict[str, Any]:
        """What `replay` takes beside the events."""
        return {"org": self.org, "task": self.task, "keyring": self.keyring, "policy": self.policy} | {
            "settings": self.settings
        }


async def found(house: House) -> tuple[Principal, ProjectId]:
    """An owner, and a project with a file in it."""
    org = OrgId(new_id())
    system = Principal(org=org, person=None, role=Role.SYSTEM, via=Via.SYSTEM)
    made = await house.commands.perform(
        FoundOrganisation(principal=system, organisation_name="Bench", owner_name="Ada", owner_email="ada@example.test")
    )
    owner = Principal(org=org, person=made.person, role=Role.OWNER, via=Via.PERSON)
    project = (await house.commands.perform(CreateProject(principal=owner, title="Bench"))).project
    upload = UploadFile(principal=owner, project=project, file_name="notes.txt", content=b"notes " * 50)
    await house.commands.perform(upload)
    return owner, project


async def ran(house: House, owner: Principal, project: ProjectId, *, steps: int) -> Recorded:
    """A task of so many steps, each a question to the model and three tools at once."""
    if owner.person is None:
        raise ValueError("somebody has to ask")
    claim = Claim(
        org=owner.org,
        task=TaskId(new_id()),
        thread=ThreadId(new_id()),
        project=project,
        principal=owner.as_agent(),
        retention=house.settings.trace_retention,
        attempt=1,
        request=f"read notes.txt, write plan.md: {steps}",
        label=typed_by(owner.person),
    )
    settings = house.settings.task
    await Runner(gate=house.gate, journals=house.journals, settings=settings, toolbox=Toolbox()).run(claim)
    async with house.database.read(owner.org) as session:
        keyring = await sealing.ring(session, house.vault, owner.org, claim.task)
        events = await reader.events(session, keyring, owner.org, claim.task)
    return Recorded(
        org=owner.org,
        task=claim.task,
        events=tuple(events),
        keyring=keyring,
        policy=(await house.gate.in_force(owner.org)).policy,
        settings=settings,
    )
