"""What can be done with spans: sent. The system asks for it; nobody else does."""

from dataclasses import dataclass
from typing import ClassVar

from joule.kernel.action import Action, Effect
from joule.kernel.label import Purpose
from traces.otel.results import Exported


@dataclass(frozen=True, kw_only=True)
class ExportSpans(Action[Exported]):
    """Send the spans of what the journal was sealed with since the last time. At least once; ids do not change."""

    name: ClassVar[str] = "traces.export_spans"
    effect: ClassVar[Effect] = Effect.SEND
    purpose: ClassVar[Purpose] = Purpose.OPERATIONS
    idempotent: ClassVar[bool] = True
