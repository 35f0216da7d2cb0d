"""The geometry of charts: numbers in, places on a grid of 640 x 240 out; _charts.html draws them."""

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 640, 240
LEFT, RIGHT, TOP, BOTTOM = 68, 8, 16, 36  # room for texts of 25: 11 px on the smallest phone


@dataclass(frozen=True, slots=True)
class Tick:
    """A line across the chart and what stands beside it."""

    y: float
    label: str


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar; `parts` are (y, height, number of the part from 1), from the bottom up."""

    x: float
    width: float
    label: str
    parts: Sequence[tuple[float, float, int]]


@dataclass(frozen=True, slots=True)
class BarChart:
    bars: Sequence[Bar]
    ticks: Sequence[Tick]
    label_every: int


@dataclass(frozen=True, slots=True)
class LineChart:
    """`points` is what an SVG polyline takes, `goal` the height of the line to stay under, if any."""

    points: str
    goal: float | None
    ticks: Sequence[Tick]
    labels: Sequence[tuple[float, str]]


def bar_chart(labels: Sequence[str], values: Sequence[Sequence[float]]) -> BarChart:
    """Return stacked bars: `values` has, for each label, the height of each part (in hours)."""
    top, ticks = _scale(max((sum(parts) for parts in values), default=0))
    step = (WIDTH - LEFT - RIGHT) / max(1, len(labels))
    bars = []
    for n, (label, parts) in enumerate(zip(labels, values, strict=True)):
        drawn, base = [], 0.0
        for number, value in enumerate(parts, 1):
            y = _y(base + value, top)
            drawn.append((round(y, 1), round(_y(base, top) - y, 1), number))
            base += value
        bars.append(Bar(round(LEFT + n * step + step * 0.15, 1), round(step * 0.7, 1), label, drawn))
    return BarChart(bars, ticks, max(1, -(-len(labels) // 8)))


def line_chart(labels: Sequence[str], values: Sequence[float], goal: float | None) -> LineChart:
    """Return one line through `values` (in hours), and a straight one at `goal`."""
    top, ticks = _scale(max([*values, goal or 0], default=0))
    step = (WIDTH - LEFT - RIGHT) / max(1, len(values) - 1)
    places = [(round(LEFT + n * step, 1), round(_y(value, top), 1)) for n, value in enumerate(values)]
    every = max(1, -(-len(labels) // 6))
    named = [
        (x, label) for n, ((x, _), label) in enumerate(zip(places, labels, strict=True)) if n % every == 0
    ]
    points = " ".join(f"{x},{y}" for x, y in places)
    return LineChart(points, round(_y(goal, top), 1) if goal else None, ticks, named)


def _y(value: float, top: float) -> float:
    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * value / top


def _scale(most: float) -> tuple[float, Sequence[Tick]]:
    """Return the value at the chart's top and some round ticks below it."""
    step = nice(max(most, 1) / 4)
    count = max(1, -(-max(most, 1) // step))
    top = step * count
    return top, [Tick(round(_y(step * n, top), 1), f"{step * n:,.6g}") for n in range(int(count) + 1)]


def nice(value: float) -> float:
    """Return the next of 1, 2, 2.5, 5, 10, 20... that is not less than `value`."""
    power = 1.0
    while power * 10 < value:
        power *= 10
    while power > value:
        power /= 10
    return next(power * step for step in (1, 2, 2.5, 5, 10) if power * step >= value)
