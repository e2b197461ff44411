"""Metrics of the spans of one batch. Pure: counts and distributions, with no more told apart than names and outcomes."""

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from traces.otel import names
from traces.otel.projecting import Span

SECONDS: Final = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
TOKENS: Final = (1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304)


@dataclass(kw_only=True)
class Distribution:
    """How often values fell between bounds; `counts` has one more than `bounds`."""

    name: str
    unit: str
    bounds: tuple[float, ...]
    attributes: Mapping[str, str]
    counts: list[int] = field(default_factory=list)
    total: float = 0.0
    least: float = float("inf")
    most: float = 0.0

    def take(self, value: float) -> None:
        """Count one value in."""
        if not self.counts:
            self.counts = [0] * (len(self.bounds) + 1)
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value
        self.least, self.most = min(self.least, value), max(self.most, value)


@dataclass(frozen=True, kw_only=True)
class Level:
    """How something stands now."""

    name: str
    unit: str
    value: float


@dataclass(frozen=True, kw_only=True)
class Measures:
    """What happened between two instants, and how the export itself stands."""

    start: datetime
    end: datetime
    distributions: tuple[Distribution, ...]
    counts: Mapping[str, int]
    levels: tuple[Level, ...]


def measures_of(spans: Iterable[Span], *, lag: float, head_age: float) -> Measures | None:
    """The metrics of `spans`; None when there are none. `lag`: seconds the export is behind the journal."""
    spans = tuple(spans)
    if not spans:
        return None
    found: dict[tuple[str, tuple[tuple[str, str], ...]], Distribution] = {}
    unknown = 0

    def take(name: str, unit: str, bounds: tuple[float, ...], value: float, attributes: Mapping[str, str]) -> None:
        key = (name, tuple(sorted(attributes.items())))
        if key not in found:
            found[key] = Distribution(name=name, unit=unit, bounds=bounds, attributes=attributes)
        found[key].take(value)

    for span in spans:
        told = {
            name: str(span.attributes[name])
            for name in (names.OPERATION, names.PROVIDER, names.MODEL, names.TOOL, names.ERROR)
            if name in span.attributes
        }
        took = (span.end - span.start).total_seconds()
        operation = told.get(names.OPERATION)
        if operation in {"chat", "embeddings"}:
            take("gen_ai.client.operation.duration", "s", SECONDS, took, told)
            for kind, name in (("input", names.INPUT_TOKENS), ("output", names.OUTPUT_TOKENS)):
                if name in span.attributes:
                    of = {**told, names.TOKEN_TYPE: kind}
                    take("gen_ai.client.token.usage", "{token}", TOKENS, float(span.attributes[name]), of)
        elif operation == "execute_tool":
            take("gen_ai.execute_tool.duration", "s", SECONDS, took, told)
            unknown += span.attributes.get("joule.outcome") == "unknown"
    return Measures(
        start=min(span.start for span in spans),
        end=max(span.end for span in spans),
        distributions=tuple(found.values()),
        counts={"joule.trace.unknown_outcome": unknown},
        levels=(
            Level(name="joule.journal.lag", unit="s", value=lag),
            Level(name="joule.proof.head_age", unit="s", value=head_age),
        ),
    )
