"""Gaussian dropout, with dropout's own parameter, and speckle: Gaussian factors under the names people know."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from ..combine import Draw
from ..kernels import Kernel
from ..kernels.normal import normal as normal_block
from ..kernels.scalar import f32, f64, scalar
from ..noise import RandomNoise
from ..streams.normal import normal
from .gaussian import Gaussian

_ONE = f64(1.0)


@scalar
def _prepare(strength: Any, constants: Any) -> Any:
    p = f64(strength)
    return f32(np.sqrt(p / (_ONE - p)))


@scalar
def _block(w0: Any, w1: Any, w2: Any, w3: Any, sigma: Any) -> Any:
    z0, z1, z2, z3 = normal_block(w0, w1, w2, w3)
    return z0 * sigma, z1 * sigma, z2 * sigma, z3 * sigma


@dataclass(frozen=True)
class GaussianDropout(RandomNoise):
    """Gaussian noise with the mean and variance of dropout at rate `strength`, on every element.

    Formula: multiply x (1 + sqrt(p / (1 - p)) z), add x + m(x) sqrt(p / (1 - p)) z, with z ~ N(0, 1) for each element.
    Both have the variance p / (1 - p) m^2 of dropout, m = |x| (the additive form needs relative_to="abs" for that).

    Args:
        strength: the rate p, from 0 to 0.9999.
        combine: "multiply" (the default) or "add".
        relative_to: what the additive form is relative to.

    Raises:
        ValueError: a rate outside its range; an unknown magnitude or combine.

    >>> print(GaussianDropout(0.5))
    GaussianDropout(0.5)

    Source: Srivastava et al., "Dropout", JMLR 15 (2014), section 10; Wang, Manning, "Fast dropout training", ICML 2013.
    """

    _: KW_ONLY
    combine: str = "multiply"

    allowed: ClassVar[tuple[str, ...]] = ("multiply", "add")
    largest: ClassVar[float] = 0.9999
    scales_linearly: ClassVar[bool] = False
    unit_of_strength: ClassVar[str] = "rate p"

    def draw(self, words: Tensor, strength: Tensor) -> Draw:
        p = strength.to(torch.float64)
        return Draw(normal(words) * (p / (1.0 - p)).sqrt().to(torch.float32))

    def kernel(self, combine: str) -> Kernel:
        return Kernel(_prepare, _block, combine)


@dataclass(frozen=True)
class Speckle(Gaussian):
    """Speckle: each element times 1 + noise, so that bright places are noisier than dark ones.

    Formula: x (1 + s z), z ~ N(0, 1) for each element: what image libraries call speckle. (Radar's speckle has a gamma
    distribution; LogNormal is the nearer relative there.)

    Args:
        strength: s >= 0, the factor's standard deviation.

    Raises:
        ValueError: a negative, infinite or NaN strength; another combine than "multiply".

    >>> print(Speckle(0.2))
    Speckle(0.2)

    Source: Jain, "Fundamentals of digital image processing", 1989, section 8.13.
    """

    _: KW_ONLY
    combine: str = "multiply"

    allowed: ClassVar[tuple[str, ...]] = ("multiply",)
