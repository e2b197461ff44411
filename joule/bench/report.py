"""What a benchmark prints: flat figures whose names end in their unit, and the targets they are held to."""

import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

Bound = Mapping[str, float]  # {"max": 0.7} or {"min": 50_000}


@dataclass(frozen=True, kw_only=True)
class Report:
    """One benchmark's outcome."""

    name: str
    figures: Mapping[str, float]
    targets: Mapping[str, Bound] = field(default_factory=dict)
    notes: str = ""

    def missed(self) -> list[str]:
        """Figures outside their target, in words."""
        return [
            f"{name} is {self.figures[name]:g}, target {kind} {bound:g}"
            for name, bounds in self.targets.items()
            for kind, bound in bounds.items()
            if name in self.figures and (self.figures[name] > bound if kind == "max" else self.figures[name] < bound)
        ]

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "figures": dict(self.figures),
            "targets": {name: dict(bounds) for name, bounds in self.targets.items()},
            "machine": machine(),
            "at": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "notes": self.notes,
        }


def machine() -> str:
    """The computer the figures were taken on."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**30
    return f"{os.cpu_count()} cores, {memory} GiB, {platform.system()}, Python {platform.python_version()}"
