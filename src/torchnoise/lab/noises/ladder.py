"""The strengths at which a candidate is tried."""

from __future__ import annotations

import math

from .candidate import Candidate


def ladder(candidate: Candidate, centre: float | None = None, rungs: int = 5) -> tuple[float, ...]:
    """Rising strengths, a factor apart, around `centre` (the rule of thumb, if None), of two significant digits.

    A ladder that would reach the candidate's limit is moved down by whole rungs until it stays below.

    >>> from .rows import CANDIDATES
    >>> ladder(CANDIDATES["gaussian_input"]), ladder(CANDIDATES["dropout"], centre=0.5)
    ((0.025, 0.05, 0.1, 0.2, 0.4), (0.013, 0.032, 0.08, 0.2, 0.5))
    """
    middle = candidate.rule if centre is None else centre
    if not (math.isfinite(middle) and middle > 0 and rungs > 0):
        raise ValueError(f"{candidate.name}: a ladder of {rungs} rungs around {middle:g}, allowed: numbers above 0")
    limit = math.inf if candidate.limit is None else candidate.limit
    top = (rungs - 1) // 2
    while two_digits(middle * candidate.factor**top) >= limit:
        top -= 1
    found = (two_digits(middle * candidate.factor**i) for i in range(top - rungs + 1, top + 1))
    return tuple(sorted(set(found)))


def two_digits(value: float) -> float:
    """`value` to two significant digits.

    >>> two_digits(0.1234), two_digits(1670.0)
    (0.12, 1700.0)
    """
    return float(f"{value:.2g}")
