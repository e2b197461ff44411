"""What may be asked of the record: the same run again, and the same decisions under other policies."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

from joule.kernel.action import Action, Effect
from joule.kernel.ids import TaskId
from joule.kernel.label import Purpose
from joule.replay.judging import Change, TaskWhatIf
from joule.replay.report import ReplayReport
from joule.replay.results import WhatIfProgress, WhatIfsForgotten

LONGEST_SPAN = 2557  # days


@dataclass(frozen=True, kw_only=True)
class ReplayTask(Action[ReplayReport]):
    """Run a recorded task again over its record and compare. Reads its content.

    `lenient` lists every difference in place of the first. With `values` the report also
    says what stood where it differs, as far as it is on record that whoever asks reads this task
    (`traces.grants.actions.ReadContent`); without, it shows none of it. Raises `NotFound`.
    """

    name: ClassVar[str] = "replay.replay_task"
    effect: ClassVar[Effect] = Effect.READ
    purpose: ClassVar[Purpose] = Purpose.SUPPORT
    idempotent: ClassVar[bool] = True

    task: TaskId
    lenient: bool = False
    values: bool = False

    def relevant(self) -> Mapping[str, str]:
        return {"task": str(self.task)}

    def measures(self, result: ReplayReport) -> Mapping[str, int | str]:
        return {"outcome": result.verdict.value}


@dataclass(frozen=True, kw_only=True)
class AskWhatIfOfTask(Action[TaskWhatIf]):
    """Judge every decision of one task again. `version`: of the organisation's own policies; None: those in force.

    Reads recorded facts alone. Raises `NotFound`, `DraftUnusable`.
    """

    name: ClassVar[str] = "replay.what_if_of_task"
    effect: ClassVar[Effect] = Effect.READ
    purpose: ClassVar[Purpose] = Purpose.SUPPORT
    idempotent: ClassVar[bool] = True

    task: TaskId
    version: UUID | None = None

    def relevant(self) -> Mapping[str, str]:
        return {"task": str(self.task)}

    def measures(self, result: TaskWhatIf) -> Mapping[str, int | str]:
        changed = any(each.change is not Change.UNCHANGED for each in result.lines)
        return {"outcome": "changed" if changed else "unchanged"}


@dataclass(frozen=True, kw_only=True)
class BeginWhatIf(Action[WhatIfProgress]):
    """Begin to judge all decisions of the last `days` again; `GoOnWithWhatIf` does it, piece by piece.

    `version`: of the organisation's own policies; None: those in force. Raises `Invalid`, `NotFound`, `DraftUnusable`.
    """

    name: ClassVar[str] = "replay.begin_what_if"
    effect: ClassVar[Effect] = Effect.WRITE
    purpose: ClassVar[Purpose] = Purpose.SUPPORT

    days: int
    version: UUID | None = None


@dataclass(frozen=True, kw_only=True)
class GoOnWithWhatIf(Action[WhatIfProgress]):
    """Judge the next piece. Nothing is left to do once it says `done`. Begins anew when the policies are others now."""

    name: ClassVar[str] = "replay.go_on_with_what_if"
    effect: ClassVar[Effect] = Effect.WRITE
    purpose: ClassVar[Purpose] = Purpose.SUPPORT
    idempotent: ClassVar[bool] = True

    what_if: UUID


@dataclass(frozen=True, kw_only=True)
class ForgetWhatIfs(Action[WhatIfsForgotten]):
    """Delete the reports that are past their time."""

    name: ClassVar[str] = "replay.forget_what_ifs"
    effect: ClassVar[Effect] = Effect.DELETE
    idempotent: ClassVar[bool] = True
