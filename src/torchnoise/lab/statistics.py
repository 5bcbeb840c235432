"""Intervals, choices and verdicts: pure functions of numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

HELPS, HURTS, UNSEEN, DIVERGED = "helps", "hurts", "no difference seen", "diverged"


class Interval(NamedTuple):
    """A mean and its confidence interval."""

    mean: float
    low: float
    high: float

    @property
    def half_width(self) -> float:
        return (self.high - self.low) / 2


def mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def t_interval(values: Sequence[float], resolution: float = 0.0, confidence: float = 0.95) -> Interval:
    """Student's interval of a mean: mean +- t sqrt(s^2 / n), with n - 1 degrees of freedom.

    resolution: the step that the values come in (one test example, say). A few values may agree by rounding alone,
    which would make the interval a point; s is taken to be at least the spread of rounding, resolution / sqrt(12).

    >>> interval = t_interval([1.0, 2.0, 3.0])
    >>> interval.mean, round(interval.low, 4), round(interval.high, 4)
    (2.0, -0.4841, 4.4841)
    """
    from scipy.stats import t

    count = len(values)
    if count < 2:
        raise ValueError(f"t_interval: {count} values, allowed: at least 2")
    centre = mean(values)
    spread = math.sqrt(math.fsum((v - centre) ** 2 for v in values) / (count - 1))
    spread = max(spread, resolution / math.sqrt(12.0))
    half = float(t.ppf((1 + confidence) / 2, count - 1)) * spread / math.sqrt(count)
    return Interval(centre, centre - half, centre + half)


def paired_differences(noisy: Sequence[float], clean: Sequence[float]) -> list[float]:
    """Percentage points, seed by seed: 100 (noisy - clean)."""
    return [100.0 * (a - b) for a, b in zip(noisy, clean, strict=True)]


def choose_strength(validation: Mapping[float, Sequence[float] | None]) -> float | None:
    """The strength with the highest mean; of equals the weakest. None stands for a strength at which a run diverged.

    >>> choose_strength({0.1: [0.5, 0.7], 0.2: [0.6, 0.6], 0.3: None})
    0.1
    """
    means = {s: _rounded(v) for s, v in validation.items() if v is not None}
    return min(means, key=lambda s: (-means[s], s), default=None)


def choose_noise(validation: Mapping[str, Sequence[float] | None]) -> str | None:
    """The noise with the highest mean; of equals the first. None stands for a noise that diverged everywhere."""
    means = {n: _rounded(v) for n, v in validation.items() if v is not None}
    return max(means, key=lambda n: means[n], default=None)


def _rounded(values: Sequence[float]) -> float:
    """The mean, without the last bits in which equal means of different values may differ."""
    return round(mean(values), 12)


def verdict(interval: Interval) -> str:
    """What an interval of differences allows to say."""
    if interval.low > 0:
        return HELPS
    return HURTS if interval.high < 0 else UNSEEN
