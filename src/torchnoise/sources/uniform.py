"""Uniform noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from ..combine import Draw
from ..noise import RandomNoise


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

    def draw(self, words: Tensor, strength: Tensor) -> Draw:
        odd = ((words >> 8) * 2 + (1 - (1 << 24))).to(torch.float32)  # |odd| < 2^24: exact
        return Draw((odd * 2.0**-24) * strength)
