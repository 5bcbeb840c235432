"""Laplace noise: heavier tails than a Gaussian's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from ..combine import Draw
from ..kernels import Kernel
from ..kernels.normal import log_uniform as log_uniform_of
from ..kernels.scalar import bits_of, f32, float_of, i32, scalar, select, u32
from ..noise import RandomNoise
from ..streams.normal import log_uniform

_BIT, _WIDTH, _TOP, _ZERO = u32(1), i32(31), u32(31), f32(0.0)


@scalar
def _prepare(strength: Any, constants: Any) -> Any:
    return strength


@scalar
def _unit(word: Any) -> Any:
    log_u = log_uniform_of(u32(word >> _BIT), _WIDTH)
    size = select(log_u < _ZERO, -log_u, _ZERO)
    return float_of(u32(u32(bits_of(size)) ^ u32(u32(word & _BIT) << _TOP)))


@scalar
def _block(w0: Any, w1: Any, w2: Any, w3: Any, strength: Any) -> Any:
    return _unit(w0) * strength, _unit(w1) * strength, _unit(w2) * strength, _unit(w3) * strength


@dataclass(frozen=True)
class Laplace(RandomNoise):
    """Laplace noise of scale `strength`: standard deviation strength * sqrt(2).

    Formula: add x + s m(x) l, multiply x (1 + s l), replace s m(x) l, with l of density exp(-|l|) / 2 for each element,
    drawn as a sign times -ln U. Beyond four standard deviations it has 55 times the mass of a Gaussian of the same
    variance: many small changes and some large ones.

    Args:
        strength: the scale s >= 0 (often called b), in the unit of x, or in units of m(x).
        relative_to: what s is relative to; see torchnoise.magnitudes.
        combine: "add", "multiply", "replace".

    Raises:
        ValueError: a negative, infinite or NaN strength; an unknown magnitude or combine.

    >>> print(Laplace(0.1, relative_to="std"))
    Laplace(0.1, relative_to='std')

    Source: Dwork, McSherry, Nissim, Smith, "Calibrating noise to sensitivity in private data analysis", TCC 2006,
    section 3, where it gives privacy (there it needs another source of randomness than this one).
    """

    unit_of_strength: ClassVar[str] = "scale b"

    def unit_std(self) -> float:
        return 2.0**0.5

    def draw(self, words: Tensor, strength: Tensor) -> Draw:
        log_u = log_uniform(words >> 1, 31)
        size = torch.where(log_u < 0, -log_u, 0.0)
        return Draw(torch.where((words & 1) == 1, -size, size) * strength)

    def kernel(self, combine: str) -> Kernel:
        return Kernel(_prepare, _block, combine)
