"""Curves: something against a rising quantity, clean training and the winner before the others."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from ..arms import Series
from .figure import CHOSEN, DASHES, INK, LINE, NEUTRAL, PAPER, label_axes, new_figure, settings, to_svg
from .scale import Limits

_STYLES: dict[str, dict[str, Any]] = {
    "clean": {"color": INK, "linewidth": 1.8, "linestyle": DASHES, "marker": "o", "markersize": 5, "zorder": 5},
    "winner": {"color": CHOSEN, "linewidth": 2.2, "marker": "D", "markersize": 6, "zorder": 4},
    "other": {"color": NEUTRAL, "linewidth": 1.1, "alpha": 0.55, "zorder": 2},
}


def lines(series: Sequence[Series], x: str, y: str, name: str, limits: Limits | None = None, log: bool = False) -> str:
    """The means over seeds; for clean training and the winner also from the lowest to the highest seed, as a band."""
    with settings(f"lines {name}"):
        figure, axes = new_figure(300, 195, (34, 12, 20, 34))
        titles = {}
        for number, one in enumerate(series):
            style = dict(_STYLES[one.role])
            if one.role != "other":
                _band(axes, one, style["color"])
                style |= {"markevery": max(1, len(one.x) // 6), "mfc": PAPER if one.role == "clean" else style["color"]}
            else:
                titles[f"other-{number}"] = one.name
                style["gid"] = f"other-{number}"
            axes.plot(one.x, one.mean, **style)
        if log:
            axes.set_yscale("log")
        else:
            axes.yaxis.set_major_locator(_few(4))
        if limits is not None:
            axes.set_ylim(limits)
        _x_ticks(axes, sorted({v for one in series for v in one.x}))
        axes.grid(axis="y", color=LINE, linewidth=0.8)
        axes.margins(x=0.03)
        label_axes(axes, x, y)
        _plain_numbers(axes)
        return to_svg(figure, titles)


def _band(axes: Any, one: Series, colour: str) -> None:
    columns = [[v for v in column if v is not None] or [float("nan")] for column in zip(*one.values, strict=True)]
    low, high = [min(c) for c in columns], [max(c) for c in columns]
    axes.fill_between(one.x, low, high, color=colour, alpha=0.13, linewidth=0)


def _x_ticks(axes: Any, x: list[float]) -> None:
    """At the values themselves, where they are few and far enough apart."""
    gaps = [b - a for a, b in pairwise(x)]
    if gaps and len(x) <= 8 and min(gaps) >= 0.085 * (x[-1] - x[0]):
        axes.set_xticks(x)
    else:
        axes.xaxis.set_major_locator(_few(6, whole=x[-1] - x[0] >= 4))


def _few(count: int, whole: bool = False) -> Any:
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(nbins=count, integer=whole)


def _plain_numbers(axes: Any) -> None:
    from matplotlib.ticker import FuncFormatter, NullFormatter

    axes.xaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:.4g}"))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:.4g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
