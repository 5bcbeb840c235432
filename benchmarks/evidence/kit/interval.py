"""Means with intervals, and how they are written."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class Interval(NamedTuple):
    """A number and its 95 % confidence interval."""

    mean: float
    low: float
    high: float

    def shown(self, digits: int = 1, sign: bool = False) -> str:
        """As a table has it: 1.5 [1.2, 1.8]."""
        plus = "+" if sign else ""
        ends = (f"{round(v, digits) + 0.0:{plus}.{digits}f}" for v in self)  # + 0.0: no -0
        return "{} [{}, {}]".format(*ends)


def t_interval(values: Sequence[float], confidence: float = 0.95) -> Interval:
    """Student's interval of a mean. For paired runs, of their differences.

    >>> t_interval([1.0, 2.0, 3.0]).shown()
    '2.0 [-0.5, 4.5]'
    """
    from scipy.stats import t

    x = np.asarray(values, dtype=np.float64)
    if len(x) < 2:
        raise ValueError(f"t_interval: {len(x)} values, allowed: at least 2")
    half = float(t.ppf((1 + confidence) / 2, len(x) - 1)) * float(x.std(ddof=1)) / math.sqrt(len(x))
    return Interval(float(x.mean()), float(x.mean()) - half, float(x.mean()) + half)


def paired(a: Sequence[float], b: Sequence[float]) -> Interval:
    """a - b, pair by pair."""
    return t_interval([x - y for x, y in zip(a, b, strict=True)])


def share(count: int, of: int) -> Interval:
    """A share and its exact interval (Clopper, Pearson 1934), in per cent.

    >>> share(10, 20).shown(0)
    '50 [27, 73]'
    """
    from scipy.stats import binomtest

    ends = binomtest(count, of).proportion_ci(0.95)
    return Interval(100.0 * count / of, 100.0 * float(ends.low), 100.0 * float(ends.high))
