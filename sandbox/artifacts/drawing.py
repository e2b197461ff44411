"""Draws a chart: turns what a specification says into shapes on a page. Pure; whoever shows them writes the SVG.

Nothing of the specification but names, numbers and titles gets through, each as text.
"""

from dataclasses import dataclass
from math import ceil

from sandbox.artifacts.plotting import NotDrawn, Plot, Point, Value, plot
from sandbox.artifacts.scales import LONGEST, Scale, short

WIDTH = 720
_TOP, _RIGHT, _LEFT, _TALL = 16, 16, 72, 320
_COLOURS = (
    "#2b6cb0",
    "#c05621",
    "#2f855a",
    "#805ad5",
    "#b83280",
    "#b7791f",
    "#00838f",
    "#718096",
    "#9b2c2c",
    "#4a5568",
)


@dataclass(frozen=True, kw_only=True)
class Box:
    """A bar."""

    x: float
    y: float
    width: float
    height: float
    colour: str
    says: str


@dataclass(frozen=True, kw_only=True)
class Dot:
    """A point."""

    x: float
    y: float
    colour: str
    says: str


@dataclass(frozen=True, kw_only=True)
class Run:
    """A line through points, or the area below it."""

    path: str
    colour: str
    filled: bool
    says: str


@dataclass(frozen=True, kw_only=True)
class Tick:
    """A mark on an axis, with its words."""

    at: float
    text: str


@dataclass(frozen=True, kw_only=True)
class Key:
    """One entry of the legend."""

    x: float
    y: float
    text: str
    colour: str


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """A chart as shapes, in a space of `width` by `height`; and the same as a table, for whoever does not see it."""

    title: str
    width: float
    height: float
    left: float
    right: float
    top: float
    bottom: float
    x_title: str
    y_title: str
    across: tuple[Tick, ...]
    up: tuple[Tick, ...]
    slanted: bool
    boxes: tuple[Box, ...]
    dots: tuple[Dot, ...]
    runs: tuple[Run, ...]
    keys: tuple[Key, ...]
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def drawn(spec: str) -> Drawing:
    """The chart as shapes. Raises `NotDrawn`."""
    try:
        return _drawn(plot(spec))
    except (ValueError, OverflowError, ZeroDivisionError):  # numbers that no scale has room for
        raise NotDrawn from None


def _drawn(told: Plot) -> Drawing:
    x = Scale.of([each.x for each in told.points], _totals(told, upright=True), is_time=told.x.kind == "temporal")
    y = Scale.of([each.y for each in told.points], _totals(told, upright=False), is_time=told.y.kind == "temporal")
    longest = max((len(each) for each in y.names), default=0)
    left = max(_LEFT, min(longest, LONGEST) * 7 + 24)
    slanted = len(x.names) > 8 or sum(map(len, x.names)) > 80
    rows_of_keys = ceil(len(told.series) / 4) if told.series != ("",) else 0
    head = _TOP + (24 if told.title else 0)
    top = head + 22 * rows_of_keys
    tall = max(_TALL, 26 * len(y.names))
    frame = _Frame(left=left, right=WIDTH - _RIGHT, top=top, bottom=top + tall, x=x, y=y, plot=told)
    return Drawing(
        title=told.title,
        width=WIDTH,
        height=frame.bottom + (110 if slanted else 60),
        left=frame.left,
        right=frame.right,
        top=frame.top,
        bottom=frame.bottom,
        x_title=told.x.title,
        y_title=told.y.title,
        across=tuple(Tick(at=frame.across(each), text=x.text(each)) for each in x.ticks()),
        up=tuple(Tick(at=frame.up(each), text=y.text(each)) for each in y.ticks()),
        slanted=slanted,
        boxes=frame.boxes() if told.mark == "bar" else (),
        dots=frame.dots() if told.mark in {"point", "line"} else (),
        runs=frame.runs() if told.mark in {"line", "area"} else (),
        keys=_keys(told, left, head),
        heads=tuple(filter(None, (told.series_title, told.x.title, told.y.title))),
        rows=tuple(
            (*((each.series,) if told.series_title else ()), x.full(each.x), y.full(each.y)) for each in told.points
        ),
    )


