"""The report's pictures, as inline SVG that takes its colours from the page, so that they follow a dark screen."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from typing import Any

from .statistics import HELPS, HURTS

# Colours that stand for the page's own; CSS variables take their place in the SVG.
INK, MUTED, LINE, CLEAR, BETTER, WORSE, PAPER = (f"#01020{i}" for i in range(1, 8))
_VARIABLES = {
    INK: "var(--ink)",
    MUTED: "var(--muted)",
    LINE: "var(--line)",
    CLEAR: "var(--neutral)",
    BETTER: "var(--better)",
    WORSE: "var(--worse)",
    PAPER: "var(--paper)",
}
# A shape for each verdict too: colour alone does not speak to everyone.
_LOOK = {HELPS: (BETTER, "o", BETTER), HURTS: (WORSE, "s", WORSE)}
_UNSEEN = (CLEAR, "o", PAPER)


def verdict_colour(word: str) -> str:
    """The page's colour of a verdict."""
    return _VARIABLES[_LOOK.get(word, _UNSEEN)[0]]


def forest(noises: Sequence[Mapping[str, Any]]) -> str:
    """Each noise's paired test differences: every seed a dot, their mean, its 95 % interval, against a zero line."""
    rows = sorted((n for n in noises if n["chosen"]), key=lambda n: n["difference"])
    figure, axes = _figure(4.6, 0.7 + 0.74 * max(len(rows), 1))
    axes.axvline(0, color=INK, linewidth=1)
    for y, noise in enumerate(rows):
        colour, marker, face = _LOOK.get(noise["verdict"], _UNSEEN)
        axes.hlines(y, *noise["interval"], color=colour, linewidth=2.2)
        axes.plot(
            noise["difference"],
            y,
            marker,
            color=colour,
            markerfacecolor=face,
            markersize=8,
            markeredgewidth=2,
        )
        spread = [y - 0.2] * len(noise["differences"])
        axes.plot(noise["differences"], spread, "o", color=colour, markersize=3.6, alpha=0.55, markeredgewidth=0)
        axes.text(-0.02, y + 0.08, noise["name"], color=INK, fontsize=10, **_left_of(axes))
        strength = f"{noise['unit']} {noise['chosen']['strength']:g}"
        axes.text(-0.02, y - 0.2, strength, color=MUTED, fontsize=8.5, **_left_of(axes))
    axes.set_ylim(-0.55, len(rows) - 0.6)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x", color=LINE, linewidth=0.7)
    axes.set_xlabel("test accuracy against clean, percentage points", color=MUTED, fontsize=9)
    figure.subplots_adjust(left=0.37, right=0.98, top=0.99, bottom=0.42 / figure.get_figheight())
    return _svg(figure, "forest")


def _left_of(axes: Any) -> dict[str, Any]:
    return {"transform": axes.get_yaxis_transform(), "ha": "right", "va": "center"}


def ladder(noise: Mapping[str, Any], clean_mean: float, limits: tuple[float, float]) -> str:
    """Validation accuracy in percent against strength: every seed a dot, means joined, the chosen rung filled."""
    figure, axes = _figure(2.5, 1.5)
    rungs = noise["ladder"]
    chosen = noise["chosen"]["strength"] if noise["chosen"] else None
    axes.axhline(100 * clean_mean, color=INK, linewidth=1, linestyle=(0, (3, 2)))
    for x, rung in enumerate(rungs):
        values = [100 * v for v in rung["validation"]]
        axes.plot([x] * len(values), values, "o", color=CLEAR, markersize=3.4, alpha=0.5, markeredgewidth=0)
    axes.plot([100 * r["validation_mean"] for r in rungs], "-", color=CLEAR, linewidth=1.3)
    for x, rung in enumerate(rungs):
        face = BETTER if rung["strength"] == chosen else PAPER
        edge = BETTER if rung["strength"] == chosen else CLEAR
        axes.plot(x, 100 * rung["validation_mean"], "D", color=edge, markerfacecolor=face, markersize=5.5)
    axes.set_xlim(-0.4, len(rungs) - 0.6)
    axes.set_ylim(limits)
    axes.set_xticks(range(len(rungs)), [f"{r['strength']:g}" for r in rungs])
    axes.grid(axis="y", color=LINE, linewidth=0.7)
    axes.set_xlabel(noise["unit"], color=MUTED, fontsize=9.5, labelpad=2)
    axes.tick_params(labelsize=9.5)
    figure.subplots_adjust(left=0.13, right=0.99, top=0.96, bottom=0.28)
    return _svg(figure, f"ladder-{noise['name']}")


def ladder_limits(noises: Sequence[Mapping[str, Any]], clean: Sequence[float]) -> tuple[float, float]:
    """One range of percent for all ladders, so that they compare at a glance."""
    values = [v for n in noises for r in n["ladder"] for v in r["validation"]] + list(clean)
    low, high = 100 * min(values), 100 * max(values)
    margin = 0.06 * (high - low) + 0.1
    return low - margin, high + margin


def _figure(width: float, height: float) -> tuple[Any, Any]:
    # Figures of their own, not pyplot's: no window system, no state left behind.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height))
    axes = figure.subplots()
    figure.patch.set_alpha(0)
    axes.patch.set_alpha(0)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(LINE)
    axes.tick_params(colors=MUTED, labelsize=8.5, length=0)
    return figure, axes


def _svg(figure: Any, name: str) -> str:
    import matplotlib

    text = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": name}):
        figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    svg = text.getvalue()
    svg = svg[svg.index("<svg") :]
    # Inside a page, namespaces are known and identifiers are shared: leave out the first, and the second unless used.
    svg = (
        re.sub(r'\s(xmlns(:\w+)?|version|width|height)="[^"]*"', "", svg.partition(">")[0])
        + ">"
        + svg.partition(">")[2]
    )
    svg = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'<g id="[^"]*"', "<g", svg).replace("xlink:href", "href")
    svg = re.sub(r"'DejaVu Sans'[^;\"]*", "var(--font)", svg)
    for colour, variable in _VARIABLES.items():
        svg = svg.replace(colour, variable)
    return svg.replace("<svg", '<svg aria-hidden="true"', 1)
