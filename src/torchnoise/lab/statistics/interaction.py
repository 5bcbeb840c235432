"""Whether two treatments add up."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..results import Difference
from .families import family
from .paired import contrast
from .words import ADDS_UP, OVERLAPS, REINFORCES, UNTOLD

MARGIN = 0.5  # points: a smaller interaction is none that matters, where the effects themselves are larger


def interaction_of(
    both: np.ndarray, first: np.ndarray, second: np.ndarray, clean: np.ndarray, margin: float = MARGIN
) -> tuple[Difference, str]:
    """Together - first - second + clean, in points, and a word for it. Scores are [seeds, examples].

    An interval that holds 0 is no proof that effects add up: a comparison too small to see anything always gives one.
    So "adds up" needs an interval that lies within a margin on both sides of 0: half of the smaller effect, at most
    `margin`. "Overlaps" is one below 0 (less than the sum), "reinforces" one above it (more), and any other "cannot be
    told".
    """
    return interactions_of({"": (both, first, second)}, clean, margin)[""]


def interactions_of(
    pairs: Mapping[str, tuple[np.ndarray, np.ndarray, np.ndarray]], clean: np.ndarray, margin: float = MARGIN
) -> dict[str, tuple[Difference, str]]:
    """The same of several pairs (both, first, second), which are looked at together: a family, whose intervals cover
    all true interactions at once."""
    estimates = {
        name: contrast([(1.0, both), (-1.0, first), (-1.0, second), (1.0, clean)])
        for name, (both, first, second) in pairs.items()
    }
    margins = {
        name: min(margin, *(50.0 * abs(float(np.mean(alone) - np.mean(clean))) for alone in (first, second)))
        for name, (_, first, second) in pairs.items()
    }
    return {name: (found, adds_up(found.low, found.high, margins[name])) for name, found in family(estimates).items()}


def adds_up(low: float, high: float, margin: float = MARGIN) -> str:
    """The word for an interaction's interval.

    >>> adds_up(-0.3, 0.4), adds_up(-0.6, 0.4), adds_up(-2.0, -0.4)
    ('adds up', 'cannot be told', 'overlaps')
    """
    if -margin < low and high < margin:
        return ADDS_UP
    if high <= 0.0:
        return OVERLAPS
    return REINFORCES if low >= 0.0 else UNTOLD
