"""How far axes reach."""

from __future__ import annotations

import math
from collections.abc import Iterable
from statistics import median

Limits = tuple[float, float]


def around(values: Iterable[float], margin: float = 0.07, least: float = 0.0) -> Limits:
    """From the lowest to the highest with a margin, and at least `least` apart. Values that are not finite are ignored.

    >>> around([1.0, 2.0, float("nan")], margin=0.5)
    (0.5, 2.5)
    """
    finite = [v for v in values if math.isfinite(v)] or [0.0]
    low, high = min(finite), max(finite)
    spare = max(margin * (high - low), (least - (high - low)) / 2, 1e-9 * max(abs(low), abs(high)), 1e-12)
    return low - spare, high + spare


def without_outliers(intervals: Iterable[tuple[float, float]], factor: float = 4.0) -> Limits:
    """Limits about zero for intervals, some of which may reach so far that the others could not be seen.

    >>> without_outliers([(-1.0, 1.0), (-0.5, 2.0), (-90.0, -80.0)])
    (-8.46, 2.46)
    """
    pairs = list(intervals)
    far = factor * median(max(abs(low), abs(high)) for low, high in pairs) if pairs else 1.0
    low = max(min([0.0, *(low for low, _ in pairs)]), -far)
    high = min(max([0.0, *(high for _, high in pairs)]), far)
    return around([low, high], margin=0.046, least=0.1)


def of_scores(kept: Iterable[float], everything: Iterable[float], factor: float = 2.0) -> Limits:
    """Limits for scores: what was `kept` decides, and of the rest what does not lie far below it is shown too.

    >>> [round(x, 2) for x in of_scores([0.9, 1.0], [0.1, 0.85, 0.9, 1.0])]
    [0.84, 1.01]
    """
    low, high = around(kept, margin=0.0, least=1e-6)
    return around([low, high, *(v for v in everything if v >= high - factor * (high - low))])


def falls_out(value: float, limits: Limits) -> bool:
    return not limits[0] <= value <= limits[1]


def is_wide(values: Iterable[float], ratio: float = 30.0) -> bool:
    """Whether positive values reach over so many sizes that a logarithmic axis shows them better."""
    finite = [v for v in values if math.isfinite(v)]
    return bool(finite) and min(finite) > 0 and max(finite) / min(finite) > ratio
