"""Rademacher noise: a sign."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from ..combine import Draw
from ..kernels import Kernel
from ..kernels.scalar import f32, i32, scalar, u32
from ..noise import RandomNoise

_BIT, _ONE, _TWO = u32(1), i32(1), i32(2)


@scalar
def _prepare(strength: Any, constants: Any) -> Any:
    return strength


@scalar
def _sign(word: Any) -> Any:
    return f32(i32(_ONE - i32(_TWO * i32(u32(word & _BIT)))))


@scalar
def _block(w0: Any, w1: Any, w2: Any, w3: Any, strength: Any) -> Any:
    return _sign(w0) * strength, _sign(w1) * strength, _sign(w2) * strength, _sign(w3) * strength


@dataclass(frozen=True)
class Rademacher(RandomNoise):
    """Plus or minus `strength`, with equal chance: the noise of least fourth moment at its variance.

    Formula: add x + s m(x) r, multiply x (1 + s r), replace s m(x) r, with r = 1 or -1 for each element; standard
    deviation s. In high dimensions a random corner of the cube of half width s: as far from x as any noise whose
    elements stay within s, and the start of many attacks.

    Args:
        strength: s >= 0, in the unit of x, or in units of m(x).
        relative_to: what s is relative to; see torchnoise.magnitudes.
        combine: "add", "multiply", "replace".

    Raises:
        ValueError: a negative, infinite or NaN strength; an unknown magnitude or combine.

    >>> print(Rademacher(0.1))
    Rademacher(0.1)

    Source: Spall, "Multivariate stochastic approximation using a simultaneous perturbation gradient approximation",
    IEEE Trans. Autom. Control 37 (1992), section III.
    """

    unit_of_strength: ClassVar[str] = "size"

    def unit_std(self) -> float:
        return 1.0

    def draw(self, words: Tensor, strength: Tensor) -> Draw:
        return Draw((1 - 2 * (words & 1)).to(torch.float32) * strength)

    def kernel(self, combine: str) -> Kernel:
        return Kernel(_prepare, _block, combine)
