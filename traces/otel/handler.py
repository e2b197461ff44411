"""The only way in to the export's effect: spans leave under a permit."""

from collections.abc import Mapping
from typing import Any

from joule.kernel.action import Action
from joule.kernel.handler import Method
from joule.kernel.permit import Admission, Permit
from traces.otel.actions import ExportSpans
from traces.otel.exporting import Exporting
from traces.otel.results import Exported


class ExportHandler:
    """Exports."""

    def __init__(self, *, admission: Admission, exporting: Exporting) -> None:
        self._admission, self._exporting = admission, exporting

    def methods(self) -> Mapping[type[Action[Any]], Method]:
        return {ExportSpans: self.export_spans}

    async def export_spans(self, permit: Permit, action: ExportSpans) -> Exported:
        self._admission.admit(permit, action)
        return await self._exporting.export(action.principal.org, decision=permit.decision)
