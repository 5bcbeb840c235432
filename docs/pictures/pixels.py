"""Pictures of what happens to pixels: salt and pepper, and photons that are counted."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy import stats

import torchnoise as tn

from .data import draws, noised, scene
from .layout import picture
from .multiplied import spread
from .style import BLUE, GREEN, INK, ORANGE, RED, SMALL, label, legend


def salt_and_pepper() -> Figure:
    clean = scene()

    def shares(on: Axes) -> None:
        strengths = np.array([0.02, 0.1, 0.3])
        grey = np.full(100_000, 0.5)
        for i, (name, value, colour) in enumerate((("pepper", 0.0, INK), ("salt", 1.0, ORANGE))):
            drawn = [float((noised(grey, tn.SaltAndPepper(float(p))) == value).mean()) for p in strengths]
            at = np.arange(3) + (i - 0.5) * 0.34
            on.bar(at, drawn, width=0.3, color=colour, alpha=0.75, label=name)
            on.plot(at, strengths / 2, "_", color=RED, markersize=16, markeredgewidth=2, label="p / 2" if i else None)
        on.set_xticks(range(3), [f"p = {p:g}" for p in strengths])
        on.set_ylim(0, 0.2)
        label(on, "", "share of pixels")
        legend(on, "upper left")

    def ends(on: Axes) -> None:
        standard = (clean - clean.mean()) / clean.std()
        on.hist(standard.ravel(), bins=44, range=(-2.6, 1.9), density=True, color=BLUE, alpha=0.32)
        for x, words, colour, dashes in (
            (0.0, "0", RED, (0, (4, 2))),
            (1.0, "1", RED, (0, (4, 2))),
            (standard.min(), "low", GREEN, "-"),
            (standard.max(), "high", GREEN, "-"),
        ):
            on.axvline(x, ymax=0.84, color=colour, linewidth=1.8, linestyle=dashes)
            on.text(x, 1.07, words, color=colour, fontsize=SMALL, ha="left" if words == "high" else "center")
        on.set_xlim(-2.7, 1.9)
        on.set_ylim(0, 1.2)
        label(on, "pixels less their mean, in deviations", "density")

    return picture(
        tn.SaltAndPepper,
        (0.02, 0.1, 0.3),
        "p =",
        ("Pixels at either end", shares),
        ("Standardised: 0 and 1 are not the ends", ends),
    )


def poisson() -> Figure:
    def counts(on: Axes) -> None:
        """The same strength on a dark and on a bright pixel."""
        s = 0.2
        for brightness, colour, marker in ((0.1, INK, "s"), (0.8, ORANGE, "o")):
            quanta = np.round(draws(tn.Poisson(s), brightness) / s**2).astype(int)
            k = np.arange(0, 41)
            share = np.bincount(quanta, minlength=60)[:41] / len(quanta)
            on.bar(k * s**2, share, width=0.032, color=colour, alpha=0.4)
            rate = brightness / s**2
            formula = stats.poisson.pmf(k, rate)
            seen = formula > 2e-3
            on.plot(
                k[seen] * s**2,
                formula[seen],
                marker,
                color=colour,
                markersize=3.6,
                label=f"pixel of {brightness:g}: {rate:g} photons",
            )
        on.set_xlim(-0.05, 1.65)
        on.set_ylim(0, 0.3)
        label(on, "pixel with noise (dots: formula)", "share")
        legend(on, "upper right")

    return picture(
        tn.Poisson,
        (0.05, 0.1, 0.3),
        "strength",
        ("Dark and bright at strength 0.2", counts),
        ("Bright pixels get more noise", spread(tn.Poisson, 0.2, lambda x: 0.2 * np.sqrt(x), "Poisson")),
    )
