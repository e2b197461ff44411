"""What support may ask of the record."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from joule.kernel.action import Action, Effect
from joule.kernel.ids import TaskId
from joule.kernel.label import Purpose
from joule.replay.report import ReplayReport


@dataclass(frozen=True, kw_only=True)
class ReplayTask(Action[ReplayReport]):
    """Run a recorded task again over its record and compare. Reads its content.

    `lenient` lists every difference in place of the first. With `values` the report also says what stood where it
    differs, as far as whoever asks may read this task; without, it shows none of it.
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
