"""What a comparison could have seen, and what it would take to see more."""

from __future__ import annotations

from dataclasses import replace

from .paired import Estimate
from .squares import Spread
from .words import CONFIDENCE, POWER

MOST_SEEDS = 1_000_000


def detectable(estimate: Estimate, power: float = POWER) -> float:
    """The smallest true difference, in points, that such a comparison finds with probability `power`.

    "Finds" means that the interval leaves out 0. The noncentral t distribution says how far away a mean must lie for
    that, with the degrees of freedom at which Student's quantile gives this interval.
    """
    error = estimate.standard_error
    return needed(estimate.spread.half_width(1.0 - estimate.confidence), error, estimate.confidence, power)


def needed(half_width: float, error: float, confidence: float = CONFIDENCE, power: float = POWER) -> float:
    """How far from 0 a true mean must lie for an interval of this half width to leave out 0 so often."""
    from scipy.special import nctdtrinc, ndtri, stdtridf

    if error == 0.0:
        return 0.0
    critical = half_width / error
    if critical <= -float(ndtri((1.0 - confidence) / 2)) * (1.0 + 1e-6):  # a normal distribution's
        return half_width + float(ndtri(power)) * error
    degrees = float(stdtridf((1.0 + confidence) / 2, critical))
    return float(nctdtrinc(degrees, 1.0 - power, critical)) * error


def more_seeds(spread: Spread, effect: float, confidence: float = CONFIDENCE) -> int | None:
    """How many seeds would find a true difference of `effect` points four times in five, with these test examples.

    None where no number of seeds would do: more test examples are needed.
    """

    def finds(count: int) -> bool:
        then = with_seeds(spread, count)
        return needed(then.half_width(1.0 - confidence), then.standard_error, confidence) <= effect

    low, high = 1, 2
    while not finds(high):
        if high > MOST_SEEDS:
            return None
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if finds(middle) else (middle, high)
    return high


def with_seeds(spread: Spread, seeds: int) -> Spread:
    """The mean squares that `seeds` seeds are expected to give, the components of variance being those found here."""
    by_examples = spread.residual + seeds / spread.seeds * max(spread.by_examples - spread.residual, 0.0)
    by_seeds = max(spread.by_seeds, spread.residual)
    return replace(spread, seeds=seeds, by_seeds=by_seeds, by_examples=by_examples)
