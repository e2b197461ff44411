"""What can be done with the proof: taken along, its key replaced, its heads sent somewhere. No agent ever asks for it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from joule.kernel.action import Action, Effect
from joule.kernel.ids import TaskId
from joule.kernel.label import Purpose
from traces.proof.results import Bundle, Delivered, DeliveryChosen, KeyRotated


@dataclass(frozen=True, kw_only=True)
class ExportRecord(Action[Bundle]):
    """A task's record as a file that can be checked anywhere, without content; `sealed` puts the ciphertexts in too."""

    name: ClassVar[str] = "traces.export_record"
    effect: ClassVar[Effect] = Effect.READ
    purpose: ClassVar[Purpose] = Purpose.SUPPORT
    idempotent: ClassVar[bool] = True

    task: TaskId
    sealed: bool = False

    def relevant(self) -> Mapping[str, str]:
        return {"task": str(self.task)}

    def measures(self, result: Bundle) -> Mapping[str, int | str]:
        return {"about_task": str(self.task)}


@dataclass(frozen=True, kw_only=True)
class ExportContent(Action[Bundle]):
    """The same with all content in clear, and what proves that it is what was recorded."""

    name: ClassVar[str] = "traces.export_content"
    effect: ClassVar[Effect] = Effect.READ
    purpose: ClassVar[Purpose] = Purpose.SUPPORT
    idempotent: ClassVar[bool] = True

    task: TaskId

    def relevant(self) -> Mapping[str, str]:
        return {"task": str(self.task)}

    def measures(self, result: Bundle) -> Mapping[str, int | str]:
        return {"about_task": str(self.task)}


@dataclass(frozen=True, kw_only=True)
class RotateSigningKey(Action[KeyRotated]):
    """Sign heads with a fresh key from now on. For the deployment's operator."""

    name: ClassVar[str] = "traces.rotate_signing_key"
    effect: ClassVar[Effect] = Effect.ACCESS
    purpose: ClassVar[Purpose] = Purpose.SECURITY


@dataclass(frozen=True, kw_only=True)
class ChooseDelivery(Action[DeliveryChosen]):
    """Have every new head sent to this https address; an empty one ends it."""

    name: ClassVar[str] = "traces.choose_delivery"
    effect: ClassVar[Effect] = Effect.ACCESS
    purpose: ClassVar[Purpose] = Purpose.SECURITY
    idempotent: ClassVar[bool] = True

    url: str

    def relevant(self) -> Mapping[str, str]:
        return {"url": self.url}


@dataclass(frozen=True, kw_only=True)
class DeliverHeads(Action[Delivered]):
    """Send the heads nobody has received yet to the webhook or the bucket. At least once; again changes nothing."""

    name: ClassVar[str] = "traces.deliver_heads"
    effect: ClassVar[Effect] = Effect.SEND
    purpose: ClassVar[Purpose] = Purpose.SECURITY
    idempotent: ClassVar[bool] = True

    sink: str  # webhook or bucket
