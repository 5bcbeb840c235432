"""Pictures of the kinds that are added: their density, and how often they are large."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import sqrt

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy import stats

import torchnoise as tn

from .data import draws
from .layout import Make, Plot, picture
from .style import BLUE, GREEN, INK, LINE, MUTED, RED, SMALL, label, legend

HALF = 0.4  # plots of densities are cut off beyond


def histogram(values: np.ndarray, curve: Callable[[np.ndarray], np.ndarray], room: float = 1.15) -> Plot:
    """What was drawn, and the density that the formula says."""

    def plot(on: Axes) -> None:
        inside, edges = np.histogram(values, bins=64, range=(-HALF, HALF))
        density = inside / len(values) / (edges[1] - edges[0])
        on.stairs(density, edges, fill=True, color=BLUE, alpha=0.32, linewidth=0, label="drawn")
        x = np.linspace(-HALF, HALF, 801)
        on.plot(x, curve(x), color=BLUE, linewidth=1.8, label="formula")
        on.set_xlim(-HALF, HALF)
        on.set_ylim(0, room * max(density.max(), curve(x).max()))
        label(on, "noise (pixels run from 0 to 1)", "density")
        legend(on, "upper right")

    return plot


def tails(name: str, values: np.ndarray, std: float, others: dict[str, Callable[[np.ndarray], np.ndarray]]) -> Plot:
    """How often the noise is larger than t standard deviations, beside other kinds of the same deviation."""

    def plot(on: Axes) -> None:
        t = np.linspace(0.0, 6.0, 121)
        sizes = np.sort(np.abs(values)) / std
        share = 1.0 - np.searchsorted(sizes, t, side="right") / len(sizes)
        shown = share >= 20 / len(sizes)  # fewer draws than that say little
        on.plot(t[shown], share[shown], color=BLUE, linewidth=2.4, label=name)
        looks = zip((MUTED, RED, GREEN), ((0, (4, 2)), (0, (1, 1.3)), (0, (5, 1.5, 1, 1.5))), strict=True)
        for (other, survival), (colour, dashes) in zip(others.items(), looks, strict=False):
            on.plot(t, survival(t), color=colour, linewidth=1.6, linestyle=dashes, label=other)
        on.set_yscale("log")
        on.set_ylim(1e-5, 80)
        on.set_xlim(0, 6)
        on.set_yticks([1, 1e-2, 1e-4], ["1", "1 in 100", "1 in 10 000"])
        on.minorticks_off()
        on.grid(color=LINE, linewidth=0.7)
        label(on, "size, in standard deviations")
        legend(on, "upper right")

    return plot


def gaussian_tail(t: np.ndarray) -> np.ndarray:
    return 2 * stats.norm.sf(t)


def laplace_tail(t: np.ndarray) -> np.ndarray:
    return np.exp(-sqrt(2) * t)


def uniform_tail(t: np.ndarray) -> np.ndarray:
    return np.maximum(1.0 - t / sqrt(3), 1e-12)


LARGER = "How often it is larger than this"


def additive(
    make: Make,
    strengths: Sequence[float],
    density: Callable[[np.ndarray, float], np.ndarray],
    std: float,
    others: dict[str, Callable[[np.ndarray], np.ndarray]],
    word: str = "strength",
    room: float = 1.15,
) -> Figure:
    """The picture of a kind that is added. std: its standard deviation at strength 1."""
    middle = strengths[1]
    drawn = draws(make(middle))
    name = type(make(middle)).__name__
    return picture(
        make,
        strengths,
        word,
        (f"The noise at {word} {middle:g}", histogram(drawn, lambda x: density(x, middle), room)),
        (LARGER, tails(name, drawn, std * middle, others)),
    )


def gaussian() -> Figure:
    return additive(
        tn.Gaussian,
        (0.05, 0.1, 0.3),
        lambda x, s: stats.norm.pdf(x, scale=s),
        1.0,
        {"Laplace, same deviation": laplace_tail, "uniform, same deviation": uniform_tail},
        "sigma",
    )


def uniform() -> Figure:
    return additive(
        tn.Uniform,
        (0.1, 0.2, 0.5),
        lambda x, s: np.where(np.abs(x) < s, 0.5 / s, 0.0),
        3**-0.5,
        {"Gaussian, same deviation": gaussian_tail},
        "half width",
        1.6,
    )


def laplace() -> Figure:
    return additive(
        tn.Laplace,
        (0.035, 0.07, 0.2),
        lambda x, s: stats.laplace.pdf(x, scale=s),
        sqrt(2),
        {"Gaussian, same deviation": gaussian_tail},
        "scale",
    )


def student_t() -> Figure:
    return additive(
        lambda s: tn.StudentT(s, df=3),
        (0.03, 0.06, 0.17),
        lambda x, s: stats.t.pdf(x, 3, scale=s),
        sqrt(3),
        {"Gaussian, same deviation": gaussian_tail, "Laplace, same deviation": laplace_tail},
        "scale",
    )


def rademacher() -> Figure:
    drawn = draws(tn.Rademacher(0.1))

    def signs(on: Axes) -> None:
        shares = [float(np.isclose(drawn, v).mean()) for v in (-0.1, 0.1)]
        on.bar([-0.1, 0.1], shares, width=0.03, color=BLUE, alpha=0.32, label="drawn")
        on.plot([-0.1, 0.1], [0.5, 0.5], "o", color=BLUE, markersize=7, label="formula")
        on.set_xlim(-0.25, 0.25)
        on.set_ylim(0, 0.75)
        on.set_xticks([-0.2, -0.1, 0, 0.1, 0.2])
        label(on, "noise (pixels run from 0 to 1)", "share of elements")
        legend(on, "upper right", columns=2)

    def size(on: Axes) -> None:
        """How far each kind goes with its largest element, at the same standard deviation."""
        kinds = [
            ("Rademacher", tn.Rademacher(0.1)),
            ("Uniform", tn.Uniform(0.1 * sqrt(3))),
            ("Gaussian", tn.Gaussian(0.1)),
            ("Laplace", tn.Laplace(0.1 / sqrt(2))),
        ]
        most = [float(np.abs(draws(noise, count=4096)).max()) for _, noise in kinds]
        on.barh(range(4), most, height=0.6, color=[BLUE, LINE, LINE, LINE])
        for i, value in enumerate(most):
            on.text(value + 0.01, i, f"{value:.2f}", va="center", fontsize=SMALL, color=INK)
        on.set_yticks(range(4), [name for name, _ in kinds])
        on.invert_yaxis()
        on.set_xlim(0, 1.2)
        label(on, "size (pixels run from 0 to 1)")

    return picture(
        tn.Rademacher,
        (0.05, 0.1, 0.3),
        "strength",
        ("The noise at strength 0.1", signs),
        ("Largest of 4096 elements, deviation 0.1", size),
    )
