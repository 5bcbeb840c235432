"""Pictures of the kinds that multiply: the factor's density, and how much noise bright and dark pixels get."""

from __future__ import annotations

from collections.abc import Callable
from math import exp, pi, sqrt

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy import stats

import torchnoise as tn

from .data import draws
from .layout import Make, Plot, picture
from .style import BLUE, LINE, MUTED, ORANGE, SMALL, label, legend


def spread(make: Make, strength: float, formula: Callable[[np.ndarray], np.ndarray], name: str) -> Plot:
    """The noise's standard deviation against the brightness of the pixel that it changes."""

    def plot(on: Axes) -> None:
        x = np.linspace(0, 1, 101)
        on.plot(x, formula(x), color=BLUE, linewidth=1.8, label=f"{name}, formula")
        at = np.linspace(0.0, 1.0, 11)
        seen = [float(draws(make(strength), float(v), 20_000).std()) for v in at]
        on.plot(at, seen, "o", color=BLUE, markersize=4.5, label=f"{name}, drawn")
        level = float(formula(np.array(0.5)))
        on.axhline(level, color=MUTED, linewidth=1.6, linestyle=(0, (4, 2)), label="added Gaussian noise")
        on.set_xlim(0, 1.02)
        on.set_ylim(0, 1.6 * float(formula(np.array(1.0))))
        on.grid(color=LINE, linewidth=0.7)
        label(on, "brightness of the clean pixel", "deviation of the noise")
        legend(on, "upper left")

    return plot


def factors(values: np.ndarray, curve: Callable[[np.ndarray], np.ndarray], low: float, high: float) -> Plot:
    """The factors that were drawn, and the density that the formula says."""

    def plot(on: Axes) -> None:
        inside, edges = np.histogram(values, bins=61, range=(low, high))
        density = inside / len(values) / (edges[1] - edges[0])
        x = np.linspace(low, high, 801)
        on.stairs(density, edges, fill=True, color=BLUE, alpha=0.32, linewidth=0, label="drawn")
        on.plot(x, curve(x), color=BLUE, linewidth=1.8, label="formula")
        on.axvline(1.0, color=MUTED, linewidth=1, linestyle=(0, (4, 2)))
        on.set_xlim(low, high)
        on.set_ylim(0, 1.12 * max(density.max(), curve(x).max()))
        label(on, "factor on each pixel", "density")
        legend(on, "upper right")

    return plot


def log_normal_pdf(x: np.ndarray, s: float) -> np.ndarray:
    """Density of exp(s z - s^2 / 2)."""
    safe = np.maximum(x, 1e-9)
    return np.where(x > 0, np.exp(-((np.log(safe) + s * s / 2) ** 2) / (2 * s * s)) / (safe * s * sqrt(2 * pi)), 0.0)


def speckle() -> Figure:
    return picture(
        tn.Speckle,
        (0.1, 0.2, 0.5),
        "sigma",
        (
            "The factor at sigma 0.2",
            factors(draws(tn.Speckle(0.2), 1.0), lambda x: stats.norm.pdf(x, 1.0, 0.2), 0.0, 2.4),
        ),
        ("Bright pixels get more noise", spread(tn.Speckle, 0.2, lambda x: 0.2 * x, "speckle")),
    )


def log_normal() -> Figure:
    std = sqrt(exp(0.25) - 1)
    return picture(
        tn.LogNormal,
        (0.1, 0.3, 0.5),
        "sigma of the log",
        (
            "The factor at 0.5: never below 0",
            factors(draws(tn.LogNormal(0.5), 1.0), lambda x: log_normal_pdf(x, 0.5), 0.0, 3.0),
        ),
        ("Bright pixels get more noise", spread(tn.LogNormal, 0.5, lambda x: std * x, "log-normal")),
    )


def gaussian_dropout() -> Figure:
    return picture(
        tn.GaussianDropout,
        (0.05, 0.2, 0.5),
        "p =",
        (
            "The factor at p = 0.2: sigma 0.5",
            factors(draws(tn.GaussianDropout(0.2), 1.0), lambda x: stats.norm.pdf(x, 1.0, 0.5), -1.0, 3.4),
        ),
        ("As much noise as dropout's", rates),
    )


def rates(on: Axes) -> None:
    """The factor's standard deviation against the rate p: dropout's and Gaussian dropout's are the same."""
    p = np.linspace(0.0, 0.8, 81)
    on.plot(p, np.sqrt(p / (1 - p)), color=MUTED, linewidth=1.6, label="formula, both")
    at = np.linspace(0.1, 0.8, 8)
    on.plot(
        at,
        [draws(tn.Bernoulli(float(v)), 1.0, 20_000).std() for v in at],
        "s",
        color=ORANGE,
        markersize=7,
        label="dropout, drawn",
    )
    on.plot(
        at,
        [draws(tn.GaussianDropout(float(v)), 1.0, 20_000).std() for v in at],
        "o",
        color=BLUE,
        markersize=4,
        label="Gaussian dropout, drawn",
    )
    on.set_xlim(0, 0.82)
    on.set_ylim(0, 2.9)
    on.grid(color=LINE, linewidth=0.7)
    label(on, "rate p", "deviation of the factor")
    legend(on, "upper left")


def dropout() -> Figure:
    def two(on: Axes) -> None:
        drawn = draws(tn.Bernoulli(0.3), 1.0)
        kept = 1 / 0.7
        shares = [float((drawn == 0).mean()), float(np.isclose(drawn, kept).mean())]
        on.bar([0, kept], shares, width=0.16, color=BLUE, alpha=0.32, label="drawn")
        on.plot([0, kept], [0.3, 0.7], "o", color=BLUE, markersize=7, label="formula")
        on.axvline(1.0, ymax=0.8, color=MUTED, linewidth=1, linestyle=(0, (4, 2)))
        on.text(0.97, 0.5, "mean", color=MUTED, fontsize=SMALL, ha="right")
        on.set_xlim(-0.3, 2.0)
        on.set_ylim(0, 1.0)
        on.set_xticks([0, 0.5, 1, kept], ["0", "0.5", "1", "1 / (1 - p)"])
        label(on, "factor on each element", "share of elements")
        legend(on, "upper right", columns=2)

    return picture(
        tn.Bernoulli,
        (0.1, 0.3, 0.5),
        "p =",
        ("The factor at p = 0.3", two),
        ("As much noise as Gaussian dropout's", rates),
    )
