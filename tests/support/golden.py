"""Golden tasks: records of real runs, kept as files, that every change of the code is replayed against.

What was asked at each call is bound by commitments under one key that everybody knows, since there is nothing to hide:
`python -m tools.golden` puts them under it when it records.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

from joule.agent.tools import Performs
from joule.governance.policy import Policy
from joule.kernel.action import Action
from joule.kernel.ids import OrgId, TaskId
from joule.kernel.settings import TaskSettings
from joule.replay.replaying import replay
from joule.replay.report import Difference, Divergence, ReplayReport
from joule.vault.keys import Keyring
from traces.reader import TaskEvent

R = TypeVar("R")

FOLDER = Path(__file__).resolve().parents[1] / "replay" / "golden"
AGAIN = "python -m tools.golden"
_KEY = UUID(int=1)


def ring() -> Keyring:
    """The ring everybody knows."""
    return Keyring(org=OrgId(UUID(int=2)), subject="golden", keys={_KEY: bytes(32)}, active=_KEY, first=_KEY)


@dataclass(frozen=True, kw_only=True)
class Golden:
    """One recorded task."""

    name: str
    about: str
    org: OrgId
    task: TaskId
    own: str  # the organisation's own policies it ran under; empty: none
    max_steps: int
    events: tuple[TaskEvent, ...]

    async def replayed(self, base: Policy, **more: Any) -> ReplayReport:
        """What a replay says today. `more` goes to `replay`."""
        given = {
            "policy": base.restricted(self.own, prefix="own.v1") if self.own else base,
            "settings": TaskSettings(max_steps=self.max_steps),
            "keyring": ring(),
            **more,
        }
        return await replay(given.pop("events", self.events), org=self.org, task=self.task, **given)


class Listening:
    """Stands between the agent and a record, and hears what is asked at each call."""

    def __init__(self, gate: Performs) -> None:
        self._gate = gate
        self.bindings: dict[str, str] = {}

    async def perform(self, action: Action[R], *, call: str, tool: str | None = None) -> R:
        self.bindings[call] = ring().commitment("call", action.binding()).hex()
        return await self._gate.perform(action, call=call, tool=tool)


def goldens() -> list[str]:
    """The names of all."""
    return sorted(each.stem for each in FOLDER.glob("*.json"))


def load(name: str) -> Golden:
    """One by its name."""
    told = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return Golden(
        name=name,
        about=told["about"],
        org=OrgId(UUID(told["org"])),
        task=TaskId(UUID(told["task"])),
        own=told["own"],
        max_steps=told["max_steps"],
        events=tuple(TaskEvent(**{**each, "at": datetime.fromisoformat(each["at"])}) for each in told["events"]),
    )


def save(golden: Golden, bindings: Mapping[str, str]) -> Path:
    """Write one, a row a line, each call bound under the ring everybody knows."""
    FOLDER.mkdir(exist_ok=True)
    lines = []
    for each in golden.events:
        attrs = dict(each.attrs)
        if "binding" in attrs and each.call is not None:
            attrs["binding"] = bindings[each.call]
        row = {**vars(each), "at": each.at.isoformat(), "attrs": attrs, "content": dict(each.content)}
        lines.append(json.dumps(row, ensure_ascii=False, sort_keys=True))
    head = {"about": golden.about, "org": str(golden.org), "task": str(golden.task)}
    head |= {"own": golden.own, "max_steps": golden.max_steps}  # type: ignore[dict-item]
    told = json.dumps(head, ensure_ascii=False, indent=1)[:-2] + ',\n "events": [\n' + ",\n".join(lines) + "\n]}\n"
    path = FOLDER / f"{golden.name}.json"
    path.write_text(told, encoding="utf-8")
    return path


def told(golden: Golden, report: ReplayReport) -> str:
    """What whoever broke a golden task reads."""
    lines = [
        f"the task recorded as tests/replay/golden/{golden.name}.json ({golden.about}) would go another way now:",
        *(f"  {each.kind.value} at {each.at}, {each.field}: {_pair(each)}" for each in grave(report)),
        f"If you meant to change this, record the golden tasks anew with `{AGAIN} {golden.name}` (without a name: all),",
        "look at the difference with `git diff --stat tests/replay/golden`, and say in the changelog what tasks do",
        "differently. Tasks that wait for a person while Joule is updated meet the same difference and stop.",
    ]
    return "\n".join(lines)


def grave(report: ReplayReport) -> list[Difference]:
    """All but a mere change of versions."""
    return [each for each in report.differences if each.kind is not Divergence.VERSION]


def _pair(each: Difference) -> str:
    then, now = each.recorded or each.then_text, each.now or each.now_text
    return f"{then!r} then, {now!r} now" if then or now else "it is another one now"
