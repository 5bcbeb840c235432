"""Poisson (shot) noise: what counting photons does to a signal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from ..combine import Draw
from ..noise import RandomNoise
from ..oracle import Signal
from ..streams.exponential import expm1
from ..streams.normal import normal

SMALL = 12.0  # up to this rate counts are inverted exactly
MOST = 45  # at rate 12 a larger count has probability 1e-13, less than a 32-bit word can tell


def inverted(u: Tensor, rate: Tensor) -> Tensor:
    """The smallest k with P(count <= k) > u, for rates up to SMALL: float64 -> float64. Exact but for rounding."""
    term = expm1(-rate) + 1.0
    reached, count = term, torch.zeros_like(u)
    for k in range(1, MOST):
        count = count + (u >= reached).to(torch.float64)
        term = term * rate * (1.0 / k)
        reached = reached + term
    return count


def expanded(z: Tensor, rate: Tensor) -> Tensor:
    """A count of a large rate from a normal deviate, by the first terms of the inverse distribution function.

    floor(rate + sqrt(rate) z + (z^2 + 2) / 6 - (z^3 + 2 z) / (72 sqrt(rate)) + (z^4 / 270 + 7 z^2 / 810 - 8 / 405) /
    rate): from rate 12 on its distribution function differs from Poisson's by less than 4e-5 anywhere.
    """
    root, square = rate.sqrt(), z * z
    first = rate + root * z + (square + 2.0) * (1.0 / 6.0)
    second = (square + 2.0) * z / (root * 72.0)
    third = ((square * (1.0 / 270.0) + 7.0 / 810.0) * square - 8.0 / 405.0) / rate
    return (first - second + third).floor().clamp(min=0.0)


@dataclass(frozen=True)
class Poisson(RandomNoise):
    """Shot noise: x as if counted in quanta, `strength` its standard deviation where x is 1.

    Formula: x' = s^2 k sign(x), k ~ Poisson(|x| / s^2) for each element: mean x, variance s^2 |x|. An image in [0, 1]
    of which a full pixel counts N photons has s = 1 / sqrt(N): s = 0.1 is 100 photons. The gradient passes as if
    nothing had happened, which is right in the mean.

    Counts are exact up to a mean of 12, and from there on a Cornish-Fisher expansion of the inverse distribution
    function (off by less than 4e-5), in torch's own operations: the draw depends on the signal, so there is no kernel.

    Args:
        strength: s >= 0, in sqrt of the unit of x.

    Raises:
        ValueError: a negative, infinite or NaN strength; a magnitude; another combine than "add".

    >>> print(Poisson(0.1))
    Poisson(0.1)

    Source: Hasinoff, "Photon, Poisson noise", in Computer Vision: A Reference Guide, 2014; Fisher, Cornish,
    Technometrics 2 (1960), for the expansion; Giles, "Algorithm 955", ACM Trans. Math. Softw. 42
    (2016).
    """

    allowed: ClassVar[tuple[str, ...]] = ("add",)
    scales_linearly: ClassVar[bool] = False
    unit_of_strength: ClassVar[str] = "sigma at 1"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.relative_to is not None:
            raise ValueError("Poisson: its noise is measured by x itself already; leave relative_to out")

    def draw_for(self, signal: Signal, words: Tensor, strength: Tensor) -> Draw:
        u = (signal.lay_out(words).to(torch.float64) + 0.5) * 2.0**-32
        z = signal.lay_out(normal(words)).to(torch.float64)
        wide = signal.x.detach().to(torch.float64)
        quantum = strength.to(torch.float64).square().clamp(min=1e-60)
        rate = wide.abs() / quantum
        small = rate <= SMALL
        count = torch.where(
            small,
            inverted(u, torch.where(small, rate, 0.0)),
            expanded(z, torch.where(small, SMALL, rate)),
        )
        noise = torch.where(wide < 0, -count, count) * quantum - wide
        return Draw(torch.where(rate.isfinite(), noise, 0.0).to(torch.float32))
