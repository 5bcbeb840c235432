"""Poisson counts from one uniform number each, with the same bits on every processor.

A small rate is inverted by adding up probabilities, a large one by the first terms of the inverse distribution
function in powers of 1 / sqrt(rate). Uniform numbers come as v = 2 u - 1 in (-1, 1), exact in float32.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .exponential import expm1
from .normal import log

SMALL = 8.0  # up to this rate the inversion is exact
TERMS = 28  # at rate 8 a larger count has probability 1e-8, less than one of 2^24 uniform numbers
LARGEST = 1e18  # from here on counts are noise of less than 1e-9 of x, and no int64: x stays

# Giles, "Approximating the erfinv function", GPU Computing Gems 2 (2011), table 5: erfinv(v) / v in w = -ln(1 - v^2)
_NEAR_LOW = (1.50140941, 0.246640727, -0.00417768164, -0.00125372503, 0.00021858087, -4.39150654e-06, -3.5233877e-06)
NEAR = (*_NEAR_LOW, 3.43273939e-07, 2.81022636e-08)  # in w - 5/2, for w < 5
_FAR_LOW = (2.83297682, 1.00167406, 0.00943887047, -0.0076224613, 0.00573950773, -0.00367342844, 0.00134934322)
FAR = (*_FAR_LOW, 0.000100950558, -0.000200214257)  # in sqrt(w) - 3
ROOT2 = 1.4142135623730951


def _horner(coefficients: tuple[float, ...], x: Tensor) -> Tensor:
    total = x * coefficients[-1] + coefficients[-2]
    for c in reversed(coefficients[:-2]):
        total = total * x + c
    return total


def normal_quantile(v: Tensor) -> Tensor:
    """The standard normal deviate below which a share (1 + v) / 2 lies: float32 in (-1, 1) -> float32, to 1e-6.

    >>> torch.allclose(normal_quantile(torch.tensor([-0.9, 0.0, 0.9])), torch.tensor([-1.644854, 0.0, 1.644854]))
    True
    """
    w = log((1.0 - v) * (v + 1.0)) * -1.0
    w = torch.where(w > 0, w, 0.0)
    root = w.to(torch.float64).sqrt().to(torch.float32)
    return torch.where(w < 5.0, _horner(NEAR, w - 2.5), _horner(FAR, root - 3.0)) * (v * ROOT2)


def inverted(v: Tensor, rate: Tensor) -> Tensor:
    """The smallest k with P(count <= k) > u, for rates up to SMALL: float64. Exact but for rounding."""
    u = (v + 1.0) * 0.5
    term = expm1(rate * -1.0) + 1.0
    reached, count = term, torch.zeros_like(term)
    for k in range(1, TERMS + 1):
        count = count + (u >= reached).to(torch.float64)
        term = term * rate * (1.0 / k)
        reached = reached + term
    return count


def expanded(z: Tensor, rate: Tensor) -> Tensor:
    """A count of a large rate from a normal deviate: float64.

    floor(rate + sqrt(rate) z + (z^2 + 2) / 6 - (z^3 + 2 z) / (72 sqrt(rate)) + (z^4 / 270 + 7 z^2 / 810 - 8 / 405) /
    rate): from rate 8 on its distribution function differs from Poisson's by less than 1e-4 anywhere.

    Source: Fisher, Cornish, Technometrics 2 (1960); Giles, "Algorithm 955", ACM Trans. Math. Softw. 42 (2016).
    """
    root, square = rate.sqrt(), z * z
    first = rate + root * z + (square + 2.0) * (1.0 / 6.0)
    second = (square + 2.0) * z / (root * 72.0)
    third = ((square * (1.0 / 270.0) + 7.0 / 810.0) * square - 8.0 / 405.0) / rate
    return torch.where(first - second + third > 0, first - second + third, 0.0).to(torch.int64).to(torch.float64)


def counts(v: Tensor, rate: Tensor) -> Tensor:
    """Poisson counts: float32 v in (-1, 1), float64 rates from 0 to LARGEST -> float64."""
    small = rate <= SMALL
    few = inverted(v.to(torch.float64), torch.where(small, rate, 0.0))
    many = expanded(normal_quantile(v).to(torch.float64), torch.where(small, SMALL, rate))
    return torch.where(small, few, many)


def counted(x: Tensor, v: Tensor, strength: Tensor) -> Tensor:
    """x as if counted in quanta of strength^2, its sign kept; x itself where the rate is no sensible number."""
    wide = x.to(torch.float64)
    quantum = strength.to(torch.float64).square()
    rate = wide.abs() / torch.where(quantum > 0, quantum, 1.0)  # strength 0 is seen to elsewhere
    sensible = rate < LARGEST
    count = counts(v, torch.where(sensible, rate, 0.0)) * quantum
    return torch.where(sensible, torch.where(wide < 0, -count, count), wide).to(x.dtype)
