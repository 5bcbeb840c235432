"""Uniform noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from ..combine import Draw
from ..kernels import Kernel
from ..kernels.scalar import f32, i32, scalar, u32
from ..noise import RandomNoise

_BYTE, _ONE, _MIDDLE, _TO_UNIT = u32(8), u32(1), i32((1 << 24) - 1), f32(2.0**-24)


@scalar
def _prepare(strength: Any, constants: Any) -> Any:
    return strength


@scalar
def unit(word: Any) -> Any:
    return f32(i32(i32(u32(u32(word >> _BYTE) << _ONE)) - _MIDDLE)) * _TO_UNIT


@scalar
def block(w0: Any, w1: Any, w2: Any, w3: Any, strength: Any) -> Any:
    return unit(w0) * strength, unit(w1) * strength, unit(w2) * strength, unit(w3) * strength


@dataclass(frozen=True)
class Uniform(RandomNoise):
    """Uniform noise on (-strength, strength): standard deviation strength / sqrt(3).

    Formula: add x + s m(x) u, multiply x (1 + s u), replace s m(x) u, with u ~ U(-1, 1) for each element. u is
    (2k + 1) / 2^24 - 1 for k in [0, 2^24): symmetric, never 0, never an end point, exact in float32.

    Args:
        strength: the half width s >= 0, in the unit of x, or in units of m(x).
        relative_to: None, "abs", "rms", "std", as for Gaussian.
        combine: "add", "multiply", "replace".

    Raises:
        ValueError: a negative, infinite or NaN strength; an unknown magnitude or combine.

    >>> print(Uniform(0.1))
    Uniform(0.1)

    Source: Jain et al., "NEFTune", ICLR 2024, section 2, for uniform noise on embeddings.
    """

    unit_of_strength: ClassVar[str] = "half width"

    def unit_std(self) -> float:
        return 3.0**-0.5

    def draw(self, words: Tensor, strength: Tensor) -> Draw:
        odd = ((words >> 8) * 2 + (1 - (1 << 24))).to(torch.float32)  # |odd| < 2^24: exact
        return Draw((odd * 2.0**-24) * strength)

    def kernel(self, combine: str) -> Kernel:
        return Kernel(_prepare, block, combine)
