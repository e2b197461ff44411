"""Where values stand on an axis, and what stands beside it. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import ceil, floor, log10

from sandbox.artifacts.plotting import Value

LONGEST = 22  # characters of a name on an axis


@dataclass(frozen=True, kw_only=True)
class Scale:
    """Names in their order, or numbers from `low` to `high`."""

    names: tuple[str, ...]
    low: float
    high: float
    step: float
    is_time: bool

    @classmethod
    def of(cls, values: Sequence[Value], more: Sequence[float], *, is_time: bool) -> "Scale":
        names = tuple(dict.fromkeys(each for each in values if isinstance(each, str)))
        if names:
            return cls(names=names, low=0, high=len(names), step=1, is_time=False)
        numbers = [each for each in (*values, *more) if isinstance(each, float)]
        low, high = min(numbers), max(numbers)
        if low == high:
            low, high = (low - 1, high + 1) if low else (0.0, 1.0)
        if is_time:
            return cls(names=(), low=low, high=high, step=(high - low) / 5, is_time=True)
        step = _nice((high - low) / 5)
        low, high = floor(low / step) * step, ceil(high / step) * step
        return cls(names=(), low=low, high=high, step=step, is_time=False)

    def ticks(self) -> list[Value]:
        if self.names:
            return list(self.names)
        return [self.low + number * self.step for number in range(round((self.high - self.low) / self.step) + 1)]

    def share(self, value: Value) -> float:
        """Where a value is, from 0 to 1; a name in the middle of its place."""
        if isinstance(value, str):
            return (self.names.index(value) + 0.5) / len(self.names)
        return (value - self.low) / (self.high - self.low)

    def text(self, value: Value) -> str:
        return short(self.full(value))

    def full(self, value: Value) -> str:
        if isinstance(value, str):
            return value
        if self.is_time:
            at = datetime.fromtimestamp(0, UTC) + timedelta(seconds=value)
            return f"{at:%Y-%m-%d}" if self.high - self.low > 172_800 else f"{at:%m-%d %H:%M}"
        return f"{value:,.6g}" if abs(value) < 1e6 else f"{value:,.0f}"


def _nice(step: float) -> float:
    """The next round number: 1, 2, 2.5 or 5 times a power of ten."""
    power = 10.0 ** floor(log10(step))
    return next((each * power for each in (1, 2, 2.5, 5) if each * power >= step), 10 * power)


def short(text: str) -> str:
    """As much of a name as there is room for."""
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
