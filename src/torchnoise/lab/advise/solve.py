"""The strength at which a loss has risen by a given amount: a bracket, narrowed, and interpolated in its square."""

from __future__ import annotations

import math
from collections.abc import Callable

WIDEST = 1.25  # of the bracket in which the rise is taken to be linear in the strength's square
NEAR, EDGE = 1.2, 1.05  # steps within a bracket: from an end that is close to the crossing, and at least
MOST = 24  # losses that are asked for


def strength_at(rise_of: Callable[[float], float], wanted: float, start: float, top: float) -> float | None:
    """The strength up to `top` at which `rise_of` crosses `wanted`; None where it does not.

    Additive noise of small strength s raises a smooth loss by about s^2 times a constant, which gives the guesses. Of
    several crossings, it is one that was found from `start`.

    >>> round(strength_at(lambda s: 3.0 * s**2, wanted=0.12, start=0.01, top=1.0), 6)
    0.2
    """
    low, below, high, above = _bracket(rise_of, wanted, min(start, top), top)
    if high is None:
        return None
    last = low
    for turn in range(MOST):
        if low > 0 and high / low <= WIDEST:
            break
        if turn % 3 == 0:
            middle = _line(low, below, high, above, wanted)
        elif turn % 3 == 1:  # the line's end was close, so the crossing is just beyond it
            middle = last * NEAR if last == low else last / NEAR
        else:  # it was not: the curve bends
            middle = math.sqrt(max(low, high / 4) * high)
        last = middle = min(max(middle, low * EDGE), high / EDGE)
        rise = rise_of(middle)
        if rise < wanted:
            low, below = middle, rise
        else:
            high, above = middle, rise
    return _line(low, below, high, above, wanted)


def _bracket(
    rise_of: Callable[[float], float], wanted: float, start: float, top: float
) -> tuple[float, float, float | None, float]:
    """(low, its rise, high, its rise) with the crossing between; high is None where `top` does not reach it."""
    strength, low, below = start, 0.0, 0.0
    high, above = None, math.inf
    for _ in range(MOST):
        rise = rise_of(strength)
        if rise >= wanted:
            high, above = strength, rise
            if low > 0:
                break
            strength /= _step(rise / wanted)
        else:
            low, below = strength, rise
            if high is not None or strength >= top:
                break
            strength = min(top, strength * _step(wanted / rise if rise > 0 else math.inf))
    return low, below, high, above


def _step(ratio: float) -> float:
    """By what factor to go on, a little beyond where the square would end."""
    return min(max(1.05 * math.sqrt(ratio), WIDEST), 4.0)


def _line(low: float, below: float, high: float, above: float, wanted: float) -> float:
    """Where a line in the strength's square crosses; the geometric middle where one end is infinite."""
    if not math.isfinite(above):
        return math.sqrt(max(low, high / 4) * high)
    share = (wanted - below) / (above - below)
    return math.sqrt(low**2 + share * (high**2 - low**2))
