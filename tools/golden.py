"""Records the golden tasks anew: real runs over a real database, real accounts on loopback and a real sandbox.

`python -m tools.golden` records all, `python -m tools.golden NAME…` some. Run it when a change is meant to alter what
tasks do: another prompt, another tool, another policy. `tests/replay/test_golden.py` replays them all.
"""

import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from uuid import UUID

from joule.agent.runner import Runner
from joule.agent.task import Claim, Exchange
from joule.agent.tools import Toolbox
from joule.governance import approvals
from joule.governance.rules.actions import DraftPolicy, EnforcePolicy, PublishPolicy
from joule.kernel.ids import PersonId, TaskId, new_id
from joule.kernel.principal import Principal, Role, Via
from joule.kernel.settings import DatabaseSettings, Settings, TaskSettings, VaultSettings
from joule.llm.providers.base import ChatModel
from joule.llm.providers.offline.model import OfflineModel
from joule.replay.replaying import replay
from memory.knowledge import queries
from memory.knowledge.actions import AddDocument, IndexDocument
from tests.support.connecting import Shop, shop
from tests.support.golden import Golden, Listening, grave, save
from tests.support.house import Home, home
from tests.support.postgres import TestServer, running_test_server
from tests.support.scripted_model import Says, ScriptedModel
from traces import sealing

SAMPLE = Path(__file__).resolve().parents[1] / "joule" / "cli" / "sample"
OWN = (
    '@id("no files") @reason("we keep no files here") forbid (principal, '
    'action == Joule::Action::"memory.write_file", resource) when { context.via == "agent" };'
)
CHOSEN = Says(calls=[("write_file", {"file_name": "chosen.md", "text": "Spring is here."})])


@dataclass(frozen=True, kw_only=True)
class Scene:
    """One task to be recorded."""

    about: str
    request: str = "write plan.md"
    script: Sequence[Says] = ()  # empty: the offline model
    before: Callable[[Home], Awaitable[object]] | None = None
    after: Callable[[Home, Claim], Awaitable[object]] | None = None
    again: bool = False  # run once more after that, as a worker does when a person has answered
    accounts: tuple[str, ...] = ()  # what is connected at the demonstration
    own: str = ""
    max_steps: int = 24
    history: tuple[Exchange, ...] = field(default=())


async def files(here: Home) -> None:
    for name in ("campaigns.csv", "brand-guide.md"):
        await here.upload(name, (SAMPLE / name).read_bytes())


async def documents(here: Home) -> None:
    content = (SAMPLE / "shop-policies.md").read_bytes()
    await here.house.commands.perform(
        AddDocument(principal=here.owner, project=here.project, title="shop-policies.md", content=content)
    )
    system = Principal(org=here.org, person=None, role=Role.SYSTEM, via=Via.SYSTEM)
    async with here.house.database.read(here.org) as session:
        keyring = await here.house.vault.keyring(session, here.org)
        found = await queries.list_documents(session, keyring, here.project, reader=here.owner.person)
    for each in found:
        await here.house.commands.perform(IndexDocument(principal=system, project=here.project, document=each.document))


async def restricted(here: Home) -> None:
    do, who = here.house.commands.perform, here.owner
    draft = await do(DraftPolicy(principal=who, text=OWN))
    await do(PublishPolicy(principal=who, version=draft.version))
    await do(EnforcePolicy(principal=who, version=draft.version))


def answering(approved: bool) -> Callable[[Home, Claim], Awaitable[object]]:
    async def answer(here: Home, claim: Claim) -> None:
        asked = next(each for each in await here.events(claim.task) if each.kind == "approval.asked")
        async with here.house.database.write(here.org) as session:
            await approvals.answer(
                session,
                here.org,
                UUID(asked.attrs["approval_id"]),
                by=PersonId(here.owner.person or UUID(int=0)),
                approved=approved,
                at=here.house.clock.now(),
            )

    return answer


LONG = [
    Says(
        text=f"Step {n}.",
        calls=[
            ("list_files", {}),
            ("read_file", {"file_name": "brand-guide.md", "lines": 2}),
            ("recall", {"query": f"colour {n}"}),
            ("write_file", {"file_name": "plan.md", "text": f"Line {n}"}),
        ],
    )
    for n in range(18)
]

