"""Student's t noise: tails as heavy as one likes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from ..combine import Draw
from ..errors import check_number
from ..kernels import Kernel
from ..kernels.exponential import expm1 as expm1_of
from ..kernels.more import more_words as more_words_of
from ..kernels.normal import cos_sin as cos_sin_of
from ..kernels.normal import log_uniform as log_uniform_of
from ..kernels.scalar import f32, f64, i32, scalar, select
from ..noise import RandomNoise
from ..streams.exponential import expm1
from ..streams.more import more_words
from ..streams.normal import cos_sin, log_uniform

_WIDTH, _ZERO, _TWO = i32(32), f32(0.0), f64(2.0)


@scalar
def _prepare(strength: Any, constants: Any) -> Any:
    df, _ = constants
    return strength, df, _TWO / df


@scalar
def _unit(word: Any, other: Any, df: Any, power: Any) -> Any:
    log_u = log_uniform_of(word, _WIDTH)
    y = f64(select(log_u < _ZERO, -log_u, _ZERO)) * power
    cos, _ = cos_sin_of(other)
    return f32(np.sqrt(df * expm1_of(y))) * cos


@scalar
def _block(w0: Any, w1: Any, w2: Any, w3: Any, prepared: Any) -> Any:
    strength, df, power = prepared
    v0, v1, v2, v3 = more_words_of(w0, w1, w2, w3)
    return (
        _unit(w0, v0, df, power) * strength,
        _unit(w1, v1, df, power) * strength,
        _unit(w2, v2, df, power) * strength,
        _unit(w3, v3, df, power) * strength,
    )


@dataclass(frozen=True)
class StudentT(RandomNoise):
    """Student's t noise of scale `strength`, with `df` degrees of freedom.

    Formula: add x + s m(x) t, multiply x (1 + s t), replace s m(x) t, with t ~ t(df) for each element, drawn as
    sqrt(df (U^(-2 / df) - 1)) cos(2 pi V). Standard deviation s sqrt(df / (df - 2)), none for df <= 2; df = 1 is
    Cauchy noise, and a large df is Gaussian.

    Args:
        strength: the scale s >= 0, in the unit of x, or in units of m(x).
        df: degrees of freedom, from 1 to 1e6.
        relative_to: what s is relative to; see torchnoise.magnitudes.
        combine: "add", "multiply", "replace".

    Raises:
        ValueError: a negative, infinite or NaN strength; df outside its range; an unknown magnitude or combine.

    >>> print(StudentT(0.1, df=4))
    StudentT(0.1, df=4)

    Source: Bailey, "Polar generation of random variates with the t-distribution", Math. Comp. 62 (1994), for the
    formula; Simsekli, Sagun, Gurbuzbalaban, ICML 2019, for heavy tails in the noise of gradients.
    """

    df: float = 3.0

    unit_of_strength: ClassVar[str] = "scale"

    def __post_init__(self) -> None:
        check_number("StudentT: df", self.df, 1.0, 1e6)
        super().__post_init__()

    def unit_std(self) -> float | None:
        return (self.df / (self.df - 2.0)) ** 0.5 if self.df > 2 else None

    def draw(self, words: Tensor, strength: Tensor) -> Draw:
        log_u = log_uniform(words)
        y = torch.where(log_u < 0, -log_u, 0.0).to(torch.float64) * (2.0 / self.df)
        radius = (expm1(y) * self.df).sqrt().to(torch.float32)
        return Draw(radius * cos_sin(more_words(words))[0] * strength)

    def kernel(self, combine: str) -> Kernel:
        return Kernel(_prepare, _block, combine, (float(self.df), 0.0))
