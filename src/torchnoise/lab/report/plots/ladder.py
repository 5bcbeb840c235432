"""A noise's ladder: validation score against strength."""

from __future__ import annotations

from typing import Any

from ...results import Clean, Noise
from ..words import plain
from .figure import CHOSEN, DASHES, INK, LINE, MUTED, NEUTRAL, PAPER, label_axes, new_figure, settings, to_svg
from .scale import Limits, falls_out


def ladder(noise: Noise, clean: Clean, factor: float, label: str, limits: Limits) -> str:
    """Every search seed a dot, means joined, the chosen strength filled, clean training as a band.

    factor: what scores are multiplied by;  limits: of what is shown, multiplied already.
    """
    with settings(f"ladder {noise.name}"):
        figure, axes = new_figure(300, 180, (34, 12, 24, 34))
        _clean_band(axes, [factor * v for v in clean.search_validation])
        rungs = [r for r in noise.ladder if r.validation]
        last = max((r.kept_for for r in rungs), default=0)
        inside = [r for r in rungs if not falls_out(factor * r.mean, limits)]
        axes.plot([r.strength for r in inside], [factor * r.mean for r in inside], color=NEUTRAL, linewidth=1.2)
        for rung in rungs:
            chosen = noise.chosen is not None and rung.strength == noise.chosen.strength
            alpha = 1.0 if chosen or rung.kept_for == last else 0.5
            _rung(axes, rung.strength, [factor * v for v in rung.validation], factor * rung.mean, chosen, alpha, limits)
            if rung.diverged:
                axes.plot(rung.strength, 0.03, "x", transform=axes.get_xaxis_transform(), color=INK, markersize=7)
        _strength_axis(axes, noise)
        _marks(axes, noise)
        axes.set_ylim(limits)
        axes.grid(axis="y", color=LINE, linewidth=0.8)
        axes.yaxis.set_major_locator(_few())
        label_axes(axes, noise.unit, label)
        return to_svg(figure)


def _clean_band(axes: Any, values: list[float]) -> None:
    if values:
        axes.axhspan(min(values), max(values), color=INK, alpha=0.07, linewidth=0)
        axes.axhline(sum(values) / len(values), color=INK, linewidth=1.2, linestyle=DASHES)


def _rung(axes: Any, x: float, values: list[float], mean: float, chosen: bool, alpha: float, limits: Limits) -> None:
    seen = [v for v in values if not falls_out(v, limits)]
    colour = CHOSEN if chosen else NEUTRAL
    axes.plot([x] * len(seen), seen, "o", color=colour, markersize=4.2, alpha=0.55 * alpha, markeredgewidth=0)
    if falls_out(mean, limits):  # an arrow where it lies below the picture
        axes.plot(x, limits[0], "v", color=colour, markersize=7, alpha=alpha, markeredgewidth=0, clip_on=False)
    else:
        face = CHOSEN if chosen else PAPER
        axes.plot(
            x, mean, "D", color=colour, mfc=face, markersize=8 if chosen else 6.5, alpha=alpha, markeredgewidth=1.6
        )


def _strength_axis(axes: Any, noise: Noise) -> None:
    strengths = [r.strength for r in noise.ladder]
    if strengths and min(strengths) > 0:
        axes.set_xscale("log")
    axes.set_xticks(strengths, [plain(s) for s in strengths])
    axes.minorticks_off()
    axes.margins(x=0.09)


def _marks(axes: Any, noise: Noise) -> None:
    """Where the advice and the rule of thumb stand, as triangles on the upper edge."""
    positive = axes.get_xscale() != "log"
    for strength, face in ((noise.advised, MUTED), (noise.by_rule, PAPER)):
        if strength is not None and (strength > 0 or positive):
            at = {"transform": axes.get_xaxis_transform(), "clip_on": False}
            axes.plot(strength, 1.0, "v", color=MUTED, mfc=face, markersize=6.5, markeredgewidth=1.3, **at)
            axes.plot([strength, strength], [0, 0.97], color=MUTED, linewidth=0.8, linestyle=(0, (1, 2)), **at)


def _few() -> Any:
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(nbins=4)
