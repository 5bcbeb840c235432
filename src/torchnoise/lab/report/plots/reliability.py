"""The calibration diagram: the share of right answers against confidence."""

from __future__ import annotations

from collections.abc import Sequence

from ...results import Reliability
from ..arms import Role
from .figure import CHOSEN, DASHES, INK, LINE, MUTED, PAPER, label_axes, new_figure, settings, to_svg

RARE = 0.005  # a bin with fewer of the examples than this stands alone: no line leads to where chance has put it


def reliability(diagrams: Sequence[tuple[Role, Reliability]]) -> str:
    """Points as large as the share of the examples that they stand for, beside the diagonal."""
    with settings("reliability"):
        figure, axes = new_figure(300, 286, (34, 12, 20, 34))
        axes.plot([0, 100], [0, 100], color=MUTED, linewidth=1)
        for role, one in diagrams:
            clean = role == "clean"
            colour, marker = (INK, "o") if clean else (CHOSEN, "D")
            seen = [(100 * c, 100 * a, s) for c, a, s in zip(one.confidence, one.accuracy, one.share, strict=True) if s]
            x, y = [c for c, _, s in seen if s >= RARE], [a for _, a, s in seen if s >= RARE]
            axes.plot(x, y, color=colour, linewidth=1.4, linestyle=DASHES if clean else "-")
            for c, a, share in seen:
                size = 4.5 + 11 * share**0.5
                axes.plot(c, a, marker, color=colour, mfc=PAPER if clean else colour, markersize=size, alpha=0.85)
        axes.set_xlim(0, 104)
        axes.set_ylim(0, 104)
        axes.set_xticks(range(0, 101, 25))
        axes.set_yticks(range(0, 101, 25))
        axes.grid(color=LINE, linewidth=0.8)
        label_axes(axes, "confidence, %", "right answers, %")
        return to_svg(figure)
