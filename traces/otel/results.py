"""What the export gives back."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Exported:
    """How much one batch was."""

    tasks: int
    spans: int
