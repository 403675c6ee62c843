"""A line chart as SVG values: a line of points, the band of their intervals, and marked points. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil, floor, log10

WIDTH, HEIGHT = 640.0, 280.0
"""Size of a chart in its own units."""
LEFT, RIGHT, TOP, BOTTOM = 56.0, 16.0, 16.0, 44.0
"""Margins around the plot, in which the labels stand."""
TICKS = 5
"""Most ticks of an axis."""


@dataclass(frozen=True, kw_only=True)
class Point:
    """A point with the interval of its value, if there is one."""

    x: float
    y: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, kw_only=True)
class Mark:
    """A point that stands out, with a word about it."""

    point: Point
    kind: str
    """`plan` or `choice`."""


@dataclass(frozen=True, kw_only=True)
class Tick:
    """A value on an axis, and its place."""

    at: float
    label: str


@dataclass(frozen=True, kw_only=True)
class Dot:
    """The place of a marked point, and of its interval."""

    x: float
    y: float
    low: float | None
    high: float | None
    kind: str


@dataclass(frozen=True, kw_only=True)
class Chart:
    """Everything that the template of a chart draws."""

    line: str
    band: str
    """Outline of the intervals; empty where a point has none."""
    dots: tuple[Dot, ...]
    across: tuple[Tick, ...]
    up: tuple[Tick, ...]
    x_title: str
    y_title: str
    reference: str = ""
    """A second line to compare the first with; empty without one."""


@dataclass(frozen=True)
class _Axis:
    """A scale from values to places."""

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return round(self.start + share * (self.end - self.start), 2)

    def ticks(self, unit: str) -> tuple[Tick, ...]:
        step = nice_step((self.high - self.low) / TICKS)
        first, last = ceil(self.low / step - 1e-9), floor(self.high / step + 1e-9)
        decimals = max(0, -floor(log10(step) + 1e-9))
        values = (number * step for number in range(first, last + 1))
        return tuple(Tick(at=self.at(value), label=f"{value:,.{decimals}f}{unit}") for value in values)


def nice_step(least: float) -> float:
    """Return the smallest of 1, 2 or 5 times a power of ten that is at least `least`."""
    power = 10.0 ** floor(log10(least))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= least * (1 - 1e-9))


def line_chart(
    points: Sequence[Point],
    marks: Sequence[Mark],
    x_title: str,
    y_title: str,
    y_unit: str = "",
    reference: Sequence[Point] = (),
) -> Chart | None:
    """Draw points in the order of x, and a second line through `reference`.

    Return None for fewer than two points: they make no line.
    """
    if len(points) < 2:
        return None
    ordered = sorted(points, key=lambda one: (one.x, one.y))
    shown = [*ordered, *(mark.point for mark in marks), *reference]
    across = _axis([one.x for one in shown], LEFT, WIDTH - RIGHT, from_zero=True)
    up = _axis([end for one in shown for end in _ends(one)], HEIGHT - BOTTOM, TOP)
    return Chart(
        line=_line((across.at(one.x), up.at(one.y)) for one in ordered),
        band=_band(ordered, across, up),
        dots=tuple(_dot(mark, across, up) for mark in marks),
        across=across.ticks(""),
        up=up.ticks(y_unit),
        x_title=x_title,
        y_title=y_title,
        reference=_line((across.at(one.x), up.at(one.y)) for one in reference) if reference else "",
    )


def _axis(values: Sequence[float], start: float, end: float, *, from_zero: bool = False) -> _Axis:
    low, high = min(values), max(values)
    if from_zero:
        low = min(low, 0.0)
    spare = (high - low) * 0.06 or 1.0
    return _Axis(low if from_zero else low - spare, high + spare, start, end)


def _ends(point: Point) -> tuple[float, ...]:
    if point.low is None or point.high is None:
        return (point.y,)
    return point.low, point.y, point.high


def _dot(mark: Mark, across: _Axis, up: _Axis) -> Dot:
    point = mark.point
    low, high = (None if end is None else up.at(end) for end in (point.low, point.high))
    return Dot(x=across.at(point.x), y=up.at(point.y), low=low, high=high, kind=mark.kind)


def _line(places: Iterable[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x} {y}" for x, y in places)


def _band(points: Sequence[Point], across: _Axis, up: _Axis) -> str:
    lows = [(across.at(one.x), up.at(one.low)) for one in points if one.low is not None]
    highs = [(across.at(one.x), up.at(one.high)) for one in points if one.high is not None]
    if not len(lows) == len(highs) == len(points):
        return ""
    return _line([*lows, *reversed(highs)]) + "z"
