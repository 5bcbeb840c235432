"""A History as a figure: loss, metric, strength, gradient norm."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .history import History

_INK, _MUTED, _GRID = "#1c1e21", "#646a73", "#e2e1db"
_COLOURS = ("#0072b2", "#c4500a", "#1b7f5c", "#8a4fa3", "#a07800", "#5b6770")
_LINES = ("-", "--", "-.", ":")  # a line's kind too: colour alone does not speak to everyone


def plot_history(history: History, path: str | Path | None = None) -> Any:
    """A matplotlib figure of the history, written to `path` where one is given.

    Raises:
        ModuleNotFoundError: matplotlib is not installed.
        ValueError: a history without epochs.
    """
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError as missing:
        raise ModuleNotFoundError(
            "History.plot needs matplotlib; pip install 'torchnoise[lab]'", name=missing.name
        ) from None
    if not len(history):
        raise ValueError("History.plot: there is no epoch to plot")
    panels = [_loss]
    if history.metrics:
        panels.append(_metric)
    if history.injections:
        panels.append(_strength)
    panels.append(_norm)
    # a figure of its own, not pyplot's: no window system, no state left behind
    columns = min(2, len(panels))
    rows = -(-len(panels) // columns)
    figure = Figure(figsize=(5.2 * columns, 3.2 * rows), layout="constrained")
    places = figure.subplots(rows, columns, squeeze=False).flatten()
    for panel, axes in zip(panels, places, strict=False):
        _dress(axes, len(history))
        panel(history, axes)
    for axes in places[len(panels) :]:
        axes.set_visible(False)
    if path is not None:
        figure.savefig(path, dpi=150)
    return figure


def _dress(axes: Any, epochs: int) -> None:
    from matplotlib.ticker import MaxNLocator

    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(_GRID)
    axes.grid(axis="y", color=_GRID, linewidth=0.7)
    axes.set_axisbelow(True)
    axes.tick_params(colors=_MUTED, labelsize=9, length=0)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8))
    axes.set_xlim(1 - 0.03 * epochs, epochs + 0.03 * epochs)


def _lines(axes: Any, title: str, lines: Sequence[tuple[str, Sequence[float | None]]]) -> None:
    axes.set_title(title, loc="left", fontsize=11, color=_INK)
    for i, (label, values) in enumerate(lines):
        xs = range(1, len(values) + 1)
        ys = [float("nan") if v is None else v for v in values]
        style = {"color": _COLOURS[i % len(_COLOURS)], "linestyle": _LINES[i % len(_LINES)], "linewidth": 1.7}
        axes.plot(xs, ys, label=label, marker="o" if len(ys) < 25 else None, markersize=3, **style)
    if len(lines) > 1:
        axes.legend(frameon=False, fontsize=9, labelcolor=_INK)


def _best(history: History, axes: Any, column: str) -> None:
    """A ring around the best epoch, where the column is the monitor."""
    if column == history.monitor and history.best is not None and history.best_epoch is not None:
        at, value = history.best_epoch + 1, history.best[column]
        axes.plot(at, value, "o", markersize=9, markerfacecolor="none", markeredgecolor=_INK, markeredgewidth=1.2)
        side = "right" if at > 0.8 * len(history) else "left" if at < 0.2 * len(history) else "center"
        axes.annotate(
            f"best {value:.4g}", (at, value), (0, 9), textcoords="offset points", ha=side, fontsize=9, color=_INK
        )
        axes.margins(y=0.15)


def _loss(history: History, axes: Any) -> None:
    columns = [c for c in ("train_loss", "val_loss") if c in history.columns]
    words = {"train_loss": "training, with noise" if history.injections else "training", "val_loss": "validation"}
    _lines(axes, "loss", [(words[c], history[c]) for c in columns])
    _best(history, axes, "val_loss" if "val_loss" in columns else "train_loss")
    axes.set_xlabel("epoch", fontsize=9, color=_MUTED)


def _metric(history: History, axes: Any) -> None:
    name = history.metrics[0]
    _lines(axes, name, [(name, history[name])])
    _best(history, axes, name)
    axes.set_xlabel("epoch", fontsize=9, color=_MUTED)


def _strength(history: History, axes: Any) -> None:
    """Each injection against its own greatest strength: their units have nothing to do with each other."""
    lines = []
    for name, values in zip(history.injections, zip(*history["strength"], strict=True), strict=True):
        top = max(values)
        short = name.partition(" when ")[0]
        short = short if len(short) <= 56 else f"{short[:53]}..."
        lines.append((f"{short}: {top:.3g}", [v / top if top else 0.0 for v in values]))
    _lines(axes, "strength, as a share of its greatest (below)", lines)
    # underneath, since the lines may be anywhere
    axes.legend(frameon=False, fontsize=9, labelcolor=_INK, loc="upper left", bbox_to_anchor=(0, -0.2))
    axes.set_ylim(-0.03, 1.08)
    axes.set_xlabel("epoch", fontsize=9, color=_MUTED)


def _norm(history: History, axes: Any) -> None:
    _lines(axes, "gradient norm before clipping, mean", [("grad_norm", history["grad_norm"])])
    axes.set_xlabel("epoch", fontsize=9, color=_MUTED)
