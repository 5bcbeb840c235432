"""The layout of a kind's picture: a photograph clean and at three strengths, and two plots of the noise below."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from torchnoise.noise import Noise

from .data import noised, scene
from .style import DPI, axes, figure, photo, write

Make = Callable[[float], Noise]
Plot = Callable[[Axes], None]

HEIGHT = 4.45
LEFT, GAP, ZOOM = 0.18, 0.146, 4


def top_row(on: Figure, make: Make, strengths: Sequence[float], word: str) -> None:
    """The photograph without noise and at three strengths."""
    clean = scene()
    panels = [("clean", clean)]
    panels += [(f"{word} {s:g}", noised(clean, make(s))) for s in strengths]
    for i, (words, values) in enumerate(panels):
        wide = values.shape[1] * ZOOM / DPI
        left = LEFT + i * (wide + GAP)
        photo(on, left, HEIGHT - 1.62, values, ZOOM)
        write(on, left, HEIGHT - 0.27, words)


def two_below(on: Figure, first: tuple[str, Plot], second: tuple[str, Plot]) -> None:
    """Two plots side by side."""
    for left, (title, plot) in zip((0.72, 4.75), (first, second), strict=True):
        plot(axes(on, left, 0.58, 3.05, 1.75, title))


def picture(
    make: Make,
    strengths: Sequence[float],
    word: str,
    first: tuple[str, Plot],
    second: tuple[str, Plot],
) -> Figure:
    on = figure(HEIGHT)
    top_row(on, make, strengths, word)
    two_below(on, first, second)
    return on