def _keys(told: Plot, left: float, head: float) -> tuple[Key, ...]:
    if told.series == ("",):
        return ()
    wide = (WIDTH - _RIGHT - left) / 4
    return tuple(
        Key(
            x=left + wide * (number % 4),
            y=head + 4 + 22 * (number // 4),
            text=short(name),
            colour=_COLOURS[number % len(_COLOURS)],
        )
        for number, name in enumerate(told.series)
    )


def _totals(told: Plot, *, upright: bool) -> list[float]:
    """What a numeric scale has to reach besides its points: zero, unless it is told not to, and the tops of stacks."""
    channel = told.x if upright else told.y
    if channel.kind == "temporal":
        return []
    if told.mark not in {"bar", "area"}:
        return [0.0] if channel.from_zero else []
    stacks: dict[Value, float] = {}
    for each in told.points:
        place, number = (each.y, each.x) if upright else (each.x, each.y)
        if isinstance(number, float):
            stacks[place] = stacks.get(place, 0.0) + number if not told.grouped else number
    return [0.0, *stacks.values()]


@dataclass(frozen=True, kw_only=True)
class _Frame:
    """The space the marks are in."""

    left: float
    right: float
    top: float
    bottom: float
    x: Scale
    y: Scale
    plot: Plot

    def across(self, value: Value) -> float:
        return round(self.left + self.x.share(value) * (self.right - self.left), 1)

    def up(self, value: Value) -> float:
        share = self.y.share(value)
        return round(self.top + (share if self.y.names else 1 - share) * (self.bottom - self.top), 1)

    def boxes(self) -> tuple[Box, ...]:
        """Bars: upright over names or numbers, or lying beside names; on top of each other unless grouped."""
        lying = bool(self.y.names) and not self.x.names
        places = self.y.names if lying else self.x.names
        room = ((self.bottom - self.top) if lying else (self.right - self.left)) / max(len(places), 1)
        if not places:
            room = (self.right - self.left) / (len(self.plot.points) + 1)
        many = len(self.plot.series) if self.plot.grouped else 1
        wide = 0.72 * room / many
        reached: dict[tuple[Value, bool], float] = {}
        made = []
        for each in self.plot.points:
            place, number = (each.y, each.x) if lying else (each.x, each.y)
            if not isinstance(number, float):
                continue
            series = self.plot.series.index(each.series)
            before = 0.0 if self.plot.grouped else reached.get((place, number < 0), 0.0)
            reached[(place, number < 0)] = before + number
            shift = (series - (many - 1) / 2) * wide if self.plot.grouped else 0.0
            start, end = (
                (self.across(before), self.across(before + number))
                if lying
                else (self.up(before), self.up(before + number))
            )
            middle = (self.up(place) if lying else self.across(place)) + shift
            low, size = min(start, end), abs(end - start)
            edge = middle - wide / 2
            made.append(
                Box(
                    x=round(low if lying else edge, 1),
                    y=round(edge if lying else low, 1),
                    width=round(size if lying else wide, 1),
                    height=round(wide if lying else size, 1),
                    colour=self._colour(each),
                    says=self._says(each),
                )
            )
        return tuple(made)

    def dots(self) -> tuple[Dot, ...]:
        return tuple(
            Dot(x=self.across(each.x), y=self.up(each.y), colour=self._colour(each), says=self._says(each))
            for each in self.plot.points
        )

    def runs(self) -> tuple[Run, ...]:
        """One line for each series, from left to right; its area goes down to zero."""
        made = []
        for name in self.plot.series:
            points = sorted(
                (each for each in self.plot.points if each.series == name), key=lambda each: self.x.share(each.x)
            )
            path = " ".join(f"{'M' if not n else 'L'}{self.across(p.x)},{self.up(p.y)}" for n, p in enumerate(points))
            filled = self.plot.mark == "area"
            if filled:
                base = self.up(0.0) if not self.y.names else self.bottom
                path += f" L{self.across(points[-1].x)},{base} L{self.across(points[0].x)},{base} Z"
            made.append(Run(path=path, colour=self._colour(points[0]), filled=filled, says=name or self.plot.y.title))
        return tuple(made)

    def _colour(self, point: Point) -> str:
        return _COLOURS[self.plot.series.index(point.series) % len(_COLOURS)]

    def _says(self, point: Point) -> str:
        name = f"{point.series}: " if point.series else ""
        return f"{name}{self.x.full(point.x)}, {self.y.full(point.y)}"
