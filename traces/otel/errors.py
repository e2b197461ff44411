"""What can go wrong with the export.

JouleError
└── ExportFailed    the backend did not take a batch this time
"""

from joule.kernel.errors import JouleError


class ExportFailed(JouleError):
    """A batch did not arrive. It is sent again; nothing waits in memory meanwhile."""

    code = "traces.export_failed"

    def __init__(self) -> None:
        super().__init__("the OpenTelemetry backend did not take the spans")

    def advice(self) -> str:
        return "Look at JOULE_OTEL_ENDPOINT and at the backend; Joule goes on trying and loses none meanwhile."
