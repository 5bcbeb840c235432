"""Poisson (shot) noise: what counting photons does to a signal."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar

from torch import Tensor

from ..combine import Draw
from ..kernels import Kernel
from ..kernels.scalar import f32, scalar
from ..noise import Call, RandomNoise
from .uniform import Uniform, block

_ONE = f32(1.0)


@scalar
def _prepare(strength: Any, constants: Any) -> Any:
    return _ONE


@dataclass(frozen=True)
class Poisson(RandomNoise):
    """Shot noise: x as if counted in quanta, `strength` its standard deviation where x is 1.

    Formula: x' = s^2 k sign(x), k ~ Poisson(|x| / s^2) for each element: mean x, variance s^2 |x|. An image in [0, 1]
    of which a full pixel counts N photons has s = 1 / sqrt(N): s = 0.1 is 100 photons. The gradient passes as if
    nothing had happened, which is right in the mean.

    Counts are exact up to a mean of 8, and from there on a Cornish-Fisher expansion of the inverse distribution
    function, off by less than 1e-4. Above a mean of 1e18, x stays as it is.

    Args:
        strength: s >= 0, in sqrt of the unit of x.

    Raises:
        ValueError: a negative, infinite or NaN strength; a magnitude; another combine than "count".

    >>> print(Poisson(0.1))
    Poisson(0.1)

    Source: Hasinoff, "Photon, Poisson noise", in Computer Vision: A Reference Guide, 2014; Giles, "Algorithm 955", ACM
    Trans. Math. Softw. 42 (2016), for the expansion.
    """

    _: KW_ONLY
    combine: str = "count"

    allowed: ClassVar[tuple[str, ...]] = ("count",)
    scales_linearly: ClassVar[bool] = False
    unit_of_strength: ClassVar[str] = "sigma at 1"

    def __post_init__(self) -> None:
        if self.relative_to is not None:
            raise ValueError("Poisson: its noise is as large as x itself says; leave relative_to out")
        super().__post_init__()

    def scale(self, x: Tensor, call: Call) -> Tensor:
        return call.strength  # how coarse the quanta are, which only the combine can apply

    def draw(self, words: Tensor, strength: Tensor) -> Draw:
        return Draw(Uniform(1.0).draw(words, strength.new_ones(())).values)

    def kernel(self, combine: str) -> Kernel:
        return Kernel(_prepare, block, combine)
