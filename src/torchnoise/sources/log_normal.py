"""Log-normal noise: a factor that is never negative."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from ..combine import Draw
from ..kernels import Kernel
from ..kernels.exponential import expm1 as expm1_of
from ..kernels.normal import normal as normal_block
from ..kernels.scalar import f32, f64, scalar
from ..noise import RandomNoise
from ..streams.exponential import expm1
from ..streams.normal import normal

_ONE = f64(1.0)


@scalar
def _prepare(strength: Any, constants: Any) -> Any:
    half, _ = constants
    sigma = f64(strength)
    return sigma, sigma * sigma * half


@scalar
def _unit(z: Any, sigma: Any, shift: Any) -> Any:
    return f32(expm1_of(f64(z) * sigma - shift) + _ONE)


@scalar
def _block(w0: Any, w1: Any, w2: Any, w3: Any, prepared: Any) -> Any:
    sigma, shift = prepared
    z0, z1, z2, z3 = normal_block(w0, w1, w2, w3)
    return _unit(z0, sigma, shift), _unit(z1, sigma, shift), _unit(z2, sigma, shift), _unit(z3, sigma, shift)


@dataclass(frozen=True)
class LogNormal(RandomNoise):
    """Each element times exp(sigma z): a random gain that never changes a sign.

    Formula: x exp(s z - s^2 / 2), which keeps the mean; x exp(s z), which keeps the median, with keep="median"; z ~
    N(0, 1) for each element. The factor's standard deviation is sqrt(exp(s^2) - 1) for the first: s = 0.1 is 10 %.

    Args:
        strength: s >= 0, the standard deviation of the factor's logarithm.
        keep: "mean" or "median".

    Raises:
        ValueError: a negative, infinite or NaN strength; another combine than "multiply"; an unknown `keep`.

    >>> print(LogNormal(0.1))
    LogNormal(0.1)

    Source: Achille, Soatto, "Information dropout", TPAMI 40 (2018), for log-normal noise on activations.
    """

    _: KW_ONLY
    combine: str = "multiply"
    keep: str = "mean"

    allowed: ClassVar[tuple[str, ...]] = ("multiply",)
    largest: ClassVar[float] = 10.0  # beyond it a float32 cannot hold the factors
    scales_linearly: ClassVar[bool] = False
    unit_of_strength: ClassVar[str] = "sigma of the log"

    def __post_init__(self) -> None:
        if self.keep not in ("mean", "median"):
            raise ValueError(f"LogNormal: keep is {self.keep!r}, allowed: 'mean', 'median'")
        super().__post_init__()

    @property
    def _half(self) -> float:
        return 0.5 if self.keep == "mean" else 0.0

    def draw(self, words: Tensor, strength: Tensor) -> Draw:
        sigma = strength.to(torch.float64)
        factor = expm1(normal(words).to(torch.float64) * sigma - sigma * sigma * self._half) + 1.0
        return Draw(factor.to(torch.float32), torch.ones_like(words, dtype=torch.bool))  # the factor as a whole

    def kernel(self, combine: str) -> Kernel:
        return Kernel(_prepare, _block, "factor" if combine == "multiply" else combine, (self._half, 0.0))
