"""Cost against gain."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from ..words import look
from .figure import CHOSEN, COLOURS, INK, LINE, PAPER, label_axes, new_figure, settings, to_svg
from .scale import around, without_outliers

WIDTH, HEIGHT = 300.0, 230.0


class Point(NamedTuple):
    """A noise: letter stands beside its mark."""

    letter: str
    cost: float
    mean: float
    low: float
    high: float
    verdict: str
    winner: bool


def scatter(points: Sequence[Point], x: str, y: str) -> str:
    """The difference that each makes, with its interval, over what its training step costs."""
    with settings("scatter"):
        figure, axes = new_figure(WIDTH, HEIGHT, (34, 16, 20, 34))
        axes.set_ylim(without_outliers([(p.low, p.high) for p in points]))
        axes.set_xlim(around([1.0, *(p.cost for p in points)], margin=0.09, least=0.2))
        axes.grid(color=LINE, linewidth=0.8)
        axes.axhline(0, color=INK, linewidth=1.1)
        axes.axvline(1, color=INK, linewidth=1.1)
        for p in points:
            name, _ = look(p.verdict)
            colour = CHOSEN if p.winner else COLOURS[name]
            face = PAPER if name == "neutral" else colour
            marker = "D" if p.winner else "s" if name == "worse" else "o"
            axes.plot([p.cost, p.cost], [p.low, p.high], color=colour, linewidth=1.4, alpha=0.6)
            axes.plot(p.cost, p.mean, marker, color=colour, mfc=face, markersize=8, markeredgewidth=1.8)
        _letters(axes, points)
        label_axes(axes, x, y)
        return to_svg(figure)


def _letters(axes: Any, points: Sequence[Point]) -> None:
    """Each letter where it is farthest from all marks and from the letters that are written already."""
    places = [(dx, dy) for dx in (-13, 0, 13) for dy in (-13, 0, 13) if dx or dy]
    marks = [tuple(axes.transData.transform((p.cost, p.mean))) for p in points]
    taken = list(marks)
    for point, (px, py) in zip(points, marks, strict=True):

        def room(place: tuple[int, int], px: float = px, py: float = py) -> float:
            x, y = px + place[0], py + place[1]
            return min((x - a) ** 2 + (y - b) ** 2 for a, b in taken) - (60 if place[0] == 0 else 0)

        dx, dy = max(places, key=room)
        taken.append((px + dx, py + dy))
        axes.annotate(
            point.letter,
            (point.cost, point.mean),
            (dx * 0.85, dy * 0.85),
            textcoords="offset points",
            color=INK,
            fontsize=11,
            ha="center",
            va="center",
        )
