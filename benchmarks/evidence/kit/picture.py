"""Pictures with the look of the documentation's other pictures (docs/pictures/style.py)."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes

sys.path.insert(0, str(Path(__file__).parents[3] / "docs"))

from pictures.style import BLUE, GREEN, INK, ORANGE, RED, SMALL, axes, figure, label, legend, png, write

__all__ = [
    "BLUE",
    "GREEN",
    "INK",
    "ORANGE",
    "RED",
    "SMALL",
    "axes",
    "figure",
    "label",
    "legend",
    "png",
    "ticks",
    "write",
]


def ticks(on: Axes, at: Sequence[float], which: str = "x") -> None:
    """A logarithmic axis with these ticks, as plain numbers."""
    axis = on.xaxis if which == "x" else on.yaxis
    (on.set_xscale if which == "x" else on.set_yscale)("log")
    axis.set_ticks(list(at), [f"{v:g}" for v in at])
    axis.set_ticks([], minor=True)