SCENES: dict[str, Scene] = {
    "offline_files": Scene(
        about="the offline model summarises a table, saves a file and remembers a rule",
        request=(
            "Summarise what worked in campaigns.csv in our brand voice, save it as summary.md, "
            "and remember that we never use exclamation marks"
        ),
        before=files,
    ),
    "offline_knowledge": Scene(
        about="the offline model answers from the knowledge base",
        request="What does our knowledge base say about refunds?",
        before=documents,
    ),
    "parallel": Scene(
        about="several tools at once",
        script=[
            Says(text="Let me look.", calls=[("list_files", {}), ("read_file", {"file_name": "brand-guide.md"})]),
            Says(
                calls=[
                    ("search_files", {"query": "coffee"}),
                    ("table_statistics", {"file_name": "campaigns.csv"}),
                    ("recall", {"query": "voice"}),
                    ("remember", {"text": "write plan.md"}),
                ]
            ),
            Says(text="That is what there is."),
        ],
        before=files,
    ),
    "approved": Scene(about="a person agreed", script=[CHOSEN, Says(text="Saved.")], after=answering(True), again=True),
    "declined": Scene(
        about="a person declined", script=[CHOSEN, Says(text="Then not.")], after=answering(False), again=True
    ),
    "waiting": Scene(about="nobody has answered yet", script=[CHOSEN]),
    "refused": Scene(
        about="the organisation's own policy refuses",
        script=[
            Says(calls=[("write_file", {"file_name": "plan.md", "text": "x"}), ("list_files", {})]),
            Says(text="I may not."),
        ],
        before=restricted,
        own=OWN,
    ),
    "errors": Scene(
        about="a file that is not there, a tool that is not there, arguments that do not fit",
        script=[
            Says(calls=[("read_file", {"file_name": "nothing.txt"}), ("fly", {}), ("read_file", {"line": "x"})]),
            Says(text="None of that worked."),
        ],
    ),
    "accounts": Scene(
        about="two calls to a connected account",
        request="show me both",
        script=[
            Says(calls=[("demo_crm_read_contacts", {"limit": 2}), ("demo_crm_read_campaigns", {})]),
            Says(text="Here they are."),
        ],
        accounts=("contacts.read", "campaigns.read"),
    ),
    "lacking": Scene(
        about="a connected account lacks a permission, and nobody has given it yet",
        request="show me both",
        script=[Says(calls=[("demo_crm_read_contacts", {"limit": 2}), ("demo_crm_read_campaigns", {})])],
        accounts=("contacts.read",),
    ),
    "sandbox": Scene(
        about="code in a sandbox, and a chart",
        request="Chart spend",
        script=[
            Says(calls=[("run_python", {"code": "print(6 * 7); open('out/a.txt', 'w').write('x')"})]),
            Says(calls=[("plot", {"file_name": "p", "spec": {"data": {"values": []}, "mark": "bar"}})]),
            Says(text="Drawn."),
        ],
    ),
    "limit": Scene(about="the steps ran out", script=[Says(text="On.", calls=[("list_files", {})])] * 4, max_steps=2),
    "conversation": Scene(
        about="a second message, in which the file of the first is named",
        request="now shorten it",
        script=[
            Says(calls=[("edit_file", {"file_name": "brand-guide.md", "find": "Harbour", "replace": "Port"})]),
            Says(text="Shortened."),
        ],
        before=files,
        history=(
            Exchange(task=TaskId(UUID(int=7)), request="look at brand-guide.md", answer="It is about Harbour coffee."),
        ),
    ),
    "long": Scene(about="two hundred rows and more", script=[*LONG, Says(text="Done.")], before=files),
}


@asynccontextmanager
async def opened(server: TestServer, scene: Scene) -> AsyncIterator[tuple[Home, Shop | None]]:
    async with AsyncExitStack() as stack:
        address = stack.enter_context(server.clone())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="joule-golden-")))
        settings = Settings(
            home=folder,
            environment="test",
            database=DatabaseSettings(url=address.app_url, owner_url=address.owner_url),
            vault=VaultSettings(key_file=folder / "keys" / "kek.json"),
            task=TaskSettings(max_steps=scene.max_steps),
        )
        model: ChatModel = ScriptedModel(script=scene.script) if scene.script else OfflineModel()
        if scene.accounts:
            found = await stack.enter_async_context(shop(settings, model=model))
            await found.connect(*scene.accounts)
            yield found.home, found
        else:
            yield await stack.enter_async_context(home(settings, model=model)), None


async def run(here: Home, claim: Claim, scene: Scene) -> None:
    house = here.house
    runner = Runner(
        gate=house.gate,
        journals=house.journals,
        settings=house.settings.task,
        toolbox=Toolbox(),
        code_behind=house.sandboxes.backends.behind if "sandbox" in scene.about else None,
    )
    await runner.run(claim)


async def record(server: TestServer, name: str, scene: Scene) -> Path:
    """Run one scene, replay it at once, and keep it when the replay is identical."""
    async with opened(server, scene) as (here, _):
        if scene.before is not None:
            await scene.before(here)
        claim = here.claim(scene.request, task=TaskId(new_id()), history=scene.history)
        await run(here, claim, scene)
        if scene.after is not None:
            await scene.after(here, claim)
        if scene.again:
            await run(here, replace(claim, attempt=2), scene)
        events = await here.events(claim.task)
        async with here.house.database.read(here.org) as session:
            keyring = await sealing.ring(session, here.house.vault, here.org, claim.task)
        heard: list[Listening] = []

        def around(playback: Any) -> Any:
            heard.append(Listening(playback))
            return heard[0]

        report = await replay(
            events,
            org=here.org,
            task=claim.task,
            keyring=keyring,
            policy=(await here.house.gate.in_force(here.org)).policy,
            settings=here.house.settings.task,
            around=around,
        )
    if grave(report):
        raise SystemExit(f"{name}: a run is not even replayed as itself: {report.differences}")
    golden = Golden(
        name=name,
        about=scene.about,
        org=here.org,
        task=claim.task,
        own=scene.own,
        max_steps=scene.max_steps,
        events=tuple(events),
    )
    return save(golden, heard[0].bindings)


async def main(names: Sequence[str]) -> None:
    """Record these, or all."""
    unknown = set(names) - set(SCENES)
    if unknown:
        raise SystemExit(f"there is no golden task called {', '.join(sorted(unknown))}; there are: {', '.join(SCENES)}")
    with running_test_server() as server:
        for name in names or SCENES:
            path = await record(server, name, SCENES[name])
            sys.stdout.write(f"{name}: {path.stat().st_size // 1000} KB\n")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
