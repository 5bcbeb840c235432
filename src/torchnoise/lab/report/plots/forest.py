"""The strips of a forest plot: one difference each, all on one scale, so that they stand below each other."""

from __future__ import annotations

from typing import Any

from ...results import Difference
from ..words import look
from .figure import COLOURS, INK, LINE, PAPER, new_figure, settings, to_svg
from .scale import Limits, falls_out

WIDTH, HEIGHT, EDGE = 360.0, 44.0, 10.0  # of a strip; EDGE: its margins left and right
_SHAPES = {"better": "o", "worse": "s", "neutral": "o"}


def strip(difference: Difference, verdict: str, limits: Limits, name: str, expected: float | None = None) -> str:
    """An interval with its mean, and below it each seed's difference as a dot.

    expected: where another value would be of interest, as an upright mark.
    """
    with settings(f"strip {name}"):
        figure, axes = _bare(limits)
        colour_name, _ = look(verdict)
        colour = COLOURS[colour_name]
        low, high = max(difference.low, limits[0]), min(difference.high, limits[1])
        if low < high:
            axes.plot([low, high], [0.62, 0.62], color=colour, linewidth=2.6, solid_capstyle="butt")
        _ends(axes, difference, limits, colour)
        face = PAPER if colour_name == "neutral" else colour
        if not falls_out(difference.mean, limits):
            axes.plot(
                difference.mean, 0.62, _SHAPES[colour_name], color=colour, mfc=face, markersize=8.5, markeredgewidth=2.2
            )
        if expected is not None and not falls_out(expected, limits):
            axes.plot(expected, 0.62, "|", color=INK, markersize=22, markeredgewidth=1.6)
        seeds = [d for d in difference.by_seed if not falls_out(d, limits)]
        axes.plot(seeds, [0.2] * len(seeds), "o", color=colour, markersize=4.4, alpha=0.6, markeredgewidth=0)
        return to_svg(figure)


def _ends(axes: Any, difference: Difference, limits: Limits, colour: str) -> None:
    """An arrow where an interval goes on beyond the picture."""
    if difference.low < limits[0]:
        axes.plot(limits[0], 0.62, "<", color=colour, markersize=10, markeredgewidth=0, clip_on=False)
    if difference.high > limits[1]:
        axes.plot(limits[1], 0.62, ">", color=colour, markersize=10, markeredgewidth=0, clip_on=False)


def ticks(limits: Limits) -> list[tuple[float, float]]:
    """Round values within the limits, and where they stand, as a share of a strip's width."""
    from matplotlib.ticker import MaxNLocator

    low, high = limits
    values = [round(float(t), 10) for t in MaxNLocator(nbins=6, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)]
    inner = (WIDTH - 2 * EDGE) / WIDTH
    return [(t, EDGE / WIDTH + inner * (t - low) / (high - low)) for t in values if not falls_out(t, limits)]


def _bare(limits: Limits) -> tuple[Any, Any]:
    figure, axes = new_figure(WIDTH, HEIGHT, (EDGE, EDGE, 0, 0))
    axes.set_axis_off()
    axes.set_xlim(limits)
    axes.set_ylim(0, 1)
    for tick, _ in ticks(limits):
        axes.plot([tick, tick], [0, 1], color=LINE, linewidth=0.8, zorder=0)
    axes.plot([0, 0], [0, 1], color=INK, linewidth=1.1, zorder=1)
    return figure, axes
