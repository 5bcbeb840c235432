"""Gaussian noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from ..combine import Draw
from ..kernels import Kernel
from ..kernels.normal import normal as normal_block
from ..kernels.scalar import scalar
from ..noise import RandomNoise
from ..streams.normal import normal


@scalar
def _prepare(strength: Any, constants: Any) -> Any:
    return strength


@scalar
def _block(w0: Any, w1: Any, w2: Any, w3: Any, strength: Any) -> Any:
    z0, z1, z2, z3 = normal_block(w0, w1, w2, w3)
    return z0 * strength, z1 * strength, z2 * strength, z3 * strength


@dataclass(frozen=True)
class Gaussian(RandomNoise):
    """Normal noise of standard deviation `strength`.

    Formula: add x + s m(x) z, multiply x (1 + s z), replace s m(x) z, with z ~ N(0, 1) for each element and m(x) what
    `relative_to` says: 1 (None), "abs", "rms" or "std", the last two per example.

    Args:
        strength: s >= 0, in the unit of x, or in units of m(x).
        relative_to: None, "abs", "rms", "std".
        combine: "add", "multiply" (Gaussian dropout: s = sqrt(p / (1 - p))), "replace".

    Raises:
        ValueError: a negative, infinite or NaN strength; an unknown magnitude or combine.

    >>> print(Gaussian(0.02, relative_to="rms"))
    Gaussian(0.02, relative_to='rms')

    Source: Bishop, "Training with noise is equivalent to Tikhonov regularization", Neural Computation 7 (1995);
    Srivastava et al., "Dropout", JMLR 15 (2014), section 10, for the multiplicative form.
    """

    def unit_std(self) -> float:
        return 1.0

    def draw(self, words: Tensor, strength: Tensor) -> Draw:
        return Draw(normal(words) * strength)

    def kernel(self, combine: str) -> Kernel:
        return Kernel(_prepare, _block, combine)
